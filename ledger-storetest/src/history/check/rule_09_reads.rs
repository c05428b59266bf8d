//! Rule 9: a read sees what it has to, and nothing else (P4, P3).
//!
//! A page of a stream begins at the first entry of its range, has no gaps, and
//! holds or is followed by everything that somebody was told of before the
//! page was asked for, in its range: a page that says it has caught up must
//! reach that far, and one that says more follows is not empty. Nothing in it was asked for after it was there. `stat` tells
//! a version between the same bounds. A page of the whole store that says it
//! has caught up completes what its reader got to everything that was
//! acknowledged; one that is undecided may stop short.

use std::collections::HashMap;
use std::fmt::Debug;

use super::super::op::{End, Seen, What};
use super::facts::{Facts, NEVER, ReadFact, StreamFacts, TailFact};
use super::violation::Broken;

pub(super) fn holds<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    for fact in facts.reads() {
        if let Some(stream) = facts.streams.get(&fact.read.stream) {
            page(facts, stream, &fact)?;
        }
    }
    stats(facts)?;
    let mut readers: HashMap<u32, Vec<TailFact<'_, I>>> = HashMap::new();
    for fact in facts.tails() {
        let records = &fact.page.records;
        if records.len() > fact.tail.limit {
            let why = format!(
                "{} records for a limit of {}",
                records.len(),
                fact.tail.limit
            );
            return Err(Broken::new("P18", [fact.op], why));
        }
        for seen in records {
            if let Some(stream) = facts.streams.get(&seen.stream) {
                not_from_the_future(stream, seen.record.version, fact.returned, fact.op)?;
            }
        }
        readers.entry(fact.tail.reader).or_default().push(fact);
    }
    let acks = acknowledged(facts);
    for pages in readers.into_values() {
        caught_up(facts, &acks, pages)?;
    }
    Ok(())
}

fn not_from_the_future<I>(
    stream: &StreamFacts<'_, I>,
    version: u64,
    returned: u64,
    op: usize,
) -> Result<(), Broken> {
    match stream.asked_up_to(version) {
        Some((time, writer)) if time >= returned => {
            let why = format!("version {version} was seen before it was asked for");
            Err(Broken::new("P5", [op].into_iter().chain(writer), why))
        }
        _ => Ok(()),
    }
}

fn page<I: Ord + Debug>(
    facts: &Facts<'_, I>,
    stream: &StreamFacts<'_, I>,
    fact: &ReadFact<'_, I>,
) -> Result<(), Broken> {
    let (read, records) = (fact.read, &fact.page.records);
    let broken = |promise, why: String| Err(Broken::new(promise, [fact.op], why));
    if records.len() > read.limit {
        let why = format!("{} records for a limit of {}", records.len(), read.limit);
        return broken("P18", why);
    }
    for seen in records {
        let behind = read.after.as_ref().is_none_or(|after| seen.id > *after);
        let ahead = read.before.as_ref().is_none_or(|before| seen.id < *before);
        if !behind || !ahead {
            return broken("P3", format!("id {:?} is not in the range asked", seen.id));
        }
        not_from_the_future(stream, seen.version, fact.returned, fact.op)?;
    }
    // Oldest first, whatever was asked.
    let mut sorted: Vec<&Seen<I>> = records.iter().collect();
    if read.desc {
        sorted.reverse();
    }
    for pair in sorted.windows(2) {
        let (a, b) = (pair[0].version, pair[1].version);
        let gap = a.checked_add(1) != Some(b);
        let trimmed = a < b && stream.maybe_trimmed(b.saturating_sub(1), fact.returned);
        if gap && !trimmed {
            return broken("P3", format!("versions {a} and {b} next to each other"));
        }
    }
    reach(facts, stream, fact, &sorted)
}

