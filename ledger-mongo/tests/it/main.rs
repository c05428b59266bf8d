//! The tests of the MongoDB backend, on real servers.
#![expect(clippy::unwrap_used, reason = "a helper of a test may panic")]

mod conformance;
mod smoke;
mod support;
