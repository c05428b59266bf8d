//! The tests of the PostgreSQL backend, on real servers.

mod smoke;
mod support;
