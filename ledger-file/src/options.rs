//! How a store is opened.

use std::sync::Arc;
use std::time::Duration;

use ledger_core::backend::{Clock, SystemClock};
use ledger_core::{Error, Limits, Result, Rule};

/// What an acknowledged append survives.
///
/// No level reorders anything or loses a middle: what is left after a crash is
/// a whole prefix of what was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// The death of the process, also by `kill -9`. Loss of power, or a crash of
    /// the operating system, may lose the newest appends: those since the store
    /// was last idle for 50 ms, began a new segment, or was trimmed.
    ProcessDeath,
    /// Loss of power as well, on a disk that honours flushes.
    #[default]
    PowerLoss,
}

/// The options of a store.
///
/// ```
/// use std::time::Duration;
/// use ledger_file::{Durability, FileOptions};
///
/// let options = FileOptions::new()
///     .with_segment_bytes(16 * 1024 * 1024)
///     .with_durability(Durability::ProcessDeath)
///     .with_deadline(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FileOptions {
    /// What an acknowledged append survives. Default: everything.
    pub durability: Durability,
    /// How long the segments are that are made from now on, in bytes: 4 KiB to
    /// 1 GiB. A segment is longer where one append, or what is known of many
    /// streams, needs it. Default: 64 MiB.
    ///
    /// Space is given back segment by segment, and the segment that is written
    /// is filled with zeros in advance, with up to one more behind it.
    pub segment_bytes: u64,
    /// How long a call may take, waiting included; 1 ms to 24 h. Default: 30 s.
    pub deadline: Duration,
    /// Where `recorded_at` comes from. Default: the clock of this machine.
    pub clock: Arc<dyn Clock>,
    /// Whether a missing store, and its folder, are made. The folder above has
    /// to be there. Default: yes.
    pub create: bool,
}

const SEGMENT_LEAST: u64 = 4 * 1024;
const SEGMENT_MOST: u64 = 1024 * 1024 * 1024;

impl FileOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            durability: Durability::default(),
            segment_bytes: 64 * 1024 * 1024,
            deadline: Limits::DEFAULT_DEADLINE,
            clock: Arc::new(SystemClock),
            create: true,
        }
    }

    /// What an acknowledged append survives.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long new segments are, 4 KiB to 1 GiB.
    #[must_use]
    pub fn with_segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// How long a call may take, 1 ms to 24 h.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Another clock, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Whether a missing store is made.
    #[must_use]
    pub fn with_create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        Limits::TABLE.check_deadline(self.deadline)?;
        let (field, bytes) = ("segment bytes", self.segment_bytes);
        if bytes < SEGMENT_LEAST {
            let rule = Rule::AtLeastBytes;
            return Err(Error::invalid_input(field, rule, SEGMENT_LEAST, bytes));
        }
        if bytes > SEGMENT_MOST {
            let rule = Rule::AtMostBytes;
            return Err(Error::invalid_input(field, rule, SEGMENT_MOST, bytes));
        }
        Ok(())
    }
}

impl Default for FileOptions {
    fn default() -> Self {
        Self::new()
    }
}
