//! The tests of the MongoDB backend, on real servers.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper of a test may panic, and a test of faults tells what it met"
)]

mod appends;
mod conformance;
mod faults;
mod opening;
mod smoke;
mod stress;
mod support;
mod whole_store;
