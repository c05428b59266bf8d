//! Errors never tell what was stored (P20).

use std::error::Error as StdError;

use bytes::Bytes;
use ledger_core::{
    Bson, Cbor, Codec, Document, Error, FieldMapper, Kind, MessagePack, Postcard, Schema,
    SelfDescribing, Zstd,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value::{Fields, Val};

const SECRET: &str = "s3cret";

#[track_caller]
fn keeps_quiet(error: &Error) {
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

fn text(text: &str) -> Val {
    Val::Text(text.to_owned())
}

fn fields<const N: usize>(fields: [(&str, Val); N]) -> Fields {
    Fields(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

fn payloads() -> [Fields; 8] {
    let open = || text("Open");
    [
        fields([("id", text(SECRET)), ("state", open())]),
        fields([("id", Val::Int(1)), ("state", text(SECRET))]),
        fields([("id", Val::Int(1)), ("state", open()), (SECRET, Val::Null)]),
        fields([
            ("id", Val::Int(1)),
            ("state", open()),
            ("talk", text(SECRET)),
        ]),
        fields([
            ("id", Val::Int(1)),
            ("old", text(SECRET)),
            ("state", open()),
        ]),
        fields([
            ("id", Val::Int(1)),
            ("state", Val::Map(fields([(SECRET, Val::Null)]))),
        ]),
        fields([("id", Val::Seq(vec![text(SECRET)])), ("state", open())]),
        fields([(SECRET, Val::Bytes(SECRET.into()))]),
    ]
}

fn tells_nothing<C>(codec: &C)
where
    C: Codec<Order> + Codec<Fields> + SelfDescribing + Clone + 'static,
{
    let mapper = || {
        FieldMapper::new()
            .rename("old", "id")
            .default_value("id", 1)
    };
    let history = || Schema::documents(codec.clone(), 1);
    let asking = |d: &mut Document<'_>| {
        d.get::<u32>("id")?;
        d.get::<State>("state")?;
        d.get::<Talkative>("talk").map(drop)
    };
    let schemas: [Schema<Order>; 3] = [
        history().fields(2, mapper()).read_as().build().unwrap(),
        history()
            .fields(2, mapper())
            .change(3, |_| Ok(()))
            .read_as()
            .build()
            .unwrap(),
        history().change(2, asking).read_as().build().unwrap(),
    ];
    for stored in payloads() {
        let written = codec.encode(&stored).unwrap();
        let longer = [&written.payload[..], SECRET.as_bytes()].concat();
        let shorter = &written.payload[..written.payload.len() - 1];
        let damaged = [
            written.payload.clone(),
            Bytes::from(longer),
            Bytes::copy_from_slice(shorter),
            Bytes::copy_from_slice(SECRET.as_bytes()),
        ];
        for schema in &schemas {
            for payload in &damaged {
                for version in [1, schema.version()] {
                    let read =
                        schema.decode(version, &written.content_type, payload, &mut |_| Ok(()));
                    let error = read.unwrap_err();
                    assert_eq!(*error.kind(), Kind::Decode, "{error}");
                    keeps_quiet(&error);
                }
            }
        }
        keeps_quiet_about(&codec.open(&written.content_type, &written.payload));
    }
}

fn keeps_quiet_about(document: &ledger_core::Result<Document<'_>>) {
    assert!(!format!("{document:?}").contains(SECRET));
}

#[test]
fn no_error_of_a_read_tells_what_was_stored() {
    tells_nothing(&MessagePack);
    tells_nothing(&Cbor);
    tells_nothing(&Bson);
    tells_nothing(&Zstd::new(MessagePack));
}

#[test]
fn nor_does_one_of_postcard() {
    let written = Postcard
        .encode(&(1_u32, 0_u8, Some(SECRET.to_owned())))
        .unwrap();
    let payloads = [
        written.payload.clone(),
        Bytes::from([&written.payload[..], SECRET.as_bytes()].concat()),
        Bytes::from_static(SECRET.as_bytes()),
    ];
    for payload in payloads {
        let read: ledger_core::Result<Order> = Postcard.decode(&written.content_type, &payload);
        keeps_quiet(&read.unwrap_err());
    }
}

#[test]
fn no_error_of_a_write_tells_what_was_to_be_stored() {
    let named = super::In { v: Talkative };
    keeps_quiet(&MessagePack.encode(&named).unwrap_err());
    keeps_quiet(&Cbor.encode(&named).unwrap_err());
    keeps_quiet(&Bson.encode(&named).unwrap_err());
    keeps_quiet(&Postcard.encode(&named).unwrap_err());
    keeps_quiet(&Bson.encode(&SECRET.to_owned()).unwrap_err());
    let nul = fields([("s3cret\0", Val::Null)]);
    keeps_quiet(&Bson.encode(&nul).unwrap_err());
}
