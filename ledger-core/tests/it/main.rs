//! Tests of the core's public face.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(all(
    feature = "bson",
    feature = "cbor",
    feature = "msgpack",
    feature = "postcard",
    feature = "zstd"
))]
mod codecs;
mod events;
mod forwarding;
mod futures;
mod json;
mod limits;
mod paging;
mod schema;
mod typed;
