//! Pages of the whole store. Ids are its order: one writer gives them out, and
//! readers see only what is on disk.

use std::ops::Range;
use std::sync::Arc;

use ledger_core::backend::PositionCursor;
use ledger_core::{Direction, ReadAll, Result, StorePage, StoreRecord};

use super::bounds::part;
use super::page::{Candidates, Filling, Room};
use crate::log::Log;
use crate::segment::Segment;

struct View {
    /// The ids that are asked for.
    ids: Range<i64>,
    sealed: Arc<Vec<Arc<Segment>>>,
    active: Candidates,
    active_has_more: bool,
}

/// A page of the whole store. Blocks.
pub(crate) fn page_of_all(log: &Log, read: &ReadAll) -> Result<StorePage<i64>> {
    let (store, descending) = (log.env.store, read.is_descending());
    let position = match read.after() {
        Some(cursor) => Some(PositionCursor::of(cursor, store, read.direction())?.position),
        None => None,
    };
    let last_id = log.read().facts.last_id();
    if let (Some(position), direction) = (position, read.direction()) {
        let cursor = PositionCursor {
            store,
            direction,
            position,
        };
        cursor.check_head(last_id)?;
    }
    let start = position.unwrap_or(match read.direction() {
        Direction::Ascending => 0,
        Direction::Descending => last_id,
    });
    let mut filling = Filling::new(read.limit(), descending);
    let room = loop {
        let view = view(log, &filling, position, last_id);
        match fill(log, &view, &mut filling) {
            Ok(Room::Left) if view.active_has_more => {
                if !filling.records.is_empty() {
                    break Room::None;
                }
            }
            Ok(room) => break room,
            Err(why) => {
                let now = log.read().sealed.clone();
                let there = |s: &Arc<Segment>| now.iter().any(|n| n.number() == s.number());
                if view.sealed.iter().all(there) {
                    return Err(why);
                }
            }
        }
    };
    let end = Filling::<StoreRecord<i64>>::end(room);
    let position = filling.records.last().map_or(start, |last| last.record.id);
    let direction = read.direction();
    let next = PositionCursor {
        store,
        direction,
        position,
    }
    .encode();
    Ok(StorePage::new(filling.records, next, end))
}

fn view<T>(log: &Log, filling: &Filling<T>, position: Option<i64>, last_id: i64) -> View {
    let state = log.read();
    let descending = filling.is_descending();
    let ids = match (descending, filling.passed.or(position)) {
        (false, passed) => passed.unwrap_or(0) + 1..state.facts.next_id,
        (true, Some(passed)) => 1..passed.max(1),
        // A descending read starts at the end that was settled at first.
        (true, None) => 1..last_id + 1,
    };
    let base_id = state.active.header.base_id;
    let place = |id: i64| usize::try_from(id.saturating_sub(base_id)).unwrap_or(0);
    let count = state.index.count() as usize;
    let range = place(ids.start).min(count)..place(ids.end).min(count);
    let range = range.start..range.end.max(range.start);
    let part = part(&range, filling.wanted(), descending);
    let active_has_more = part != range;
    let numbers: Vec<u32> = part.filter_map(|n| u32::try_from(n).ok()).collect();
    View {
        ids,
        sealed: state.sealed.clone(),
        active: Candidates {
            file: state.active.clone(),
            end: state.end,
            base_id,
            offsets: state.index.offsets(&numbers),
            numbers,
        },
        active_has_more,
    }
}

fn fill(log: &Log, view: &View, filling: &mut Filling<StoreRecord<i64>>) -> Result<Room> {
    let sealed = &view.sealed;
    let from = sealed.partition_point(|s| s.end_id() <= view.ids.start);
    let to = sealed
        .partition_point(|s| s.facts.base_id < view.ids.end)
        .max(from);
    if filling.is_descending() {
        if take(log, &view.active, filling)? == Room::None {
            return Ok(Room::None);
        }
        if view.active_has_more {
            return Ok(Room::Left);
        }
        for segment in sealed[from..to].iter().rev() {
            if whole(log, view, segment, filling)? == Room::None {
                return Ok(Room::None);
            }
        }
        Ok(Room::Left)
    } else {
        for segment in &sealed[from..to] {
            if whole(log, view, segment, filling)? == Room::None {
                return Ok(Room::None);
            }
        }
        take(log, &view.active, filling)
    }
}

/// All that is wanted of a sealed segment, in steps of what still fits.
fn whole(
    log: &Log,
    view: &View,
    segment: &Segment,
    filling: &mut Filling<StoreRecord<i64>>,
) -> Result<Room> {
    let base_id = segment.facts.base_id;
    let place = |id: i64| usize::try_from(id.saturating_sub(base_id)).unwrap_or(0);
    let count = segment.facts.count as usize;
    let mut left = place(view.ids.start).min(count)..place(view.ids.end).min(count);
    while !left.is_empty() {
        let descending = filling.is_descending();
        let part = part(&left, filling.wanted(), descending);
        left = match descending {
            false => part.end..left.end,
            true => left.start..part.start,
        };
        let numbers: Vec<u32> = part.filter_map(|n| u32::try_from(n).ok()).collect();
        let candidates = Candidates {
            file: segment.file()?,
            end: segment.facts.end,
            base_id,
            offsets: segment.look(|index| index.offsets(&numbers))?,
            numbers,
        };
        if take(log, &candidates, filling)? == Room::None {
            return Ok(Room::None);
        }
    }
    Ok(Room::Left)
}

fn take(log: &Log, from: &Candidates, filling: &mut Filling<StoreRecord<i64>>) -> Result<Room> {
    filling.add(from, |stream, record| {
        let state = log.read();
        let head = state.facts.head(stream)?;
        (record.version > head.trimmed).then(|| {
            (
                record.entry.size() as u64,
                StoreRecord::new(head.name.clone(), record),
            )
        })
    })
}
