//! The skip stress: writers in several processes, readers beside them.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ledger_core::{AllQuery, Identifier, PageEnd, Query, Store};
use ledger_postgres::{Config, PostgresStore};
use ledger_testkit::Postgres;
use sqlx::Row;

use crate::support::{Patience, Place, all_page, batch, entry, keyed, name, page, raw};

const URL: &str = "LEDGER_POSTGRES_STRESS_URL";
const SCHEMA: &str = "LEDGER_POSTGRES_STRESS_SCHEMA";

const PROCESSES: u32 = 3;
const WRITERS: u32 = 4;
const STREAMS: u32 = 5;

/// Not a test of its own: what the other processes run, until their input ends.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests, in a process of its own"]
async fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    let schema = Identifier::schema(std::env::var(SCHEMA).unwrap()).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let end = over.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().lines().count();
        end.store(true, Ordering::Release);
    });
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(WRITERS);
    let pool = pool.connect(&url).await.unwrap();
    let config = Config::new().with_schema(schema);
    let store = PostgresStore::with_pool(pool.clone(), config)
        .await
        .unwrap();
    let writers =
        (0..WRITERS).map(|_| tokio::spawn(write(store.clone(), pool.clone(), over.clone())));
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// Appends in every way there is, with pauses where they hurt: between
/// drawing an id and the commit.
async fn write(store: PostgresStore, pool: sqlx::PgPool, over: Arc<AtomicBool>) {
    let mut rng = fastrand::Rng::new();
    while !over.load(Ordering::Acquire) {
        let stream = name(&format!("s{}", rng.u32(0..STREAMS)));
        let mut entries: Vec<_> = (0..rng.usize(1..4)).map(|_| entry("x")).collect();
        if rng.u32(0..10) < 3 {
            // Keys that collide, on purpose.
            entries.push(keyed(&format!("k{}", rng.u32(0..500))));
        }
        let sent = batch(entries);
        if rng.bool() {
            store.append(&stream, sent).await.unwrap();
            continue;
        }
        let mut open = pool.begin().await.unwrap();
        let pause = Duration::from_micros(rng.u64(0..6_000));
        let appended = {
            let inside = store.in_transaction(&mut open);
            inside.append(&stream, sent).await
        };
        appended.unwrap();
        tokio::time::sleep(pause).await;
        if rng.u32(0..10) == 0 {
            open.rollback().await.unwrap();
        } else {
            open.commit().await.unwrap();
        }
    }
}

fn spawn(place: &Place) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stress::child", "--ignored", "--nocapture"])
        .env(URL, place.url())
        .env(SCHEMA, &place.schema.name)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

type Seen = Vec<(i64, String, u64)>;

/// How far a run has come.
#[derive(Debug, Default)]
struct Progress {
    /// The writers have ended.
    done: AtomicBool,
    /// What the slowest reader of the store has seen.
    seen: AtomicUsize,
    /// What the naive reader has skipped.
    skipped: AtomicUsize,
}

impl Progress {
    fn done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }
}

