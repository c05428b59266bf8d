//! The checker by histories that hold, by the same with one fact changed, and
//! by nonsense.

mod nonsense;
mod search;
mod sequential;
mod small;

use fastrand::Rng;
use ledger_core::{StoreOrder, StreamName};

use self::nonsense::nonsense;
use self::sequential::Sequential;
use super::{Checker, Rule, check};
use crate::history::{AppendOp, History, Outcome, What};

const RUNS: u64 = 150;

fn name(n: usize) -> StreamName {
    StreamName::new(format!("s{n}")).unwrap()
}

#[test]
fn what_a_sequential_store_does_is_accepted_however_it_overlaps() {
    let (mut conflicts, mut duplicates, mut unknown) = (0, 0, 0);
    for seed in 0..RUNS {
        let history = Sequential::run(seed, 120);
        for order in [StoreOrder::Total, StoreOrder::PerStream, StoreOrder::None] {
            let found = check(&history, order);
            let sum = found.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
            conflicts += sum.conflicts;
            duplicates += sum.duplicates;
            unknown += sum.unknown_present.min(sum.unknown_absent);
        }
        let stale = Checker::new(StoreOrder::Total).allowing_stale_reads();
        assert!(stale.check(&history).is_ok(), "seed {seed}");
    }
    assert!(conflicts > 100 && duplicates > 100 && unknown > 100);
}

/// Changes one acknowledged fact, everywhere it is observed in the end.
fn corrupt(history: &mut History<i64>, rng: &mut Rng) -> Option<String> {
    let acked: Vec<(StreamName, u64)> = history
        .ops
        .iter()
        .filter_map(|op| match &op.what {
            What::Append(append) => Some((append.stream.clone(), append.outcome.ok()?)),
            _ => None,
        })
        .flat_map(|(stream, receipts)| {
            let new = receipts.iter().filter(|r| !r.is_duplicate());
            new.map(move |r| (stream.clone(), r.version))
                .collect::<Vec<_>>()
        })
        .collect();
    let (stream, version) = rng.choice(acked)?;
    let observed = history.observed.as_mut()?;
    let view = observed.streams.get_mut(&stream)?;
    let store = observed.store.as_mut()?;
    let at = usize::try_from(version).ok()? - 1;
    let in_store = store
        .iter()
        .position(|s| s.stream == stream && s.record.version == version)?;
    match rng.u8(..5) {
        0 => {
            view.log.remove(at);
            store.remove(in_store);
            Some(format!("lost {stream} {version}"))
        }
        1 => {
            view.log[at].number = Some(u64::MAX);
            store[in_store].record.number = Some(u64::MAX);
            Some(format!("replaced {stream} {version}"))
        }
        2 => {
            view.log[at].id += 1_000_000;
            store[in_store].record.id += 1_000_000;
            Some(format!("another id for {stream} {version}"))
        }
        3 => {
            view.log.truncate(at);
            store.retain(|s| s.stream != stream || s.record.version < version);
            view.last_version = at as u64;
            Some(format!("cut {stream} at {version}"))
        }
        _ => {
            let receipts = history.ops.iter_mut().find_map(|op| match &mut op.what {
                What::Append(AppendOp {
                    stream: to,
                    outcome: Outcome::Ok(receipts),
                    ..
                }) if *to == stream => receipts
                    .iter_mut()
                    .find(|r| !r.is_duplicate() && r.version == version),
                _ => None,
            });
            receipts?.version += 1;
            Some(format!("the receipt of {stream} {version} tells the next"))
        }
    }
}

#[test]
fn one_changed_fact_that_was_acknowledged_is_always_found() {
    let mut found = 0;
    for seed in 0..RUNS {
        let mut rng = Rng::with_seed(seed);
        let mut history = Sequential::run(seed, 60);
        for order in [StoreOrder::Total, StoreOrder::PerStream, StoreOrder::None] {
            let Some(what) = corrupt(&mut history, &mut rng) else {
                continue;
            };
            assert!(check(&history, order).is_err(), "seed {seed}: {what}");
            found += 1;
            history = Sequential::run(seed, 60);
        }
    }
    assert!(found > 300);
}

#[test]
fn no_history_makes_it_panic_not_even_with_a_rule_left_out() {
    let mut rng = Rng::with_seed(7);
    for _ in 0..4_000 {
        let history = nonsense(&mut rng);
        let order = [StoreOrder::Total, StoreOrder::PerStream][rng.usize(..2)];
        let _ = check(&history, order);
        for rule in Rule::ALL {
            let _ = Checker::new(order).without(rule).check(&history);
        }
    }
}
