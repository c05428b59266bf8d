//! The tests of the PostgreSQL backend, on real servers.

mod appends;
mod conformance;
mod dropping;
mod opening;
mod operations;
mod order;
mod smoke;
mod stress;
mod support;
