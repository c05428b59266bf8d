//! Where `recorded_at` comes from.

use std::fmt::Debug;

use crate::timestamp::Timestamp;

/// A source of time. Order never depends on it.
pub trait Clock: Debug + Send + Sync {
    /// This moment.
    fn now(&self) -> Timestamp;
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
