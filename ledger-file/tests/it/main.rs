//! The tests of the embedded log.

mod conformance;
mod crash;
