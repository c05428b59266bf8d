//! Real servers for the tests of the ledger. Not published.
//!
//! A server is found in this order, the first that works:
//!
//! 1. the URL in the environment (`LEDGER_POSTGRES_URL`);
//! 2. Docker, when an engine answers and the image can be had
//!    (`LEDGER_POSTGRES_IMAGE`, `postgres:15` unless set);
//! 3. local binaries, started in a temporary directory on a free port, as a
//!    user without privileges.
//!
//! `LEDGER_TEST_SERVERS=url|docker|local` forces a way. What is passed over is
//! said on stderr. One server serves a whole test process; every test gets a
//! database or a schema of its own. What the process started ends with it,
//! also when it is killed: a watchdog process waits for the end of a pipe.

mod error;
mod postgres;
mod way;

pub use error::{Error, Result};
pub use postgres::{Database, Postgres, Schema};
pub use way::Way;
