//! Errors of serde_json, told without the values they quote.

use std::any::type_name;

use serde_json::error::Category;

use crate::error::{Error, Kind};

/// A payload that cannot be read as `T`.
#[cold]
pub(crate) fn unreadable<T: ?Sized>(error: &serde_json::Error) -> Error {
    malformed(error).with("type", type_name::<T>())
}

/// A payload that cannot be read.
#[cold]
pub(crate) fn malformed(error: &serde_json::Error) -> Error {
    match error.classify() {
        // These are fixed texts with a line and a column.
        Category::Syntax | Category::Eof => Error::new(Kind::Decode, error.to_string()),
        // These come from the type, and quote what it was given.
        Category::Data | Category::Io => {
            let message = match (error.line(), error.column()) {
                (0, _) => "the data does not fit the type".into(),
                (line, column) => {
                    format!("the data does not fit the type at line {line} column {column}")
                }
            };
            Error::new(Kind::Decode, message)
        }
    }
}

/// A value that cannot be written.
#[cold]
pub(super) fn unwritable<T: ?Sized>(error: &serde_json::Error) -> Error {
    let message = match error.to_string().as_str() {
        "key must be a string" => "a map key is not text, a number, a boolean or a unit variant",
        _ => "the type refused to be written as JSON",
    };
    Error::new(Kind::Encode, message).with("type", type_name::<T>())
}
