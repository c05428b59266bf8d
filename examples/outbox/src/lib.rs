//! The outbox pattern with `ledger`: a service changes its own table and
//! appends the event in one transaction, and a relay hands every event, in
//! order, to another database.
//!
//! Read `service.rs` first, then `relay.rs`.

mod relay;
mod service;

pub use relay::{Mailbox, Relay};
pub use service::{OrderEvent, Orders};
