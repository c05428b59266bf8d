//! Tests of the core's public face.

mod events;
mod forwarding;
mod futures;
mod json;
mod limits;
mod paging;
mod schema;
mod typed;
