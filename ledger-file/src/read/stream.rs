//! Pages of one stream.

use std::sync::Arc;

use ledger_core::{Error, Kind, Page, Read, Record, Result, StreamName};

use super::bounds::{Bounds, part};
use super::page::{Candidates, Filling, Room};
use crate::index::Index;
use crate::log::{Log, State};
use crate::mutants::Mutant;
use crate::segment::Segment;

/// What is asked of a stream.
struct Ask {
    stream: u32,
    order: Option<(u64, String)>,
    bounds: Bounds,
    descending: bool,
}

/// What a page is made of, as of one moment.
struct View {
    sealed: Arc<Vec<Arc<Segment>>>,
    active: Candidates,
    /// Whether the active segment has more that may be wanted.
    active_has_more: bool,
}

/// A page of a stream. Blocks.
pub(crate) fn page_of_stream(
    log: &Log,
    name: &StreamName,
    read: &Read<i64>,
) -> Result<Page<Record<i64>>> {
    let mut filling = Filling::new(read.limit(), read.is_descending());
    loop {
        let (ask, view) = {
            let state = log.read();
            let last_id = state.facts.last_id();
            let after = read.after().copied().unwrap_or(0);
            if after > last_id {
                let ahead = Error::new(Kind::InvalidCursor, "an id ahead of the store");
                return Err(ahead.with("after", after));
            }
            let Some(ask) = Ask::new(log, &state, name, read, filling.passed) else {
                let end = Filling::<Record<i64>>::end(Room::Left);
                return Ok(Page::new(filling.records, end));
            };
            let view = ask.view(&state, filling.wanted())?;
            (ask, view)
        };
        match ask.fill(&view, &mut filling) {
            Ok(Room::Left) if view.active_has_more => {
                // Nothing of what was looked at was wanted; look further.
                if !filling.records.is_empty() {
                    let end = Filling::<Record<i64>>::end(Room::None);
                    return Ok(Page::new(filling.records, end));
                }
            }
            Ok(room) => {
                return Ok(Page::new(
                    filling.records,
                    Filling::<Record<i64>>::end(room),
                ));
            }
            // A segment was removed while it was read; then its entries were
            // trimmed, and the page goes on behind them.
            Err(why) if !gone(log, &view) => return Err(why),
            Err(_) => {}
        }
    }
}

fn gone(log: &Log, view: &View) -> bool {
    let now = log.read().sealed.clone();
    let there = |segment: &Arc<Segment>| now.iter().any(|s| s.number() == segment.number());
    !view.sealed.iter().all(there)
}

impl Ask {
    /// `None` if nothing can be found.
    fn new(
        log: &Log,
        state: &State,
        name: &StreamName,
        read: &Read<i64>,
        passed: Option<i64>,
    ) -> Option<Self> {
        let stream = state.facts.number_of(name)?;
        let head = state.facts.head(stream).filter(|head| head.first_id > 0)?;
        let after = read.after().copied().unwrap_or(0);
        let before = read.before().map_or(i64::MAX, |before| before - 1);
        let mut ids = (
            head.first_id.max(after.saturating_add(1)),
            before.min(head.last_id),
        );
        match passed {
            Some(passed) if read.is_descending() => ids.1 = ids.1.min(passed - 1),
            Some(passed) => ids.0 = ids.0.max(passed + 1),
            None => {}
        }
        let versions = read.versions();
        let bounds = Bounds {
            ids,
            versions: ((*versions.start()).max(head.trimmed + 1), *versions.end()),
        };
        let order = read
            .order_key()
            .map(|key| (log.env.hash.order(stream, key), key.to_owned()));
        (!bounds.is_empty()).then_some(Self {
            stream,
            order,
            bounds,
            descending: read.is_descending(),
        })
    }

    fn view(&self, state: &State, most: usize) -> Result<View> {
        let base_id = state.active.header.base_id;
        let mut numbers = Vec::new();
        let mut active_has_more = false;
        let found = match &self.order {
            Some((hash, _)) => state.index.order(*hash).map(|list| (None, list)),
            None => {
                let row = state.index.stream(self.stream);
                row.map(|row| (Some(row.first_version), row.list))
            }
        };
        if let Some((first_version, list)) = found {
            let range = match first_version {
                Some(first) => self.bounds.by_both(&list, base_id, first)?,
                None => self.bounds.by_id(&list, base_id)?,
            };
            let part = part(&range, most, self.descending);
            active_has_more = part != range;
            numbers = list.get(part)?;
        }
        let active = Candidates {
            file: state.active.clone(),
            end: state.end,
            base_id,
            offsets: state.index.offsets(&numbers),
            numbers,
        };
        Ok(View {
            sealed: state.sealed.clone(),
            active,
            active_has_more,
        })
    }

