//! Types of the crate `bson` in an entry.

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, DateTime, Decimal128, Timestamp, Uuid};
use ledger_core::{Bson, Codec, FieldMapper, Schema};
use serde::{Deserialize, Serialize};

use super::comes_back;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Foreign {
    #[serde(rename = "_id")]
    id: ObjectId,
    at: DateTime,
    price: Decimal128,
    uuid: Uuid,
    binary: Binary,
    time: Timestamp,
    maybe: Option<DateTime>,
    any: bson::Bson,
    document: bson::Document,
}

fn foreign() -> Foreign {
    Foreign {
        id: ObjectId::from_bytes([7; 12]),
        at: DateTime::from_millis(-1),
        price: "12.50".parse().unwrap(),
        uuid: Uuid::from_bytes([9; 16]),
        binary: Binary {
            subtype: BinarySubtype::UserDefined(0x80),
            bytes: vec![1, 2, 3],
        },
        time: Timestamp {
            time: 1,
            increment: 2,
        },
        maybe: Some(DateTime::MAX),
        any: bson::bson!({"re": bson::Bson::MaxKey, "list": [DateTime::MIN, null, 1.5]}),
        document: bson::doc! {"i32": 1_i32, "i64": 1_i64, "date": DateTime::MIN},
    }
}

#[test]
fn they_are_stored_as_what_they_are() {
    let value = foreign();
    comes_back(&Bson, &value);
    let written = Bson.encode(&value).unwrap();
    let stored: bson::Document = bson::deserialize_from_slice(&written.payload).unwrap();
    assert_eq!(stored.get_object_id("_id").unwrap(), value.id);
    assert_eq!(*stored.get_datetime("at").unwrap(), value.at);
    assert_eq!(written.payload, bson::serialize_to_vec(&value).unwrap());
}

/// Also in years that no calendar has, and with all digits and none.
#[test]
fn dates_and_decimals_keep_every_bit() {
    for millis in [i64::MIN, -1, 0, 253_402_300_800_000, i64::MAX] {
        comes_back(
            &Bson,
            &super::In {
                v: DateTime::from_millis(millis),
            },
        );
    }
    for bytes in [
        [0xff; 16],
        [0; 16],
        *b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\x3c\x7c",
    ] {
        comes_back(
            &Bson,
            &super::In {
                v: Decimal128::from_bytes(bytes),
            },
        );
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Renamed {
    order: ObjectId,
    at: DateTime,
    price: Decimal128,
    uuid: Uuid,
}

#[test]
fn they_go_through_steps() {
    let value = foreign();
    let written = Bson.encode(&value).unwrap();
    let fused = Schema::documents(Bson, 1).fields(2, FieldMapper::new().rename("_id", "order"));
    let changed = Schema::documents(Bson, 1).change(2, |d| {
        let id: ObjectId = d.take("_id")?.unwrap();
        let at: DateTime = d.take("at")?.unwrap();
        d.set("order", &id)?;
        d.set("at", &at)
    });
    for history in [fused, changed] {
        let schema = history.read_as::<Renamed>().build().unwrap();
        let mut values = Vec::new();
        let out = &mut |value| {
            values.push(value);
            Ok(())
        };
        let read = schema.decode(1, &written.content_type, &written.payload, out);
        read.unwrap();
        let expected = Renamed {
            order: value.id,
            at: value.at,
            price: value.price,
            uuid: value.uuid,
        };
        assert_eq!(values, [expected]);
    }
}
