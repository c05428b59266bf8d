//! Schemas: histories, the two engines for documents, and what errors say.

mod chains;
mod changes;
mod check;
mod documents;
mod engines;
mod errors;
mod exact;
mod faults;
mod history;
mod newer;
mod pages;
mod parts;
mod stream;

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_core::{ContentType, Document, Documents, Json, Result, Schema};
use serde_json::Value;

/// The values of a JSON payload stored at a version.
fn read<T>(schema: &Schema<T>, version: u32, payload: &str) -> Result<Vec<T>> {
    let payload = Bytes::copy_from_slice(payload.as_bytes());
    let mut values = Vec::new();
    schema.decode(version, &ContentType::JSON, &payload, &mut |value| {
        values.push(value);
        Ok(())
    })?;
    Ok(values)
}

/// A closure that changes nothing, so that the payload is opened as a
/// document.
fn nothing(_: &mut Document<'_>) -> Result<()> {
    Ok(())
}

type Map = BTreeMap<String, Value>;

fn map(value: Value) -> Map {
    serde_json::from_value(value).unwrap()
}

fn documents() -> Documents<Json> {
    Schema::documents(Json, 1)
}

/// How many cases a property is tried on; twenty times as many with
/// `LEDGER_LONG`.
fn cases(usual: u32) -> u32 {
    match std::env::var_os("LEDGER_LONG") {
        Some(_) => usual * 20,
        None => usual,
    }
}
