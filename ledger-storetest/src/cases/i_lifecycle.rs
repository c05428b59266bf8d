//! I: closing, and what is not claimed.

use futures_util::future::{join, join_all};
use ledger_core::{
    AllQuery, Applied, EntryId, Kind, ListStreams, Query, RawEntry, Read, ReadAll, Receipts,
    Result as CoreResult, Store, StoreOrder, StreamName,
};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Lab, unclaimed};
use crate::race::{Done, spawn};
use crate::sample::{append_one, batch, entries, entry, given, name, whole};

/// What was answered to an append.
type Answered<I> = (RawEntry, CoreResult<Receipts<I>>);

/// A store is closed while it appends: what runs is waited for, what was
/// acknowledged is there, every later call answers `Closed`, closing again is
/// fine, and other handles of the place go on. Catches a close that does
/// nothing, that reaches only some methods or too many handles, and one that
/// does not wait.
pub(super) async fn i05_close_semantics<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let (store, other) = (lab.open().await?, lab.open().await?);
    let stream = name("i05");
    let mut answered: Vec<Answered<I>> = Vec::new();

    lab.step("tasks that append until the store is closed");
    let done = Done::default();
    let (acked, mut acks) = tokio::sync::mpsc::unbounded_channel();
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let (store, stream) = (store.clone(), stream.clone());
            let (done, acked) = (done.clone(), acked.clone());
            spawn(async move {
                let mut answered: Vec<Answered<I>> = Vec::new();
                for n in 0.. {
                    let last = done.is_set();
                    let sent = entry(&format!("task {task}"), n);
                    let answer = append_one(&*store, &stream, sent.clone()).await;
                    let end = last || answer.is_err();
                    answered.push((sent, answer));
                    if end {
                        break;
                    }
                    let _ = acked.send(());
                    tokio::task::yield_now().await;
                }
                answered
            })
        })
        .collect();
    for _ in 0..12 {
        acks.recv().await;
    }

    lab.step("closing while appends run");
    let sent = entries("running", 8);
    let running = sent
        .iter()
        .map(|entry| append_one(&*store, &stream, entry.clone()));
    let closing = async {
        store.close().await?;
        done.set();
        Ok::<_, Failure>(())
    };
    // Polled in this order: the appends have begun when the store is closed.
    let (answers, closed) = join(join_all(running), closing).await;
    closed?;
    answered.extend(sent.into_iter().zip(answers));
    for task in tasks {
        answered.extend(task.join().await);
    }
    the_log_has(&*other, &stream, &answered).await?;

    lab.step("calls of the closed store");
    let before = whole(&*other, &stream).await?;
    every_call_is_closed(lab, &*store, &stream, &before[0].id).await?;
    let (one, two) = join(store.close(), store.close()).await;
    check::that("P22", "closing again", one.is_ok(), "Ok", &one)?;
    check::that("P22", "closing again", two.is_ok(), "Ok", &two)?;
    every_call_is_closed(lab, &*store, &stream, &before[0].id).await?;

    lab.step("another handle");
    let found = whole(&*other, &stream).await?;
    check::same_list("P22", "by another handle", &found, &before)?;
    let next = append_one(&*other, &stream, entry("other", 0)).await;
    check::that("P22", "an append by another", next.is_ok(), "Ok", &next)?;
    other.close().await?;
    let store = lab.open().await?;
    let mut found = whole(&*store, &stream).await?;
    let last = found.pop().map(|record| record.entry);
    check::equal("P22", "the last entry", last, Some(entry("other", 0)))?;
    check::same_list("P22", "after opening again", &found, &before)?;
    the_appends_were_waited_for(lab).await
}

/// When `close` has returned, nothing that had begun is still going on.
async fn the_appends_were_waited_for<I: EntryId>(lab: &Lab<I>) -> Verdict {
    lab.step("nothing runs on after a close");
    let other = lab.open().await?;
    for round in 0..5 {
        let store = lab.open().await?;
        let stream = name(&format!("i05-waited {round}"));
        let sent: Vec<_> = (0..4).map(|n| entries(&format!("batch {n}"), 5)).collect();
        let running = sent
            .iter()
            .map(|entries| store.append(&stream, batch(&entries[..])));
        let closing = async {
            store.close().await?;
            whole(&*other, &stream).await
        };
        let (answers, found) = join(join_all(running), closing).await;
        let found = found?;
        let later = whole(&*other, &stream).await?;
        check::same_list("P22", "the log when close returned", &found, &later)?;
        for (sent, answer) in sent.iter().zip(answers) {
            let there = given(&found).contains(&&sent[0]);
            let told = answer.as_ref().map_or(there, |_| true);
            let step = "an append that ran while the store was closed";
            check::equal("P10", step, there, told)?;
        }
    }
    Ok(Ran::Whole)
}

