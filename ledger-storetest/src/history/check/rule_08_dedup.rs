//! Rule 8: a dedup key stands for one entry (P9).
//!
//! All answers for a key name the same place, one of them at most as newly
//! stored; only a trim of the entry frees its key. A duplicate needs an
//! original: another append with the key that was asked for before the answer,
//! or an earlier entry of the batch, and at the place that it names there is
//! an entry with the key. An entry without a key is never a duplicate. And
//! where every entry repeats a key that was known to be there, or that is
//! there at or below the version which a conflict tells, there is no conflict.

use std::collections::HashMap;
use std::fmt::Debug;

use ledger_core::{Receipt, StreamName};

use super::super::op::{Outcome, Refusal};
use super::facts::{Content, Facts, NEVER, StreamFacts};
use super::violation::Broken;

/// An answer for a key.
struct Answer<'h, I> {
    op: usize,
    returned: u64,
    receipt: &'h Receipt<I>,
}

/// Everything about a key of a stream.
struct Key<'h, I> {
    answers: Vec<Answer<'h, I>>,
    /// The two appends that may have stored the key and were asked for first.
    asked: Vec<(u64, usize)>,
}

type Keys<'h, I> = HashMap<(&'h StreamName, &'h str), Key<'h, I>>;

pub(super) fn holds<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    let keys = keys(facts)?;
    for ((name, key), all) in &keys {
        if let Some(stream) = facts.streams.get(name) {
            one_place(stream, key, &all.answers)?;
        }
    }
    for (index, op, append, receipts) in facts.acknowledged() {
        let Some(stream) = facts.streams.get(&append.stream) else {
            continue;
        };
        let returned = op.returned.unwrap_or(NEVER);
        for (at, (entry, receipt)) in append.entries.iter().zip(receipts).enumerate() {
            if !receipt.is_duplicate() {
                continue;
            }
            let number = entry.number;
            let Some(key) = entry.key.as_deref() else {
                let why = format!("entry #{number} has no key, and was called a duplicate");
                return Err(Broken::new("P9", [index], why));
            };
            let earlier = append.entries.iter().take(at);
            let in_batch = earlier.zip(receipts).any(|(e, r)| {
                e.key.as_deref() == Some(key) && r.version == receipt.version && r.id == receipt.id
            });
            let asked = keys.get(&(&append.stream, key)).map(|k| &k.asked);
            let elsewhere = asked
                .is_some_and(|asked| asked.iter().any(|(at, op)| *op != index && *at < returned));
            if !in_batch && !elsewhere {
                let why = format!(
                    "entry #{number} was called a duplicate, and nobody had asked for another \
                     with the key {key:?}"
                );
                return Err(Broken::new("P9", [index], why));
            }
            carries(facts, stream, index, key, receipt)?;
        }
    }
    no_conflict_for_repeats(facts, &keys)
}

fn keys<'h, I: Ord>(facts: &Facts<'h, I>) -> Result<Keys<'h, I>, Broken> {
    let mut keys: Keys<'h, I> = HashMap::new();
    for (index, op, append) in facts.appends() {
        let receipts = append.outcome.ok();
        for (at, entry) in append.entries.iter().enumerate() {
            let Some(key) = entry.key.as_deref() else {
                continue;
            };
            let slot = keys.entry((&append.stream, key));
            let all = slot.or_insert_with(|| Key {
                answers: Vec::new(),
                asked: Vec::new(),
            });
            let receipt = receipts.and_then(|receipts| receipts.get(at));
            if let Some(receipt) = receipt {
                all.answers.push(Answer {
                    op: index,
                    returned: op.returned.unwrap_or(NEVER),
                    receipt,
                });
            }
            let stores = match receipt {
                Some(receipt) => !receipt.is_duplicate(),
                None => append.outcome.may_have_applied(),
            };
            if stores && all.asked.iter().all(|(_, op)| *op != index) {
                all.asked.push((op.invoked, index));
                all.asked.sort_unstable();
                all.asked.truncate(2);
            }
        }
    }
    Ok(keys)
}

