//! What the store in memory holds, and every rule that applies to it.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::backend::{Original, PositionCursor, StoreId, plan};
use crate::batch::Batch;
use crate::cursor::StoreCursor;
use crate::error::{Error, Kind, Result};
use crate::limits::Limits;
use crate::name::StreamName;
use crate::page::{Page, PageEnd, StorePage};
use crate::query::Direction;
use crate::receipt::Receipts;
use crate::record::{Record, StoreRecord};
use crate::request::{ListStreams, Read, ReadAll};
use crate::stat::StreamStat;
use crate::timestamp::Timestamp;

pub(super) struct Data {
    id: StoreId,
    /// The highest id ever assigned. Not taken from the entries: after a trim
    /// of the newest one it would go back.
    last_id: i64,
    streams: BTreeMap<StreamName, StreamData>,
    /// Which stream the entry with an id belongs to: the order of the store.
    order: BTreeMap<i64, StreamName>,
}

#[derive(Default)]
struct StreamData {
    /// How many entries were ever appended.
    version: u64,
    /// When the last entry was recorded; a later one is never earlier.
    last_at: Option<Timestamp>,
    /// The retained entries.
    entries: BTreeMap<i64, Record<i64>>,
    /// The ids of retained entries by dedup key.
    by_dedup_key: HashMap<String, i64>,
}

impl Data {
    pub(super) fn new() -> Self {
        Self {
            id: StoreId::random(),
            last_id: 0,
            streams: BTreeMap::new(),
            order: BTreeMap::new(),
        }
    }

    pub(super) fn id(&self) -> StoreId {
        self.id
    }

    pub(super) fn last_id(&self) -> i64 {
        self.last_id
    }