/// What was acknowledged is there at its version, what was not applied is not,
/// and nothing is there twice.
async fn the_log_has<I: EntryId>(
    store: &dyn Store<I>,
    stream: &StreamName,
    answered: &[Answered<I>],
) -> Result<(), Failure> {
    let log = whole(store, stream).await?;
    for (sent, answer) in answered {
        let at: Vec<_> = log.iter().filter(|found| found.entry == *sent).collect();
        let versions: Vec<u64> = at.iter().map(|found| found.version).collect();
        match answer {
            Ok(receipts) => {
                let version = receipts[0].version;
                check::equal("P22", "an acknowledged append", versions, vec![version])?;
            }
            Err(e) if e.applied() == Applied::No => {
                check::equal("P10", format!("refused: {e}"), versions, vec![])?;
            }
            Err(e) => {
                let once = versions.len() <= 1;
                check::that("P10", format!("{e}"), once, "at most once", &versions)?;
            }
        }
    }
    check::that(
        "P16",
        "the log",
        log.len() <= answered.len(),
        "only what was appended",
        log.len(),
    )
}

async fn every_call_is_closed<I: EntryId>(
    lab: &Lab<I>,
    store: &dyn Store<I>,
    stream: &StreamName,
    id: &I,
) -> Result<(), Failure> {
    let claimed = lab.capabilities();
    let limits = *store.limits();
    let whole_store = claimed.store_order != StoreOrder::None;
    let read = Read::new(Query::new(), &limits)?;
    let list = ListStreams::new(None, 10, &limits)?;
    let all = ReadAll::new(AllQuery::new(), &limits)?;

    is_closed(
        "append",
        store.append(stream, batch([entry("late", 0)])).await,
        true,
    )?;
    is_closed("read", store.read(stream, &read).await, true)?;
    is_closed("stat", store.stat(stream).await, true)?;
    is_closed(
        "stat of a missing stream",
        store.stat(&name("none")).await,
        true,
    )?;
    is_closed("health", store.health().await, true)?;
    is_closed("list", store.list(&list).await, claimed.list)?;
    is_closed("trim", store.trim(stream, id).await, claimed.trim)?;
    is_closed("read_all", store.read_all(&all).await, whole_store)?;
    is_closed("store_head", store.store_head().await, whole_store)
}

/// An operation that is not claimed may say so instead.
fn is_closed<T: std::fmt::Debug>(
    operation: &str,
    call: CoreResult<T>,
    claimed: bool,
) -> Result<(), Failure> {
    let step = format!("{operation} after close");
    check::refused("P22", step, call, "Closed", |kind| match kind {
        Kind::Closed => true,
        Kind::Unsupported { .. } => !claimed,
        _ => false,
    })?;
    Ok(())
}

/// The store claims what its harness says, each operation that it claims works,
/// and each that it does not claim is refused as `Unsupported` and does
/// nothing. Catches operations that are left out in silence.
pub(super) async fn i09_unsupported_is_said<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let claimed = lab.capabilities();
    check::equal("P20", "what is claimed", store.capabilities(), claimed)?;
    let stream = name("i09");
    let sent = entries("i09", 3);
    let receipts = store.append(&stream, batch(&sent[..])).await?;
    let limits = *store.limits();

    lab.step("list");
    let list = ListStreams::new(None, 10, &limits)?;
    says("list", claimed.list, store.list(&list).await)?;

    lab.step("the whole store");
    let whole_store = claimed.store_order != StoreOrder::None;
    let all = ReadAll::new(AllQuery::new(), &limits)?;
    says("read_all", whole_store, store.read_all(&all).await)?;
    let seen = [(stream.clone(), receipts[0].id.clone())];
    says("cursor_after", whole_store, store.cursor_after(&all, &seen))?;
    says("store_head", whole_store, store.store_head().await)?;
    if !whole_store {
        unclaimed("explain_head", store.explain_head().await)?;
    }

    lab.step("trim");
    let found = whole(&*store, &stream).await?;
    check::equal("P20", "the stream", given(&found), sent.iter().collect())?;
    says(
        "trim",
        claimed.trim,
        store.trim(&stream, &receipts[0].id).await,
    )?;
    let left = usize::from(claimed.trim);
    let found = whole(&*store, &stream).await?;
    let expected = sent[left..].iter().collect();
    check::equal("P20", "after a trim", given(&found), expected)?;
    Ok(Ran::Whole)
}

fn says<T: std::fmt::Debug>(
    operation: &'static str,
    claimed: bool,
    call: CoreResult<T>,
) -> Result<(), Failure> {
    if !claimed {
        unclaimed(operation, call)?;
        return Ok(());
    }
    let step = format!("{operation}, which is claimed");
    check::that("P20", step, call.is_ok(), "Ok", &call)
}
