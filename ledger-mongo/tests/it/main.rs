//! The tests of the MongoDB backend, on real servers.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper of a test may panic, and a test of faults tells what it met"
)]

mod conformance;
mod faults;
mod smoke;
mod support;
