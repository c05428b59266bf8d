//! Random steps against a specification.

use std::time::{Duration, Instant};

use ledger_core::EntryId;

use crate::case::{Failure, Ran, Verdict};
use crate::lab::Lab;
use crate::model::{Step, World, steps};

/// How many lists of steps, each at a place of its own: so many at least, and
/// on a fast store more.
const LISTS: usize = 4;
const MORE_LISTS: usize = 24;
const MORE_FOR: Duration = Duration::from_millis(500);
const STEPS: usize = 60;

/// Random steps on two handles, one after the other, leave the store as the
/// specification says, after each step and in all that can be read: appends of
/// every expectation, with and without keys, repeats and verification, pages
/// by every bound, cursors, trims, lists, reopening, refused input. Catches
/// whatever differs from the contract at an edge or in a mix that no other
/// case foresees.
pub(in crate::cases) async fn r01_model_state_machine<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let mut rng = lab.rng();
    let started = Instant::now();
    let load = lab.load.max(1) as usize;
    for list in 0..MORE_LISTS.saturating_mul(load) {
        if list >= LISTS.saturating_mul(load) && started.elapsed() > MORE_FOR * lab.load.max(1) {
            break;
        }
        lab.step(format!("list {list} of random steps"));
        let steps = steps(&mut rng, STEPS);
        if let Err(failure) = attempt(lab, &steps).await {
            return Err(shrunk(lab, steps, failure).await);
        }
    }
    Ok(Ran::Whole)
}

async fn attempt<I: EntryId>(lab: &Lab<I>, steps: &[Step]) -> Result<(), Failure> {
    World::run(&lab.another().await?, steps).await
}

/// Leaves out steps, many at first, as long as it still fails.
async fn shrunk<I: EntryId>(lab: &Lab<I>, mut steps: Vec<Step>, mut failure: Failure) -> Failure {
    let started = Instant::now();
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() && started.elapsed() < lab.shrinking {
            let mut fewer = steps.clone();
            fewer.drain(at..steps.len().min(at + size));
            match attempt(lab, &fewer).await {
                Err(found) => (steps, failure) = (fewer, found),
                Ok(()) => at += size,
            }
        }
        size /= 2;
    }
    let shown: Vec<String> = steps.iter().map(|step| format!("    {step:?}")).collect();
    failure.got.push_str("\n  the steps:\n");
    failure.got.push_str(&shown.join("\n"));
    failure
}
