//! Real servers for the tests of the ledger. Not published.
//!
//! A server is found in this order, the first that works:
//!
//! 1. the URL in the environment (`LEDGER_POSTGRES_URL`, `LEDGER_MONGO_URL`);
//! 2. Docker, when an engine answers and the image can be had
//!    (`LEDGER_POSTGRES_IMAGE`, `postgres:15` unless set; `LEDGER_MONGO_IMAGE`,
//!    `mongo:6.0` unless set);
//! 3. local binaries, started in a temporary directory on a free port,
//!    PostgreSQL as a user without privileges. `scripts/servers` installs them.
//!
//! `LEDGER_TEST_SERVERS=url|docker|local` forces a way. What is passed over is
//! said on stderr. One server serves a whole test process; every test gets a
//! database or a schema of its own. What the process started ends with it,
//! also when it is killed: a watchdog process waits for the end of a pipe.
//!
//! [`Proxy`] stands before a server and does to its connections what networks
//! do. [`World`] runs a test on a small disk.

mod container;
mod error;
mod mongo;
mod name;
mod patience;
mod postgres;
mod proxy;
mod watched;
mod way;
mod world;

pub use error::{Error, Result};
pub use mongo::{FailPoint, Mongo, MongoDatabase, MongoSet};
pub use patience::{Patience, long};
pub use postgres::{Authorities, Database, PgBouncer, Postgres, Schema};
pub use proxy::{Cut, Direction, Proxy, ProxyCounts};
pub use way::Way;
pub use world::{World, not_run};

/// What does not answer within this time is passed over.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
