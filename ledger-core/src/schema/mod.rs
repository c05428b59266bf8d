//! Schema versions: what is written today, and how everything that was ever
//! written is read as today's type.

mod definition;
mod document;
mod documents;
mod error;
mod fields;
mod fused;
mod history;
mod reference;

pub use definition::Schema;
pub use document::Document;
pub use documents::Documents;
pub use error::{FieldConflict, SchemaError};
pub use fields::{FieldMapper, FieldPlan};
pub use history::History;
pub use reference::SchemaRef;
