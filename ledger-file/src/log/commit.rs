//! Writing a group: one write, one flush, and only then what readers see.

use ledger_core::{Error, Kind, Result};

use super::Appender;
use super::draft::Draft;
use super::facts::BatchFacts;
use crate::error::convert;
use crate::format::entry::{Position, write_batch_header, write_entry};
use crate::format::frame::{Group, Kind as FrameKind};
use crate::format::sector::{guarded, physical};
use crate::index::Indexed;
use crate::mutants::Mutant;
use crate::options::Durability;

impl Appender {
    /// A group at the end of the log.
    pub(super) fn group(&self) -> Group {
        let state = self.log.read();
        Group::new(state.active.place(), state.end, self.flushed, self.crc)
    }

    /// Writes a group, and flushes it if it is to survive a loss of power, or if
    /// `durable`. What fails here may have reached the disk or not: nothing is
    /// written any more until the log is opened again, because a flush that is
    /// repeated proves nothing.
    pub(super) fn write_group(&mut self, group: &Group, durable: bool) -> Result<()> {
        let (start, file) = {
            let state = self.log.read();
            (state.end, state.active.clone())
        };
        let bytes = guarded(start, group.bytes());
        let flush = durable || self.settings.durability == Durability::PowerLoss;
        let flush = flush && !Mutant::NoFlush.runs();
        if Mutant::Buffered.runs() {
            crate::mutants::write_later(&file.file, bytes, physical(start));
            (self.last, self.crc) = (group.last, group.previous);
            return Ok(());
        }
        let written = crate::fs::write_all(&*file.file, &bytes, physical(start))
            .and_then(|()| match flush {
                true if Mutant::FlushErrorIgnored.runs() => file.file.sync().or(Ok(())),
                true => file.file.sync(),
                false => Ok(()),
            })
            .map_err(|e| convert(e, &file.name));
        if let Err(why) = written {
            if !Mutant::PartialWriteKept.runs() {
                self.log.poison();
            }
            return Err(why);
        }
        if flush {
            self.flushed = group.end();
        }
        self.last = group.last;
        self.crc = group.previous;
        Ok(())
    }

    /// Flushes what was written without.
    pub(super) fn flush(&mut self) -> Result<()> {
        let (end, file) = {
            let state = self.log.read();
            (state.end, state.active.clone())
        };
        if self.flushed < end {
            if let Err(e) = file.file.sync() {
                self.log.poison();
                return Err(convert(e, &file.name));
            }
            self.flushed = end;
        }
        Ok(())
    }

    pub(super) fn write_draft(&mut self, draft: &Draft<'_>) -> Result<()> {
        let mut group = self.group();
        let hash = self.log.env.hash;
        let mut index = Vec::new();
        for (nth, frame) in draft.frames.iter().enumerate() {
            let last = nth + 1 == draft.frames.len();
            group.push(FrameKind::Batch, last, |start, out| {
                write_batch_header(out, frame.stream, frame.fresh.len(), frame.name);
                for (nth, entry) in frame.entries().enumerate() {
                    let nth = nth as u64;
                    let position = Position {
                        id: frame.first_id.saturating_add_unsigned(nth),
                        version: frame.first_version + nth,
                        at: frame.at,
                        stream: frame.stream,
                    };
                    let offset = start + out.len() as u64;
                    index.push(Indexed {
                        offset: u32::try_from(offset).unwrap_or(u32::MAX),
                        stream: frame.stream,
                        version: position.version,
                        order: entry
                            .order_key
                            .as_ref()
                            .map(|k| hash.order(frame.stream, k)),
                        dedup: entry
                            .dedup_key
                            .as_ref()
                            .map(|k| hash.dedup(frame.stream, k)),
                    });
                    write_entry(out, &position, entry);
                }
            });
        }
        self.write_group(&group, false)?;

        let mut state = self.log.write();
        for frame in &draft.frames {
            let facts = BatchFacts {
                stream: frame.stream,
                name: frame.name,
                count: frame.fresh.len() as u64,
                first_id: frame.first_id,
                first_version: frame.first_version,
                at: frame.at,
            };
            if let Err(why) = state.facts.batch(&facts) {
                self.log.poison();
                return Err(Error::new(Kind::Internal, why));
            }
        }
        for entry in &index {
            state.index.add(entry);
        }
        state.end = group.end();
        drop(state);
        self.prepare_early();
        Ok(())
    }
}
