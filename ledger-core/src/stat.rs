//! Facts about a stream and about a store.

use std::time::Duration;

/// The state of a stream at some moment during the call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StreamStat<I> {
    /// The id of the oldest retained entry; `None` if all were trimmed.
    pub first: Option<I>,
    /// The id of the newest retained entry; `None` if all were trimmed.
    pub last: Option<I>,
    /// How many entries were ever appended: the version of the newest one,
    /// trimmed or not.
    pub last_version: u64,
    /// How many entries are retained.
    pub retained: u64,
}

impl<I> StreamStat<I> {
    /// The state of a stream.
    #[must_use]
    pub const fn new(first: Option<I>, last: Option<I>, last_version: u64, retained: u64) -> Self {
        Self {
            first,
            last,
            last_version,
            retained,
        }
    }
}

/// Whether a store can work, and what was looked at to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether every check passed.
    pub ok: bool,
    /// The checks, in the order they were made.
    pub checks: Vec<HealthCheck>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthCheck {
    /// What was checked, such as `"read"`.
    pub name: &'static str,
    /// What was found, or what is wrong.
    pub outcome: Result<String, String>,
}

impl Health {
    /// No checks yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ok: true,
            checks: Vec::new(),
        }
    }

    /// Adds a check.
    #[must_use]
    pub fn with(mut self, name: &'static str, outcome: Result<String, String>) -> Self {
        self.ok &= outcome.is_ok();
        self.checks.push(HealthCheck { name, outcome });
        self
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

/// Something that keeps the end of the whole store undecided: what a reader
/// that got an [`Undecided`](crate::PageEnd::Undecided) page is waiting for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holdup {
    /// Who it is, such as `pid 4711`.
    pub holder: String,
    /// For how long this handle has seen it. It may be there for longer.
    pub seen_for: Duration,
    /// What else is known, such as the undecided range or the state of the
    /// holder's session. Never payloads or statements.
    pub facts: Vec<(&'static str, String)>,
}

impl Holdup {
    /// A holder about which nothing else is known.
    #[must_use]
    pub const fn new(holder: String, seen_for: Duration) -> Self {
        Self {
            holder,
            seen_for,
            facts: Vec::new(),
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &'static str, fact: impl Into<String>) -> Self {
        self.facts.push((name, fact.into()));
        self
    }
}
