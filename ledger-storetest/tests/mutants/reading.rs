//! How the plain store reads a stream, and how that goes wrong.

use std::ops::Bound;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use ledger_core::backend::check_id;
use ledger_core::{
    ContentType, Error, Kind, Limits, Page, PageEnd, Read, Record, Result, Rule, StreamName,
    StreamStat,
};

use crate::benign::Quirk;
use crate::bugs::Bug;
use crate::damage::like;
use crate::plain::{Data, Plain, Row};

impl Plain {
    pub(crate) fn read_page(
        &self,
        stream: &StreamName,
        read: &Read<i64>,
    ) -> Result<Page<Record<i64>>> {
        let stream = &self.fold_name(stream);
        for (field, id) in [("after", read.after()), ("before", read.before())] {
            if !self.has(Bug::NegativeAccepted) {
                check_id(field, id.copied().unwrap_or(0))?;
            }
        }
        let data = self.place.lock();
        let after = read.after().copied().unwrap_or(0);
        if after > data.last_id && !self.has(Bug::FutureIsEmpty) {
            return Err(Error::new(Kind::InvalidCursor, "an id ahead of the store"));
        }
        let known = data.streams.contains_key(stream);
        if !known && self.has(Bug::MissingIsError) {
            let error = Error::invalid_input("stream name", Rule::AtLeast, 1, 0);
            return Err(error.with("stream", stream));
        }
        self.check_trimmed(&data, stream, after)?;
        let mut found = self.select(&data, stream, read);
        drop(data);

        let hidden = self.has(Bug::HiddenLimit) && found.len() > 100;
        if hidden {
            found.truncate(100);
        }
        if self.has(Bug::LimitBeforeReverse) && read.is_descending() {
            found.truncate(read.limit());
            found.reverse();
        }
        if self.has(Bug::RestampedOnRead) {
            found
                .iter_mut()
                .for_each(|record| record.recorded_at = self.clock.now());
        }
        Ok(self.page(found, read.limit()))
    }

    fn check_trimmed(&self, data: &Data, stream: &StreamName, after: i64) -> Result<()> {
        let trimmed = data.streams.get(stream).is_some_and(|meta| meta.trimmed);
        let first = data.rows.values().find(|row| row.stream == *stream);
        let behind = first.is_some_and(|row| row.record.version > 1 && row.record.id > after + 1);
        if self.has(Bug::TrimmedIsError) && trimmed && after > 0 && behind {
            return Err(Error::new(Kind::InvalidCursor, "an id that was trimmed"));
        }
        Ok(())
    }

    /// What the request selects, as far as a page needs it.
    fn select(&self, data: &Data, stream: &StreamName, read: &Read<i64>) -> Vec<Record<i64>> {
        let mut after = read.after().copied().unwrap_or(0);
        if self.has(Bug::AfterInclusive) && after > 0 {
            after -= 1;
        }
        if self.has(Bug::SkipsAtBorder) && after > 0 && !read.is_descending() {
            after += 1;
        }
        let mut skip = 0;
        if self.has(Bug::PagesByOffset) && after > 0 {
            let at = data.rows.get(&after);
            skip = at.map_or(after, |row| row.record.version as i64) as usize;
            after = 0;
        }
        let time = data.rows.get(&after).map(|row| row.record.recorded_at);
        let time = time.filter(|_| self.has(Bug::PagesByTime));
        let mut before = read.before().copied().unwrap_or(i64::MAX);
        if self.has(Bug::BeforeIgnored) && read.after().is_some()
            || read.before() == Some(&i64::MAX)
        {
            before = i64::MAX;
        }
        let above = if read.before().is_none() || before == i64::MAX {
            Bound::Unbounded
        } else if self.has(Bug::BeforeInclusive) {
            Bound::Included(before)
        } else {
            Bound::Excluded(before)
        };
        if read.before().is_some() && after >= before {
            if self.has(Bug::CrossedBoundsIgnored) {
                before = i64::MAX;
            } else {
                return Vec::new();
            }
        }
        let above = if before == i64::MAX {
            Bound::Unbounded
        } else {
            above
        };
        let wanted = |row: &&Row| {
            self.in_stream(row, stream)
                && self.visible(row)
                && time.is_none_or(|time| row.record.recorded_at > time)
                && self.fits(&row.record, read)
        };
        // One page, and one more to know how it ends.
        let most = self.page_limit(read.limit()).saturating_add(1).max(101);
        let rows = data.rows.range((Bound::Excluded(after), above));
        let rows = rows.map(|(_, row)| row).filter(wanted);
        let descending = read.is_descending() && !self.has(Bug::DescIgnored);
        let rows: Vec<&Row> = match descending && !self.has(Bug::LimitBeforeReverse) {
            false => rows.skip(skip).take(most).collect(),
            true => rows.rev().take(most).collect(),
        };
        rows.into_iter().map(|row| row.record.clone()).collect()
    }