/// The answers name one place, or places of which each was trimmed before the
/// next was given.
fn one_place<I: Ord + Debug>(
    stream: &StreamFacts<'_, I>,
    key: &str,
    answers: &[Answer<'_, I>],
) -> Result<(), Broken> {
    let mut sorted: Vec<&Answer<'_, I>> = answers.iter().collect();
    sorted.sort_by_key(|a| (a.receipt.version, a.receipt.is_duplicate()));
    for pair in sorted.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let (old, new) = (a.receipt, b.receipt);
        let same = old.version == new.version && old.id == new.id;
        let freed = old.version < new.version && stream.maybe_trimmed(old.version, b.returned);
        if !same && !freed {
            let why = format!(
                "the key {key:?} was said to be at version {} id {:?} and at version {} id {:?}",
                old.version, old.id, new.version, new.id
            );
            return Err(Broken::new("P9", [a.op, b.op], why));
        }
        if same && !old.is_duplicate() && !new.is_duplicate() {
            let why = format!(
                "two appends were told that they stored the key {key:?} at version {}",
                old.version
            );
            return Err(Broken::new("P9", [a.op, b.op], why));
        }
    }
    Ok(())
}

/// What a duplicate names is an entry with that key.
fn carries<I: Ord + Debug>(
    facts: &Facts<'_, I>,
    stream: &StreamFacts<'_, I>,
    index: usize,
    key: &str,
    receipt: &Receipt<I>,
) -> Result<(), Broken> {
    let place = stream.places.get(&receipt.version);
    let fits = place.is_some_and(|place| {
        let carried = match place.content {
            Content::Unseen => true,
            content => facts.key_of(content) == Some(key),
        };
        carried && *place.id == receipt.id
    });
    if fits {
        return Ok(());
    }
    let found = place.map_or("nothing".to_owned(), |place| {
        format!("id {:?}, {:?}", place.id, place.content)
    });
    let why = format!(
        "a duplicate of the key {key:?} names version {} id {:?}, and there is {found}",
        receipt.version, receipt.id
    );
    let writer = place.and_then(|place| place.writer);
    Err(Broken::new("P9", [index].into_iter().chain(writer), why))
}

fn no_conflict_for_repeats<I: Ord>(facts: &Facts<'_, I>, keys: &Keys<'_, I>) -> Result<(), Broken> {
    let carried = carried(facts);
    for (index, op, append) in facts.appends() {
        let Outcome::NotApplied(Refusal::Conflict { actual }) = append.outcome else {
            continue;
        };
        let Some(stream) = facts.streams.get(&append.stream) else {
            continue;
        };
        let returned = op.returned.unwrap_or(NEVER);
        let known = |key: &str| {
            let all = keys.get(&(&append.stream, key))?;
            let stays = |a: &&Answer<'_, I>| {
                a.returned < op.invoked && !stream.maybe_trimmed(a.receipt.version, returned)
            };
            all.answers.iter().find(stays).map(|a| a.op)
        };
        // A conflict that tells a version has seen all there was up to it.
        let seen = |key: &str| {
            let (version, writer) = carried.get(&(&append.stream, key))?;
            let there = *version <= actual && !stream.maybe_trimmed(*version, returned);
            there.then_some(*writer)
        };
        let known = |key: &str| known(key).or_else(|| seen(key));
        let originals = append.entries.iter().map(|e| known(e.key.as_deref()?));
        let originals: Option<Vec<usize>> = originals.collect();
        if let Some(originals) = originals.filter(|o| !o.is_empty()) {
            let why = "every entry repeats a key that was known to be there, and that is a \
                       success, not a conflict";
            return Err(Broken::new("P9", [index].into_iter().chain(originals), why));
        }
    }
    Ok(())
}

/// Where an entry with a key is, and which append stored it.
fn carried<'h, I: Ord>(facts: &Facts<'h, I>) -> HashMap<(&'h StreamName, &'h str), (u64, usize)> {
    let mut carried = HashMap::new();
    for (name, stream) in &facts.streams {
        for (version, place) in &stream.places {
            if let (Some(key), Some(writer)) = (facts.key_of(place.content), place.writer) {
                carried.insert((*name, key), (*version, writer));
            }
        }
    }
    carried
}