/// Both ends of a page: the near one always, the far one if it says that
/// nothing follows.
fn reach<I: Ord + Debug>(
    facts: &Facts<'_, I>,
    stream: &StreamFacts<'_, I>,
    fact: &ReadFact<'_, I>,
    sorted: &[&Seen<I>],
) -> Result<(), Broken> {
    let read = fact.read;
    let told = facts.known(stream, fact.client, fact.invoked);
    let (known, teller) = told.map_or((0, None), |(version, op)| (version, Some(op)));
    let begin = read
        .after
        .as_ref()
        .map_or(0, |id| stream.version_at(id, true));
    let begin = begin.saturating_add(1);
    let bound = read.before.as_ref().map(|id| stream.version_at(id, false));
    let end = bound.map_or(known, |bound| bound.min(known));
    let settled = fact.page.end == End::CaughtUp;
    let (low, high) = (sorted.first(), sorted.last());
    let shown = || [fact.op].into_iter().chain(teller);

    if sorted.is_empty() && fact.page.end == End::More {
        if stream.maybe_trimmed(begin, fact.returned) {
            return Ok(());
        }
        let why = "a page without entries says that more follows: its reader gets nowhere";
        return Err(Broken::new("P3", shown(), why));
    }
    // The old end of the range: where an ascending page begins.
    if !read.desc || settled {
        let low = low.map_or(NEVER, |seen| seen.version);
        // Up to here everything is missing.
        let missing = if low == NEVER {
            end
        } else {
            low.saturating_sub(1)
        };
        let empty_for_now = low == NEVER && !settled;
        let trimmed = stream.maybe_trimmed(missing, fact.returned);
        if missing >= begin && !trimmed && !empty_for_now {
            let why = format!("versions {begin} to {missing} are missing from a page");
            return Err(Broken::new("P4", shown(), why));
        }
    }
    // The new end: where a descending page begins.
    if read.desc || settled {
        let high = high.map_or(begin.saturating_sub(1), |seen| seen.version);
        let empty_for_now = sorted.is_empty() && !settled;
        let trimmed = stream.maybe_trimmed(end, fact.returned) && sorted.is_empty();
        if high < end && !empty_for_now && !trimmed {
            let from = high.saturating_add(1);
            let why = format!(
                "versions {from} to {end} are missing from a page, and were known before it was \
                 asked for"
            );
            return Err(Broken::new("P4", shown(), why));
        }
    }
    Ok(())
}

fn stats<I: Ord>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    for (index, op) in facts.ops.iter().enumerate() {
        let What::Stat(stat) = &op.what else { continue };
        let (Some(seen), Some(stream)) = (stat.outcome.ok(), facts.streams.get(&stat.stream))
        else {
            continue;
        };
        let (last, reached) = (seen.last_version, stream.last_version());
        let known = facts.known(stream, op.client, op.invoked);
        if let Some((version, teller)) = known.filter(|(version, _)| *version > last) {
            let why = format!("stat tells version {last}, and {version} was known before");
            return Err(Broken::new("P4", [index, teller], why));
        }
        if last > reached {
            let why = format!("stat tells version {last}, and the stream only reached {reached}");
            return Err(Broken::new("P5", [index], why));
        }
        let returned = op.returned.unwrap_or(NEVER);
        let count = seen.retained;
        let all = count == last || stream.maybe_trimmed(1, returned) && count < last;
        if !all || seen.last.is_some() != (count > 0) {
            let why = format!(
                "stat tells version {last} and {count} entries, of which it has the last: {}",
                seen.last.is_some()
            );
            return Err(Broken::new("P1", [index], why));
        }
        not_from_the_future(stream, last, returned, index)?;
        if let Some(id) = &seen.last
            && let Some(place) = stream.places.get(&last)
            && place.id != id
        {
            let why = format!("stat tells version {last} with the id of another");
            return Err(Broken::new("P4", [index], why));
        }
    }
    Ok(())
}

/// All entries of the final logs by the time of their first acknowledgement.
struct Ack<'h> {
    at: u64,
    stream: &'h str,
    version: u64,
    by: Option<usize>,
}

fn acknowledged<'h, I: Ord>(facts: &Facts<'h, I>) -> Vec<Ack<'h>> {
    let mut acks = Vec::new();
    for (name, stream) in &facts.streams {
        for (version, place) in stream.places.range(stream.first..) {
            acks.push(Ack {
                at: place.acked,
                stream: name.as_str(),
                version: *version,
                by: place.acked_by,
            });
        }
    }
    acks.sort_unstable_by_key(|ack| ack.at);
    acks
}

fn caught_up<I: Ord>(
    facts: &Facts<'_, I>,
    acks: &[Ack<'_>],
    mut pages: Vec<TailFact<'_, I>>,
) -> Result<(), Broken> {
    if facts.stale_reads {
        return Ok(());
    }
    pages.sort_by_key(|fact| fact.invoked);
    let mut got: HashMap<&str, u64> = HashMap::new();
    let mut next = 0;
    for fact in pages {
        for seen in &fact.page.records {
            let most = got.entry(seen.stream.as_str()).or_insert(0);
            *most = seen.record.version.max(*most);
        }
        if fact.page.end != End::CaughtUp {
            continue;
        }
        while let Some(ack) = acks.get(next).filter(|ack| ack.at < fact.invoked) {
            next += 1;
            if got.get(ack.stream).is_none_or(|most| *most < ack.version) {
                let why = format!(
                    "a reader of the whole store was told it has caught up without version {} of \
                     {:?}, which was known before",
                    ack.version, ack.stream
                );
                return Err(Broken::new("P4", [fact.op].into_iter().chain(ack.by), why));
            }
        }
    }
    Ok(())
}
