//! Cluster times: the places of the replica set's own log.

use std::sync::atomic::{AtomicU64, Ordering};

use mongodb::ClientSession;
use mongodb::bson::Timestamp;

/// A cluster time that compares as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClusterTime(pub(crate) u64);

impl ClusterTime {
    pub(crate) fn timestamp(self) -> Timestamp {
        // Both halves fit: that is how it was put together.
        #[expect(clippy::cast_possible_truncation, reason = "the halves of a u64")]
        let (time, increment) = ((self.0 >> 32) as u32, self.0 as u32);
        Timestamp { time, increment }
    }

    /// The time right behind this one.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The time of the last operation of a session.
    pub(crate) fn of(session: &ClientSession) -> Self {
        session.operation_time().map_or(Self(0), Self::from)
    }
}

impl From<Timestamp> for ClusterTime {
    fn from(t: Timestamp) -> Self {
        Self(u64::from(t.time) << 32 | u64::from(t.increment))
    }
}

/// The highest cluster time that this handle has met. A primary that was
/// deposed and does not know it would answer with less; a read after this time
/// waits there instead.
#[derive(Debug, Default)]
pub(crate) struct Seen(AtomicU64);

impl Seen {
    pub(crate) fn note(&self, time: ClusterTime) {
        self.0.fetch_max(time.0, Ordering::AcqRel);
    }

    pub(crate) fn highest(&self) -> ClusterTime {
        ClusterTime(self.0.load(Ordering::Acquire))
    }
}
