//! Laws of every codec, tried on values of any shape and on any bytes.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use ledger_core::{
    Bson, Cbor, Codec, ContentType, Document, Json, Kind, MessagePack, Postcard, SelfDescribing,
    Zstd,
};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::value::{Fields, Has, Val, val};
use super::{In, read};

fn law<T, C>(codec: &C, value: &T) -> Result<(), TestCaseError>
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
    C: Codec<T>,
{
    let written = codec.encode(value).unwrap();
    prop_assert!(codec.accepts(&written.content_type));
    let again = read(codec, &written.content_type, &written.payload).unwrap();
    prop_assert_eq!(&again, value);
    // Bytes behind it, and a payload that ends early.
    let longer = [&written.payload[..], &[0]].concat();
    prop_assert!(read(codec, &written.content_type, &longer).is_err());
    if let Some((_, shorter)) = written.payload.split_last() {
        let shorter: ledger_core::Result<T> = read(codec, &written.content_type, shorter);
        prop_assert!(shorter.is_err());
    }
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(i64),
    Tuple(char, Option<bool>),
    Struct { a: Vec<Shape>, b: String },
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Unit),
        any::<i64>().prop_map(Shape::Newtype),
        any::<(char, Option<bool>)>().prop_map(|(a, b)| Shape::Tuple(a, b)),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        (prop::collection::vec(inner, 0..4), any::<String>())
            .prop_map(|(a, b)| Shape::Struct { a, b })
    })
}

type Typed = In<(
    Vec<Shape>,
    BTreeMap<String, (i8, u16, i32, i64)>,
    Option<String>,
)>;

fn typed() -> impl Strategy<Value = Typed> {
    let map = prop::collection::btree_map("[^\0]{0,5}", any::<(i8, u16, i32, i64)>(), 0..4);
    let shapes = prop::collection::vec(shape(), 0..4);
    (shapes, map, any::<Option<String>>()).prop_map(|v| In { v })
}

type Wide = (
    BTreeMap<u128, (i128, u64)>,
    BTreeMap<i64, Option<char>>,
    Vec<Shape>,
);

fn wide() -> impl Strategy<Value = Wide> {
    use prop::collection::{btree_map, vec};
    (
        btree_map(any::<u128>(), any::<(i128, u64)>(), 0..4),
        btree_map(any::<i64>(), any::<Option<char>>(), 0..4),
        vec(shape(), 0..4),
    )
}

fn described(has: Has) -> impl Strategy<Value = Fields> {
    prop::collection::vec(("[a-z]{0,4}", val(has)), 0..6).prop_map(Fields)
}

const ALL: Has = Has {
    wide_integers: true,
    long_integers: true,
};
const WIDE: Has = Has {
    wide_integers: true,
    long_integers: false,
};
const NARROW: Has = Has {
    wide_integers: false,
    long_integers: false,
};

proptest! {
    #[test]
    fn typed_values_come_back(value in typed()) {
        law(&MessagePack, &value)?;
        law(&Cbor, &value)?;
        law(&Postcard, &value)?;
        law(&Bson, &value)?;
        law(&Zstd::new(Json), &value)?;
        law(&Zstd::new(Postcard).level(1), &value)?;
    }

    #[test]
    fn wide_values_come_back(value in wide()) {
        law(&MessagePack, &value)?;
        law(&Cbor, &value)?;
        law(&Postcard, &value)?;
        law(&Zstd::new(MessagePack).level(-1), &value)?;
    }

    #[test]
    fn values_of_any_shape_come_back_from_cbor(value in described(ALL)) {
        law(&Cbor, &value)?;
        law(&Zstd::new(Cbor), &value)?;
    }

    #[test]
    fn values_of_any_shape_come_back_from_messagepack(value in described(WIDE)) {
        law(&MessagePack, &value)?;
    }

    #[test]
    fn values_of_any_shape_come_back_from_bson(value in described(NARROW)) {
        law(&Bson, &value)?;
    }
}

/// Reads bytes in every way there is; whatever comes of it, it comes.
fn survives<C>(codec: &C, content_type: &ContentType, bytes: &[u8]) -> Result<(), TestCaseError>
where
    C: Codec<Val> + Codec<Typed> + Codec<Wide> + Codec<BTreeMap<i8, Val>>,
{
    fn fine<T>(read: ledger_core::Result<T>) -> Result<(), TestCaseError> {
        match read {
            Ok(_) => Ok(()),
            Err(e) => {
                prop_assert_eq!(e.kind(), &Kind::Decode);
                Ok(())
            }
        }
    }
    let payload = Bytes::copy_from_slice(bytes);
    fine(Codec::<Val>::decode(codec, content_type, &payload))?;
    fine(Codec::<Typed>::decode(codec, content_type, &payload))?;
    fine(Codec::<Wide>::decode(codec, content_type, &payload))?;
    fine(Codec::<BTreeMap<i8, Val>>::decode(
        codec,
        content_type,
        &payload,
    ))
}

fn opens(codec: &impl SelfDescribing, content_type: &ContentType, bytes: &[u8]) {
    let opened: ledger_core::Result<Document<'_>> = codec.open(content_type, bytes);
    if let Ok(mut document) = opened {
        let _ = document.get::<Val>("a");
        let _ = document.take::<Val>("v");
    }
}

fn all_survive(bytes: &[u8]) -> Result<(), TestCaseError> {
    survives(&MessagePack, &ContentType::MESSAGE_PACK, bytes)?;
    survives(&Cbor, &ContentType::CBOR, bytes)?;
    survives(&Bson, &ContentType::BSON, bytes)?;
    survives(&Postcard, &ContentType::POSTCARD, bytes)?;
    let zstd = ContentType::from_static("application/cbor+zstd");
    survives(&Zstd::new(Cbor), &zstd, bytes)?;
    opens(&MessagePack, &ContentType::MESSAGE_PACK, bytes);
    opens(&Cbor, &ContentType::CBOR, bytes);
    opens(&Bson, &ContentType::BSON, bytes);
    opens(&Zstd::new(Cbor), &zstd, bytes);
    Ok(())
}

/// A document with one element, so that what follows is looked at.
fn framed(element: &[u8]) -> Vec<u8> {
    let len = i32::try_from(element.len() + 5).unwrap();
    [&len.to_le_bytes()[..], element, &[0]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        all_survive(&bytes)?;
        all_survive(&framed(&bytes))?;
        all_survive(&framed(&[&bytes[..bytes.len().min(1)], b"v\0", &bytes[bytes.len().min(1)..]].concat()))?;
    }

    /// Closer to what is real: a payload with a few bytes changed.
    #[test]
    fn damaged_payloads_are_survived(
        value in described(NARROW),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let payloads = [
            MessagePack.encode(&value).unwrap().payload,
            Cbor.encode(&value).unwrap().payload,
            Bson.encode(&value).unwrap().payload,
            Zstd::new(Cbor).encode(&value).unwrap().payload,
        ];
        for payload in payloads {
            let mut bytes = payload.to_vec();
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            all_survive(&bytes)?;
            all_survive(&bytes[..cut.index(bytes.len())])?;
        }
    }
}
