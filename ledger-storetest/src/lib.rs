//! The conformance suite of the ledger: proves that a
//! [`Store`](ledger_core::Store) keeps the contract.
//!
//! Write a small [`Harness`] that makes empty places and opens stores on them,
//! and one line that turns every case into a named test:
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use ledger_core::{Capabilities, MemoryStore, Result, Store};
//! use ledger_storetest::{Harness, Setup};
//!
//! struct Memory;
//!
//! #[async_trait]
//! impl Harness for Memory {
//!     type Id = i64;
//!     type Place = MemoryStore;
//!
//!     async fn fresh(&self) -> Result<MemoryStore> {
//!         Ok(MemoryStore::new())
//!     }
//!
//!     async fn open(&self, place: &MemoryStore, setup: &Setup) -> Result<Arc<dyn Store<i64>>> {
//!         Ok(Arc::new(place.reopen().with_clock(setup.clock.clone())))
//!     }
//!
//!     fn capabilities(&self) -> Capabilities {
//!         MemoryStore::new().capabilities()
//!     }
//! }
//!
//! ledger_storetest::conformance!(Memory);
//! ```
//!
//! Or run them all with [`run_all`] and look at the [`Report`].
//!
//! A harness may offer more, by [hooks](Harness): transactions of an
//! application, an obstacle to appends or to opening, a stream near its last
//! version. What it does not offer is listed as not run.
//!
//! Every case has its own place, so that cases run in any order and at the
//! same time. A case whose capability the store does not claim checks that the
//! operation is refused. A failure names the promise, the step, what was
//! expected and what was got.
//!
//! The cases under load record what every client asked and was answered, and
//! [`history::check`] judges it by eleven rules; the module serves the fault
//! tests of a backend's own as well.
//!
//! Random cases draw from a seed, which a failure prints; set
//! `LEDGER_STORETEST_SEED` to repeat one.

mod case;
mod cases;
mod check;
mod give_up;
mod harness;
pub mod history;
mod hooks;
mod lab;
mod model;
mod race;
mod report;
mod run;
mod sample;
mod tail;
mod unsure;
mod watched;

pub use case::{Case, Failure, Ran, Verdict};
pub use cases::all_cases;
pub use harness::{Harness, Setup};
pub use hooks::{Application, Hold, Obstacle, Transaction};
pub use report::{CaseReport, Report};
pub use run::{Config, run_all, run_case};

#[doc(hidden)]
pub mod macros {
    //! What the expansion of `conformance!` calls.
    pub use crate::run::{Runtime, run_named as run};
}
