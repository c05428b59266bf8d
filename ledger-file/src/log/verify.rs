//! Reading everything, and checking that it fits.

use std::sync::Arc;

use ledger_core::Result;

use super::Log;
use super::replay::facts_of;
use crate::format::entry::read_batch;
use crate::format::frame::Kind;
use crate::segment::{Found, Frames, Segment, SegmentFile};

/// What a full check has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// How many segments.
    pub segments: u64,
    /// How many entries, the trimmed ones that still lie in segments included.
    pub entries: u64,
    /// How many indexes were missing or did not fit, and were written anew.
    pub indexes_rebuilt: u64,
}

impl Log {
    /// Reads every frame and every index.
    pub(crate) fn verify(&self) -> Result<Verified> {
        let (sealed, active, end) = {
            let state = self.read();
            (state.sealed.clone(), state.active.clone(), state.end)
        };
        let mut verified = Verified::default();
        for segment in sealed.iter() {
            match self.verify_sealed(segment, &mut verified) {
                // Removed meanwhile.
                Err(_)
                    if !self
                        .read()
                        .sealed
                        .iter()
                        .any(|s| s.number() == segment.number()) => {}
                done => done?,
            }
        }
        verify_frames(&active, end, &mut verified)?;
        Ok(verified)
    }

    fn verify_sealed(&self, segment: &Arc<Segment>, verified: &mut Verified) -> Result<()> {
        verify_frames(&segment.file()?, segment.facts.end, verified)?;
        verified.indexes_rebuilt += u64::from(!segment.check_index()?);
        Ok(())
    }
}

fn verify_frames(file: &SegmentFile, end: u64, verified: &mut Verified) -> Result<()> {
    let mut frames = Frames::new(file, end);
    let mut next_id = file.header.base_id;
    loop {
        match frames.next()? {
            Found::Frame(at, header, body) if header.kind == Kind::Batch => {
                let batch = read_batch(&body).ok_or("a batch is not one");
                let checked = batch.and_then(|batch| {
                    let facts = facts_of(&batch)?;
                    match facts.first_id == next_id {
                        true => Ok(facts.count),
                        false => Err("the ids do not go on where the last ones ended"),
                    }
                });
                let count = checked.map_err(|why| file.corrupt(at, why))?;
                next_id = next_id.saturating_add_unsigned(count);
                verified.entries += count;
            }
            Found::Frame(..) => {}
            Found::Bad(at, _) => return Err(file.corrupt(at, "a frame is damaged")),
            Found::End => break,
        }
    }
    verified.segments += 1;
    Ok(())
}
