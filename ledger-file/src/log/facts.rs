//! What the frames of a log add up to. The writer and recovery change it by the
//! same functions.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_core::{StreamName, Timestamp};

use crate::format::facts::Trim;
use crate::format::snapshot::{Head, Item, SegmentFacts};

/// A fact that does not fit the others.
pub(crate) type Contradiction = &'static str;

#[derive(Clone, Debug)]
pub(crate) struct Facts {
    by_name: BTreeMap<StreamName, u32>,
    heads: Vec<Head>,
    pub(crate) next_id: i64,
    /// Segments that are not written any more, and how many of their entries
    /// are retained.
    segments: BTreeMap<u64, (SegmentFacts, u64)>,
    /// The segment that is written.
    pub(crate) active: u64,
    active_live: u64,
    checkpoints: BTreeMap<String, Bytes>,
}

/// A batch, as far as facts go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchFacts<'b> {
    pub(crate) stream: u32,
    pub(crate) name: Option<&'b StreamName>,
    pub(crate) count: u64,
    pub(crate) first_id: i64,
    pub(crate) first_version: u64,
    pub(crate) at: Timestamp,
}

impl Facts {
    pub(crate) fn new(active: u64) -> Self {
        Self {
            by_name: BTreeMap::new(),
            heads: Vec::new(),
            next_id: 1,
            segments: BTreeMap::new(),
            active,
            active_live: 0,
            checkpoints: BTreeMap::new(),
        }
    }

    pub(crate) fn number_of(&self, name: &StreamName) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn head(&self, stream: u32) -> Option<&Head> {
        self.heads.get(stream as usize)
    }

    pub(crate) fn stream_count(&self) -> usize {
        self.heads.len()
    }

    pub(crate) fn names(&self) -> &BTreeMap<StreamName, u32> {
        &self.by_name
    }

    pub(crate) fn last_id(&self) -> i64 {
        self.next_id - 1
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = &SegmentFacts> {
        self.segments.values().map(|(facts, _)| facts)
    }

    /// Segments that have no retained entry and are not written any more.
    pub(crate) fn empty_segments(&self) -> Vec<u64> {
        let empty = self.segments.values().filter(|(_, live)| *live == 0);
        empty.map(|(facts, _)| facts.number).collect()
    }

    pub(crate) fn active_live(&self) -> u64 {
        self.active_live
    }

    /// A batch was written to the active segment.
    pub(crate) fn batch(&mut self, batch: &BatchFacts<'_>) -> Result<(), Contradiction> {
        if batch.first_id != self.next_id {
            return Err("the ids do not go on where the last ones ended");
        }
        let last_id = batch.first_id.checked_add_unsigned(batch.count);
        let last_id = last_id.ok_or("ids beyond the last one")? - 1;
        let new = batch.stream as usize == self.heads.len();
        match (new, batch.name) {
            (true, Some(name)) => {
                if self.by_name.insert(name.clone(), batch.stream).is_some() {
                    return Err("a stream begins twice");
                }
                self.heads.push(Head {
                    name: name.clone(),
                    version: 0,
                    last_id: 0,
                    last_at: batch.at,
                    trimmed: 0,
                    first_id: 0,
                });
            }
            (false, None) => {}
            _ => return Err("a stream that does not exist, or begins twice"),
        }
        let head = self.heads.get_mut(batch.stream as usize);
        let head = head.ok_or("a stream that does not exist")?;
        if batch.first_version != head.version + 1 || batch.at < head.last_at {
            return Err("the versions or times of a stream do not go on where they ended");
        }
        if head.first_id == 0 {
            head.first_id = batch.first_id;
        }
        head.version += batch.count;
        head.last_id = last_id;
        head.last_at = batch.at;
        self.next_id = last_id + 1;
        self.active_live += batch.count;
        Ok(())
    }

    pub(crate) fn trim(&mut self, trim: &Trim) -> Result<(), Contradiction> {
        let head = self.heads.get_mut(trim.stream as usize);
        let head = head.ok_or("a trim of a stream that does not exist")?;
        if trim.through_version < head.trimmed || trim.through_version > head.version {
            return Err("a trim beyond what there is");
        }
        head.trimmed = trim.through_version;
        head.first_id = trim.first_id;
        for (segment, removed) in &trim.removed {
            let live = match self.segments.get_mut(segment) {
                Some((_, live)) => live,
                None if *segment == self.active => &mut self.active_live,
                None => return Err("a trim of a segment that does not exist"),
            };
            *live = live
                .checked_sub(*removed)
                .ok_or("a trim of more than there is")?;
        }
        Ok(())
    }

    pub(crate) fn drop_segments(&mut self, segments: &[u64]) -> Result<(), Contradiction> {
        for segment in segments {
            match self.segments.remove(segment) {
                Some((_, 0)) => {}
                _ => return Err("a removal of a segment that is in use"),
            }
        }
        Ok(())
    }

    pub(crate) fn checkpoint(&mut self, name: String, content: Bytes) {
        match content.is_empty() {
            true => self.checkpoints.remove(&name),
            false => self.checkpoints.insert(name, content),
        };
    }

    /// The active segment is sealed, and another one goes on.
    pub(crate) fn seal(&mut self, sealed: SegmentFacts, next: u64) {
        self.segments
            .insert(sealed.number, (sealed, self.active_live));
        self.active = next;
        self.active_live = 0;
    }

    /// What the next segment begins with.
    pub(crate) fn items(&self) -> impl Iterator<Item = Item> {
        let streams = self.heads.iter().cloned().map(Item::Stream);
        let segments = self.segments.values();
        let segments = segments.map(|(facts, live)| Item::Segment(*facts, *live));
        let checkpoints = self.checkpoints.iter();
        let checkpoints = checkpoints.map(|(n, c)| Item::Checkpoint(n.clone(), c.clone()));
        std::iter::once(Item::NextId(self.next_id))
            .chain(streams)
            .chain(segments)
            .chain(checkpoints)
    }

    /// A record of the snapshot.
    pub(crate) fn load(&mut self, item: Item) -> Result<(), Contradiction> {
        match item {
            Item::NextId(id) if id > 0 => self.next_id = id,
            Item::NextId(_) => return Err("an id that is not positive"),
            Item::Stream(head) => {
                let number = u32::try_from(self.heads.len()).map_err(|_| "too many streams")?;
                if self.by_name.insert(head.name.clone(), number).is_some() {
                    return Err("a stream is there twice");
                }
                self.heads.push(head);
            }
            Item::Segment(facts, live) => {
                if facts.number >= self.active || live > facts.count {
                    return Err("a segment that cannot be");
                }
                self.segments.insert(facts.number, (facts, live));
            }
            Item::Checkpoint(name, content) => self.checkpoint(name, content),
        }
        Ok(())
    }
}
