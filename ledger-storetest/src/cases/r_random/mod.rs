//! R: random work, against a specification and under the history checker.

mod forged;
mod r01_model;
mod r03_load;
mod r06_selftest;
mod worker;

pub(super) use r01_model::r01_model_state_machine;
pub(super) use r03_load::{judge, r03_history_checker_load, r04_history_checker_faults};
pub(super) use r06_selftest::r06_checker_selftest;
