//! For tests of the end of the versions.

use ledger_core::{Error, Kind, Result, StreamName, Timestamp};

use super::Appender;
use crate::format::snapshot::{Head, Item};

impl Appender {
    pub(crate) fn seed_version(&mut self, stream: &StreamName, version: u64) -> Result<()> {
        {
            let mut state = self.log.write();
            let head = Head {
                name: stream.clone(),
                version,
                last_id: state.facts.last_id(),
                last_at: Timestamp::EPOCH,
                trimmed: version,
                first_id: 0,
            };
            let seeded = state.facts.load(Item::Stream(head));
            seeded.map_err(|why| Error::new(Kind::Internal, why))?;
        }
        // A segment tells all about its streams in its snapshot.
        self.must_roll = true;
        self.make_room(0, 0)
    }
}
