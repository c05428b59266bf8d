//! The servers and what can be done to them.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod mongo;
mod pgbouncer;
mod proxy;
mod tls;
mod watchdog;
