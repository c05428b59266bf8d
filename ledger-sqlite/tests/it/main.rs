//! What is particular to SQLite. The behaviour that all stores share is
//! tested by the conformance suite.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has to fail its test"
)]

mod children;
mod closing;
mod contention;
mod damage;
mod disk;
mod dropping;
mod events;
mod full;
mod group;
mod helpers;
mod pool;
mod processes;
mod reading;
mod refusals;
mod reopen;
mod transaction;
mod wal;
