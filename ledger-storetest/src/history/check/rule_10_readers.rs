//! Rule 10: a reader that goes on for ever skips nothing (P3).
//!
//! What a reader of the whole store got, page after page, is the beginning of
//! the log as it was in the end: of the one order where there is one, else of
//! each stream. What a reader of a stream got has versions 1, 2, 3 and so on.
//! What was trimmed may be there or not.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use ledger_core::StoreOrder;

use super::facts::{Facts, ReadFact, TailFact};
use super::violation::Broken;

pub(super) fn holds<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    let mut of_store: BTreeMap<u32, Vec<TailFact<'_, I>>> = BTreeMap::new();
    for fact in facts.tails() {
        of_store.entry(fact.tail.reader).or_default().push(fact);
    }
    for (reader, mut pages) in of_store {
        pages.sort_by_key(|fact| fact.invoked);
        each_stream(facts, reader, &pages)?;
        if facts.order == StoreOrder::Total {
            one_order(facts, reader, &pages)?;
        }
    }
    let mut of_stream: BTreeMap<u32, Vec<ReadFact<'_, I>>> = BTreeMap::new();
    for fact in facts.reads() {
        if let Some(reader) = fact.read.reader {
            of_stream.entry(reader).or_default().push(fact);
        }
    }
    for (reader, mut pages) in of_stream {
        pages.sort_by_key(|fact| fact.invoked);
        let mut last = 0;
        for fact in &pages {
            for seen in &fact.page.records {
                let stream = &fact.read.stream;
                let place = (stream, seen.version, fact.returned);
                follows(facts, reader, last, place, fact.op)?;
                last = seen.version;
            }
        }
    }
    Ok(())
}

fn follows<I: Ord>(
    facts: &Facts<'_, I>,
    reader: u32,
    last: u64,
    (name, version, returned): (&ledger_core::StreamName, u64, u64),
    op: usize,
) -> Result<(), Broken> {
    let trimmed = || {
        let stream = facts.streams.get(name);
        stream.is_some_and(|s| s.maybe_trimmed(version.saturating_sub(1), returned))
    };
    if last.checked_add(1) == Some(version) || (version > last && trimmed()) {
        return Ok(());
    }
    let why = format!("reader {reader} got version {version} of {name:?} behind version {last}");
    Err(Broken::new("P3", [op], why))
}

fn each_stream<I: Ord>(
    facts: &Facts<'_, I>,
    reader: u32,
    pages: &[TailFact<'_, I>],
) -> Result<(), Broken> {
    let mut last = HashMap::new();
    for fact in pages {
        for seen in &fact.page.records {
            let slot = last.entry(&seen.stream).or_insert(0);
            let place = (&seen.stream, seen.record.version, fact.returned);
            follows(facts, reader, *slot, place, fact.op)?;
            *slot = seen.record.version;
        }
    }
    Ok(())
}

/// Leaving out what was trimmed, the reader got the beginning of the order.
fn one_order<I: Ord>(
    facts: &Facts<'_, I>,
    reader: u32,
    pages: &[TailFact<'_, I>],
) -> Result<(), Broken> {
    let mut order = facts.store.unwrap_or_default().iter();
    for fact in pages {
        for seen in &fact.page.records {
            let version = seen.record.version;
            let stream = facts.streams.get(&seen.stream);
            if stream.is_some_and(|stream| version < stream.first) {
                continue;
            }
            let should = order.next();
            let fits = should
                .is_some_and(|next| next.stream == seen.stream && next.record.version == version);
            if !fits {
                let should = should.map_or("nothing".to_owned(), |next| {
                    format!("version {} of {:?}", next.record.version, next.stream)
                });
                let why = format!(
                    "reader {reader} of the whole store got version {version} of {:?} where the \
                     order has {should}",
                    seen.stream
                );
                return Err(Broken::new("P3", [fact.op], why));
            }
        }
    }
    Ok(())
}
