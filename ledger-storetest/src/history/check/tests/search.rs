//! A second opinion on small histories: every order in which the operations
//! could have happened is tried.
//!
//! It shares nothing with the rules. A stream holds if there is an order of its
//! operations that respects real time, in which each has the outcome that it
//! had, and which leaves what was observed. Streams are looked at one by one,
//! which is enough (linearizability is local). Of the whole store the contract
//! asks less than an order of all operations: an entry may get its place in
//! the store before it can be read, as on PostgreSQL, where readers of the
//! whole store wait for it and those of its stream do not. So of the order of
//! the store only P6 is asked: what was there before another was asked for is
//! ordered before it.

use std::collections::BTreeMap;

use ledger_core::StreamName;

use crate::history::{
    AppendOp, End, History, Op, Outcome, Refusal, Seen, StoreSeen, StreamView, What,
};

/// Whether some order of the operations explains the history.
pub(super) fn explained(history: &History<i64>) -> bool {
    let Some(observed) = &history.observed else {
        return false;
    };
    let Some(store) = &observed.store else {
        return false;
    };
    let told: usize = observed.streams.values().map(|view| view.log.len()).sum();
    let grows = store.is_sorted_by(|a, b| a.record.id < b.record.id);
    let consistent = told == store.len()
        && grows
        && observed.disagreements.is_empty()
        && observed.streams.iter().all(|(name, view)| {
            let here = store.iter().filter(|seen| seen.stream == *name);
            view.log.iter().eq(here.map(|seen| &seen.record))
                && view.last_version == view.log.len() as u64
        });
    let stream = |(name, view): (&StreamName, &StreamView<i64>)| {
        let ops = history.ops.iter();
        let ops = ops.filter(|op| op.what.stream() == Some(name)).collect();
        let log = &view.log;
        Search { ops, log }.go_on(&State::default())
    };
    consistent && observed.streams.iter().all(stream) && in_real_time(&history.ops, store)
}

/// No entry of the store is in front of one that somebody was told of before
/// the first was asked for.
fn in_real_time(ops: &[Op<i64>], store: &[StoreSeen<i64>]) -> bool {
    let asked = |seen: &StoreSeen<i64>| {
        let writer = ops.iter().find(|op| match &op.what {
            What::Append(append) => {
                let mut numbers = append.entries.iter().map(|entry| Some(entry.number));
                numbers.any(|number| number == seen.record.number)
            }
            _ => false,
        });
        writer.map_or(0, |op| op.invoked)
    };
    let told = |seen: &StoreSeen<i64>| {
        let here = ops
            .iter()
            .filter(|op| op.what.stream() == Some(&seen.stream));
        let tellers = here.filter(|op| {
            let most = match &op.what {
                What::Append(AppendOp {
                    outcome: Outcome::Ok(receipts),
                    ..
                }) => receipts.iter().map(|receipt| receipt.version).max(),
                What::Read(read) => {
                    let page = read.outcome.ok();
                    page.and_then(|page| page.records.last())
                        .map(|seen| seen.version)
                }
                What::Stat(stat) => stat.outcome.ok().map(|seen| seen.last_version),
                _ => None,
            };
            most.is_some_and(|most| most >= seen.record.version)
        });
        tellers.filter_map(|op| op.returned).min()
    };
    store.iter().enumerate().all(|(at, first)| {
        let behind = &store[at + 1..];
        behind
            .iter()
            .all(|later| told(later).is_none_or(|told| told >= asked(first)))
    })
}

/// One stream.
struct Search<'h> {
    ops: Vec<&'h Op<i64>>,
    log: &'h [Seen<i64>],
}

#[derive(Clone, Default)]
struct State {
    /// Which operations have happened, or never will.
    done: Vec<usize>,
    /// How much of the log is explained: the version of the stream.
    len: usize,
    keys: BTreeMap<String, (i64, u64)>,
}

impl Search<'_> {
    fn go_on(&self, state: &State) -> bool {
        if state.done.len() == self.ops.len() {
            return state.len == self.log.len();
        }
        let left = (0..self.ops.len()).filter(|at| !state.done.contains(at));
        let left: Vec<usize> = left.collect();
        left.iter().any(|&at| {
            let op = self.ops[at];
            let first = left.iter().all(|&other| !before(self.ops[other], op));
            first
                && self.happens(state, op).into_iter().any(|mut next| {
                    next.done.push(at);
                    self.go_on(&next)
                })
        })
    }

    /// The states that an operation can lead to.
    fn happens(&self, state: &State, op: &Op<i64>) -> Vec<State> {
        let log = &self.log[..state.len];
        let told = match &op.what {
            What::Append(append) => return self.append(state, append),
            What::Read(read) => {
                let page = read.outcome.ok();
                page.is_none_or(|page| page.end == End::CaughtUp && page.records == log)
            }
            What::Stat(stat) => stat.outcome.ok().is_none_or(|seen| {
                let (version, last) = (log.len() as u64, log.last().map(|seen| seen.id));
                (seen.last_version, seen.retained, seen.last) == (version, version, last)
            }),
            What::Tail(_) | What::Trim(_) => false,
        };
        told.then(|| state.clone()).into_iter().collect()
    }

    fn append(&self, state: &State, append: &AppendOp<i64>) -> Vec<State> {
        let version = state.len as u64;
        let mut next = state.clone();
        let mut receipts = Vec::new();
        let mut fits = true;
        for entry in &append.entries {
            let known = entry.key.as_ref().and_then(|key| next.keys.get(key));
            if let Some(original) = known {
                receipts.push((*original, true));
                continue;
            }
            // What is stored has to be what comes next in the log.
            let stored = self.log.get(next.len);
            next.len += 1;
            let at = next.len as u64;
            fits &= stored
                .is_some_and(|stored| (stored.version, stored.number) == (at, Some(entry.number)));
            let place = (stored.map_or(0, |stored| stored.id), at);
            receipts.push((place, false));
            if let Some(key) = &entry.key {
                next.keys.insert(key.clone(), place);
            }
        }
        let stores = next.len > state.len;
        let conflict = stores && !append.expected.holds_at(version);
        let fits = fits && !conflict;
        let nothing = || state.clone();
        match &append.outcome {
            Outcome::Ok(told) => {
                let told = told.iter().map(|r| ((r.id, r.version), r.is_duplicate()));
                let right = fits && receipts.iter().copied().eq(told);
                right.then_some(next).into_iter().collect()
            }
            Outcome::NotApplied(Refusal::Conflict { actual }) => {
                let right = conflict && *actual == version;
                right.then(nothing).into_iter().collect()
            }
            Outcome::NotApplied(Refusal::Other(_)) => vec![nothing()],
            Outcome::Unknown(_) | Outcome::NeverReturned => {
                let applied = fits.then_some(next).into_iter();
                applied.chain([nothing()]).collect()
            }
        }
    }
}

/// Whether one operation had ended before the other began.
fn before(one: &Op<i64>, other: &Op<i64>) -> bool {
    // What has no outcome may still happen later.
    let open = matches!(
        &one.what,
        What::Append(append) if matches!(append.outcome, Outcome::Unknown(_) | Outcome::NeverReturned)
    );
    !open
        && one
            .returned
            .is_some_and(|returned| returned < other.invoked)
}