    fn fill(&self, view: &View, filling: &mut Filling<Record<i64>>) -> Result<Room> {
        let sealed = &view.sealed;
        let from = sealed.partition_point(|s| s.end_id() <= self.bounds.ids.0);
        let to = sealed
            .partition_point(|s| s.facts.base_id <= self.bounds.ids.1)
            .max(from);
        if self.descending {
            if self.take(&view.active, filling)? == Room::None {
                return Ok(Room::None);
            }
            if view.active_has_more {
                return Ok(Room::Left);
            }
            for segment in sealed[from..to].iter().rev() {
                if self.segment(segment, filling)? == Room::None {
                    return Ok(Room::None);
                }
            }
            Ok(Room::Left)
        } else {
            for segment in &sealed[from..to] {
                if self.segment(segment, filling)? == Room::None {
                    return Ok(Room::None);
                }
            }
            self.take(&view.active, filling)
        }
    }

    /// All that is wanted of a sealed segment, in steps of what still fits.
    fn segment(&self, segment: &Segment, filling: &mut Filling<Record<i64>>) -> Result<Room> {
        let base_id = segment.facts.base_id;
        let mut left = None;
        loop {
            let (rest, numbers, offsets) = segment.look(|index| {
                let Some(range) = self.range(segment, index, left.clone())? else {
                    return Ok((0..0, Vec::new(), Vec::new()));
                };
                let part = part(&range, filling.wanted(), self.descending);
                let rest = match self.descending {
                    false => part.end..range.end,
                    true => range.start..part.start,
                };
                let numbers = self.numbers(segment, index, part)?;
                let offsets = index.offsets(&numbers)?;
                Ok((rest, numbers, offsets))
            })?;
            if numbers.is_empty() {
                return Ok(Room::Left);
            }
            let candidates = Candidates {
                file: segment.file()?,
                end: segment.facts.end,
                base_id,
                numbers,
                offsets,
            };
            if self.take(&candidates, filling)? == Room::None {
                return Ok(Room::None);
            }
            left = Some(rest);
        }
    }

    fn range(
        &self,
        segment: &Segment,
        index: &Index,
        left: Option<std::ops::Range<usize>>,
    ) -> Result<Option<std::ops::Range<usize>>> {
        if left.is_some() {
            return Ok(left);
        }
        let base_id = segment.facts.base_id;
        let hash = match &self.order {
            Some((hash, _)) => *hash,
            None => segment.stream_hash(self.stream),
        };
        if !index.may_have(hash) {
            return Ok(None);
        }
        if self.order.is_some() {
            let list = index.order(hash)?;
            return list
                .map(|list| self.bounds.by_id(&list, base_id))
                .transpose();
        }
        let row = index.stream(self.stream)?;
        row.map(|row| self.bounds.by_both(&row.list, base_id, row.first_version))
            .transpose()
    }

    fn numbers(
        &self,
        segment: &Segment,
        index: &Index,
        part: std::ops::Range<usize>,
    ) -> Result<Vec<u32>> {
        if part.is_empty() {
            return Ok(Vec::new());
        }
        let list = match &self.order {
            Some((hash, _)) => index.order(*hash)?,
            None => index.stream(self.stream)?.map(|row| row.list),
        };
        let file = |why| crate::error::corrupt(segment.name(), 0, why);
        list.ok_or_else(|| file("the index has changed"))?.get(part)
    }

    fn take(&self, from: &Candidates, filling: &mut Filling<Record<i64>>) -> Result<Room> {
        filling.add(from, |stream, record| {
            let (first, last) = self.bounds.versions;
            let key = self.order.as_ref().map(|(_, key)| key);
            // Hashes only lead to candidates.
            let wanted = stream == self.stream
                && (first..=last).contains(&record.version)
                && (Mutant::HashIsOrderKey.runs()
                    || key.is_none_or(|key| record.entry.order_key.as_ref() == Some(key)));
            wanted.then(|| (record.entry.size() as u64, record))
        })
    }
}
