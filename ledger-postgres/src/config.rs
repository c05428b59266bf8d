//! What can be chosen when a store is opened.

use std::time::Duration;

use ledger_core::{Error, Identifier, Limits, Result, Rule};

/// How a store is opened. Everything has a default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The schema of the tables. Default: `public`.
    pub schema: Identifier,
    /// The prefix of the tables. Default: `ledger`.
    pub prefix: Identifier,
    /// The deadline of each call, waiting for a connection and repeats
    /// included: 1 ms to 24 h. Default: 30 s.
    pub deadline: Duration,
    /// What an acknowledged append has to survive. Default:
    /// [`Durability::Server`].
    pub durability: Durability,
    /// How many connections [`open`](crate::PostgresStore::open) makes at
    /// most; an application's own pool keeps its own limit. Default: 10.
    pub max_connections: u32,
    /// How many entries one step of a trim removes. A step keeps readers of
    /// the whole store waiting while it runs. Default: 2,000.
    pub trim_chunk: u32,
    /// Whether a pooler such as PgBouncer gives each transaction another
    /// session. Default: no.
    pub transaction_pooler: bool,
}

impl Config {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the tables in another schema, which is made if it is not there.
    #[must_use]
    pub fn with_schema(mut self, schema: Identifier) -> Self {
        self.schema = schema;
        self
    }

    /// Lets the tables begin with another prefix, so that several stores share
    /// a schema.
    #[must_use]
    pub fn with_prefix(mut self, prefix: Identifier) -> Self {
        self.prefix = prefix;
        self
    }

    /// Changes the deadline of each call.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Changes what an acknowledged append has to survive.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Changes the most connections of a pool that the store makes.
    #[must_use]
    pub fn with_max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections;
        self
    }

    /// Changes how many entries one step of a trim removes.
    #[must_use]
    pub fn with_trim_chunk(mut self, entries: u32) -> Self {
        self.trim_chunk = entries;
        self
    }

    /// Works through a pooler such as PgBouncer in transaction mode, any
    /// version: nothing is kept in a session between transactions, neither
    /// prepared statements nor settings. Each statement that stood alone
    /// becomes a transaction of its own, which costs two or three round trips
    /// more and planning each time; in session mode this is not needed.
    ///
    /// [`with_pool`](crate::PostgresStore::with_pool): the application's own
    /// statements on that pool have to do the same
    /// (`statement_cache_capacity(0)` and `persistent(false)` in sqlx), and
    /// most poolers refuse the start without `extra_float_digits(None)`.
    #[must_use]
    pub fn with_transaction_pooler(mut self, pooler: bool) -> Self {
        self.transaction_pooler = pooler;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        Limits::TABLE.check_deadline(self.deadline)?;
        let least = |field, n: u32| match n {
            0 => Err(Error::invalid_input(field, Rule::AtLeast, 1, 0)),
            _ => Ok(()),
        };
        least("connections", self.max_connections)?;
        least("trim chunk", self.trim_chunk)?;
        // A table prefix is shorter than a schema name may be, and both are of
        // one type.
        Identifier::prefix(self.prefix.as_str()).map(drop)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            schema: public(),
            prefix: Identifier::DEFAULT_PREFIX,
            deadline: Limits::DEFAULT_DEADLINE,
            durability: Durability::Server,
            max_connections: 10,
            trim_chunk: 2_000,
            transaction_pooler: false,
        }
    }
}

/// The schema that every database has. The text is a valid identifier, so the
/// other branch is never taken.
fn public() -> Identifier {
    Identifier::schema("public").unwrap_or(Identifier::DEFAULT_PREFIX)
}

/// What an acknowledged append survives, as the server's setting
/// `synchronous_commit` says. The ledger never changes the setting; it refuses
/// to work where it is weaker than asked for, at open and in each append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// A crash of the server, power loss on a disk that honours flushes, and,
    /// where the server has synchronous standbys, the loss of its machine.
    /// `on` or `remote_apply`.
    #[default]
    Server,
    /// A crash and power loss; synchronous standbys may be behind, so a
    /// failover may lose the last appends. `local` or stronger.
    LocalFlush,
    /// A crash of the client only. A crash of the server may lose the last
    /// appends that were acknowledged (about 0.6 s with the usual settings),
    /// never one from the middle. Readers may have seen the lost entries, and
    /// their cursors may then lie ahead of the store. Any setting.
    MayLoseLast,
}

impl Durability {
    /// The settings that are strong enough, as a list of SQL literals.
    pub(crate) const fn accepted(self) -> &'static str {
        match self {
            Self::Server => "'on', 'remote_apply'",
            Self::LocalFlush => "'on', 'remote_apply', 'remote_write', 'local'",
            Self::MayLoseLast => "'on', 'remote_apply', 'remote_write', 'local', 'off'",
        }
    }

    pub(crate) fn accepts(self, setting: &str) -> bool {
        let mut accepted = self.accepted().split(", ");
        accepted.any(|one| one.trim_matches('\'') == setting)
    }
}
