//! Append-only, typed event streams.

mod codec;
mod content_type;
mod error;
mod expected;
mod id;
mod identifier;
mod limits;
mod metadata;
mod name;
mod raw_entry;
mod schema;
mod timestamp;

pub use codec::{Codec, Encoded, Json, Or, Raw, SelfDescribing};
pub use content_type::ContentType;
pub use error::{Applied, Error, Kind, Result, Retry, Rule};
pub use expected::Expected;
pub use id::EntryId;
pub use identifier::Identifier;
pub use limits::Limits;
pub use metadata::Metadata;
pub use name::{InvalidName, StreamName};
pub use raw_entry::RawEntry;
pub use timestamp::Timestamp;
