//! D: expected versions of appends that race.

use ledger_core::{EntryId, Expected, Kind, Receipts, Result as CoreResult, StreamName};

use super::d_expected::{conflicts, try_append};
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Handle, Lab};
use crate::race::race;
use crate::sample::{batch, entries, entry, name, whole};

/// Appends that raced: one was stored, and it is the one whose append said so.
async fn one_winner<I: EntryId>(
    store: &Handle<I>,
    stream: &StreamName,
    round: u64,
    expected: Expected,
    outcomes: Vec<CoreResult<Receipts<I>>>,
) -> Result<(), Failure> {
    let mut won = Vec::new();
    for (task, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(receipts) => won.push((task, receipts)),
            refused => drop(conflicts(
                "an append that lost",
                refused,
                expected,
                2 * round + 2,
            )?),
        }
    }
    check::that("P8", "appends that won", won.len() == 1, "one", &won)?;
    for (task, receipts) in won {
        let versions: Vec<u64> = receipts.iter().map(|r| r.version).collect();
        check::equal(
            "P8",
            "its versions",
            versions,
            vec![2 * round + 1, 2 * round + 2],
        )?;
        let log = whole(&**store, stream).await?;
        let stored: Vec<_> = log[2 * round as usize..]
            .iter()
            .map(|r| r.entry.clone())
            .collect();
        check::same_list("P8", "the log", &stored, &entries(&racer(round, task), 2))?;
    }
    Ok(())
}

fn racer(round: u64, task: usize) -> String {
    format!("round {round}, task {task}")
}

const RACERS: usize = 32;

/// One race of appends that all expect the same, through both handles.
async fn race_for<I: EntryId>(
    handles: &[Handle<I>; 2],
    stream: &StreamName,
    round: u64,
    expected: Expected,
) -> Vec<CoreResult<Receipts<I>>> {
    race((0..RACERS).map(|task| {
        let (store, stream) = (handles[task % 2].clone(), stream.clone());
        async move { try_append(&store, &stream, &racer(round, task), 2, expected).await }
    }))
    .await
}

/// Of 32 appends that expect the same version at the same time one wins, and
/// the others are told the version that it made. Catches a check outside the
/// lock.
pub(super) async fn d04_exactly_one_winner<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("d04");
    for round in 0..6 * u64::from(lab.load) {
        let expected = Expected::Exactly(2 * round);
        let outcomes = race_for(&handles, &stream, round, expected).await;
        one_winner(&handles[1], &stream, round, expected, outcomes).await?;
    }
    Ok(Ran::Whole)
}

/// 32 appends at the same time that expect nothing all succeed and are all
/// there. Catches an append that says Ok and is lost.
pub(super) async fn d05_any_never_conflicts<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("d05");
    let mut told = Vec::new();
    for round in 0..6 * u64::from(lab.load) {
        let outcomes = race_for(&handles, &stream, round, Expected::Any).await;
        for (task, outcome) in outcomes.into_iter().enumerate() {
            let sent = entries(&racer(round, task), 2);
            for (receipt, sent) in outcome?.into_iter().zip(sent) {
                told.push((receipt.version, receipt.id, sent));
            }
        }
    }
    told.sort_by_key(|(version, ..)| *version);
    for reader in &handles {
        let log = whole(&**reader, &stream).await?;
        let stored: Vec<_> = log
            .into_iter()
            .map(|r| (r.version, r.id, r.entry))
            .collect();
        check::same_list("P1", "what the receipts named", &stored, &told)?;
    }
    let last = told.last().map(|(version, ..)| *version);
    check::equal("P1", "the last version", last, Some(told.len() as u64))?;
    Ok(Ran::Whole)
}

/// Of 32 appends that expect a new stream one wins. Catches two first entries,
/// and a race for the stream's own row that becomes an error.
pub(super) async fn d06_create_race<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    for round in 0..6 * u64::from(lab.load) {
        let expected = [Expected::NoStream, Expected::Exactly(0)][round as usize % 2];
        let stream = name(&format!("d06-{round}"));
        let outcomes = race_for(&handles, &stream, 0, expected).await;
        one_winner(&handles[0], &stream, 0, expected, outcomes).await?;
    }
    Ok(Ran::Whole)
}

/// A counter that four clients raise by reading it and appending the next value
/// loses no step. Catches a lost update, and an `actual` that was never true.
pub(super) async fn d07_counter_by_cas<I: EntryId>(lab: &Lab<I>) -> Verdict {
    const CLIENTS: u64 = 4;
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("d07");
    let steps = 25 * u64::from(lab.load);
    let clients = (0..CLIENTS).map(|client| {
        let (store, stream) = (handles[client as usize % 2].clone(), stream.clone());
        async move {
            let (mut done, mut conflicts, mut known) = (0, 0, 0);
            while done < steps {
                let stat = store.stat(&stream).await?;
                let seen = stat.map_or(0, |stat| stat.last_version);
                // Otherwise a store whose stat stands still is tried for ever.
                let step = "a stat after an answer that named a version";
                check::that("P4", step, seen >= known, format!("at least {known}"), seen)?;
                let next = batch([entry("d07", seen + 1)]).with_expected(seen);
                match store.append(&stream, next).await {
                    Ok(receipts) => {
                        let version = receipts.last_version();
                        check::equal("P8", "the next value", version, Some(seen + 1))?;
                        known = seen + 1;
                        done += 1;
                    }
                    Err(e) => match e.kind() {
                        Kind::Conflict { actual, .. } if *actual > seen => {
                            known = *actual;
                            conflicts += 1;
                        }
                        _ => return Err(Failure::from(e)),
                    },
                }
                tokio::task::yield_now().await;
            }
            Ok(conflicts)
        }
    });
    let conflicts: Result<Vec<u64>, Failure> = race(clients).await.into_iter().collect();
    lab.step(format!("conflicts met: {:?}", conflicts?));
    let log = whole(&*handles[0], &stream).await?;
    let values: Vec<_> = log.into_iter().map(|r| r.entry).collect();
    let expected: Vec<_> = (1..=CLIENTS * steps).map(|n| entry("d07", n)).collect();
    check::same_list("P8", "the counter", &values, &expected)?;
    Ok(Ran::Whole)
}
