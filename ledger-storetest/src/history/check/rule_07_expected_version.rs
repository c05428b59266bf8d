//! Rule 7: expected versions were checked together with the write (P8).
//!
//! An append that stored something began right behind the version it expected;
//! one that stored nothing since all were repeats is exempt. A conflict tells
//! a version that does not fit what was expected, and that the stream was at
//! during the call: its entry had been asked for before the answer, and the
//! next one was not there yet for somebody when the call started.

use std::fmt::Debug;

use super::super::op::{AppendOp, Expect, Op, Outcome, Refusal};
use super::facts::{Facts, NEVER};
use super::violation::Broken;

pub(super) fn holds<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    for (index, op, append) in facts.appends() {
        match &append.outcome {
            Outcome::Ok(receipts) => {
                let stored = receipts.iter().find(|r| !r.is_duplicate());
                if let Some(first) = stored {
                    began_at(index, append, first.version)?;
                }
            }
            Outcome::NotApplied(Refusal::Conflict { actual }) => {
                conflict(facts, index, op, append, *actual)?;
            }
            Outcome::NotApplied(Refusal::Other(_)) => {}
            Outcome::Unknown(_) | Outcome::NeverReturned => {
                if let Some(version) = stored_at(facts, index, append) {
                    began_at(index, append, version)?;
                }
            }
        }
    }
    Ok(())
}

fn began_at<I>(index: usize, append: &AppendOp<I>, version: u64) -> Result<(), Broken> {
    let was = version.saturating_sub(1);
    if append.expected.holds_at(was) {
        return Ok(());
    }
    let why = format!(
        "an append that expected {:?} stored its first entry at version {version} of {:?}",
        append.expected, append.stream
    );
    Err(Broken::new("P8", [index], why))
}

/// Where an append without a known outcome began, if nothing can have been
/// trimmed and nothing else can have stored its entries.
fn stored_at<I: Ord>(facts: &Facts<'_, I>, index: usize, append: &AppendOp<I>) -> Option<u64> {
    let stream = facts.streams.get(&append.stream)?;
    let origin = facts.origins.get(&append.entries.first()?.number)?;
    if stream.first > 1 || origin.attempts.len() > 1 {
        return None;
    }
    facts.began.get(&index).copied()
}

fn conflict<I: Ord>(
    facts: &Facts<'_, I>,
    index: usize,
    op: &Op<I>,
    append: &AppendOp<I>,
    actual: u64,
) -> Result<(), Broken> {
    let (expected, name) = (append.expected, &append.stream);
    if expected == Expect::Any || expected.holds_at(actual) {
        let why = format!("a conflict at version {actual}, which is what was expected");
        return Err(Broken::new("P8", [index], why));
    }
    let Some(stream) = facts.streams.get(name) else {
        return Ok(());
    };
    let last = stream.last_version();
    if actual > last {
        let why = format!("a conflict at version {actual}, and {name:?} only reached {last}");
        return Err(Broken::new("P8", [index], why));
    }
    let at = stream.places.get(&actual);
    let next = actual.checked_add(1).and_then(|v| stream.places.get(&v));
    let returned = op.returned.unwrap_or(NEVER);
    if let Some((_, writer)) = stream.asked_up_to(actual).filter(|(t, _)| *t >= returned) {
        let why = format!("a conflict at version {actual}, which was asked for later");
        return Err(Broken::new("P8", [index].into_iter().chain(writer), why));
    }
    let passed = stream.known.before(op.invoked).filter(|(v, _)| *v > actual);
    if let Some((version, teller)) = passed {
        let why = format!(
            "a conflict at version {actual}, and {name:?} was known to be at {version} before"
        );
        return Err(Broken::new("P8", [index, teller], why));
    }
    if let Some(writer) = Facts::one_append(at, next) {
        let why = format!("a conflict at version {actual}, in the middle of a batch");
        return Err(Broken::new("P7", [index, writer], why));
    }
    Ok(())
}
