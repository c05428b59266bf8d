//! What is particular to SQLite. The behaviour that all stores share is
//! tested by the conformance suite.

mod closing;
mod contention;
mod damage;
mod dropping;
mod full;
mod group;
mod helpers;
mod pool;
mod processes;
mod reading;
mod refusals;
mod reopen;
