//! Transactions and appends in them that are dropped.

use ledger_core::{Applied, EntryId, RawEntry, Retry};

use super::{NONE, others_see, rows_are};
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::give_up::give_up;
use crate::lab::Lab;
use crate::sample::{append_one, batch, entries, entry, name, page};

/// A transaction that is dropped without an end is rolled back, at whatever
/// point, and the next one and other handles go on. Catches a drop that
/// commits, and a connection or a lock that stays behind.
pub(in crate::cases) async fn o03_dropped_transaction<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let stream = name("o03");
    let store = lab.open().await?;
    let Some(application) = lab.application().await else {
        return Ok(NONE);
    };
    let application = application?;
    let mut log = Vec::new();
    for round in 0..12_u64 {
        lab.step(format!("round {round}"));
        let mut tx = application.begin().await?;
        if round % 3 > 0 {
            tx.write(round as i64).await?;
        }
        if round % 3 > 1 {
            let sent = batch(entries(&format!("dropped {round}"), 3));
            tx.store().append(&stream, sent).await?;
        }
        drop(tx);
        if round % 2 == 0 {
            append_one(&*store, &stream, entry("o03", round)).await?;
        } else {
            let mut tx = application.begin().await?;
            append_one(&*tx.store(), &stream, entry("o03", round)).await?;
            tx.commit().await?;
        }
        log.push(entry("o03", round));
        others_see(&store, &stream, "after a dropped transaction", &log).await?;
    }
    rows_are(&*application, "of dropped transactions", &[]).await?;
    Ok(Ran::Whole)
}

/// How many polls an append in a transaction may take.
const MOST: u32 = 10_000;

/// An append that is dropped in a transaction, after every number of polls
/// until it completes: either the transaction goes on and is whole, or it
/// refuses everything, says that the transaction has to be repeated, and
/// leaves nothing. Catches half a batch that is committed with the rest.
pub(in crate::cases) async fn o05_dropped_append_spoils<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let stream = name("o05");
    let store = lab.open().await?;
    append_one(&*store, &stream, entry("before", 0)).await?;
    let Some(application) = lab.application().await else {
        return Ok(NONE);
    };
    let application = application?;
    let mut log = vec![entry("before", 0)];
    let mut rows = Vec::new();
    for polls in 0..MOST {
        lab.step(format!("given up after {polls} polls"));
        let mut tx = application.begin().await?;
        tx.write(polls.into()).await?;
        let bound = tx.store();
        let sent = entries(&format!("dropped {polls}"), 5);
        let first = give_up(bound.append(&stream, batch(&sent[..])), polls).await;
        let next = entry("next", polls.into());
        let went_on = append_one(&*bound, &stream, next.clone()).await;
        match (&first, went_on) {
            (Some(Err(e)), _) => return Err(failed("an append", e)),
            (Some(Ok(_)), Err(e)) => return Err(failed("an append behind one that ended", &e)),
            (_, Ok(_)) => {
                drop(bound);
                tx.commit().await?;
                rows.push(i64::from(polls));
                went_with(&store, &stream, &mut log, &sent, next).await?;
            }
            (None, Err(e)) => {
                spoilt("an append behind it", &e)?;
                if let Err(e) = page(&*bound, &stream, ledger_core::Query::new()).await {
                    spoilt("a read behind it", &e)?;
                }
                drop(bound);
                tx.rollback().await?;
            }
        }
        others_see(&store, &stream, "after the end", &log).await?;
        rows_are(&*application, "after the end", &rows).await?;
        if first.is_some() {
            return Ok(Ran::Whole);
        }
    }
    Err(Failure::new(
        "P21",
        "polling an append",
        "an end",
        format!("none in {MOST} polls"),
    ))
}

/// The transaction went on and was committed: with all of the batch, or with
/// nothing of it.
async fn went_with<I: EntryId>(
    store: &crate::lab::Handle<I>,
    stream: &ledger_core::StreamName,
    log: &mut Vec<RawEntry>,
    sent: &[RawEntry],
    next: RawEntry,
) -> Result<(), Failure> {
    let found = crate::sample::whole(&**store, stream).await?;
    if found
        .get(log.len())
        .is_some_and(|record| record.entry == sent[0])
    {
        log.extend_from_slice(sent);
    }
    log.push(next);
    Ok(())
}

fn failed(step: &str, error: &ledger_core::Error) -> Failure {
    Failure::new("P20", step, "Ok", format!("{error} ({error:?})"))
}

/// The error says that the whole transaction has to be repeated.
fn spoilt(step: &str, error: &ledger_core::Error) -> Result<(), Failure> {
    check::equal(
        "P11",
        format!("{step}: what has to be repeated, and what was applied, by {error}"),
        (error.retry(), error.applied()),
        (Retry::Transaction, Applied::No),
    )
}
