//! H: futures that are dropped, whatever the operation.

use futures_util::StreamExt;
use ledger_core::{
    AllQuery, EntryId, ListStreams, Query, Read, ReadAll, StoreExt, StoreOrder, StreamName,
};

use super::e_dedup::keyed;
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::give_up::give_up;
use crate::history::{Client, Recorder};
use crate::lab::{Handle, Lab};
use crate::race::spawn;
use crate::sample::{append_one, batch, entries, entry, given, name, whole};

/// No call takes so many polls.
const MOST: u32 = 10_000;

/// Every operation is dropped after 0, 1, 2, … polls until it completes.
/// Whatever the poll, the handle goes on, a dropped append is there as a whole
/// or not at all, a dropped trim has removed the oldest only, and the next
/// call of the same operation is right. Catches a lock, a permit or a
/// connection that stays behind, and half of anything.
pub(super) async fn h01_drop_at_every_poll<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let claimed = lab.capabilities();
    let (store, other) = (lab.open().await?, lab.open().await?);
    let limits = *store.limits();
    let read = Read::new(Query::new(), &limits)?;
    let list = ListStreams::new(None, 10, &limits)?;
    let all = ReadAll::new(AllQuery::new(), &limits)?;
    let stream = name("h01");

    appends(lab, &store, &other, &stream).await?;
    for operation in ["read", "stat", "health", "list", "read_all", "store_head"] {
        let able = match operation {
            "list" => claimed.list,
            "read_all" | "store_head" => claimed.store_order != StoreOrder::None,
            _ => true,
        };
        if !able {
            continue;
        }
        let mut ended = false;
        for polls in 0..MOST {
            lab.step(format!("{operation}, given up after {polls} polls"));
            ended = match operation {
                "read" => done(give_up(store.read(&stream, &read), polls).await)?,
                "stat" => done(give_up(store.stat(&stream), polls).await)?,
                "health" => done(give_up(store.health(), polls).await)?,
                "list" => done(give_up(store.list(&list), polls).await)?,
                "read_all" => done(give_up(store.read_all(&all), polls).await)?,
                _ => done(give_up(store.store_head(), polls).await)?,
            };
            let stat = store.stat(&stream).await?.map(|stat| stat.last_version);
            let log = whole(&*store, &stream).await?;
            check::equal("P11", "the state after it", stat, Some(log.len() as u64))?;
            append_one(&*store, &stream, entry("after", polls.into())).await?;
            if ended {
                break;
            }
        }
        check::that("P21", operation, ended, "an end", MOST)?;
    }
    if claimed.trim {
        trims(lab, &store).await?;
    }
    store.close().await?;
    let left = whole(&*other, &stream).await?;
    check::that(
        "P11",
        "by another handle",
        !left.is_empty(),
        "the log",
        &left,
    )?;
    Ok(Ran::Whole)
}

/// Whether it ended, and well.
fn done<T>(outcome: Option<ledger_core::Result<T>>) -> Result<bool, Failure> {
    match outcome {
        None => Ok(false),
        Some(outcome) => Ok(outcome.map(|_| true)?),
    }
}

/// Appends, dropped at every poll. The dropped ones may be stored later, but
/// not after the handle was closed.
async fn appends<I: EntryId>(
    lab: &Lab<I>,
    store: &Handle<I>,
    other: &Handle<I>,
    stream: &StreamName,
) -> Result<(), Failure> {
    let own = lab.open().await?;
    let mut sent = Vec::new();
    for polls in 0..MOST {
        lab.step(format!("an append, given up after {polls} polls"));
        let new: Vec<_> = (0..5)
            .map(|k| keyed(&format!("append {polls}"), k, &format!("{polls}/{k}")))
            .collect();
        let ended = done(give_up(own.append(stream, batch(&new[..])), polls).await)?;
        sent.push((new, ended));
        let next = entry("next", polls.into());
        let by = [store, other, &own][polls as usize % 3];
        append_one(&**by, stream, next.clone()).await?;
        sent.push((vec![next], true));
        if ended {
            break;
        }
    }
    own.close().await?;
    let log = whole(&**store, stream).await?;
    let stored = given(&log);
    for (new, acknowledged) in &sent {
        let at = stored.iter().position(|found| *found == &new[0]);
        match at {
            None => check::that("P10", "an acknowledged append", !acknowledged, "there", new)?,
            Some(at) => {
                let end = (at + new.len()).min(stored.len());
                check::same_list("P7", "a whole batch", &stored[at..end], &refs(new))?;
            }
        }
    }
    let there = sent.iter().filter(|(new, _)| stored.contains(&&new[0]));
    let count: usize = there.map(|(new, _)| new.len()).sum();
    check::equal("P7", "entries in the log", stored.len(), count)
}

fn refs<T>(list: &[T]) -> Vec<&T> {
    list.iter().collect()
}

