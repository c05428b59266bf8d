//! C: no reader ever skips an entry.

use std::time::Duration;

use ledger_core::{EntryId, Expected, Kind, PageEnd, StoreOrder, StoreRecord, StreamName};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Handle, Lab};
use crate::race::{Done, race, spawn};
use crate::sample::{batch, entries, entry, everything, name, whole};
use crate::tail::{Idle, StoreTail, Tail, same_log};

/// Appends random batches to the streams, one after the other, and tells how
/// many entries.
async fn write<I: EntryId>(
    store: Handle<I>,
    writer: usize,
    streams: Vec<StreamName>,
    appends: usize,
    most: u64,
    mut rng: fastrand::Rng,
) -> Result<usize, Failure> {
    let mut count = 0;
    for n in 0..appends {
        let stream = &streams[rng.usize(..streams.len())];
        // Large batches stay in commit for longer than small ones.
        let size = if rng.u8(..8) == 0 { most } else { 1 };
        let sent = entries(&format!("writer {writer}, append {n}"), size);
        let receipts = store.append(stream, batch(sent)).await?;
        count += receipts.len();
        tokio::task::yield_now().await;
    }
    Ok(count)
}

/// Runs all writers, then tells the readers.
async fn write_all<I: EntryId>(
    lab: &Lab<I>,
    handles: &[Handle<I>],
    streams: &[StreamName],
    (writers, appends, most): (usize, usize, u64),
    done: &Done,
) -> Result<usize, Failure> {
    let mut rng = lab.rng();
    let tasks = (0..writers).map(|n| {
        let store = handles[n % handles.len()].clone();
        write(store, n, streams.to_vec(), appends, most, rng.fork())
    });
    let written = race(tasks).await;
    done.set();
    let written: Result<Vec<usize>, Failure> = written.into_iter().collect();
    Ok(written?.into_iter().sum())
}

/// While quick and slow appends race, whatever a reader was given stays what a
/// new reading from the beginning finds: nothing appears at or before a place
/// that was read. Catches positions that are taken before the commit.
///
/// Where a backend can hold one append in its commit while another passes,
/// its own tests add the case that does so without chance.
pub(super) async fn c03_nothing_appears_behind_a_reader<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let order = lab.capabilities().store_order;
    let streams = [name("c03"), name("c03-b"), name("c03-c")];
    let done = Done::default();

    let by_stream = spawn({
        let (store, stream, done) = (handles[1].clone(), streams[0].clone(), done.clone());
        async move {
            let mut tail = Tail::new(&store, &stream, 3);
            let mut idle = Idle::default();
            while !done.is_set() {
                let end = tail.step().await?;
                if end == PageEnd::CaughtUp {
                    let again = whole(&*store, &stream).await?;
                    let start = &again[..tail.got.len().min(again.len())];
                    check::same_list("P3", "a stream read again", start, &tail.got)?;
                }
                idle.after(end).await;
            }
            Ok::<_, Failure>(())
        }
    });
    let whole_store = (order != StoreOrder::None).then(|| {
        let (one, other, done) = (handles[1].clone(), handles[0].clone(), done.clone());
        spawn(async move {
            let mut tail = StoreTail::new(&one, 3);
            let mut idle = Idle::default();
            while !done.is_set() {
                let end = tail.step().await?;
                if end != PageEnd::More {
                    let again = everything_settled(&other).await?;
                    read_again(order, &again, &tail.got)?;
                }
                idle.after(end).await;
            }
            Ok::<_, Failure>(())
        })
    });

    let appends = 20 * lab.load as usize;
    let count = write_all(lab, &handles, &streams, (6, appends, 40), &done).await?;
    by_stream.join().await?;
    if let Some(reader) = whole_store {
        reader.join().await?;
        let log = everything(&*handles[0], 1000, false).await?;
        check::equal("P4", "the log", log.len(), count)?;
    }
    Ok(Ran::Whole)
}

/// The store from its beginning up to where it is settled now.
async fn everything_settled<I: EntryId>(store: &Handle<I>) -> Result<Vec<StoreRecord<I>>, Failure> {
    let mut tail = StoreTail::new(store, 1000);
    while tail.step().await? == PageEnd::More {}
    Ok(tail.got)
}

/// Two readings of a growing store: where both are, they are the same. The
/// settled end of one handle may be ahead of that of another.
fn read_again<I: EntryId>(
    order: StoreOrder,
    again: &[StoreRecord<I>],
    got: &[StoreRecord<I>],
) -> Result<(), Failure> {
    if order == StoreOrder::Total {
        let both = again.len().min(got.len());
        return check::same_list("P3", "the store read again", &again[..both], &got[..both]);
    }
    // Each version once and in order was checked while reading: what is left
    // is that the same version is the same entry.
    for found in got {
        let same = again.iter().find(|other| {
            other.stream == found.stream && other.record.version == found.record.version
        });
        if let Some(same) = same {
            check::equal("P3", "the store read again", same, found)?;
        }
    }
    Ok(())
}

