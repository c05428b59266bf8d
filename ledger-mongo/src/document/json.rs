//! The copy of a JSON payload as a document.

use mongodb::bson::{Bson, RawDocumentBuf};
use serde_json::Value;

/// A document takes up to six times the room of its JSON text, and has to stay
/// well below 16 MiB.
const LONGEST: usize = 1024 * 1024;
const DEEPEST: usize = 64;

/// The copy, if there can be one. Nothing depends on it, so that what does not
/// fit is left out rather than refused.
pub(super) fn copy(payload: &[u8]) -> Option<RawDocumentBuf> {
    if payload.len() > LONGEST {
        return None;
    }
    let value: Value = serde_json::from_slice(payload).ok()?;
    let Bson::Document(document) = to_bson(value, DEEPEST)? else {
        return None;
    };
    RawDocumentBuf::try_from(&document).ok()
}

fn to_bson(value: Value, depth: usize) -> Option<Bson> {
    let deeper = depth.checked_sub(1)?;
    Some(match value {
        Value::Null => Bson::Null,
        Value::Bool(b) => Bson::Boolean(b),
        Value::Number(n) => match n.as_i64() {
            Some(n) => Bson::Int64(n),
            None => Bson::Double(n.as_f64()?),
        },
        Value::String(text) => Bson::String(text),
        Value::Array(values) => {
            let values = values.into_iter().map(|value| to_bson(value, deeper));
            Bson::Array(values.collect::<Option<_>>()?)
        }
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| {
                let key = (!key.contains('\0')).then_some(key)?;
                Some((key, to_bson(value, deeper)?))
            });
            Bson::Document(fields.collect::<Option<_>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::copy;

    #[test]
    fn objects_are_copied_and_all_else_is_left_out() {
        let found = copy(br#"{"a": [1, -2.5, null, true, "x"], "b": {"c": 9007199254740993}}"#);
        let found = found.expect("a copy");
        assert_eq!(
            found.get_document("b").unwrap().get_i64("c").unwrap(),
            9007199254740993
        );
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(70), "]".repeat(70));
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(1024 * 1024));
        for text in [
            "[1]",
            "1",
            "null",
            "",
            "{",
            r#"{"a\u0000b":1}"#,
            &deep,
            &long,
        ] {
            assert_eq!(copy(text.as_bytes()), None);
        }
    }
}
