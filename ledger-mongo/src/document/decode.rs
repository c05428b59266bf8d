//! From documents to entries.

use ledger_core::{ContentType, Metadata, RawEntry, Record, Result, StreamName, Timestamp};
use mongodb::bson::{RawArray, RawBsonRef, RawDocument};

use crate::error::corrupt;
use crate::id::MongoId;

/// An entry, and the name of its stream as the document says it.
pub(crate) struct Decoded<'d> {
    pub(crate) stream: &'d str,
    pub(crate) record: Record<MongoId>,
}

impl Decoded<'_> {
    pub(crate) fn stream_name(&self) -> Result<StreamName> {
        StreamName::new(self.stream).map_err(|e| corrupt("a stream name").caused_by(e))
    }
}

/// Reads a document. Fields that are not the ledger's are passed over.
///
/// # Errors
///
/// `Corrupt` that names the field and, where it is known, the id.
pub(crate) fn decode(document: &RawDocument) -> Result<Decoded<'_>> {
    let mut found = Fields::default();
    for element in document.iter_elements() {
        let element = element.map_err(|_| corrupt("a document that is not BSON"))?;
        let key = element.key().as_str();
        // A payload is up to 8 MiB; nothing but the ledger's fields is looked at.
        let Some(field) = found.field(key) else {
            continue;
        };
        let value = element.value();
        *field = Some(value.map_err(|_| corrupt("a field that is not BSON").with("field", key))?);
    }
    let id = found.id.and_then(RawBsonRef::as_object_id);
    let id = MongoId::from_object_id(id.ok_or_else(|| corrupt("an _id"))?);
    let stream = found.stream.and_then(RawBsonRef::as_str);
    record(&found, id)
        .and_then(|record| {
            let stream = stream.ok_or_else(|| corrupt("a stream"))?;
            Ok(Decoded { stream, record })
        })
        .map_err(|e| e.with("id", id))
}

#[derive(Default)]
struct Fields<'d> {
    id: Option<RawBsonRef<'d>>,
    recorded_at: Option<RawBsonRef<'d>>,
    stream: Option<RawBsonRef<'d>>,
    content_type: Option<RawBsonRef<'d>>,
    schema_version: Option<RawBsonRef<'d>>,
    payload: Option<RawBsonRef<'d>>,
    order_key: Option<RawBsonRef<'d>>,
    dedup_key: Option<RawBsonRef<'d>>,
    metadata: Option<RawBsonRef<'d>>,
}

impl<'d> Fields<'d> {
    fn field(&mut self, key: &str) -> Option<&mut Option<RawBsonRef<'d>>> {
        Some(match key {
            "_id" => &mut self.id,
            "recorded_at" => &mut self.recorded_at,
            "stream" => &mut self.stream,
            "content_type" => &mut self.content_type,
            "schema_version" => &mut self.schema_version,
            "payload" => &mut self.payload,
            "order_key" => &mut self.order_key,
            "dedup_key" => &mut self.dedup_key,
            "metadata" => &mut self.metadata,
            _ => return None,
        })
    }
}

fn record(found: &Fields<'_>, id: MongoId) -> Result<Record<MongoId>> {
    let time = found.recorded_at.and_then(RawBsonRef::as_datetime);
    let micros = time.and_then(|t| t.timestamp_millis().checked_mul(1_000));
    let recorded_at = micros.and_then(Timestamp::from_micros);
    let recorded_at = recorded_at.ok_or_else(|| corrupt("a time"))?;

    let content_type = found.content_type.and_then(RawBsonRef::as_str);
    let content_type = content_type.and_then(|text| ContentType::parse(text).ok());
    let content_type = content_type.ok_or_else(|| corrupt("a content type"))?;

    let schema_version = found.schema_version.and_then(RawBsonRef::as_i32);
    let schema_version = schema_version.and_then(|n| u32::try_from(n).ok());
    let schema_version = schema_version.ok_or_else(|| corrupt("a schema version"))?;

    let payload = match found.payload {
        Some(RawBsonRef::Binary(binary)) => binary.bytes,
        Some(RawBsonRef::Document(document)) => document.as_bytes(),
        _ => return Err(corrupt("a payload")),
    };
    let mut entry = RawEntry::new(content_type, schema_version, payload.to_vec());
    entry.order_key = text(found.order_key, "an order key")?;
    entry.dedup_key = text(found.dedup_key, "a dedup key")?;
    if let Some(pairs) = found.metadata {
        let pairs = pairs.as_array().and_then(metadata);
        entry.metadata = pairs.ok_or_else(|| corrupt("metadata"))?;
    }
    Ok(Record::new(id, id.version(), recorded_at, entry))
}

fn text(value: Option<RawBsonRef<'_>>, what: &'static str) -> Result<Option<String>> {
    match value {
        None => Ok(None),
        Some(RawBsonRef::String(text)) => Ok(Some(text.to_owned())),
        Some(_) => Err(corrupt(what)),
    }
}

fn metadata(pairs: &RawArray) -> Option<Metadata> {
    let mut metadata = Metadata::new();
    for pair in pairs {
        let pair = pair.ok()?.as_document()?;
        metadata.set(pair.get_str("k").ok()?, pair.get_str("v").ok()?);
    }
    Some(metadata)
}
