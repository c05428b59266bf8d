//! What is particular to SQLite. The behaviour that all stores share is
//! tested by the conformance suite.

mod helpers;
mod reading;
