//! Rule 5: versions have no gaps, and ids grow (P1, P2).
//!
//! The log of a stream goes from 1, or from where it was trimmed, to the last
//! version that `stat` tells. Over everything that anybody was ever told of,
//! trimmed or not, ids grow with versions, and no version was given to two
//! entries.

use std::collections::HashMap;
use std::fmt::Debug;

use super::facts::{Facts, NEVER};
use super::violation::Broken;

pub(super) fn holds<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    for (name, stream) in &facts.streams {
        let mut expected = stream.first;
        for seen in stream.log() {
            if seen.version != expected {
                let why = format!(
                    "{name:?} has version {} where {expected} should be",
                    seen.version
                );
                return Err(Broken::new("P1", writer(facts, seen.number), why));
            }
            expected = expected.saturating_add(1);
        }
        let last = stream.last_version();
        if expected != last.saturating_add(1) {
            let end = expected.saturating_sub(1);
            let why = format!("{name:?} ends at version {end}, and stat tells {last}");
            return Err(Broken::new("P1", [], why));
        }
        let missing = stream.first.saturating_sub(1);
        if missing > 0 && !stream.maybe_trimmed(missing, NEVER) {
            let why = format!("{name:?} begins behind version {missing}, which nobody trimmed");
            return Err(Broken::new("P1", [], why));
        }
        let mut places = stream.places.iter().peekable();
        while let (Some((version, place)), Some((next, later))) = (places.next(), places.peek()) {
            if place.id >= later.id {
                let why = format!(
                    "in {name:?} version {version} has id {:?}, and version {next} has {:?}",
                    place.id, later.id
                );
                let ops = place.writer.into_iter().chain(later.writer);
                return Err(Broken::new("P2", ops, why));
            }
        }
    }
    given_once(facts)
}

fn given_once<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    let mut given = HashMap::new();
    for (index, _, append, receipts) in facts.acknowledged() {
        for (entry, receipt) in append.entries.iter().zip(receipts) {
            if receipt.is_duplicate() {
                continue;
            }
            let version = receipt.version;
            let number = entry.number;
            let now = (index, number);
            let before = given.insert((&append.stream, version), now);
            if let Some((earlier, other)) = before.filter(|(_, other)| *other != number) {
                let why = format!(
                    "version {version} of {:?} was given to entry #{other} and to #{number}",
                    append.stream
                );
                return Err(Broken::new("P1", [earlier, index], why));
            }
        }
    }
    Ok(())
}

fn writer<I: Ord>(facts: &Facts<'_, I>, number: Option<u64>) -> Option<usize> {
    number.and_then(|number| facts.writers(number).next())
}
