//! For authors of backends: the parts that backends share.
//!
//! The crate root is what users of the ledger see, and changes with a major
//! version only. This module is what a [`Store`](crate::Store) is made of; it
//! may grow faster.
//!
//! * [`plan`] decides what an append does: duplicates first, then the expected
//!   version. Pure; every backend calls it under its own lock.
//! * [`copy_of`] tells one error to several callers, such as those of a group.
//! * [`PositionCursor`] is the store cursor of backends whose entries have one
//!   order of numbers.
//! * [`Gate`] lets calls in until the store is closed, and waits for those inside.
//! * [`Clock`] makes time replaceable in tests, [`StoreId`] tells one store
//!   from another, [`event`] says what happens through `tracing`.

mod clock;
pub mod event;
mod gate;
mod plan;
mod position;
mod store_id;

pub use clock::{Clock, SystemClock};
pub use gate::{Gate, Pass};
pub use plan::{Original, Plan, plan, plan_expecting};
pub use position::{PositionCursor, check_id};
pub use store_id::StoreId;

pub use crate::error::copy_of;
