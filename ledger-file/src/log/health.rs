//! Whether the log can work.

use ledger_core::Result;

use super::Log;
use crate::error::{convert, corrupt};
use crate::format::FORMAT;
use crate::segment::{ANCHOR, SegmentFile, segment_name};

impl Log {
    /// Looks whether the files are there, under their names. Writes nothing.
    pub(crate) fn health(&self) -> Result<String> {
        let (number, segments, last_id) = {
            let state = self.read();
            (
                state.active.header.number,
                state.sealed.len() + 1,
                state.facts.last_id(),
            )
        };
        let name = segment_name(number);
        let file = self.env.fs.open(&name).map_err(|e| convert(e, &name))?;
        SegmentFile::open(file, &name, self.env.store, number)?;
        self.env.fs.open(ANCHOR).map_err(|e| convert(e, ANCHOR))?;
        for segment in self.read().sealed.clone().iter() {
            if segment.file().is_err()
                && self
                    .read()
                    .sealed
                    .iter()
                    .any(|s| s.number() == segment.number())
            {
                return Err(corrupt(segment.name(), 0, "the segment cannot be opened"));
            }
        }
        Ok(format!(
            "format {FORMAT}, {segments} segments, last id {last_id}"
        ))
    }
}