    pub(super) fn stream_count(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn seed_version(&mut self, name: &StreamName, version: u64) {
        let stream = self.streams.entry(name.clone()).or_default();
        stream.version = stream.version.max(version);
    }

    pub(super) fn append(
        &mut self,
        name: &StreamName,
        batch: Batch,
        now: Timestamp,
    ) -> Result<Receipts<i64>> {
        let found = self.streams.get(name);
        let plan = plan(&batch, found.map_or(0, |s| s.version), |_, entry| {
            let key = entry.dedup_key.as_deref().unwrap_or_default();
            let original = found.and_then(|s| s.entries.get(s.by_dedup_key.get(key)?));
            Ok(original.map(|record| Original {
                id: record.id,
                version: record.version,
                same_content: record.entry.same_content(entry),
            }))
        })?;
        let fresh = i64::try_from(plan.fresh.len()).unwrap_or(i64::MAX);
        let Some(last_id) = self.last_id.checked_add(fresh) else {
            return Err(Error::new(
                Kind::LimitReached,
                "the store has reached its last id",
            ));
        };
        let (first_id, first_version) = (self.last_id + 1, found.map_or(0, |s| s.version) + 1);
        let receipts = plan.receipts(|nth| (first_id + nth as i64, first_version + nth as u64));

        if !plan.fresh.is_empty() {
            let stream = match self.streams.entry(name.clone()) {
                Slot::Occupied(slot) => slot.into_mut(),
                Slot::Vacant(slot) => slot.insert(StreamData::default()),
            };
            let at = stream.last_at.map_or(now, |last| last.max(now));
            stream.last_at = Some(at);
            let mut next = plan.fresh.iter().copied().peekable();
            for (index, entry) in batch.into_entries().into_iter().enumerate() {
                if next.next_if_eq(&index).is_none() {
                    continue;
                }
                self.last_id += 1;
                stream.version += 1;
                if let Some(key) = &entry.dedup_key {
                    stream.by_dedup_key.insert(key.clone(), self.last_id);
                }
                let record = Record::new(self.last_id, stream.version, at, entry);
                stream.entries.insert(self.last_id, record);
                self.order.insert(self.last_id, name.clone());
            }
        }
        debug_assert_eq!(self.last_id, last_id);
        Ok(receipts)
    }

    pub(super) fn read(&self, name: &StreamName, read: &Read<i64>) -> Result<Page<Record<i64>>> {
        let after = read.after().copied().unwrap_or(0);
        if after > self.last_id {
            let ahead = Error::new(Kind::InvalidCursor, "an id ahead of the store");
            return Err(ahead.with("after", after));
        }
        let before = read.before().copied().unwrap_or(i64::MAX);
        let Some(stream) = self.streams.get(name).filter(|_| after < before) else {
            return Ok(Page::empty());
        };
        let wanted = |record: &&Record<i64>| {
            read.versions().contains(&record.version)
                && read
                    .order_key()
                    .is_none_or(|k| record.entry.order_key.as_deref() == Some(k))
        };
        let above = if read.before().is_some() {
            Bound::Excluded(before)
        } else {
            Bound::Unbounded
        };
        let range = stream
            .entries
            .range((Bound::Excluded(after), above))
            .map(|(_, r)| r);
        let (records, end) = match read.direction() {
            Direction::Ascending => take(range.filter(wanted), read.limit(), entry_size),
            Direction::Descending => take(range.rev().filter(wanted), read.limit(), entry_size),
        };
        Ok(Page::new(records.into_iter().cloned().collect(), end))
    }

    pub(super) fn read_all(&self, read: &ReadAll) -> Result<StorePage<i64>> {
        let position = match read.after() {
            Some(cursor) => {
                let cursor = PositionCursor::of(cursor, self.id, read.direction())?;
                cursor.check_head(self.last_id)?;
                Some(cursor.position)
            }
            None => None,
        };
        let found = |(id, name): (&i64, &StreamName)| {
            let record = self.streams.get(name)?.entries.get(id)?;
            Some(StoreRecord::new(name.clone(), record.clone()))
        };
        let size = |found: &StoreRecord<i64>| found.record.entry.size();
        let (records, end) = match read.direction() {
            Direction::Ascending => {
                let from = Bound::Excluded(position.unwrap_or(0));
                let range = self.order.range((from, Bound::Unbounded));
                take(range.filter_map(found), read.limit(), size)
            }
            Direction::Descending => {
                let below = position.map_or(Bound::Unbounded, Bound::Excluded);
                let range = self.order.range((Bound::Unbounded, below));
                take(range.rev().filter_map(found), read.limit(), size)
            }
        };
        let start = match read.direction() {
            Direction::Ascending => position.unwrap_or(0),
            Direction::Descending => position.unwrap_or(self.last_id),
        };
        let position = records.last().map_or(start, |last| last.record.id);
        let next = self.cursor(read.direction(), position);
        Ok(StorePage::new(records, next, end))
    }

    fn cursor(&self, direction: Direction, position: i64) -> StoreCursor {
        PositionCursor {
            store: self.id,
            direction,
            position,
        }
        .encode()
    }

    pub(super) fn stat(&self, name: &StreamName) -> Option<StreamStat<i64>> {
        let stream = self.streams.get(name)?;
        let first = stream.entries.keys().next().copied();
        let last = stream.entries.keys().next_back().copied();
        Some(StreamStat::new(
            first,
            last,
            stream.version,
            stream.entries.len() as u64,
        ))
    }

    pub(super) fn list(&self, list: &ListStreams) -> Page<StreamName> {
        let from = list.after().map_or(Bound::Unbounded, Bound::Excluded);
        let names = self
            .streams
            .range::<StreamName, _>((from, Bound::Unbounded))
            .map(|(n, _)| n);
        let (names, end) = take(names, list.limit(), |_| 0);
        Page::new(names.into_iter().cloned().collect(), end)
    }

    pub(super) fn trim(&mut self, name: &StreamName, through: i64) -> u64 {
        let Some(stream) = self.streams.get_mut(name) else {
            return 0;
        };
        let mut removed = 0;
        while let Some(oldest) = stream.entries.first_entry().filter(|e| *e.key() <= through) {
            let record = oldest.remove();
            self.order.remove(&record.id);
            if let Some(key) = &record.entry.dedup_key {
                stream.by_dedup_key.remove(key);
            }
            removed += 1;
        }
        removed
    }
}

fn entry_size(record: &&Record<i64>) -> usize {
    record.entry.size()
}

/// Takes a page: at most `limit` items, and no more once their sizes reach the
/// page's bytes; always at least one, if there is one.
fn take<T>(
    mut items: impl Iterator<Item = T>,
    limit: usize,
    size: impl Fn(&T) -> usize,
) -> (Vec<T>, PageEnd) {
    let mut page = Vec::new();
    let mut bytes = 0;
    loop {
        let Some(item) = items.next() else {
            return (page, PageEnd::CaughtUp);
        };
        bytes += size(&item) as u64;
        let full = page.len() == limit || bytes > Limits::TABLE.page_bytes;
        if full && !page.is_empty() {
            return (page, PageEnd::More);
        }
        page.push(item);
    }
}
