//! How a store is opened.

use std::sync::Arc;
use std::time::Duration;

use ledger_core::backend::{Clock, SystemClock};
use ledger_core::{Identifier, Limits};

/// What an acknowledged append survives.
///
/// Every level survives the death of the process, also by `kill -9`: what
/// differs is the loss of power, or of the operating system. No level reorders
/// anything or loses a middle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// `synchronous=OFF`. Power loss may lose appends and may **damage the
    /// file**. For tests.
    Off,
    /// `synchronous=NORMAL`. Power loss may lose the newest acknowledged
    /// appends, back to the last checkpoint; what is left is a whole prefix.
    Normal,
    /// `synchronous=FULL`. Survives power loss on a disk that honours flushes.
    #[default]
    Full,
}

impl Durability {
    /// The value of `PRAGMA synchronous`.
    pub(crate) const fn level(self) -> i64 {
        match self {
            Self::Off => 0,
            Self::Normal => 1,
            Self::Full => 2,
        }
    }
}

/// The options of a store.
///
/// ```
/// use std::time::Duration;
/// use ledger_core::Identifier;
/// use ledger_sqlite::{Durability, SqliteOptions};
///
/// let options = SqliteOptions::new()
///     .with_prefix(Identifier::prefix("billing")?)
///     .with_durability(Durability::Normal)
///     .with_deadline(Duration::from_secs(5));
/// # Ok::<(), ledger_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// What the names of the tables begin with. Default: `ledger`.
    pub prefix: Identifier,
    /// What an acknowledged append survives. Default: everything.
    pub durability: Durability,
    /// Connections that read, 1 to 64. Default: 4. An application's own pool
    /// has its own size.
    pub readers: u32,
    /// How long a call may take, waiting included; 1 ms to 24 h. Default: 30 s.
    pub deadline: Duration,
    /// Where `recorded_at` comes from. Default: the clock of this machine.
    pub clock: Arc<dyn Clock>,
    /// Whether a missing file and missing tables are created. Default: yes.
    pub create: bool,
}

impl SqliteOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            prefix: Identifier::DEFAULT_PREFIX,
            durability: Durability::default(),
            readers: 4,
            deadline: Limits::DEFAULT_DEADLINE,
            clock: Arc::new(SystemClock),
            create: true,
        }
    }

    /// What the names of the tables begin with, so that several stores can
    /// share a database.
    #[must_use]
    pub fn with_prefix(mut self, prefix: Identifier) -> Self {
        self.prefix = prefix;
        self
    }

    /// What an acknowledged append survives.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How many connections read, 1 to 64.
    #[must_use]
    pub fn with_readers(mut self, readers: u32) -> Self {
        self.readers = readers;
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

    /// Whether a missing file and missing tables are created.
    #[must_use]
    pub fn with_create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self::new()
    }
}
