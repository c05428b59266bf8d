//! Entries as documents.
//!
//! ```text
//! _id             ObjectId: the number of the stream, the version
//! recorded_at     date
//! stream          string
//! content_type    string
//! schema_version  int32
//! payload         binary; a document if the payload is BSON
//! order_key       string, absent if none
//! dedup_key       string, absent if none
//! metadata        array of { k: string, v: string }, absent if none
//! json            document, a copy of a JSON payload, if asked for
//! ```

mod decode;
mod encode;
mod json;
mod payload;

pub(crate) use decode::decode;
pub(crate) use encode::{Body, document};
