//! O: transactions of the caller.

mod dropped;
mod readers;

pub(super) use dropped::{o03_dropped_transaction, o05_dropped_append_spoils};
pub(super) use readers::{o02_open_transaction_and_readers, o07_retry_while_held};

use ledger_core::{
    AllQuery, EntryId, Expected, Kind, ListStreams, Query, RawEntry, ReadAll, Store, StoreOrder,
    StreamName,
};

use super::d_expected::conflicts;
use super::e_dedup::{NEW, OLD, keyed, receipts_are};
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::hooks::Application;
use crate::lab::{Handle, Lab};
use crate::sample::{append_one, batch, entry, given, name, whole};

/// What a case without an application ends with.
const NONE: Ran = Ran::Not("the harness has no application with transactions");

/// The rows of the application are these.
async fn rows_are<I: EntryId>(
    application: &dyn Application<I>,
    step: &str,
    expected: &[i64],
) -> Result<(), Failure> {
    let mut rows = application.rows().await?;
    rows.sort_unstable();
    check::same_list("P7", format!("rows {step}"), &rows, expected)
}

/// The entries that others see of a stream are these.
async fn others_see<I: EntryId>(
    store: &Handle<I>,
    stream: &StreamName,
    step: &str,
    expected: &[RawEntry],
) -> Result<(), Failure> {
    let log = whole(&**store, stream).await?;
    let stored: Vec<_> = given(&log).into_iter().cloned().collect();
    check::same_list("P5", format!("entries {step}"), &stored, expected)?;
    let versions: Vec<u64> = log.iter().map(|record| record.version).collect();
    let expected: Vec<u64> = (1..=expected.len() as u64).collect();
    check::equal("P1", format!("versions {step}"), versions, expected)
}

/// Entries and rows of a transaction are committed together, or rolled back
/// together; the transaction sees its own entries and nobody else does before
/// the commit; what was rolled back leaves no entry, version or key behind.
/// Catches an append by a connection of its own, reads that see only what is
/// committed, and keys that stay taken.
pub(super) async fn o01_commit_and_rollback<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let stream = name("o01");
    let store = lab.open().await?;
    append_one(&*store, &stream, keyed("before", 0, "before")).await?;
    let mut log = vec![keyed("before", 0, "before")];
    let Some(application) = lab.application().await else {
        return Ok(NONE);
    };
    let application = application?;
    let mut rows = Vec::new();
    for (round, commit) in [false, true, false, true].into_iter().enumerate() {
        lab.step(format!("round {round}, which commits: {commit}"));
        let (row, n) = (round as i64, round as u64);
        let version = log.len() as u64;
        let mut tx = application.begin().await?;
        tx.write(row).await?;
        let bound = tx.store();
        // The same keys in both rounds of a pair: the first leaves them free.
        let sent = [
            keyed("o01", n, &format!("key {}", round / 2)),
            entry("o01", n),
        ];
        let receipts = bound.append(&stream, batch(&sent[..])).await?;
        receipts_are(
            "in a transaction",
            &receipts,
            &[(version + 1, NEW), (version + 2, NEW)],
        )?;
        let repeat = bound.append(&stream, batch(&sent[..1])).await?;
        receipts_are("its own repeat", &repeat, &[(version + 1, OLD)])?;
        let repeat = append_one(&*bound, &stream, log[0].clone()).await?;
        receipts_are("a repeat of before", &repeat, &[(1, OLD)])?;
        let last = append_one(&*bound, &stream, entry("last", n)).await?;
        receipts_are("one more append", &last, &[(version + 3, NEW)])?;
        let sees = whole(&*bound, &stream).await?;
        let all: Vec<_> = log
            .iter()
            .chain(&sent)
            .cloned()
            .chain([entry("last", n)])
            .collect();
        let seen: Vec<_> = given(&sees).into_iter().cloned().collect();
        check::same_list("P4", "what the transaction sees", &seen, &all)?;
        let stat = bound.stat(&stream).await?.map(|stat| stat.last_version);
        check::equal("P4", "the state it sees", stat, Some(version + 3))?;
        drop(bound);
        others_see(&store, &stream, "before the end", &log).await?;
        if commit {
            tx.commit().await?;
            (log, rows) = (all, [rows, vec![row]].concat());
        } else {
            tx.rollback().await?;
        }
        others_see(&store, &stream, "after the end", &log).await?;
        rows_are(&*application, "after the end", &rows).await?;
        let next = append_one(&*store, &stream, entry("next", n)).await?;
        receipts_are(
            "an append afterwards",
            &next,
            &[(log.len() as u64 + 1, NEW)],
        )?;
        log.push(entry("next", n));
    }
    lab.step("after opening again");
    store.close().await?;
    others_see(&lab.open().await?, &stream, "in the end", &log).await?;
    Ok(Ran::Whole)
}

