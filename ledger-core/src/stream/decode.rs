//! From a record to typed entries.

use crate::entry::{Entry, Part};
use crate::error::Result;
use crate::id::EntryId;
use crate::name::StreamName;
use crate::record::Record;
use crate::schema::SchemaRef;

/// Adds the parts of a record to `out` and counts them; on an error, adds
/// nothing. The usual single part costs no list.
pub(super) fn decode<I: EntryId, T: 'static>(
    stream: &StreamName,
    schema: &SchemaRef<T>,
    record: Record<I>,
    out: &mut impl Extend<Entry<I, T>>,
) -> Result<u32> {
    let Record {
        id,
        version,
        recorded_at,
        entry,
    } = record;
    let mut newest = None;
    let mut earlier = Vec::new();
    let mut keep = |value| {
        earlier.extend(newest.replace(value));
        Ok(())
    };
    schema
        .decode(
            entry.schema_version,
            &entry.content_type,
            &entry.payload,
            &mut keep,
        )
        .map_err(|e| {
            e.with("stream", stream)
                .with("id", &id)
                .with("version", version)
        })?;
    let Some(newest) = newest else { return Ok(0) };

    let last = Entry {
        id,
        version,
        part: Part {
            index: u32::try_from(earlier.len()).unwrap_or(u32::MAX),
            last: true,
        },
        value: newest,
        order_key: entry.order_key,
        dedup_key: entry.dedup_key,
        metadata: entry.metadata,
        schema_version: entry.schema_version,
        content_type: entry.content_type,
        recorded_at,
    };
    out.extend((0..).zip(earlier).map(|(index, value)| Entry {
        id: last.id.clone(),
        version,
        part: Part { index, last: false },
        value,
        order_key: last.order_key.clone(),
        dedup_key: last.dedup_key.clone(),
        metadata: last.metadata.clone(),
        schema_version: last.schema_version,
        content_type: last.content_type.clone(),
        recorded_at,
    }));
    let parts = last.part.index.saturating_add(1);
    out.extend([last]);
    Ok(parts)
}
