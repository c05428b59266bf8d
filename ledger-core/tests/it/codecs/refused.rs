//! What a format cannot hold is refused when it is written.

use std::collections::BTreeMap;

use ledger_core::{Bson, Cbor, Codec, ContentType, Kind, MessagePack, Postcard};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{In, content_type, read};

#[track_caller]
fn is_refused<T: Serialize + DeserializeOwned>(codec: &impl Codec<T>, value: &T, why: &str) {
    let error = codec.encode(value).unwrap_err();
    assert_eq!(*error.kind(), Kind::Encode, "{error}");
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn bson_has_no_integers_above_an_i64() {
    let why = "does not fit into an i64";
    is_refused(&Bson, &In { v: u64::MAX }, why);
    is_refused(&Bson, &In { v: 1_u64 << 63 }, why);
    is_refused(&Bson, &In { v: u128::MAX }, why);
    is_refused(&Bson, &In { v: i128::MIN }, why);
    is_refused(
        &Bson,
        &In {
            v: [Some(u64::MAX)],
        },
        why,
    );
}

#[test]
fn bson_has_documents_with_text_for_names() {
    let why = "documents";
    is_refused(&Bson, &1, why);
    is_refused(&Bson, &"text".to_owned(), why);
    is_refused(&Bson, &vec![1], why);
    is_refused(
        &Bson,
        &In {
            v: BTreeMap::from([(1, 1)]),
        },
        why,
    );
    let nul = BTreeMap::from([("a\0b".to_owned(), 1)]);
    is_refused(&Bson, &nul, why);
    is_refused(&Bson, &In { v: nul }, why);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Skipping {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<u8>,
    b: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

/// Left out, `b` would be taken for `a`.
#[test]
fn postcard_cannot_leave_a_field_out() {
    is_refused(&Postcard, &Skipping { a: None, b: 1 }, "left out");
    is_refused(&Postcard, &vec![Skipping { a: None, b: 1 }], "left out");
    let there = Skipping { a: Some(1), b: 2 };
    super::comes_back(&Postcard, &there);
    super::comes_back(&MessagePack, &Skipping { a: None, b: 1 });
    is_refused(
        &Postcard,
        &Flat {
            rest: BTreeMap::new(),
        },
        "flatten",
    );
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    A(u8),
}

#[test]
fn postcard_says_why_it_cannot_read_a_type_that_looks_first() {
    let written = Postcard.encode(&Untagged::A(1)).unwrap();
    let error = read::<Untagged, _>(&Postcard, &written.content_type, &written.payload);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("looks at what comes"), "{text}");
}

#[test]
fn content_types_are_the_known_ones_and_no_other_is_accepted() {
    let one = In { v: 1_u8 };
    let types = [
        content_type(&MessagePack, &one),
        content_type(&Cbor, &one),
        content_type(&Bson, &one),
        content_type(&Postcard, &one),
    ];
    assert_eq!(
        types.each_ref().map(ContentType::as_str),
        [
            "application/vnd.msgpack",
            "application/cbor",
            "application/bson",
            "application/x-postcard"
        ]
    );
    let codecs: [&dyn Codec<In<u8>>; 4] = [&MessagePack, &Cbor, &Bson, &Postcard];
    for (i, codec) in codecs.iter().enumerate() {
        for (j, content_type) in types.iter().enumerate() {
            assert_eq!(codec.accepts(content_type), i == j);
        }
    }
}
