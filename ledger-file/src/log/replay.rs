//! Reading the last segment: all that is known of a store, from the snapshot it
//! begins with and the groups behind it.

use bytes::Bytes;
use ledger_core::Result;

use super::facts::{BatchFacts, Contradiction, Facts};
use crate::format::anchor::Mark;
use crate::format::entry::{BatchBody, read_batch};
use crate::format::facts::{Trim, read_checkpoint, read_drop};
use crate::format::frame::{HEADER, Header, Kind};
use crate::format::sector::physical;
use crate::format::snapshot::read_snapshot;
use crate::index::{Hash, MemoryIndex};
use crate::log::Cut;
use crate::segment::{Found, Frames, SegmentFile, Tail, judge};

use crate::index::Indexed;

/// What was read.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) facts: Facts,
    pub(crate) index: MemoryIndex,
    /// Where the last group ends.
    pub(crate) end: u64,
    /// Up to where the segment was flushed before the last group was written.
    pub(crate) flushed: u64,
    /// The last frame.
    pub(crate) last: u64,
    pub(crate) crc: u32,
    pub(crate) cut: Option<Cut>,
}

/// The entries of a batch whose frame begins at `at`, as the index sees them.
pub(crate) fn indexed<'b>(
    batch: &'b BatchBody,
    at: u64,
    hash: &'b Hash,
) -> impl Iterator<Item = Indexed> + 'b {
    batch.entries.iter().map(move |(offset, record)| {
        let offset = at + (HEADER + offset) as u64;
        let entry = &record.entry;
        Indexed {
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
            stream: batch.stream,
            version: record.version,
            order: entry
                .order_key
                .as_ref()
                .map(|key| hash.order(batch.stream, key)),
            dedup: entry
                .dedup_key
                .as_ref()
                .map(|key| hash.dedup(batch.stream, key)),
        }
    })
}

/// Reads a segment that may end with an unfinished group. `mark` is a place
/// that the log reaches at least.
pub(crate) fn replay(segment: &SegmentFile, mark: &Mark, hash: &Hash) -> Result<Replayed> {
    let number = segment.header.number;
    let snapshot_end = u64::from(segment.header.snapshot_end);
    let marked = (mark.segment == number).then_some(mark.end);
    let sure = snapshot_end.max(marked.unwrap_or(0));
    let mut read = Replayed {
        facts: Facts::new(number),
        index: MemoryIndex::default(),
        end: 0,
        flushed: 0,
        last: 0,
        crc: segment.header_crc,
        cut: None,
    };
    // Whether the log has the very frame that the mark speaks of.
    let mut met = marked.is_none();
    let mut group: Vec<(u64, Header, Bytes)> = Vec::new();
    let mut frames = Frames::new(segment, segment.capacity());
    loop {
        let found = frames.next()?;
        let (at, header) = match found {
            Found::Frame(at, header, body) => {
                if header.first != group.is_empty() || u64::from(header.group) != read.end {
                    return Err(segment.corrupt(at, "a frame is not of the group it lies in"));
                }
                group.push((at, header, body));
                if header.last {
                    read.apply(segment, std::mem::take(&mut group), snapshot_end, hash)?;
                    met |= marked == Some(read.end) && mark.crc == read.crc;
                }
                continue;
            }
            Found::Bad(at, header) => (at, header),
            Found::End => (segment.capacity(), None),
        };
        if let Tail::Unfinished { bytes } = judge(segment, at, header.as_ref(), read.end, sure)? {
            read.cut = Some(Cut {
                file: segment.name.to_string(),
                offset: physical(read.end),
                bytes,
            });
        }
        if read.end < sure {
            return Err(segment.corrupt(read.end, "the log ends before a place it had reached"));
        }
        if !met {
            return Err(segment.corrupt(sure, "the log is another one than the marked one"));
        }
        if segment
            .header
            .base_id
            .checked_add_unsigned(read.index.count())
            != Some(read.facts.next_id)
        {
            return Err(segment.corrupt(0, "the ids of the segment do not add up"));
        }
        return Ok(read);
    }
}

impl Replayed {
    fn apply(
        &mut self,
        segment: &SegmentFile,
        group: Vec<(u64, Header, Bytes)>,
        snapshot_end: u64,
        hash: &Hash,
    ) -> Result<()> {
        for (at, header, body) in group {
            let in_snapshot = at < snapshot_end;
            if (header.kind == Kind::Snapshot) != in_snapshot {
                return Err(segment.corrupt(at, "a frame that does not belong here"));
            }
            let applied = self.frame(at, &header, &body, hash);
            applied.map_err(|why| segment.corrupt(at, why))?;
            self.flushed = header.flushed.into();
            self.last = at;
            self.crc = header.crc;
            self.end = at + header.frame_len();
        }
        Ok(())
    }

    fn frame(
        &mut self,
        at: u64,
        header: &Header,
        body: &Bytes,
        hash: &Hash,
    ) -> Result<(), Contradiction> {
        match header.kind {
            Kind::Snapshot => {
                for item in read_snapshot(body).ok_or("a snapshot is not one")? {
                    self.facts.load(item)?;
                }
            }
            Kind::Batch => {
                let batch = read_batch(body).ok_or("a batch is not one")?;
                self.facts.batch(&facts_of(&batch)?)?;
                for entry in indexed(&batch, at, hash) {
                    self.index.add(&entry);
                }
            }
            Kind::Trim => {
                let trim = Trim::read(body).ok_or("a trim is not one")?;
                self.facts.trim(&trim)?;
            }
            Kind::Drop => {
                let dropped = read_drop(body).ok_or("a removal is not one")?;
                self.facts.drop_segments(&dropped)?;
            }
            Kind::Checkpoint => {
                let (name, content) = read_checkpoint(body).ok_or("a checkpoint is not one")?;
                self.facts.checkpoint(name, content);
            }
        }
        Ok(())
    }
}

/// What a batch says, if its entries follow each other.
pub(crate) fn facts_of(batch: &BatchBody) -> Result<BatchFacts<'_>, Contradiction> {
    let (_, first) = batch.entries.first().ok_or("a batch without entries")?;
    for (nth, (_, record)) in batch.entries.iter().enumerate() {
        let nth = nth as u64;
        let follows = record.id == first.id.saturating_add_unsigned(nth)
            && record.version == first.version.saturating_add(nth)
            && record.recorded_at == first.recorded_at;
        if !follows {
            return Err("the entries of a batch do not follow each other");
        }
    }
    Ok(BatchFacts {
        stream: batch.stream,
        name: batch.name.as_ref(),
        count: batch.entries.len() as u64,
        first_id: first.id,
        first_version: first.version,
        at: first.recorded_at,
    })
}
