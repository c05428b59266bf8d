//! Rule 11: what was read stays (P5), and what was trimmed is gone (P19).
//!
//! Every record that anybody ever read is in the log in the end, with the same
//! id and content, unless a trim may have removed it. What an acknowledged
//! trim had to remove is not there in the end, and no read that started later
//! sees it.

use std::fmt::Debug;

use ledger_core::StreamName;

use super::super::op::Seen;
use super::facts::{Content, Facts, NEVER};
use super::violation::Broken;

pub(super) fn holds<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    for fact in facts.reads() {
        for seen in &fact.page.records {
            stays(facts, &fact.read.stream, seen, fact.op, fact.invoked)?;
        }
    }
    for fact in facts.tails() {
        for seen in &fact.page.records {
            stays(facts, &seen.stream, &seen.record, fact.op, fact.invoked)?;
        }
    }
    for (name, stream) in &facts.streams {
        if let Some((version, trim)) = stream.surely_trimmed(NEVER)
            && version >= stream.first
        {
            let why = format!("version {version} of {name:?} was trimmed, and is still there");
            return Err(Broken::new("P19", [trim], why));
        }
    }
    Ok(())
}

fn stays<I: Ord + Debug>(
    facts: &Facts<'_, I>,
    name: &StreamName,
    seen: &Seen<I>,
    op: usize,
    invoked: u64,
) -> Result<(), Broken> {
    let version = seen.version;
    let Some(stream) = facts.streams.get(name) else {
        let why = format!("a record of {name:?} was read, and there is no such stream");
        return Err(Broken::new("P5", [op], why));
    };
    if let Some((trimmed, trim)) = stream.surely_trimmed(invoked)
        && version <= trimmed
    {
        let why = format!("version {version} of {name:?} was read after it was trimmed");
        return Err(Broken::new("P19", [trim, op], why));
    }
    let there = version >= stream.first && version <= stream.last_version();
    if !there && !stream.maybe_trimmed(version, NEVER) {
        let why = format!("version {version} of {name:?} was read, and is not there any more");
        return Err(Broken::new("P5", [op], why));
    }
    let place = stream.places.get(&version);
    let same = place.is_some_and(|p| *p.id == seen.id && p.content == Content::of(seen.number));
    if !same {
        let why = format!(
            "version {version} of {name:?} was read as {seen:?}, and is {}",
            place.map_or("not there".to_owned(), |place| {
                format!("id {:?}, {:?}", place.id, place.content)
            })
        );
        let writer = place.and_then(|place| place.writer);
        return Err(Broken::new("P5", [op].into_iter().chain(writer), why));
    }
    Ok(())
}