/// While eight writers append through two handles, readers by pages of 1, 10
/// and 100 follow a stream and the whole store: each one's list is the final
/// log. Catches skipped, lost, repeated and reordered entries under load.
pub(super) async fn c04_many_writers_one_tail<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let order = lab.capabilities().store_order;
    let streams = [name("c04"), name("c04-b")];
    let done = Done::default();

    let mut by_stream = Vec::new();
    let mut by_store = Vec::new();
    for (n, size) in [1, 10, 100].into_iter().enumerate() {
        let store = &handles[n % 2];
        by_stream.push(spawn(
            Tail::new(store, &streams[0], size).follow(done.clone()),
        ));
        if order != StoreOrder::None {
            let store = &handles[(n + 1) % 2];
            by_store.push(spawn(StoreTail::new(store, size).follow(done.clone())));
        }
    }
    let appends = 30 * lab.load as usize;
    let count = write_all(lab, &handles, &streams, (8, appends, 40), &done).await?;

    let log = whole(&*handles[0], &streams[0]).await?;
    let second = whole(&*handles[1], &streams[1]).await?;
    check::equal(
        "P4",
        "entries in the streams",
        log.len() + second.len(),
        count,
    )?;
    for reader in by_stream {
        check::same_list("P3", "a reader of the stream", &reader.join().await?, &log)?;
    }
    if order != StoreOrder::None {
        let all = everything(&*handles[0], 10_000, false).await?;
        for (stream, log) in streams.iter().zip([&log, &second]) {
            let part: Vec<_> = all
                .iter()
                .filter(|found| found.stream == *stream)
                .map(|found| &found.record)
                .collect();
            let log: Vec<_> = log.iter().collect();
            check::same_list("P3", format!("stream {stream} in the store"), &part, &log)?;
        }
        for reader in by_store {
            let got = reader.join().await?;
            same_log("P3", "a reader of the store", order, &got, &all)?;
        }
    }
    Ok(Ran::Whole)
}

/// How long a reader may take to come past appends that failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Appends that fail between good ones make no reader wait or skip. Catches a
/// reader that waits for ever at a gap.
pub(super) async fn c05_failed_appends_no_stall<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let order = lab.capabilities().store_order;
    let (stream, failing) = (name("c05"), name("c05-failing"));
    let keyed = |text: &str| vec![entry(text, 0), entry(text, 1).with_dedup_key("taken")];
    handles[0].append(&failing, batch(keyed("first"))).await?;

    let mut tail = Tail::new(&handles[1], &stream, 7);
    let mut store_tail = StoreTail::new(&handles[1], 7);
    for n in 0..25 {
        let store = &handles[n % 2];
        lab.step(format!("round {n}: appends that fail"));
        for expected in [
            Expected::NoStream,
            Expected::Exactly(1),
            Expected::Exactly(3),
        ] {
            let sent = batch(entries("never", 3)).with_expected(expected);
            let call = store.append(&failing, sent).await;
            check::refused(
                "P8",
                format!("expecting {expected}"),
                call,
                "Conflict",
                |kind| matches!(kind, Kind::Conflict { actual: 2, .. }),
            )?;
        }
        let mismatch = batch(keyed("other")).with_verified_duplicates(true);
        let call = store.append(&failing, mismatch).await;
        check::refused("P9", "a mismatch", call, "DedupMismatch", |kind| {
            matches!(
                kind,
                Kind::DedupMismatch {
                    index: 1,
                    original: Some(2)
                }
            )
        })?;

        lab.step(format!("round {n}: reading past them"));
        let receipts = store
            .append(&stream, batch([entry("c05", n as u64)]))
            .await?;
        tail.catch_up().await?;
        let got = tail.got.last().map(|last| &last.id);
        check::equal(
            "P4",
            "the last entry of the stream",
            got,
            receipts.last_id(),
        )?;
        if order != StoreOrder::None {
            let seen = async {
                let mut idle = Idle::default();
                while store_tail.got.len() < n + 3 {
                    let end = store_tail.step().await?;
                    idle.after(end).await;
                }
                Ok::<_, Failure>(())
            };
            match tokio::time::timeout(PATIENCE, seen).await {
                Ok(seen) => seen?,
                Err(_) => {
                    let step = "a reader of the store, past appends that failed";
                    let expected = format!("the last entry within {PATIENCE:?}");
                    return Err(Failure::new("P3", step, expected, "it still waits"));
                }
            }
        }
    }
    let log = whole(&*handles[0], &stream).await?;
    check::same_list("P3", "the reader of the stream", &tail.got, &log)?;
    let failed = whole(&*handles[0], &failing).await?;
    check::equal("P8", "entries where appends failed", failed.len(), 2)?;
    if order != StoreOrder::None {
        let all = everything(&*handles[0], 100, false).await?;
        same_log(
            "P3",
            "the reader of the store",
            order,
            &store_tail.got,
            &all,
        )?;
    }
    Ok(Ran::Whole)
}