/// Trims, dropped at every poll: what is left is always an end of the log.
async fn trims<I: EntryId>(lab: &Lab<I>, store: &Handle<I>) -> Result<(), Failure> {
    for polls in 0..MOST {
        lab.step(format!("a trim, given up after {polls} polls"));
        let stream = name(&format!("h01 trim {polls}"));
        let sent = entries("trimmed", 12);
        let receipts = store.append(&stream, batch(&sent[..])).await?;
        let ended = done(give_up(store.trim(&stream, &receipts[7].id), polls).await)?;
        let left = whole(&**store, &stream).await?;
        let gone = sent.len() - left.len().min(sent.len());
        check::same_list("P19", "what is left", &given(&left), &refs(&sent[gone..]))?;
        check::that("P19", "what is gone", gone <= 8, "at most 8", gone)?;
        // Whatever it did, the same trim again completes it.
        store.trim(&stream, &receipts[7].id).await?;
        let left = whole(&**store, &stream).await?;
        check::same_list("P19", "after the trim", &given(&left), &refs(&sent[8..]))?;
        if ended {
            return Ok(());
        }
    }
    Err(Failure::new(
        "P21",
        "a trim",
        "an end",
        format!("none in {MOST} polls"),
    ))
}

/// Tasks of a storm, and calls of each.
const TASKS: u64 = 24;
const CALLS: u64 = 16;

/// Many tasks at once append and read, and give most of it up in the middle;
/// then as many calls at once as any pool has, and all of them end; the
/// history holds. Catches a permit or a connection lost with each dropped
/// call, and a dropped append that disturbs one beside it.
pub(super) async fn h04_abort_storm<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let recorder = Recorder::new();
    let mut rng = lab.rng();
    lab.step("a storm of dropped calls");
    let tasks: Vec<_> = (0..TASKS)
        .map(|n| {
            let client = Client::new(&recorder, handles[n as usize % 2].clone());
            spawn(storm(client, rng.fork(), name(&format!("h04 {}", n % 3))))
        })
        .collect();
    let mut dropped = 0;
    for task in tasks {
        dropped += task.join().await?;
    }
    check::that(
        "P11",
        "the run proves nothing",
        dropped > 0,
        "dropped calls",
        dropped,
    )?;

    lab.step("calls after the storm");
    let calm: Vec<_> = (0..64_u64)
        .map(|n| {
            let client = Client::new(&recorder, handles[n as usize % 2].clone());
            spawn(async move {
                let sent = [client.recorder().entry()];
                let stream = name("h04 calm");
                client
                    .append(&stream, &sent, ledger_core::Expected::Any)
                    .await?;
                client.read(&stream, None, None, 10, n % 2 == 0).await?;
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for task in calm {
        task.join().await?;
    }
    for handle in &handles {
        handle.close().await?;
    }
    let history = recorder.finish(&*lab.open().await?).await?;
    super::r_random::judge(&history, lab.capabilities().store_order)?;
    Ok(Ran::Whole)
}

/// What one task does; tells how many calls it dropped before they ended.
async fn storm<I: EntryId>(
    client: Client<I>,
    mut rng: fastrand::Rng,
    stream: StreamName,
) -> Result<u32, Failure> {
    let mut dropped = 0;
    for _ in 0..CALLS {
        let polls = rng.u32(0..6);
        let entries: Vec<_> = (0..rng.usize(1..4))
            .map(|_| client.recorder().entry())
            .collect();
        let ended = match rng.u8(..4) {
            0 => done(give_up(client.read(&stream, None, None, 20, rng.bool()), polls).await)?,
            1 => done(give_up(client.stat(&stream), polls).await)?,
            _ => {
                let call = client.append(&stream, &entries, ledger_core::Expected::Any);
                done(give_up(call, polls).await)?
            }
        };
        dropped += u32::from(!ended);
        tokio::task::yield_now().await;
    }
    Ok(dropped)
}

/// Iterations that are dropped in the middle, with a page perhaps on its way,
/// leave nothing behind. Catches a connection kept by each.
pub(super) async fn h05_dropped_iteration<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let numbers = store.stream::<u64>("h05");
    numbers.append_all(0..2_500).await?;
    for round in 0..40_usize {
        lab.step(format!("iteration {round}"));
        let mut entries = numbers.entries(Query::new());
        // Also in the middle of a page, and while one is being read.
        let stop = [0, 1, 999, 1000, 1001, 2000][round % 6];
        for n in 0..stop {
            let next = entries.next().await;
            let value = next.transpose()?.map(|entry| entry.value);
            check::equal("P3", "an entry", value, Some(n as u64))?;
        }
        let _ = give_up(entries.next(), 1 + round as u32 % 3).await;
        drop(entries);
        let last = numbers.read(Query::new().desc().limit(1)).await?;
        check::equal("P11", "a read behind it", last[0].value, 2_499)?;
    }
    Ok(Ran::Whole)
}
