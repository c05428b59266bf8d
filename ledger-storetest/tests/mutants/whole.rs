//! How the plain store trims, lists and reads as a whole.

use std::ops::Bound;
use std::sync::PoisonError;

use ledger_core::backend::{PositionCursor, StoreId, check_id};
use ledger_core::{
    Direction, Error, Kind, Limits, ListStreams, Page, PageEnd, ReadAll, Result, Rule, StoreCursor,
    StorePage, StoreRecord, StreamName, Timestamp,
};

use crate::benign::Quirk;
use crate::bugs::Bug;
use crate::plain::{Data, Plain, Row, Twist};

impl Plain {
    /// A trim from its end on, one entry at a time.
    pub(crate) async fn trim_downwards(&self, stream: &StreamName, through: i64) -> Result<u64> {
        check_id("trim id", through)?;
        let mut removed = 0;
        loop {
            {
                let mut data = self.place.lock();
                let newest = data.rows.range(..=through).rev();
                let mut ids = newest.filter(|(_, row)| row.stream == *stream);
                let Some(id) = ids.next().map(|(id, _)| *id) else {
                    return Ok(removed);
                };
                data.keys.retain(|_, (original, _)| original.id != id);
                data.rows.remove(&id);
            }
            removed += 1;
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn trim_stream(&self, stream: &StreamName, through: i64) -> Result<u64> {
        let stream = &self.fold_name(stream);
        if !self.has(Bug::NegativeAccepted) {
            check_id("trim id", through)?;
        }
        let mut data = self.place.lock();
        if !data.streams.contains_key(stream) {
            if self.has(Bug::TrimUnknownIsError) {
                return Err(Error::new(Kind::Internal, "no such stream"));
            }
            return Ok(0);
        }
        let of_stream = |row: &&Row| self.has(Bug::TrimsAllStreams) || row.stream == *stream;
        let ids: Vec<i64> = data
            .rows
            .values()
            .filter(of_stream)
            .map(|row| row.record.id)
            .collect();
        let mut count = ids.iter().filter(|id| **id <= through).count();
        if self.has(Bug::TrimsOneMore) && count > 0 {
            count = (count + 1).min(ids.len());
        }
        if self.has(Bug::TrimsOneLess) {
            count = count.saturating_sub(1);
        }
        if self.has(Bug::TrimBeyondIsNothing) && ids.last().is_some_and(|last| through > *last) {
            count = 0;
        }
        if self.has(Bug::TrimDoesNothing) {
            return Ok(count as u64);
        }
        let gone = match self.has(Bug::TrimsNewest) {
            true => &ids[ids.len() - count..],
            false => &ids[..count],
        };
        for id in gone {
            let Some(row) = data.rows.remove(id) else {
                continue;
            };
            if let Some(key) = &row.record.entry.dedup_key
                && !self.has(Bug::KeysOutliveTrim)
            {
                data.keys.remove(&(row.stream.clone(), self.fold_key(key)));
            }
        }
        if self.has(Bug::TrimForgetsKeys) {
            data.keys.retain(|(name, _), _| name != stream);
        }
        data.meta(stream).trimmed |= count > 0;
        if self.has(Bug::StreamGoneWithLast) && count == ids.len() {
            data.streams.remove(stream);
        }
        Ok(if self.has(Bug::TrimCountsId) {
            through as u64
        } else {
            count as u64
        })
    }

    pub(crate) fn list_page(&self, list: &ListStreams) -> Page<StreamName> {
        let data = self.place.lock();
        let mut names: Vec<_> = data.streams.keys().cloned().collect();
        match self.twist {
            Twist::Bug(Bug::ListFolded) => {
                names.sort_by_key(|name| name.as_str().to_lowercase());
            }
            Twist::Bug(Bug::ListByCreation) => {
                names.sort_by_key(|name| data.streams[name].created);
            }
            Twist::Bug(Bug::ListHidesEmpty) => {
                names.retain(|name| data.rows.values().any(|row| row.stream == *name));
            }
            Twist::Bug(Bug::ListCached) => {
                let mut mine = self.mine.lock().unwrap_or_else(PoisonError::into_inner);
                names = mine.names.get_or_insert(names).clone();
            }
            _ => {}
        }
        drop(data);
        if let Some(after) = list.after() {
            let from = match self.twist {
                Twist::Bug(Bug::ListFolded | Bug::ListByCreation) => names
                    .iter()
                    .position(|name| name == after)
                    .map_or(0, |at| at + 1),
                _ => names.partition_point(|name| name <= after),
            };
            let from = match self.twist {
                Twist::Bug(Bug::ListDropsAtBorder) => from + 1,
                Twist::Bug(Bug::ListRepeatsAtBorder) => from.saturating_sub(1),
                _ => from,
            };
            names.drain(..from.min(names.len()));
        }
        let mut limit = list.limit();
        if self.is(Quirk::ShortPages) {
            limit = limit.div_ceil(2);
        }
        let more = names.len() > limit || self.is(Quirk::FullSaysMore) && names.len() == limit;
        names.truncate(limit);
        Page::new(
            names,
            if more {
                PageEnd::More
            } else {
                PageEnd::CaughtUp
            },
        )
    }

    pub(crate) fn cursor(&self, direction: Direction, position: i64) -> StoreCursor {
        let store = self.place.lock().id;
        encode(store, direction, position)
    }

    pub(crate) fn read_store(&self, read: &ReadAll) -> Result<StorePage<i64>> {
        if self.is(Quirk::PerStreamOrder) {
            return self.read_streams(read);
        }
        let data = self.place.lock();
        let direction = read.direction();
        let position = match read.after() {
            Some(cursor) => Some(self.position(&data, cursor, direction)?),
            None => None,
        };
        let descending = read.is_descending();
        let mut found = match descending {
            false => {
                let mut from = position.unwrap_or(0);
                if self.has(Bug::StoreInclusive) && from > 0 {
                    from -= 1;
                }
                if self.has(Bug::StoreSkips) && from > 0 {
                    from += 1;
                }
                self.rows(
                    data.rows.range((Bound::Excluded(from), Bound::Unbounded)),
                    read.limit(),
                )
            }
            true => {
                let below = position.map_or(Bound::Unbounded, Bound::Excluded);
                self.rows(
                    data.rows.range((Bound::Unbounded, below)).rev(),
                    read.limit(),
                )
            }
        };
        let mut end = match found.len() > read.limit() {
            true => PageEnd::More,
            false => PageEnd::CaughtUp,
        };
        found.truncate(read.limit());
        if let Some(gap) = data.gap.filter(|_| !descending) {
            found.retain(|found| found.record.id < gap);
            end = PageEnd::Undecided;
        }
        self.shorten(&mut found, &mut end, descending);
        let start = position.unwrap_or(if descending { data.last_id } else { 0 });
        let next = found.last().map_or(start, |last| last.record.id);
        if self.has(Bug::StoreByStream) {
            found.sort_by(|a, b| a.stream.cmp(&b.stream));
        }
        if self.has(Bug::StoreDescIgnored) && descending {
            found.reverse();
        }
        if self.has(Bug::StoreLosesSome) {
            found.retain(|found| found.record.id % 10 != 7);
        }
        if self.has(Bug::StoreTimesRounded) {
            for found in &mut found {
                let micros = found.record.recorded_at.as_micros();
                let rounded = Timestamp::from_micros(micros / 1000 * 1000);
                found.record.recorded_at = rounded.unwrap_or(found.record.recorded_at);
            }
        }
        if self.has(Bug::StoreStreamWrong) {
            let first = found.first().map(|found| found.stream.clone());
            for found in &mut found {
                found.stream = first.clone().unwrap_or_else(|| found.stream.clone());
            }
        }
        Ok(StorePage::new(found, encode(data.id, direction, next), end))
    }

    fn rows<'a>(
        &self,
        rows: impl Iterator<Item = (&'a i64, &'a Row)>,
        limit: usize,
    ) -> Vec<StoreRecord<i64>> {
        let visible = rows.map(|(_, row)| row).filter(|row| self.visible(row));
        let found = visible.take(limit + 1);
        found
            .map(|row| StoreRecord::new(row.stream.clone(), row.record.clone()))
            .collect()
    }

    /// The limit in bytes, and pages that end earlier than they need to. A
    /// descending read begins at the settled end: it has nothing undecided.
    pub(crate) fn shorten(
        &self,
        found: &mut Vec<StoreRecord<i64>>,
        end: &mut PageEnd,
        descending: bool,
    ) {
        let mut bytes = 0;
        let fit = found.iter().take_while(|found| {
            bytes += found.record.entry.size() as u64;
            bytes <= Limits::TABLE.page_bytes
        });
        let mut fit = fit.count().max(1);
        if self.has(Bug::StoreBytesIgnored) {
            fit = usize::MAX;
        }
        if self.is(Quirk::ShortPages) {
            fit = fit.min(found.len().div_ceil(2).clamp(1, 50));
        }
        let undecided = self.is(Quirk::Undecided) && !descending && fastrand::u8(..3) == 0;
        if undecided {
            fit = fit.min(fastrand::usize(..3));
        }
        if found.len() > fit {
            found.truncate(fit);
            *end = if undecided {
                PageEnd::Undecided
            } else {
                PageEnd::More
            };
        }
        if self.has(Bug::StoreCaughtUp) {
            *end = PageEnd::CaughtUp;
        }
    }

    fn position(&self, data: &Data, cursor: &StoreCursor, direction: Direction) -> Result<i64> {
        let decoded = PositionCursor::decode(cursor);
        if self.has(Bug::GarbageIsStart) {
            return Ok(decoded.map_or(0, |cursor| cursor.position));
        }
        let decoded = decoded?;
        if decoded.store != data.id && !self.has(Bug::ForeignAccepted) {
            return Err(Error::new(Kind::InvalidCursor, "a cursor of another store"));
        }
        if decoded.direction != direction && !self.has(Bug::DirectionAccepted) {
            return Err(Error::new(
                Kind::InvalidCursor,
                "a cursor of the other direction",
            ));
        }
        if !self.has(Bug::AheadAccepted) {
            decoded.check_head(data.last_id)?;
        }
        Ok(decoded.position)
    }

    pub(crate) fn head(&self) -> StoreCursor {
        if self.is(Quirk::PerStreamOrder) {
            return self.stream_heads();
        }
        let data = self.place.lock();
        let position = match self.twist {
            Twist::Bug(Bug::HeadIsStart) => 0,
            Twist::Bug(Bug::HeadIsBeforeLast) => data.last_id - 1,
            _ => data.last_id,
        };
        encode(data.id, Direction::Ascending, position.max(0))
    }

    pub(crate) fn behind(&self, read: &ReadAll, seen: &[(StreamName, i64)]) -> Result<StoreCursor> {
        let Some((_, last)) = seen.last() else {
            return Err(Error::invalid_input("entries seen", Rule::AtLeast, 1, 0));
        };
        if self.is(Quirk::PerStreamOrder) {
            return self.behind_streams(read, seen);
        }
        let position = match self.twist {
            Twist::Bug(Bug::BehindFirstSeen) => seen[0].1,
            Twist::Bug(Bug::BehindHead) => self.place.lock().last_id,
            _ => *last,
        };
        Ok(self.cursor(read.direction(), position))
    }
}

fn encode(store: StoreId, direction: Direction, position: i64) -> StoreCursor {
    PositionCursor {
        store,
        direction,
        position,
    }
    .encode()
}
