//! Which payloads can be documents inside the document.

use ledger_core::{ContentType, RawEntry};
use mongodb::bson::{RawBsonRef, RawDocument};

/// The server takes 200 levels; the rest is room for what users build on top.
const DEEPEST: usize = 100;

/// The payload as a document, if it is BSON that the server will take and give
/// back byte for byte. Anything else is stored as bytes, whatever its content
/// type claims.
pub(super) fn as_document(entry: &RawEntry) -> Option<&RawDocument> {
    if entry.content_type != ContentType::BSON {
        return None;
    }
    let document = RawDocument::from_bytes(&*entry.payload).ok()?;
    sound(document, DEEPEST).then_some(document)
}

fn sound(document: &RawDocument, depth: usize) -> bool {
    depth > 0
        && document.iter_elements().all(|element| {
            element.is_ok_and(|element| match element.value() {
                Ok(RawBsonRef::Document(inner)) => sound(inner, depth - 1),
                Ok(RawBsonRef::Array(inner)) => {
                    RawDocument::from_bytes(inner.as_bytes()).is_ok_and(|d| sound(d, depth - 1))
                }
                Ok(RawBsonRef::JavaScriptCodeWithScope(code)) => sound(code.scope, depth - 1),
                Ok(_) => true,
                Err(_) => false,
            })
        })
}

#[cfg(test)]
mod tests {
    use super::as_document;
    use ledger_core::{ContentType, RawEntry};
    use mongodb::bson::rawdoc;

    fn embeds(content_type: ContentType, bytes: &[u8]) -> bool {
        as_document(&RawEntry::new(content_type, 1, bytes.to_vec())).is_some()
    }

    #[test]
    fn only_sound_bson_is_embedded() {
        let good = rawdoc! { "a.b": { "$c": [1, "two", { "": 3 }] } }.into_bytes();
        assert!(embeds(ContentType::BSON, &good));
        assert!(!embeds(ContentType::JSON, &good));
        for at in 0..good.len() {
            assert!(!embeds(ContentType::BSON, &good[..at]), "cut at {at}");
        }
        assert!(!embeds(ContentType::BSON, b""));
        assert!(!embeds(ContentType::BSON, b"{}"));
        // A string that is not UTF-8 would be refused by some later server.
        let text = rawdoc! { "a": "xyz" }.into_bytes();
        let broken: Vec<u8> = text
            .iter()
            .map(|&b| if b == b'y' { 0xFF } else { b })
            .collect();
        assert!(!embeds(ContentType::BSON, &broken));
    }

    #[test]
    fn deep_bson_is_stored_as_bytes() {
        let mut deep = rawdoc! { "a": 1 };
        for _ in 0..150 {
            deep = rawdoc! { "a": deep };
        }
        assert!(!embeds(ContentType::BSON, deep.as_bytes()));
    }
}
