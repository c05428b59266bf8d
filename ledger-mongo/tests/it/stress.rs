//! The skip stress: writers in four processes, readers beside them.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::TryStreamExt;
use ledger_core::{Identifier, PageEnd, Query, Store};
use ledger_mongo::mongodb::Collection;
use ledger_mongo::mongodb::bson::oid::ObjectId;
use ledger_mongo::mongodb::bson::{Document, doc};
use ledger_mongo::mongodb::options::WriteConcern;
use ledger_mongo::{Config, MongoStore};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::support::{Patience, Place, append, entry, page, texts};

const URL: &str = "LEDGER_MONGO_STRESS_URL";
const PREFIX: &str = "LEDGER_MONGO_STRESS_PREFIX";
const WRITER: &str = "LEDGER_MONGO_STRESS_WRITER";

/// Seconds by which the clocks of the processes are wrong.
const SKEW: [i64; 4] = [-2, 0, 0, 1];

/// The first one is hot.
const STREAMS: usize = 4;

/// Entries that are read while all are writing.
const ENTRIES: u64 = 600;

/// Before the number of entries that were acknowledged to a process.
const ACKNOWLEDGED: &str = "acknowledged: ";

/// Not a test of its own: what the other processes run, until their input ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the other test, in a process of its own"]
async fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    let writer: u8 = std::env::var(WRITER).unwrap().parse().unwrap();
    let prefix = Identifier::prefix(std::env::var(PREFIX).unwrap()).unwrap();
    let config = Config::new().with_prefix(prefix);
    let place = Place { url, config };
    let over = Arc::new(AtomicBool::new(false));
    let end = over.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().lines().count();
        end.store(true, Ordering::Release);
    });
    let store = place.open().await;
    let naive = place.collection("naive").await;
    let naive = tokio::spawn(write_naively(naive, writer, over.clone()));
    let tasks = (0..2).map(|task| {
        let origin = format!("{writer} {task}");
        tokio::spawn(write(store.clone(), origin, over.clone()))
    });
    let mut acknowledged = 0;
    for task in tasks.collect::<Vec<_>>() {
        acknowledged += task.await.unwrap();
    }
    naive.await.unwrap();
    store.close().await.unwrap();
    println!("{ACKNOWLEDGED}{acknowledged}");
}

/// Returns how many entries were acknowledged.
async fn write(store: MongoStore, origin: String, over: Arc<AtomicBool>) -> u64 {
    let (mut rng, mut acknowledged) = (fastrand::Rng::new(), 0);
    while !over.load(Ordering::Acquire) {
        let stream = match rng.bool() {
            true => "s0".to_owned(),
            false => format!("s{}", rng.usize(1..STREAMS)),
        };
        let more = rng.u64(1..=4);
        let entries = (0..more).map(|n| entry(&format!("{origin} {}", acknowledged + n)));
        append(&store, &stream, entries.collect()).await.unwrap();
        acknowledged += more;
    }
    acknowledged
}