async fn read_store(store: PostgresStore, progress: Arc<Progress>) -> Seen {
    let mut seen = Seen::new();
    let mut query = AllQuery::new().limit(50);
    loop {
        // Asked before the page: it then has everything.
        let over = progress.done();
        let found = all_page(&store, query).await;
        let of = |f: &ledger_core::StoreRecord<i64>| {
            (f.record.id, f.stream.to_string(), f.record.version)
        };
        seen.extend(found.records.iter().map(of));
        progress.seen.store(seen.len(), Ordering::Relaxed);
        if over && found.end == PageEnd::CaughtUp {
            return seen;
        }
        query = AllQuery::new().limit(50).after(found.next);
        if found.end != PageEnd::More {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn read_stream(store: PostgresStore, stream: String, progress: Arc<Progress>) -> Seen {
    let mut seen = Seen::new();
    loop {
        let over = progress.done();
        let after = seen.last().map_or(0, |(id, ..)| *id);
        let found = page(&store, &stream, Query::new().after(after).limit(50)).await;
        seen.extend(
            found
                .records
                .iter()
                .map(|r| (r.id, stream.clone(), r.version)),
        );
        if over && found.end == PageEnd::CaughtUp {
            return seen;
        }
        if found.end != PageEnd::More {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// The reader that pages by id without a fence.
async fn read_naively(place: Arc<Place>, progress: Arc<Progress>) -> usize {
    let (mut last, mut seen) = (0_i64, 0);
    let mut connection = place.schema.database.connect().await.unwrap();
    let sql = format!(
        "SELECT pos FROM {} WHERE pos > $1 ORDER BY pos LIMIT 50",
        place.table("entries")
    );
    let there = format!(
        "SELECT count(*) FROM {} WHERE pos <= $1",
        place.table("entries")
    );
    for round in 0_usize.. {
        let over = progress.done();
        let query = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).bind(last);
        let rows = query.fetch_all(&mut connection).await.unwrap();
        seen += rows.len();
        last = rows.last().map_or(last, |row| row.get(0));
        if over && rows.is_empty() {
            break;
        }
        if round.is_multiple_of(20) && progress.skipped.load(Ordering::Relaxed) == 0 {
            let query = sqlx::query(sqlx::AssertSqlSafe(there.clone())).bind(last);
            let there: i64 = query.fetch_one(&mut connection).await.unwrap().get(0);
            let there = usize::try_from(there).unwrap();
            progress.skipped.store(there - seen, Ordering::Relaxed);
        }
    }
    seen
}

/// Runs until so many entries were read, each fence has waited, and the naive
/// reader has skipped something.
async fn stress(place: Arc<Place>, label: &str, entries: usize) {
    let entries = match std::env::var_os("LEDGER_LONG") {
        Some(_) => 10 * entries,
        None => entries,
    };
    let store = place.open().await;
    let progress = Arc::new(Progress::default());
    let mut children: Vec<_> = (0..PROCESSES).map(|_| spawn(&place)).collect();
    let whole = [store.clone(), place.open().await];
    let handles = whole.clone();
    let whole: Vec<_> = whole
        .into_iter()
        .map(|store| tokio::spawn(read_store(store, progress.clone())))
        .collect();
    let streams: Vec<_> = (0..STREAMS)
        .map(|n| {
            tokio::spawn(read_stream(
                store.clone(),
                format!("s{n}"),
                progress.clone(),
            ))
        })
        .collect();
    let naive = tokio::spawn(read_naively(place.clone(), progress.clone()));
    let patience = Patience::new();
    let waited = |store: &PostgresStore| store.fence_stats().waits > 0;
    while progress.seen.load(Ordering::Relaxed) < entries
        || progress.skipped.load(Ordering::Relaxed) == 0
        || !handles.iter().all(waited)
    {
        let stats: Vec<_> = handles.iter().map(PostgresStore::fence_stats).collect();
        patience.check((&progress, stats));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let wait = move || {
        children.iter_mut().for_each(|c| drop(c.stdin.take()));
        children
            .iter_mut()
            .all(|c| c.wait().is_ok_and(|s| s.success()))
    };
    assert!(
        tokio::task::spawn_blocking(wait).await.unwrap(),
        "a writer failed"
    );
    progress.done.store(true, Ordering::Release);

    let rows = raw(
        &place,
        "SELECT e.pos, s.name, e.seq FROM {s}.ledger_entries e \
         JOIN {s}.ledger_streams s ON s.id = e.stream_id ORDER BY e.pos",
    );
    let all: Seen = rows
        .await
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get::<i64, _>(2).unsigned_abs()))
        .collect();
    let mut versions: HashMap<&str, u64> = HashMap::new();
    for (_, stream, version) in &all {
        let last = versions.entry(stream).or_default();
        *last += 1;
        assert_eq!(
            version, last,
            "{stream}: versions in the order of ids, without gaps"
        );
    }
    for reader in whole {
        let seen = reader.await.unwrap();
        assert_eq!(seen.len(), all.len(), "skipped or repeated");
        assert!(seen == all, "out of order");
    }
    for (n, reader) in streams.into_iter().enumerate() {
        let stream = format!("s{n}");
        let expected: Seen = all
            .iter()
            .filter(|(_, s, _)| *s == stream)
            .cloned()
            .collect();
        assert!(
            reader.await.unwrap() == expected,
            "{stream}: skipped, or out of order"
        );
    }
    let naive = naive.await.unwrap();
    let stats: Vec<_> = handles.iter().map(PostgresStore::fence_stats).collect();
    println!(
        "{label}: {} entries, 0 skipped, 0 out of order by two readers of the store and {STREAMS} \
         of streams; {stats:?}; the naive reader skipped {}",
        all.len(),
        all.len() - naive
    );
}

/// Catches every reader that is right most of the time.
#[tokio::test(flavor = "multi_thread")]
async fn twelve_writers_in_three_processes_and_nothing_is_skipped() {
    stress(Arc::new(Place::fresh().await), "fast flush", 2_500).await;
}

/// The same where a commit takes a millisecond.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_skipped_with_a_slow_flush_either() {
    let server = Postgres::slow_flush().await.unwrap();
    let place = Place::on(server).await.unwrap();
    stress(Arc::new(place), "1 ms flush", 1_200).await;
}
