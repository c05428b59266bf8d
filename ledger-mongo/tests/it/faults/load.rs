//! A recorded load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ledger_core::{Applied, Expected, Receipt, Store, StoreOrder, StreamName};
use ledger_mongo::{Config, MongoId, MongoStore};
use ledger_storetest::history::{Checker, Client, Numbered, Recorder, Summary};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::support::name;

/// Longer than a failover takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// How long anything is waited for.
const LIMIT: Duration = Duration::from_secs(120);

/// What has happened so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Appends that were acknowledged.
    pub(super) acknowledged: AtomicU64,
    /// Appends of which nobody knew what became of them.
    pub(super) unknown: AtomicU64,
    /// Appends that were refused, but for conflicts.
    pub(super) refused: AtomicU64,
    /// Appends that run now.
    pub(super) running: AtomicU64,
    /// Pages that the reader of the whole store got.
    pub(super) pages: AtomicU64,
}

/// Clients at work: writers on two handles, and on a third one a reader of the
/// whole store and one of a stream.
pub(super) struct Load {
    url: String,
    recorder: Recorder<MongoId>,
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    tasks: Vec<JoinHandle<()>>,
    stores: Vec<MongoStore>,
}

impl Load {
    pub(super) async fn start(url: &str) -> Self {
        Self::with_deadline(url, DEADLINE).await
    }

    pub(super) async fn with_deadline(url: &str, deadline: Duration) -> Self {
        let mut load = Self {
            url: url.to_owned(),
            recorder: Recorder::new(),
            stop: Arc::default(),
            counts: Arc::default(),
            tasks: Vec::new(),
            stores: Vec::new(),
        };
        for _ in 0..2 {
            let store = load.open(deadline).await;
            for _ in 0..4 {
                let seed = load.tasks.len() as u64;
                let (client, stop, counts) = load.client(&store);
                load.tasks
                    .push(tokio::spawn(write(client, seed, stop, counts)));
            }
        }
        let store = load.open(deadline).await;
        let (client, stop, counts) = load.client(&store);
        load.tasks.push(tokio::spawn(follow(client, stop, counts)));
        let (client, stop, _) = load.client(&store);
        load.tasks.push(tokio::spawn(read(client, stop)));
        load
    }

    async fn open(&mut self, deadline: Duration) -> MongoStore {
        // Opening takes what it takes.
        let config = Config::new().with_deadline(deadline);
        let end = Instant::now() + LIMIT;
        loop {
            match MongoStore::open_with(&self.url, config.clone()).await {
                Ok(store) => {
                    self.stores.push(store.clone());
                    return store;
                }
                Err(error) => assert!(Instant::now() < end, "{error:?}"),
            }
        }
    }

    fn client(&self, store: &MongoStore) -> (Client<MongoId>, Arc<AtomicBool>, Arc<Counts>) {
        let store: Arc<dyn Store<MongoId>> = Arc::new(store.clone());
        let client = Client::new(&self.recorder, store);
        (client, self.stop.clone(), self.counts.clone())
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether appends run at this moment.
    pub(super) fn is_busy(&self) -> bool {
        self.counts.running.load(Ordering::Relaxed) > 0
    }

    /// Waits until so many more appends have been acknowledged.
    pub(super) async fn progress(&self, more: u64) {
        let count = || self.counts.acknowledged.load(Ordering::Relaxed);
        let goal = count() + more;
        self.wait("acknowledged appends", || count() >= goal).await;
    }

    /// Waits until it is so.
    pub(super) async fn wait(&self, what: &str, so: impl Fn() -> bool) {
        let end = Instant::now() + LIMIT;
        while !so() {
            assert!(Instant::now() < end, "no {what}: {:?}", self.counts);
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Lets everybody come to an end, and judges what they saw. A deposed
    /// primary may have served stale reads; what a client knew itself holds.
    pub(super) async fn check(mut self) -> Summary {
        self.stop.store(true, Ordering::Release);
        for task in std::mem::take(&mut self.tasks) {
            task.await.unwrap();
        }
        let fresh = self.open(DEADLINE).await;
        let history = self.recorder.finish(&fresh).await.unwrap();
        let checker = Checker::new(StoreOrder::PerStream).allowing_stale_reads();
        let summary = checker.check(&history).unwrap_or_else(|e| panic!("{e}"));
        for store in &self.stores {
            store.close().await.unwrap();
        }
        println!("{:?}\n{summary:?}", self.counts);
        assert!(summary.appended > 0 && summary.tail_pages > 0 && summary.reads > 0);
        summary
    }
}

async fn write(client: Client<MongoId>, seed: u64, stop: Arc<AtomicBool>, counts: Arc<Counts>) {
    let mut rng = fastrand::Rng::with_seed(seed);
    while !stop.load(Ordering::Acquire) {
        // One stream is hot.
        let stream = match rng.bool() {
            true => name("hot"),
            false => name(&format!("s{}", rng.u32(0..6))),
        };
        let mut entries = Vec::new();
        for _ in 0..rng.usize(1..=4) {
            let key = match rng.u8(0..4) {
                0 => format!("k{}", rng.u32(0..200)),
                _ => format!("u{seed}-{}", rng.u64(..)),
            };
            entries.push(client.recorder().entry().with_key(key));
        }
        if rng.u8(0..4) == 0 {
            entries.push(client.recorder().entry());
        }
        let expected = match rng.u8(0..6) {
            0 => match client.stat(&stream).await {
                Ok(stat) => Expected::Exactly(stat.map_or(0, |s| s.last_version)),
                Err(_) => Expected::Any,
            },
            _ => Expected::Any,
        };
        append(&client, &stream, &entries, expected, &counts).await;
        if rng.u8(0..4) == 0 {
            // What it was told, it has to see.
            let _ = client.read(&stream, None, None, 5, true).await;
        }
        // The history is read back whole: it need not be long.
        sleep(Duration::from_millis(rng.u64(0..20))).await;
    }
}

/// Appends, and again with the same keys while the outcome is unknown.
async fn append(
    client: &Client<MongoId>,
    stream: &StreamName,
    entries: &[Numbered],
    expected: Expected,
    counts: &Counts,
) {
    let keyed = entries.iter().all(|entry| entry.key.is_some());
    loop {
        counts.running.fetch_add(1, Ordering::Relaxed);
        let appended = client.append(stream, entries, expected).await;
        counts.running.fetch_sub(1, Ordering::Relaxed);
        match appended {
            Ok(receipts) => {
                if !receipts.iter().all(Receipt::is_duplicate) {
                    counts.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                return;
            }
            Err(error) if error.is_conflict() => return,
            Err(error) if error.applied() == Applied::No => {
                counts.refused.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Err(_) => {
                counts.unknown.fetch_add(1, Ordering::Relaxed);
                if !keyed {
                    return;
                }
            }
        }
    }
}

async fn follow(client: Client<MongoId>, stop: Arc<AtomicBool>, counts: Arc<Counts>) {
    let mut tail = client.tail(50);
    while !stop.load(Ordering::Acquire) {
        if tail.next().await.is_ok() {
            counts.pages.fetch_add(1, Ordering::Relaxed);
        }
        sleep(Duration::from_millis(5)).await;
    }
}

async fn read(client: Client<MongoId>, stop: Arc<AtomicBool>) {
    let hot = name("hot");
    let mut tail = client.stream_tail(&hot, 50);
    while !stop.load(Ordering::Acquire) {
        let _ = tail.next().await;
        sleep(Duration::from_millis(5)).await;
    }
}