/// Inserts under the usual ids: made from the clock, random bytes of the
/// process, and a counter.
async fn write_naively(naive: Collection<Document>, writer: u8, over: Arc<AtomicBool>) {
    let mut id = [50 * writer + 17; 12];
    for n in 0_u32.. {
        if over.load(Ordering::Acquire) {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = now.as_secs().cast_signed() + SKEW[usize::from(writer)];
        id[..4].copy_from_slice(&u32::try_from(now).unwrap().to_be_bytes());
        id[8..].copy_from_slice(&n.to_be_bytes());
        let insert = naive.insert_one(doc! { "_id": ObjectId::from_bytes(id) });
        let insert = insert.write_concern(WriteConcern::majority());
        insert.await.unwrap();
        // Enough are enough; the other writers want their turn.
        sleep(Duration::from_millis(5)).await;
    }
}

fn spawn(place: &Place, writer: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stress::child", "--ignored", "--nocapture"])
        .env(URL, &place.url)
        .env(PREFIX, place.config.prefix.to_string())
        .env(WRITER, writer.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets a process come to its end; what was acknowledged to it.
fn end(child: Child) -> u64 {
    // Its input ends here.
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "a writer failed: {output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let (_, said) = said.split_once(ACKNOWLEDGED).unwrap();
    said.lines().next().unwrap().parse().unwrap()
}

/// How far a run has come.
#[derive(Debug, Default)]
struct Progress {
    /// The writers have ended.
    done: AtomicBool,
    /// What the readers of the streams have read.
    read: AtomicU64,
    /// What the reader of the hot stream has read of each process.
    of_writer: [AtomicU64; SKEW.len()],
    /// What the naive reader has skipped.
    skipped: AtomicU64,
}

/// Pages through a stream; the versions that it met.
async fn read(store: MongoStore, stream: String, progress: Arc<Progress>) -> Vec<u64> {
    let (mut read, mut last) = (Vec::new(), None);
    loop {
        // Asked before the page: it then has everything.
        let over = progress.done.load(Ordering::Acquire);
        let query = Query::new().limit(7);
        let query = last.map_or(query.clone(), |last| query.after(last));
        let found = page(&store, &stream, query).await.unwrap();
        for record in found.records {
            assert!(last < Some(record.id), "{stream}: ids ascend");
            last = Some(record.id);
            read.push(record.version);
            progress.read.fetch_add(1, Ordering::Relaxed);
            if stream == "s0" {
                let writer = usize::from(record.entry.payload[0] - b'0');
                progress.of_writer[writer].fetch_add(1, Ordering::Relaxed);
            }
        }
        if over && found.end == PageEnd::CaughtUp {
            return read;
        }
        if found.end != PageEnd::More {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Pages through the naive ids, and counts what is behind it unseen.
async fn read_naively(naive: Collection<Document>, progress: Arc<Progress>) -> u64 {
    let (mut seen, mut last) = (0, ObjectId::from_bytes([0; 12]));
    loop {
        let over = progress.done.load(Ordering::Acquire);
        let next = naive.find(doc! { "_id": { "$gt": last } });
        let next = next.sort(doc! { "_id": 1 }).limit(50);
        let found: Vec<Document> = next.await.unwrap().try_collect().await.unwrap();
        seen += found.len() as u64;
        last = match found.last() {
            Some(found) => found.get_object_id("_id").unwrap(),
            None if over => break,
            None => last,
        };
        if progress.skipped.load(Ordering::Relaxed) == 0 {
            let behind = naive.count_documents(doc! { "_id": { "$lte": last } });
            let skipped = behind.await.unwrap() - seen;
            progress.skipped.store(skipped, Ordering::Relaxed);
        }
        sleep(Duration::from_millis(1)).await;
    }
    naive.count_documents(doc! {}).await.unwrap() - seen
}

/// Catches ids that become visible behind a reader, and whatever keeps order
/// only inside one process. The naive reader shows that the stress is one: the
/// usual ids, made by each process for itself, do make it skip.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_made_by_clients_skip_and_ours_do_not() {
    let place = Place::fresh().await;
    let store = place.open().await;
    // Made before the processes come, as ours are.
    let naive: Collection<Document> = place.collection("naive").await;
    let progress = Arc::new(Progress::default());
    let children: Vec<_> = (0..SKEW.len()).map(|n| spawn(&place, n)).collect();
    let streams = (0..STREAMS).map(|n| format!("s{n}"));
    let readers: Vec<(String, JoinHandle<Vec<u64>>)> = streams
        .map(|stream| {
            let reading = read(store.clone(), stream.clone(), progress.clone());
            (stream, tokio::spawn(reading))
        })
        .collect();
    let naive = tokio::spawn(read_naively(naive, progress.clone()));
    let rounds = if ledger_testkit::long() { 10 } else { 1 };
    for round in 1..=rounds {
        let patience = Patience::new();
        let of_all = || progress.of_writer.iter().map(|n| n.load(Ordering::Relaxed));
        while progress.read.load(Ordering::Relaxed) < round * ENTRIES
            || of_all().any(|read| read == 0)
            || progress.skipped.load(Ordering::Relaxed) == 0
        {
            patience.check(&progress);
            sleep(Duration::from_millis(10)).await;
        }
    }
    let meanwhile = progress.read.load(Ordering::Relaxed);
    let ended = tokio::task::spawn_blocking(|| {
        // All at once: each waits for the end of its own input.
        let ending = children.into_iter().map(|c| std::thread::spawn(|| end(c)));
        let ending: Vec<_> = ending.collect();
        ending.into_iter().map(|e| e.join().unwrap()).sum::<u64>()
    });
    let acknowledged = ended.await.unwrap();
    progress.done.store(true, Ordering::Release);

    let fresh = place.open().await;
    let mut distinct = BTreeSet::new();
    let mut stored = 0;
    for (stream, reader) in readers {
        let found = texts(&fresh, &stream).await;
        stored += found.len() as u64;
        let expected: Vec<_> = (1..=found.len() as u64).collect();
        assert_eq!(reader.await.unwrap(), expected, "{stream}: skipped");
        distinct.extend(found.into_iter().map(|(_, text)| text));
    }
    assert_eq!(stored, acknowledged, "lost or doubled");
    assert_eq!(distinct.len() as u64, stored, "doubled");
    let skipped = naive.await.unwrap();
    println!(
        "{stored} stored by {} processes, {meanwhile} read meanwhile, 0 skipped; the naive reader \
         skipped {skipped}",
        SKEW.len()
    );
}
