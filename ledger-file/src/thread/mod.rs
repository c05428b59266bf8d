//! The writer's thread, and the way to it.

mod queue;
mod request;
mod run;

pub(crate) use queue::{HandleState, Queue};
pub(crate) use request::{Append, Job, Trim, ask};
pub(crate) use run::start;
