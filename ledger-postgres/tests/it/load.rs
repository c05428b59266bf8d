//! A recorded load of small appends that come in groups, for tests that break
//! something meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ledger_core::{Applied, Expected, Store, StoreOrder, StreamName};
use ledger_postgres::PostgresStore;
use ledger_storetest::history::{Client, Numbered, Recorder, Summary, check};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{Patience, name};

/// Clients and readers at work.
pub(crate) struct Load {
    recorder: Recorder<i64>,
    stop: Arc<AtomicBool>,
    told: Arc<Told>,
    tasks: Vec<JoinHandle<()>>,
}

/// What the clients were told.
#[derive(Debug, Default)]
struct Told {
    unknown: AtomicU64,
    stored: AtomicU64,
    /// Not applied, and not a conflict.
    refused: AtomicU64,
}

impl Load {
    /// So many clients share a handle, and two readers another one.
    pub(crate) fn start(writing: &PostgresStore, reading: &PostgresStore, clients: u64) -> Self {
        let recorder = Recorder::new();
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::new(Told::default());
        let mut tasks = Vec::new();
        for n in 0..clients {
            let client = Client::new(&recorder, Arc::new(writing.clone()) as Arc<dyn Store<i64>>);
            tasks.push(tokio::spawn(write(client, n, stop.clone(), told.clone())));
        }
        for _ in 0..2 {
            let client = Client::new(&recorder, Arc::new(reading.clone()) as Arc<dyn Store<i64>>);
            tasks.push(tokio::spawn(read(client, stop.clone())));
        }
        Self {
            recorder,
            stop,
            told,
            tasks,
        }
    }

    /// How many appends had an unknown outcome so far.
    pub(crate) fn unknown(&self) -> u64 {
        self.told.unknown.load(Ordering::Relaxed)
    }

    /// How many were acknowledged so far.
    pub(crate) fn stored(&self) -> u64 {
        self.told.stored.load(Ordering::Relaxed)
    }

    /// How many were not applied so far, conflicts aside.
    pub(crate) fn refused(&self) -> u64 {
        self.told.refused.load(Ordering::Relaxed)
    }

    /// Waits until so many more were acknowledged.
    pub(crate) async fn goes_on(&self, more: u64) {
        let (wanted, patience) = (self.stored() + more, Patience::new());
        while self.stored() < wanted {
            patience.check(&self.told);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets everybody come to an end, and checks what they saw.
    pub(crate) async fn check(self, fresh: &PostgresStore) -> Summary {
        self.stop.store(true, Ordering::Release);
        for task in self.tasks {
            task.await.unwrap();
        }
        let history = self.recorder.finish(fresh).await.unwrap();
        check(&history, StoreOrder::Total).unwrap_or_else(|e| panic!("{e}"))
    }
}

async fn write(client: Client<i64>, seed: u64, stop: Arc<AtomicBool>, told: Arc<Told>) {
    let mut rng = fastrand::Rng::with_seed(seed);
    while !stop.load(Ordering::Acquire) {
        // One stream is hot.
        let stream = match rng.bool() {
            true => name("hot"),
            false => name(&format!("s{}", rng.u32(0..12))),
        };
        let mut entries = vec![client.recorder().entry()];
        match rng.u8(0..4) {
            0 => entries.push(client.recorder().entry()),
            1 => {
                let key = format!("k{}", rng.u32(0..400));
                entries.push(client.recorder().entry().with_key(key));
            }
            2 => {
                let key = format!("u{seed}-{}", rng.u64(..));
                entries = vec![client.recorder().entry().with_key(key)];
            }
            _ => {}
        }
        let expected = match rng.u8(0..6) {
            0 => match client.stat(&stream).await {
                Ok(stat) => Expected::Exactly(stat.map_or(0, |s| s.last_version)),
                Err(_) => Expected::Any,
            },
            _ => Expected::Any,
        };
        if rng.u8(0..16) == 0 {
            // A caller that goes away.
            let patience = Duration::from_micros(rng.u64(0..3_000));
            let appending = client.append(&stream, &entries, expected);
            let _ = timeout(patience, appending).await;
            continue;
        }
        append(&client, &told, &stream, &entries, expected).await;
        if rng.u8(0..8) == 0 {
            tokio::time::sleep(Duration::from_micros(rng.u64(0..2_000))).await;
        }
    }
}

/// Appends, and again with the same keys if the outcome is unknown.
async fn append(
    client: &Client<i64>,
    told: &Told,
    stream: &StreamName,
    entries: &[Numbered],
    expected: Expected,
) {
    let keyed = entries.iter().all(|entry| entry.key.is_some());
    for _ in 0..5 {
        let Err(error) = client.append(stream, entries, expected).await else {
            told.stored.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if error.is_conflict() {
            return;
        }
        let count = match error.applied() {
            Applied::Unknown => &told.unknown,
            Applied::No => &told.refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(5)).await;
        if error.applied() == Applied::No || !keyed {
            return;
        }
    }
}

async fn read(client: Client<i64>, stop: Arc<AtomicBool>) {
    let mut tail = client.tail(50);
    let hot = name("hot");
    let mut stream = client.stream_tail(&hot, 50);
    while !stop.load(Ordering::Acquire) {
        let _ = tail.next().await;
        let _ = stream.next().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
