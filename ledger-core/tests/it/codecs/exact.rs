//! What is written comes back, to the last bit.

use std::collections::BTreeMap;
use std::fmt::Debug;

use ledger_core::{Bson, Cbor, Codec, Json, MessagePack, Postcard, Raw, Zstd};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{In, comes_back, read};

/// Bytes that ask to be bytes, as those of `serde_bytes` do.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Octets(pub(super) Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Octets;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Octets, E> {
                Ok(Octets(bytes.to_vec()))
            }
        }
        d.deserialize_byte_buf(Visitor)
    }
}

fn everywhere<T: Clone + Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let value = In { v: value };
    comes_back(&Cbor, &value);
    comes_back(&MessagePack, &value);
    comes_back(&Postcard, &value);
    comes_back(&Bson, &value);
    comes_back(&Zstd::new(Cbor), &value);
}

fn where_integers_are_wide<T: Clone + Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let value = In { v: value };
    comes_back(&Cbor, &value);
    comes_back(&MessagePack, &value);
    comes_back(&Postcard, &value);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Newtype(String);
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(i64),
    Tuple(u8, Option<Octets>),
    Struct { a: i64, seq: Vec<Shape> },
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Inside {
    A { x: i64, b: Octets, none: Option<u8> },
    B,
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    Nothing,
    Struct { a: () },
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    a: i64,
    #[serde(flatten)]
    rest: BTreeMap<String, Option<i64>>,
}

#[test]
fn integers_keep_every_digit() {
    everywhere((i64::MIN, i64::MAX, i32::MIN, u32::MAX, i16::MIN, u8::MAX));
    everywhere([
        0_i64,
        -1,
        23,
        24,
        127,
        128,
        255,
        256,
        65_535,
        65_536,
        1 << 31,
        1 << 32,
    ]);
    everywhere((i128::from(i64::MIN), 5_u128, i64::MAX as u64));
    where_integers_are_wide((u64::MAX, u128::MAX, i128::MIN, i128::MAX));
    where_integers_are_wide([1_u128 << 63, 1 << 64, (1 << 127) - 1, 1 << 127]);
    where_integers_are_wide([-1_i128 << 63, -1 << 64, (-1 << 64) - 1, -1 << 126]);
    where_integers_are_wide(BTreeMap::from([(u128::MAX, i128::MIN)]));
}

#[test]
fn floats_keep_every_bit() {
    #[track_caller]
    fn bits<C: Codec<In<(f64, f32)>>>(codec: &C, double: f64, single: f32) {
        let written = codec
            .encode(&In {
                v: (double, single),
            })
            .unwrap();
        let In { v } = read(codec, &written.content_type, &written.payload).unwrap();
        assert_eq!(v.0.to_bits(), double.to_bits());
        assert_eq!(v.1.to_bits(), single.to_bits());
    }
    let payload_of_nan = (
        f64::from_bits(0x7ff8_0000_dead_beef),
        f32::from_bits(0x7fc0_beef),
    );
    let floats = [
        (f64::NAN, f32::NAN),
        payload_of_nan,
        (f64::INFINITY, f32::NEG_INFINITY),
        (-0.0, -0.0),
        (f64::MIN_POSITIVE, f32::MAX),
        (5e-324, 1e-45),
        (51.248_178_375_505_404, 0.1),
        (1e23, 16_777_217.0),
    ];
    for (double, single) in floats {
        bits(&Cbor, double, single);
        bits(&MessagePack, double, single);
        bits(&Postcard, double, single);
        bits(&Bson, double, single);
    }
}

#[test]
fn texts_and_bytes() {
    everywhere(["", "\0", "é\u{10ffff}", "\"\\\n"].map(String::from));
    everywhere('\u{10ffff}');
    for len in [0, 1, 31, 32, 255, 256, 65_535, 65_536] {
        everywhere((Octets(vec![0xff; len]), "x".repeat(len), vec![7_u8; len]));
    }
}

#[test]
fn types_of_every_kind() {
    everywhere(Unit);
    everywhere((true, Some(1_u8), None::<u8>, [(); 2]));
    everywhere(vec![
        Shape::Unit,
        Shape::Newtype(i64::MIN),
        Shape::Tuple(1, Some(Octets(vec![1]))),
        Shape::Struct {
            a: 1,
            seq: vec![Shape::Tuple(0, None)],
        },
    ]);
    everywhere(BTreeMap::from([(Newtype("k".into()), Newtype("v".into()))]));
    where_integers_are_wide(BTreeMap::from([(-5, 'x'), (5, 'y')]));
    where_integers_are_wide(BTreeMap::from([(true, Some(())); 0]));
}

/// Types that take what comes, in the formats that tell it.
#[test]
fn types_that_look_before_they_decide() {
    fn described<T: Clone + Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
        let value = In { v: value };
        comes_back(&Cbor, &value);
        comes_back(&MessagePack, &value);
        comes_back(&Bson, &value);
        comes_back(&Zstd::new(Bson), &value);
    }
    described(Inside::A {
        x: i64::MIN,
        b: Octets(vec![0xff]),
        none: None,
    });
    described(Inside::B);
    described([
        Untagged::Number(-1),
        Untagged::Text(String::new()),
        Untagged::Nothing,
        Untagged::Struct { a: () },
    ]);
    described(Flat {
        a: 1,
        rest: BTreeMap::from([("x".into(), Some(2)), ("y".into(), None)]),
    });
    described(serde_json::json!({"a": [null, 1, -1, 2.5, "x", {}], "b": {"c": null}}));
}

/// postcard alone tells `Some(None)` from `None`.
#[test]
fn options_in_options() {
    comes_back(&Postcard, &[None, Some(None), Some(Some(1))]);
    let written = MessagePack.encode(&Some(None::<u8>)).unwrap();
    let read: Option<Option<u8>> =
        read(&MessagePack, &written.content_type, &written.payload).unwrap();
    assert_eq!(read, None);
}

#[test]
fn raw_bytes_and_json_may_be_compressed_too() {
    let codec = Zstd::new(Raw);
    for payload in [&[7_u8; 5000][..], b"short", b""] {
        let bytes = bytes::Bytes::copy_from_slice(payload);
        let written = codec.encode(&bytes).unwrap();
        let read: bytes::Bytes = codec
            .decode(&written.content_type, &written.payload)
            .unwrap();
        assert_eq!(read, bytes);
    }
    comes_back(&Zstd::new(Json), &vec![u128::MAX; 100]);
}
