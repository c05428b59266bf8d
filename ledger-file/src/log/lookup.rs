//! Finding the entry that carries a dedup key.

use ledger_core::{Record, Result};

use super::Log;
use crate::mutants::Mutant;
use crate::read::Fetch;
use crate::segment::SegmentFile;

impl Log {
    /// The retained entry of a stream that carries a dedup key.
    ///
    /// Newest segments first: repeats are mostly of what was just written. A
    /// key that is nowhere costs a look into each segment's filter.
    pub(crate) fn original(&self, stream: u32, key: &str) -> Result<Option<Record<i64>>> {
        let hash = self.env.hash.dedup(stream, key);
        let (trimmed, active, end, offsets, sealed) = {
            let state = self.read();
            let Some(head) = state.facts.head(stream) else {
                return Ok(None);
            };
            if head.first_id == 0 {
                return Ok(None);
            }
            let offsets = state.index.offsets(state.index.dedup(hash));
            let active = state.active.clone();
            (
                head.trimmed,
                active,
                state.end,
                offsets,
                state.sealed.clone(),
            )
        };
        let carries = |file: &SegmentFile, end: u64, offsets: &[u32]| -> Result<_> {
            let mut fetch = Fetch::new(file, end);
            for offset in offsets.iter().rev() {
                let (of, record) = fetch.one(u64::from(*offset))?;
                let same = of == stream && record.entry.dedup_key.as_deref() == Some(key)
                    || Mutant::HashIsDedupKey.runs();
                if same && record.version > trimmed {
                    return Ok(Some(record));
                }
            }
            Ok(None)
        };
        if let Some(found) = carries(&active, end, &offsets)? {
            return Ok(Some(found));
        }
        for segment in sealed.iter().rev() {
            let offsets = segment.look(|index| match index.may_have(hash) {
                true => index.offsets(&index.dedup(hash)?),
                false => Ok(Vec::new()),
            })?;
            if !offsets.is_empty()
                && let Some(found) = carries(&segment.file()?, segment.facts.end, &offsets)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
