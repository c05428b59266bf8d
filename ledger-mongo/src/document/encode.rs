//! From entries to documents.

use ledger_core::{ContentType, RawEntry, StreamName};
use mongodb::bson::raw::cstr;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{RawArrayBuf, RawBinaryRef, RawDocumentBuf, rawdoc};

use super::{json, payload};
use crate::id::MongoId;

/// The part of a document that is known before the entry has its place: the
/// bytes of its elements.
#[derive(Clone, Debug)]
pub(crate) struct Body(Vec<u8>);

impl Body {
    pub(crate) fn new(stream: &StreamName, entry: &RawEntry, json_copy: bool) -> Self {
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("stream"), stream.as_str());
        body.append(cstr!("content_type"), entry.content_type.as_str());
        // The limits keep it within i32.
        let schema_version = i32::try_from(entry.schema_version).unwrap_or(i32::MAX);
        body.append(cstr!("schema_version"), schema_version);
        if let Some(key) = &entry.order_key {
            body.append(cstr!("order_key"), key.as_str());
        }
        if let Some(key) = &entry.dedup_key {
            body.append(cstr!("dedup_key"), key.as_str());
        }
        if !entry.metadata.is_empty() {
            // Pairs, and not fields: a key may hold a dot or begin with `$`.
            let mut pairs = RawArrayBuf::new();
            for (key, value) in entry.metadata.iter() {
                pairs.push(rawdoc! { "k": key, "v": value });
            }
            body.append(cstr!("metadata"), pairs);
        }
        match payload::as_document(entry) {
            Some(document) => body.append(cstr!("payload"), document),
            None => body.append(
                cstr!("payload"),
                RawBinaryRef {
                    subtype: BinarySubtype::Generic,
                    bytes: &entry.payload,
                },
            ),
        }
        if json_copy
            && entry.content_type == ContentType::JSON
            && let Some(copy) = json::copy(&entry.payload)
        {
            body.append(cstr!("json"), copy);
        }
        let bytes = body.into_bytes();
        Self(bytes[4..bytes.len() - 1].to_vec())
    }
}

/// The whole document. Written by hand so that a repeated transaction copies
/// the body once and builds nothing anew.
pub(crate) fn document(id: MongoId, recorded_at: i64, body: &Body) -> Option<RawDocumentBuf> {
    const ID: &[u8] = b"\x07_id\0";
    const RECORDED_AT: &[u8] = b"\x09recorded_at\0";
    let len = 4 + ID.len() + 12 + RECORDED_AT.len() + 8 + body.0.len() + 1;
    let mut bytes = Vec::with_capacity(len);
    bytes.extend(i32::try_from(len).ok()?.to_le_bytes());
    bytes.extend(ID);
    bytes.extend(id.object_id().bytes());
    bytes.extend(RECORDED_AT);
    bytes.extend(recorded_at.to_le_bytes());
    bytes.extend(&body.0);
    bytes.push(0);
    RawDocumentBuf::from_bytes(bytes).ok()
}