/// Expected versions in a transaction count its own entries, and a conflict or
/// a mismatch has no effect and leaves it usable. Catches expectations checked
/// against what is committed, and a refusal that takes the transaction along.
pub(super) async fn o04_conflict_in_transaction<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let stream = name("o04");
    let store = lab.open().await?;
    append_one(&*store, &stream, keyed("o04", 0, "key")).await?;
    let Some(application) = lab.application().await else {
        return Ok(NONE);
    };
    let application = application?;
    let mut tx = application.begin().await?;
    tx.write(1).await?;
    let bound = tx.store();
    let expecting = |n: u64, expected: u64| batch([entry("o04", n)]).with_expected(expected);
    bound.append(&stream, expecting(1, 1)).await?;
    let call = bound.append(&stream, expecting(9, 1)).await;
    conflicts("behind its own entry", call, Expected::Exactly(1), 2)?;
    let other = batch([keyed("other", 9, "key")]).with_verified_duplicates(true);
    let call = bound.append(&stream, other).await;
    check::refused("P9", "a mismatch", call, "DedupMismatch", |kind| {
        matches!(
            kind,
            Kind::DedupMismatch {
                index: 0,
                original: Some(1)
            }
        )
    })?;
    bound.append(&stream, expecting(2, 2)).await?;
    let fresh = batch([entry("o04", 3)]).with_expected(Expected::NoStream);
    bound.append(&name("o04 new"), fresh).await?;
    drop(bound);
    tx.write(2).await?;
    tx.commit().await?;
    let log = [keyed("o04", 0, "key"), entry("o04", 1), entry("o04", 2)];
    others_see(&store, &stream, "after the commit", &log).await?;
    others_see(
        &store,
        &name("o04 new"),
        "of the new stream",
        &[entry("o04", 3)],
    )
    .await?;
    rows_are(&*application, "after the commit", &[1, 2]).await?;
    Ok(Ran::Whole)
}

/// What a store in a transaction does not claim it refuses, and a read of the
/// whole store, which could skip there, is never claimed; the transaction goes
/// on. Catches an operation that goes past the transaction in silence.
pub(super) async fn o06_the_rest_is_refused<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let stream = name("o06");
    let store = lab.open().await?;
    let receipts = append_one(&*store, &stream, entry("o06", 0)).await?;
    let Some(application) = lab.application().await else {
        return Ok(NONE);
    };
    let application = application?;
    let mut tx = application.begin().await?;
    let bound = tx.store();
    append_one(&*bound, &stream, entry("o06", 1)).await?;
    let claims = bound.capabilities();
    check::equal(
        "P3",
        "the order it claims",
        claims.store_order,
        StoreOrder::None,
    )?;
    let limits = *bound.limits();
    let all = ReadAll::new(AllQuery::new(), &limits)?;
    let list = ListStreams::new(None, 10, &limits)?;
    refuses("read_all", bound.read_all(&all).await)?;
    refuses("store_head", bound.store_head().await)?;
    refuses("close", bound.close().await)?;
    if !claims.list {
        refuses("list", bound.list(&list).await)?;
    }
    if !claims.trim {
        refuses("trim", bound.trim(&stream, &receipts[0].id).await)?;
    }
    append_one(&*bound, &stream, entry("o06", 2)).await?;
    let page = crate::sample::page(&*bound, &stream, Query::new()).await?;
    check::equal("P4", "entries it sees", page.records.len(), 3)?;
    drop(bound);
    tx.commit().await?;
    let log = [0, 1, 2].map(|n| entry("o06", n));
    others_see(&store, &stream, "after the commit", &log).await?;
    Ok(Ran::Whole)
}

fn refuses<T: std::fmt::Debug>(
    operation: &'static str,
    call: ledger_core::Result<T>,
) -> Result<(), Failure> {
    let step = format!("{operation} in a transaction");
    check::refused("P20", step, call, "Unsupported", |kind| {
        matches!(kind, Kind::Unsupported { .. })
    })?;
    Ok(())
}