    fn page_limit(&self, limit: usize) -> usize {
        match self.is(Quirk::ShortPages) {
            true => limit.div_ceil(2).min(50),
            false => limit,
        }
    }

    fn in_stream(&self, row: &Row, stream: &StreamName) -> bool {
        if self.has(Bug::StreamIsPrefix) {
            return row.stream.as_str().starts_with(stream.as_str());
        }
        self.has(Bug::StreamIgnored) || row.stream == *stream
    }

    pub(crate) fn visible(&self, row: &Row) -> bool {
        let now = Instant::now();
        if self.has(Bug::StaleReads) && fastrand::u8(..4) == 0 {
            return row.from + Duration::from_millis(5) <= now;
        }
        row.from <= now
    }

    fn fits(&self, record: &Record<i64>, read: &Read<i64>) -> bool {
        if self.has(Bug::SkipsUnreadable)
            && record.entry.content_type == ContentType::JSON
            && serde_json::from_slice::<serde_json::Value>(&record.entry.payload).is_err()
        {
            return false;
        }
        let range = read.versions();
        let (from, to) = range.clone().into_inner();
        let versions = if range.is_empty() && self.has(Bug::EmptyRangeIsAll) {
            true
        } else if self.has(Bug::VersionsAsI64) {
            (from as i64..=to as i64).contains(&(record.version as i64))
                || to == u64::MAX && from == 1
        } else if self.has(Bug::UpperVersionExclusive) && to != u64::MAX {
            (from..to).contains(&record.version)
        } else {
            range.contains(&record.version)
        };
        let Some(key) = read.order_key() else {
            return versions;
        };
        let same = record.entry.order_key.as_deref() == Some(key);
        if read.has_versions() {
            if self.has(Bug::FiltersOr) {
                return versions || same;
            }
            if self.has(Bug::SecondFilterIgnored) {
                return versions;
            }
        }
        let folded = self.has(Bug::OrderKeyFolded)
            && record
                .entry
                .order_key
                .as_ref()
                .is_some_and(|k| k.eq_ignore_ascii_case(key));
        let matched = self.has(Bug::OrderKeyIsPattern)
            && record
                .entry
                .order_key
                .as_ref()
                .is_some_and(|k| like(key, k));
        versions && (same || folded || matched)
    }

    /// Cuts a page out of what was found.
    fn page(&self, mut found: Vec<Record<i64>>, limit: usize) -> Page<Record<i64>> {
        let all = found.len();
        let mut limit = self.page_limit(limit);
        if self.has(Bug::LimitIgnored) {
            limit = usize::MAX;
        }
        if self.has(Bug::LimitOffByOne) {
            limit += 1;
        }
        let mut bytes = 0;
        let by_bytes = found.iter().take_while(|record| {
            bytes += record.entry.size() as u64;
            bytes <= Limits::TABLE.page_bytes
        });
        let mut fit = by_bytes.count();
        if self.has(Bug::PageBytesIgnored) {
            fit = all;
        } else if self.has(Bug::PageBytesSwallow) && fit < all.min(limit) {
            found.remove(fit - 1);
        } else {
            fit = fit.max(1);
        }
        found.truncate(limit.min(fit));
        let full = self.is(Quirk::FullSaysMore) && found.len() == limit;
        let more = found.len() < all || full;
        let more = more && !self.has(Bug::AlwaysCaughtUp) || self.has(Bug::NeverCaughtUp);
        Page::new(
            found,
            if more {
                PageEnd::More
            } else {
                PageEnd::CaughtUp
            },
        )
    }

    pub(crate) fn stat_of(&self, stream: &StreamName) -> Option<StreamStat<i64>> {
        let stream = &self.fold_name(stream);
        let fresh = self.fresh_stat(stream);
        if !self.has(Bug::StatCached) {
            return fresh;
        }
        let mut mine = self.mine.lock().unwrap_or_else(PoisonError::into_inner);
        mine.stats.entry(stream.clone()).or_insert(fresh).clone()
    }

    fn fresh_stat(&self, stream: &StreamName) -> Option<StreamStat<i64>> {
        let data = self.place.lock();
        let meta = data.streams.get(stream)?;
        let mut ids = data
            .rows
            .values()
            .filter(|row| row.stream == *stream && self.visible(row));
        let first = ids.next().map(|row| row.record.id);
        let last = ids.next_back().map(|row| row.record.id).or(first);
        let retained = data
            .rows
            .values()
            .filter(|row| row.stream == *stream)
            .count() as u64;
        if self.has(Bug::EmptyIsMissing) && retained == 0 {
            return None;
        }
        let last = if self.has(Bug::LastIsFirst) {
            first
        } else {
            last
        };
        let version = if self.has(Bug::VersionIsRetained) {
            retained
        } else {
            meta.version
        };
        let retained = if self.has(Bug::RetainedIsVersion) {
            meta.version
        } else {
            retained
        };
        Some(StreamStat::new(first, last, version, retained))
    }
}
