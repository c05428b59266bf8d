//! Rule 0: the history makes sense.
//!
//! Each number belongs to one batch, and what there was in the end was the
//! same by every page size and direction, by stream and in the whole store
//! (P3, P4): all other rules build on that.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use ledger_core::StoreOrder;

use super::super::numbered::Numbered;
use super::super::op::{History, Observation, Seen};
use super::facts::appends;
use super::violation::Broken;

pub(super) fn holds<I: Ord + Debug>(history: &History<I>, order: StoreOrder) -> Result<(), Broken> {
    for (index, op) in history.ops.iter().enumerate() {
        if op.returned.is_some_and(|returned| returned < op.invoked) {
            let why = "not a history: an operation returned before it was asked for";
            return Err(Broken::new("P6", [index], why));
        }
    }
    batches(history)?;
    let Some(observed) = &history.observed else {
        let why = "not a whole history: it does not tell what there was in the end";
        return Err(Broken::new("P3", [], why));
    };
    if let Some(first) = observed.disagreements.first() {
        let why = format!("two readings of what is there differ: {first}");
        return Err(Broken::new("P3", [], why));
    }
    if order == StoreOrder::None {
        return Ok(());
    }
    one_store(observed)
}

fn batches<I>(history: &History<I>) -> Result<(), Broken> {
    let mut first_with: HashMap<u64, (usize, &[Numbered])> = HashMap::new();
    for (index, op, append) in appends(&history.ops) {
        let entries = append.entries.as_slice();
        for (at, entry) in entries.iter().enumerate() {
            let (first, batch) = *first_with.entry(entry.number).or_insert((index, entries));
            let here = history.ops[first].what.stream() == op.what.stream();
            let place = batch.get(at).map(|e| e.number);
            if place != Some(entry.number) || batch != entries || !here {
                let number = entry.number;
                let why = format!("not a history: entry #{number} is in two batches");
                return Err(Broken::new("P9", [first, index], why));
            }
            let earlier = &history.ops[first].what;
            if first != index && entry.key.is_none() && may_have_applied(earlier) {
                let why = "not a history: a batch was retried that may have been stored, and \
                           has an entry without a key";
                return Err(Broken::new("P10", [first, index], why));
            }
        }
        // What was not applied may be asked for again with anything.
        for entry in entries {
            if let Some(slot) = first_with.get_mut(&entry.number)
                && !may_have_applied(&history.ops[slot.0].what)
            {
                *slot = (index, entries);
            }
        }
    }
    Ok(())
}

fn may_have_applied<I>(what: &super::super::op::What<I>) -> bool {
    matches!(what, super::super::op::What::Append(append) if append.outcome.may_have_applied())
}

/// The whole store holds the entries of the streams, each stream in order.
fn one_store<I: Ord + Debug>(observed: &Observation<I>) -> Result<(), Broken> {
    let Some(store) = &observed.store else {
        let why = "the store claims an order, and was not read as a whole";
        return Err(Broken::new("P3", [], why));
    };
    let mut by_stream: BTreeMap<_, Vec<&Seen<I>>> = BTreeMap::new();
    for seen in store {
        by_stream
            .entry(&seen.stream)
            .or_default()
            .push(&seen.record);
    }
    for (name, view) in &observed.streams {
        let in_store = by_stream.remove(name).unwrap_or_default();
        let alone: Vec<&Seen<I>> = view.log.iter().collect();
        if in_store != alone {
            let same = in_store.iter().zip(&alone).take_while(|(a, b)| a == b);
            let at = same.count();
            let (whole, alone) = (in_store.get(at), alone.get(at));
            let why = format!(
                "stream {name:?} in the whole store is not the stream read alone: at index {at} \
                 {whole:?} instead of {alone:?}"
            );
            return Err(Broken::new("P3", [], why));
        }
    }
    match by_stream.into_iter().next() {
        Some((name, _)) => {
            let why = format!("the whole store holds a stream that nobody asked for: {name:?}");
            Err(Broken::new("P3", [], why))
        }
        None => Ok(()),
    }
}
