//! Rule 4: a batch is one (P7).
//!
//! The receipts of what an append stored are contiguous, in the given order.
//! Of an append without a known outcome all entries are there, contiguous and
//! in that order, or none: except for repeats of a key. And a reader that is
//! told it has caught up, or what the last version is, never stands in the
//! middle of a batch.

use std::collections::HashMap;
use std::fmt::Debug;

use ledger_core::StoreOrder;

use super::super::op::{AppendOp, End, What};
use super::facts::{Content, Facts, StreamFacts};
use super::violation::Broken;

pub(super) fn holds<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    for (index, _, append, receipts) in facts.acknowledged() {
        let stored: Vec<_> = receipts.iter().filter(|r| !r.is_duplicate()).collect();
        for pair in stored.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            if a.version.checked_add(1) != Some(b.version) || a.id >= b.id {
                let why = format!(
                    "a batch to {:?} is not in one piece: version {} and id {:?}, then version \
                     {} and id {:?}",
                    append.stream, a.version, a.id, b.version, b.id
                );
                return Err(Broken::new("P7", [index], why));
            }
        }
    }
    without_outcome(facts)?;
    seen_in_half(facts)
}

/// Where the entries that anybody saw are, by number.
fn versions<I>(stream: &StreamFacts<'_, I>) -> HashMap<u64, u64> {
    let place = |(version, content): (&u64, Content)| match content {
        Content::Number(number) => Some((number, *version)),
        Content::Foreign | Content::Unseen => None,
    };
    let places = stream.places.iter().map(|(v, p)| (v, p.content));
    places.filter_map(place).collect()
}

fn without_outcome<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    let mut known = HashMap::new();
    for (name, stream) in &facts.streams {
        let versions = versions(stream);
        let mut keys: HashMap<&str, u64> = HashMap::new();
        for (version, place) in &stream.places {
            if let Some(key) = facts.key_of(place.content) {
                keys.entry(key).or_insert(*version);
            }
        }
        known.insert(*name, (stream, versions, keys));
    }
    for (index, _, append) in facts.appends() {
        if append.outcome.ok().is_some() || !append.outcome.may_have_applied() {
            continue;
        }
        let Some((stream, versions, keys)) = known.get(&append.stream) else {
            continue;
        };
        // After a trim a retry may have stored those whose keys were free
        // again.
        let retried = append.entries.first().is_some_and(|entry| {
            let origin = facts.origins.get(&entry.number);
            origin.is_some_and(|o| o.attempts.len() > 1)
        });
        if retried && stream.first > 1 {
            continue;
        }
        whole(append, stream, versions, keys).map_err(|why| {
            let why = format!("an append without a known outcome is there in part: {why}");
            Broken::new("P7", [index], why)
        })?;
    }
    Ok(())
}

/// The entries that are there are contiguous, and those that are not are
/// repeats, or were trimmed.
fn whole<I>(
    append: &AppendOp<I>,
    stream: &StreamFacts<'_, I>,
    versions: &HashMap<u64, u64>,
    keys: &HashMap<&str, u64>,
) -> Result<(), String> {
    let found = |number: u64| versions.get(&number).copied();
    let present = append.entries.iter().filter_map(|e| found(e.number));
    let Some(start) = present.min() else {
        return Ok(());
    };
    let mut last: Option<u64> = None;
    // Entries not seen since the last one that was, which take up versions if
    // they were trimmed: at least and at most so many.
    let (mut least, mut most) = (0_u64, 0_u64);
    let mut in_batch: Vec<&str> = Vec::new();
    for entry in &append.entries {
        let key = entry.key.as_deref();
        let Some(version) = found(entry.number) else {
            let repeats = key.is_some_and(|key| {
                in_batch.contains(&key) || keys.get(key).is_some_and(|v| *v < start)
            });
            if stream.first > 1 {
                least += u64::from(key.is_none());
                most += 1;
            } else if !repeats {
                return Err(format!("entry #{} is missing", entry.number));
            }
            in_batch.extend(key);
            continue;
        };
        in_batch.extend(key);
        if let Some(last) = last {
            let between = version.checked_sub(last).and_then(|n| n.checked_sub(1));
            let fits = between.is_some_and(|n| (least..=most).contains(&n));
            let trimmed = between == Some(0) || version <= stream.first;
            if !fits || !trimmed {
                let number = entry.number;
                return Err(format!(
                    "entry #{number} is at version {version} behind {last}"
                ));
            }
        } else if least > 0 && version > stream.first {
            let number = entry.number;
            return Err(format!("what comes before entry #{number} is missing"));
        }
        last = Some(version);
        (least, most) = (0, 0);
    }
    if least > 0 && last.is_some_and(|last| last.saturating_add(1) >= stream.first) {
        return Err("its end is missing".to_owned());
    }
    Ok(())
}

fn seen_in_half<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    let half = |stream: &StreamFacts<'_, I>, version: u64, op: usize| {
        let next = version.checked_add(1).and_then(|v| stream.places.get(&v));
        let Some(writer) = Facts::one_append(stream.places.get(&version), next) else {
            return Ok(());
        };
        let why = format!("version {version} was seen without the rest of its batch");
        Err(Broken::new("P7", [op, writer], why))
    };
    for fact in facts.reads() {
        let Some(stream) = facts.streams.get(&fact.read.stream) else {
            continue;
        };
        let records = &fact.page.records;
        let newest = if fact.read.desc {
            records.first()
        } else {
            records.last().filter(|_| fact.page.end == End::CaughtUp)
        };
        if let Some(newest) = newest.filter(|_| fact.read.before.is_none()) {
            half(stream, newest.version, fact.op)?;
        }
    }
    for (index, op) in facts.ops.iter().enumerate() {
        if let What::Stat(stat) = &op.what
            && let Some(stream) = facts.streams.get(&stat.stream)
            && let Some(seen) = stat.outcome.ok()
        {
            half(stream, seen.last_version, index)?;
        }
    }
    if facts.order != StoreOrder::Total {
        return Ok(());
    }
    for fact in facts.tails().filter(|f| f.page.end == End::CaughtUp) {
        if let Some(newest) = fact.page.records.last()
            && let Some(stream) = facts.streams.get(&newest.stream)
        {
            half(stream, newest.record.version, fact.op)?;
        }
    }
    Ok(())
}
