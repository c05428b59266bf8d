//! Going on in a new segment.

use std::sync::Arc;

use ledger_core::{Error, Kind, Result};

use super::Appender;
use crate::format::header::SegmentHeader;
use crate::format::sector::{capacity, file_len};
use crate::format::snapshot::{Item, SegmentFacts, write_snapshot};
use crate::segment::{Failed, Segment, blank_now, create, snapshot_len};

/// The room at the end of a segment that only trims and removals may use: on a
/// full disk they are what gives space back.
const RESERVE: u64 = 64 * 1024;
/// A segment is at least so many times as long as the snapshot it begins with.
const PER_SNAPSHOT: u64 = 8;

impl Appender {
    pub(super) fn reserve(&self) -> u64 {
        RESERVE.min(self.settings.segment_bytes / 8)
    }

    /// Makes sure that a group of this length fits, and that so much is left
    /// behind it. An error changed nothing of the log; after some, nothing can
    /// be written any more.
    pub(super) fn make_room(&mut self, len: u64, left: u64) -> Result<()> {
        let fits = {
            let state = self.log.read();
            !self.must_roll && state.end + len + left <= state.active.capacity()
        };
        match fits {
            true => Ok(()),
            false => self.roll(len),
        }
    }

    fn roll(&mut self, need: u64) -> Result<()> {
        self.flush()?;
        let (header, snapshot, sealed) = {
            let state = self.log.read();
            let active = &state.active.header;
            let sealed = SegmentFacts {
                number: active.number,
                base_id: active.base_id,
                count: state.index.count(),
                end: state.end,
                last: self.last,
                crc: self.crc,
            };
            let sealing = Item::Segment(sealed, state.facts.active_live());
            let header = SegmentHeader {
                store: active.store,
                number: active.number + 1,
                base_id: state.facts.next_id,
                file_len: 0,
                snapshot_end: 0,
            };
            let items = state.facts.items().chain([sealing]);
            (header, write_snapshot(items), sealed)
        };
        let snapshot_len = u64::from(snapshot_len(&snapshot));
        let least = snapshot_len + need + self.reserve();
        let wanted = self
            .settings
            .segment_bytes
            .max(PER_SNAPSHOT * snapshot_len)
            .min(capacity(u32::MAX.into()))
            .max(least);
        if file_len(wanted) > u64::from(u32::MAX) {
            return Err(Error::new(
                Kind::LimitReached,
                "the store has too many streams",
            ));
        }
        let fs = self.log.env.fs.clone();
        let blank = match self.keeper.spare(file_len(wanted)) {
            Some(spare) => spare,
            None => blank_now(&*fs, file_len(wanted))?,
        };
        let created = create(&*fs, blank, header, &snapshot).map_err(|failed| match failed {
            Failed::Clean(error) => error,
            Failed::Unsure(error) => {
                self.log.poison();
                error
            }
        })?;
        // From now on the old segment would be wrong: a crash shows the new one.
        if let Err(error) = self
            .anchor
            .write(header.number, created.end, created.crc, false)
        {
            self.log.poison();
            return Err(error);
        }
        let segment = {
            let mut state = self.log.write();
            let index = std::mem::take(&mut state.index);
            let segment = Segment::new(&self.log.env, &state.active, sealed, Some(index));
            let segment = Arc::new(segment);
            let mut all = state.sealed.as_ref().clone();
            all.push(segment.clone());
            state.sealed = Arc::new(all);
            state.active = created.segment;
            state.end = created.end;
            state.facts.seal(sealed, header.number);
            segment
        };
        self.flushed = created.end;
        self.last = created.last;
        self.crc = created.crc;
        self.must_roll = false;
        self.keeper.sealed(segment);
        // Should the disk be full now, the next trim or roll tries again.
        let _ = self.drop_empty();
        Ok(())
    }

    /// Has the next file prepared once half of this one is used.
    pub(super) fn prepare_early(&mut self) {
        let (half_used, header) = {
            let state = self.log.read();
            (
                2 * state.end >= state.active.capacity(),
                state.active.header,
            )
        };
        if half_used && self.prepared != header.number {
            self.prepared = header.number;
            self.keeper.prepare(header.file_len);
        }
    }
}
