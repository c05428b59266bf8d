//! What can be chosen when a store is opened.

use std::time::Duration;

use ledger_core::{Error, Identifier, Limits, Result, Rule};

/// How a store is opened. Everything has a default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The prefix of the collections. Default: `ledger`.
    pub prefix: Identifier,
    /// The database, for [`open`](crate::MongoStore::open). Default: the one
    /// that the URL names, else `ledger`.
    pub database: Option<String>,
    /// The deadline of each call, waiting for a server and repeats included:
    /// 1 ms to 24 h. Default: 30 s. Opening has at least 10 s.
    pub deadline: Duration,
    /// How many entries one step of a trim removes. Default: 2,000.
    pub trim_chunk: u32,
    /// Keeps, beside the exact bytes of a JSON payload, a copy of it as a
    /// document in the field `json`, for queries by hand and indexes of one's
    /// own. The ledger never reads it. Payloads that are not an object, that are
    /// nested deeper than 64 levels, or longer than 1 MiB, have no copy.
    /// Default: no copy.
    pub json_copies: bool,
}

impl Config {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the collections begin with another prefix, so that several stores
    /// share a database.
    #[must_use]
    pub fn with_prefix(mut self, prefix: Identifier) -> Self {
        self.prefix = prefix;
        self
    }

    /// Names the database.
    #[must_use]
    pub fn with_database(mut self, name: impl Into<String>) -> Self {
        self.database = Some(name.into());
        self
    }

    /// Changes the deadline of each call.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Changes how many entries one step of a trim removes.
    #[must_use]
    pub fn with_trim_chunk(mut self, entries: u32) -> Self {
        self.trim_chunk = entries;
        self
    }

    /// Whether a copy of JSON payloads is kept as a document.
    #[must_use]
    pub fn with_json_copies(mut self, copies: bool) -> Self {
        self.json_copies = copies;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        Limits::TABLE.check_deadline(self.deadline)?;
        if self.trim_chunk == 0 {
            return Err(Error::invalid_input("trim chunk", Rule::AtLeast, 1, 0));
        }
        // A prefix is shorter than a schema name may be, and both are of one
        // type.
        Identifier::prefix(self.prefix.as_str()).map(drop)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            prefix: Identifier::DEFAULT_PREFIX,
            database: None,
            deadline: Limits::DEFAULT_DEADLINE,
            trim_chunk: 2_000,
            json_copies: false,
        }
    }
}
