//! Tests of the core's public face.

mod events;
mod forwarding;
mod futures;
mod limits;
mod paging;
mod typed;
