//! Schema versions: what is written today, and how everything that was ever
//! written is read as today's type.

mod check;
mod definition;
mod document;
mod documents;
mod error;
mod fields;
mod fused;
mod history;
mod newer;
mod reference;

pub use check::{CheckReport, CheckedForm};
pub use definition::Schema;
pub use document::Document;
#[cfg(any(feature = "bson", feature = "cbor", feature = "msgpack"))]
pub(crate) use document::{Field, Format, Key, Value};
pub use documents::Documents;
pub use error::{FieldConflict, SchemaError};
pub use fields::{FieldMapper, FieldPlan};
#[cfg(feature = "bson")]
pub(crate) use fused::Name;
pub use history::History;
pub use newer::NewerPolicy;
pub use reference::SchemaRef;
