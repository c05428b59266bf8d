//! Errors tell where and why, never what was stored (P20).

use std::collections::BTreeMap;
use std::error::Error as StdError;

use bytes::Bytes;
use ledger_core::{Codec, ContentType, Error, FieldMapper, Json, Kind, Schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{documents, nothing, read};

const SECRET: &str = "s3cret";

#[track_caller]
fn keeps_quiet(error: &Error) {
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    let mut next: Option<&dyn StdError> = Some(error);
    while let Some(error) = next {
        assert!(!error.to_string().contains(SECRET), "{error}");
        assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
        next = error.source();
    }
}

/// Tells everything it is given.
#[derive(Debug)]
struct Talkative;

impl<'de> Deserialize<'de> for Talkative {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Err(serde::de::Error::custom(format!("did not expect {text}")))
    }
}

impl Serialize for Talkative {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(format!("cannot write {SECRET}")))
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    id: u32,
    state: State,
    talk: Option<Talkative>,
}

#[derive(Debug, Serialize, Deserialize)]
enum State {
    Open,
}

#[test]
fn no_error_of_a_read_tells_what_was_stored() {
    let mapper = || {
        FieldMapper::new()
            .rename("old", "id")
            .default_value("id", 1)
    };
    let schemas: [Schema<Order>; 4] = [
        Schema::typed(Json, 1)
            .upcast(2, |o: Order| o)
            .build()
            .unwrap(),
        documents().fields(2, mapper()).read_as().build().unwrap(),
        documents()
            .fields(2, mapper())
            .change(3, nothing)
            .read_as()
            .build()
            .unwrap(),
        documents()
            .change(2, |d| {
                d.get::<u32>("id")?;
                d.get::<State>("state")?;
                d.get::<Talkative>("talk").map(drop)
            })
            .read_as()
            .build()
            .unwrap(),
    ];
    let payloads = [
        r#"{"id":"s3cret","state":"Open"}"#,
        r#"{"id":1,"state":"s3cret"}"#,
        r#"{"id":1,"state":"Open","s3cret":1}"#,
        r#"{"id":1,"s3cret":1,"s3cret":2,"state":"Open"}"#,
        r#"{"id":1,"state":"Open","talk":"s3cret"}"#,
        r#"{"id":1,"state":{"s3cret":1}}"#,
        r#"{"id":1,"old":"s3cret"}"#,
        r#""s3cret""#,
        r#"["s3cret"]"#,
        r#"{"s3cret"}"#,
        r#"{"s3cret":s3cret}"#,
        r#"{"id":1,"state":"Open"} s3cret"#,
        r#"{"id":1,"state":"Open","talk":"s3cret"#,
        "s3cret",
    ];
    for schema in &schemas {
        for payload in payloads {
            for version in [1, schema.version()] {
                let error = read(schema, version, payload).unwrap_err();
                assert_eq!(*error.kind(), Kind::Decode, "{payload}");
                keeps_quiet(&error);
            }
        }
        let payload = Bytes::from_static(b"{\"s3cret\":\"s3cret\xff\"}");
        let error = schema
            .decode(1, &ContentType::JSON, &payload, &mut |_| Ok(()))
            .unwrap_err();
        assert_eq!(*error.kind(), Kind::Decode);
        keeps_quiet(&error);
    }
}

#[test]
fn no_error_of_a_write_tells_what_was_to_be_stored() {
    let talk = Json.encode(&Talkative).unwrap_err();
    let float = Json
        .encode(&BTreeMap::from([(SECRET.to_owned(), f64::NAN)]))
        .unwrap_err();
    let key = Json
        .encode(&BTreeMap::from([(vec![SECRET.to_owned()], 1)]))
        .unwrap_err();
    for error in [talk, float, key] {
        assert_eq!(*error.kind(), Kind::Encode);
        keeps_quiet(&error);
    }
}

#[test]
fn a_document_does_not_show_its_fields() {
    use ledger_core::SelfDescribing;
    let document = Json
        .open(&ContentType::JSON, br#"{"s3cret":"s3cret"}"#)
        .unwrap();
    assert!(!format!("{document:?}").contains(SECRET));
}
