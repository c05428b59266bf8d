//! The tests of the embedded log. Some look at every n-th place only, or at few
//! random workloads; with `LEDGER_LONG=1` they look at all of them, and at many.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what it has seen"
)]

mod children;
mod collisions;
mod conformance;
mod crash;
mod full;
mod golden;
mod kill;
#[cfg(feature = "mutants")]
mod mutants;
mod place;
mod poison;
mod refused;
