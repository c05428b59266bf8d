//! The tests of the PostgreSQL backend, on real servers.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper of a test may panic, and a stress test tells what it met"
)]

mod appends;
mod conformance;
mod dropping;
mod errors;
mod faults;
mod grouping;
mod history;
mod load;
mod neighbourhood;
mod opening;
mod operations;
mod order;
mod querying;
mod smoke;
mod stress;
mod support;
