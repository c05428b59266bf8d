//! F: appends whose futures are dropped.

use ledger_core::{Applied, EntryId, Expected, RawEntry};

use super::e_dedup::keyed;
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::give_up::give_up;
use crate::lab::Lab;
use crate::race::race;
use crate::sample::{append_one, batch, entries, entry, name, whole};

/// Appends given up after 0, 1, 2, … polls are there as a whole, once, or not
/// at all, and disturb nobody: the next append of the same handle and of
/// another goes on. Catches half a batch, and a lock that stays behind.
pub(super) async fn f07_dropped_append_is_whole_or_absent<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("f07");
    let mut acked = Vec::new();
    let mut dropped = Vec::new();
    for n in 0..60_u32 {
        lab.step(format!("append {n}, given up after {} polls", n / 5 % 6));
        let store = &handles[n as usize % 2];
        let sent = entries(&format!("dropped {n}"), 5);
        let outcome = give_up(store.append(&stream, batch(sent.clone())), n / 5 % 6).await;
        match outcome {
            Some(receipts) => acked.push((receipts?[0].version, sent)),
            None => dropped.push(sent),
        }
        let next = entry("after", n.into());
        let receipts = append_one(&*handles[n as usize / 2 % 2], &stream, next.clone()).await?;
        acked.push((receipts[0].version, vec![next]));
    }
    lab.step("closing, which waits for what still runs");
    for store in &handles {
        store.close().await?;
    }
    let store = lab.open().await?;
    let log: Vec<_> = whole(&*store, &stream)
        .await?
        .into_iter()
        .map(|r| r.entry)
        .collect();
    check_log(&log, &acked, &dropped)?;
    append_one(&*store, &stream, entry("last", 0)).await?;
    Ok(Ran::Whole)
}

/// The log is made of what was acknowledged, at its versions, and of whole
/// dropped batches, each at most once.
fn check_log(
    log: &[RawEntry],
    acked: &[(u64, Vec<RawEntry>)],
    dropped: &[Vec<RawEntry>],
) -> Result<(), Failure> {
    let mut acked: Vec<_> = acked.iter().collect();
    acked.sort_by_key(|(version, _)| *version);
    let mut acked = acked.into_iter().peekable();
    let mut dropped: Vec<_> = dropped.iter().collect();
    let mut at = 0;
    while at < log.len() {
        let version = at as u64 + 1;
        let sent = match acked.next_if(|(first, _)| *first == version) {
            Some((_, sent)) => sent,
            None => match dropped.iter().position(|sent| sent[0] == log[at]) {
                Some(found) => dropped.swap_remove(found),
                None => {
                    let step = format!("version {version}");
                    let expected = "a batch that was appended";
                    return Err(Failure::new("P7", step, expected, format!("{:?}", log[at])));
                }
            },
        };
        let stored = &log[at..(at + sent.len()).min(log.len())];
        check::same_list(
            "P7",
            format!("the batch at version {version}"),
            stored,
            sent,
        )?;
        at += sent.len();
    }
    check::equal("P10", "acknowledged and not there", acked.next(), None)
}

/// The retry of a dropped append that carries keys stores what the first did
/// not, and never twice. Catches duplicates under retry.
pub(super) async fn f08_dropped_append_retried<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("f08");
    let mut sent = Vec::new();
    for n in 0..40_u32 {
        lab.step(format!("append {n}, given up after {} polls", n % 5));
        let new: Vec<_> = (0..3)
            .map(|k| keyed(&format!("append {n}"), k, &format!("{n}/{k}")))
            .collect();
        let first = handles[n as usize % 2]
            .append(&stream, batch(&new[..]).with_expected(u64::from(3 * n)));
        if let Some(outcome) = give_up(first, n % 5).await {
            outcome?;
        }
        let retry = batch(&new[..])
            .with_expected(u64::from(3 * n))
            .with_verified_duplicates(true);
        let receipts = handles[n as usize / 2 % 2].append(&stream, retry).await?;
        let versions: Vec<u64> = receipts.iter().map(|r| r.version).collect();
        let first = u64::from(3 * n + 1);
        check::equal(
            "P9",
            "versions of the retry",
            versions,
            (first..first + 3).collect(),
        )?;
        sent.extend(new);
    }
    for store in &handles {
        store.close().await?;
    }
    let store = lab.open().await?;
    let log: Vec<_> = whole(&*store, &stream)
        .await?
        .into_iter()
        .map(|r| r.entry)
        .collect();
    check::same_list("P9", "the log", &log, &sent)?;
    Ok(Ran::Whole)
}

/// Appends at the same time, every second of which has to be refused: by a
/// conflict, or by a repeat with other content. The others are stored, whole.
/// Catches a commit that is shared, and undone for all because of one.
pub(super) async fn f09_refusals_spare_neighbours<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("f09");
    append_one(&*handles[0], &stream, keyed("f09", 0, "key")).await?;
    let mut version = 1;
    for round in 0..8 * lab.load {
        lab.step(format!("round {round}"));
        let answers = race((0..16_u32).map(|task| {
            let (store, stream) = (handles[task as usize / 2 % 2].clone(), stream.clone());
            let sent = entries(&format!("{round} {task}"), 2);
            let other = keyed("other", task.into(), "key");
            let call = match task % 4 {
                1 => batch(&sent[..]).with_expected(Expected::NoStream),
                3 => batch([sent[0].clone(), other]).with_verified_duplicates(true),
                _ => batch(&sent[..]),
            };
            async move { (task, sent, store.append(&stream, call).await) }
        }))
        .await;
        let log = whole(&*handles[1], &stream).await?;
        for (task, sent, answer) in answers {
            let step = format!("append {task}, beside some that are refused");
            if task % 2 == 1 {
                let refused = answer.as_ref().is_err_and(|e| e.applied() == Applied::No);
                check::that("P8", step, refused, "a refusal", &answer)?;
                continue;
            }
            check::that("P10", &step, answer.is_ok(), "Ok", &answer)?;
            let first = answer?[0].version;
            let at = usize::try_from(first).unwrap_or(usize::MAX) - 1;
            let stored: Vec<_> = log
                .iter()
                .skip(at)
                .take(2)
                .map(|r| r.entry.clone())
                .collect();
            check::same_list("P7", step, &stored, &sent)?;
        }
        version += 16;
        check::equal("P7", "entries after the round", log.len() as u64, version)?;
    }
    Ok(Ran::Whole)
}
