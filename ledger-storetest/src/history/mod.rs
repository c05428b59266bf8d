//! The history checker: proves from the outside, after any mix of clients,
//! that a store kept the contract.
//!
//! Clients work on the store through a [`Client`], which notes each operation
//! in a [`Recorder`]: what was asked, when, and what came out. When all have
//! ended, [`observe`] reads everything that is there. The [`History`] of both
//! goes to [`check`], which knows nothing of the store but what it said, and
//! searches for a broken promise in O(n log n).
//!
//! This works since a log can be read back whole: the order of the appends is
//! known afterwards and need not be guessed. The checker has no false alarms
//! by design. An append whose outcome is unknown may be there or not.
//!
//! Use it for tests of your own, such as with faults of your server:
//!
//! ```
//! use std::sync::Arc;
//!
//! use ledger_core::{Expected, MemoryStore, Store, StoreOrder, StreamName};
//! use ledger_storetest::history::{Client, Recorder, check};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store: Arc<dyn Store<i64>> = Arc::new(MemoryStore::new());
//! let recorder = Recorder::new();
//! let stream = StreamName::new("orders")?;
//!
//! let client = Client::new(&recorder, store.clone());
//! let batch = [recorder.entry(), recorder.entry().with_key("k")];
//! client.append(&stream, &batch, Expected::NoStream).await?;
//! let mut tail = client.tail(10);
//! tail.next().await?;
//!
//! let history = recorder.finish(&*store).await?;
//! let summary = check(&history, StoreOrder::Total)?;
//! assert_eq!(summary.appended, 1);
//! # Ok(())
//! # }
//! ```
//!
//! A history is written as JSON lines with [`History::write_to`] and read back
//! with [`History::read_from`].

mod check;
mod client;
mod numbered;
mod observe;
mod op;
mod recorder;

pub use check::{Checker, Rule, Summary, Violation, check};
pub use client::{Client, StreamTail, Tail};
pub use numbered::Numbered;
pub use observe::observe;
pub use op::{
    AppendOp, End, Expect, History, Observation, Op, Outcome, PageSeen, ReadOp, Refusal, Seen,
    StatOp, StatSeen, StoreSeen, StreamView, TailOp, TrimOp, What,
};
pub use recorder::Recorder;
