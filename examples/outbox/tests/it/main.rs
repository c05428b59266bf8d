//! The outbox on a real server.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has to fail its test"
)]

mod kill;
mod places;
mod service;
