//! Payloads that would overflow the stack, the memory or the patience.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_core::{Bson, Cbor, Codec, ContentType, FieldMapper, Kind, MessagePack, Postcard};
use ledger_core::{Schema, SelfDescribing};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{In, read};

macro_rules! nests {
    ($($name:ident { $($shape:tt)* } $open:expr;)*) => {$(
        #[derive(Serialize, Deserialize)]
        enum $name { End, $($shape)* }
        impl Nest for $name {
            fn end() -> Self { Self::End }
            fn around(self) -> Self { $open(self) }
        }
    )*};
}

trait Nest: Serialize + DeserializeOwned {
    fn end() -> Self;
    fn around(self) -> Self;
}

nests! {
    Newtypes { In(Box<Newtypes>) } |inner| Newtypes::In(Box::new(inner));
    Tuples { In(u8, Box<Tuples>) } |inner| Tuples::In(0, Box::new(inner));
    Structs { In { x: Box<Structs> } } |inner| Structs::In { x: Box::new(inner) };
    Sequences { In(Vec<Sequences>) } |inner| Sequences::In(vec![inner]);
    Maps { In(BTreeMap<String, Maps>) } |inner| Maps::In(BTreeMap::from([("k".into(), inner)]));
    Optional { In(Option<Box<Optional>>) } |inner| Optional::In(Some(Box::new(inner)));
}

#[derive(Serialize, Deserialize)]
struct Lists(Vec<Lists>);

impl Nest for Lists {
    fn end() -> Self {
        Self(vec![])
    }
    fn around(self) -> Self {
        Self(vec![self])
    }
}

#[derive(Serialize, Deserialize)]
struct Options(Option<Box<Options>>);

impl Nest for Options {
    fn end() -> Self {
        Self(None)
    }
    fn around(self) -> Self {
        Self(Some(Box::new(self)))
    }
}

/// Whatever can be written can be read, and nothing is written too deep.
fn is_readable_where_writable<N: Nest, C: Codec<In<N>>>(codec: &C) {
    let mut refused = 0;
    for depth in 0..140 {
        let v = (0..depth).fold(N::end(), |inner, _| inner.around());
        match codec.encode(&In { v }) {
            Ok(written) => {
                let read = read::<In<N>, C>(codec, &written.content_type, &written.payload);
                assert!(read.is_ok(), "depth {depth}: {:?}", read.err());
            }
            Err(e) => {
                assert_eq!(*e.kind(), Kind::Encode);
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn what_is_written_is_never_too_deep_to_be_read() {
    macro_rules! each {
        ($($nest:ident)*) => {$(
            is_readable_where_writable::<$nest, _>(&MessagePack);
            is_readable_where_writable::<$nest, _>(&Cbor);
            is_readable_where_writable::<$nest, _>(&Postcard);
            is_readable_where_writable::<$nest, _>(&Bson);
        )*};
    }
    each!(Newtypes Tuples Structs Sequences Maps Optional Lists Options);
    is_readable_where_writable::<Value, _>(&MessagePack);
    is_readable_where_writable::<Value, _>(&Cbor);
    is_readable_where_writable::<Value, _>(&Bson);
}

impl Nest for Value {
    fn end() -> Self {
        Self::Null
    }
    fn around(self) -> Self {
        Self::Array(vec![self])
    }
}

const DEEP: usize = 200_000;

/// `head` again and again: each one opens another level.
fn repeated(head: &[u8], end: &[u8]) -> Vec<u8> {
    let mut bytes = head.repeat(DEEP);
    bytes.extend(end);
    bytes
}

#[track_caller]
fn is_too_deep<T>(codec: &impl Codec<T>, content_type: &ContentType, payload: &[u8]) {
    let error = codec
        .decode(content_type, &Bytes::copy_from_slice(payload))
        .err()
        .unwrap();
    assert_eq!(*error.kind(), Kind::Decode, "{error}");
}

#[test]
fn deep_messagepack_is_refused() {
    let kind = ContentType::MESSAGE_PACK;
    let lists = repeated(&[0x91], &[0x90]);
    is_too_deep::<Lists>(&MessagePack, &kind, &lists);
    is_too_deep::<Value>(&MessagePack, &kind, &lists);
    is_too_deep::<In<u8>>(
        &MessagePack,
        &kind,
        &[&b"\x82\xa1x"[..], &lists, b"\xa1v\x01"].concat(),
    );
    // rmp-serde itself does not count enums.
    let enums = repeated(b"\x81\xa2In", b"\xa3End");
    is_too_deep::<Newtypes>(&MessagePack, &kind, &enums);
}

#[test]
fn deep_cbor_is_refused() {
    let kind = ContentType::CBOR;
    let lists = repeated(&[0x81], &[0x80]);
    is_too_deep::<Lists>(&Cbor, &kind, &lists);
    is_too_deep::<Value>(&Cbor, &kind, &lists);
    is_too_deep::<In<u8>>(
        &Cbor,
        &kind,
        &[&b"\xa2\x61x"[..], &lists, b"\x61v\x01"].concat(),
    );
    is_too_deep::<Newtypes>(&Cbor, &kind, &repeated(b"\xa1\x62In", b"\x63End"));
    is_too_deep::<Value>(&Cbor, &kind, &repeated(&[0xc1], &[0x01]));
}

#[test]
fn deep_postcard_is_refused() {
    let kind = ContentType::POSTCARD;
    is_too_deep::<Lists>(&Postcard, &kind, &repeated(&[1], &[0]));
    is_too_deep::<Options>(&Postcard, &kind, &repeated(&[1], &[0]));
    is_too_deep::<Newtypes>(&Postcard, &kind, &repeated(&[1], &[0]));
}

#[test]
fn deep_bson_is_refused() {
    let mut bytes = vec![5, 0, 0, 0, 0];
    for _ in 0..5_000 {
        let len = i32::try_from(bytes.len() + 8).unwrap();
        let mut outer = len.to_le_bytes().to_vec();
        outer.extend(b"\x03v\0");
        outer.append(&mut bytes);
        outer.push(0);
        bytes = outer;
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Deep {
        v: Option<Box<Deep>>,
    }
    is_too_deep::<Deep>(&Bson, &ContentType::BSON, &bytes);
    is_too_deep::<Value>(&Bson, &ContentType::BSON, &bytes);

    // The variables of a piece of code, which the crate reads on its own.
    let code = [&b"\x02\0\0\0x\0"[..], &bytes].concat();
    let len = i32::try_from(code.len() + 4).unwrap().to_le_bytes();
    let element = [b"\x0fv\0", &len[..], &code, b"\0"].concat();
    let len = i32::try_from(element.len() + 4).unwrap().to_le_bytes();
    is_too_deep::<Value>(&Bson, &ContentType::BSON, &[&len[..], &element].concat());
}

/// Through field steps and documents as well.
#[test]
fn deep_fields_are_refused() {
    let mapper = FieldMapper::new().rename("x", "v");
    fn read<C: SelfDescribing + Codec<In<Value>> + Clone + 'static>(
        codec: C,
        mapper: &FieldMapper,
        content_type: &ContentType,
        payload: &[u8],
    ) {
        let fused = Schema::documents(codec.clone(), 1).fields(2, mapper.clone());
        let opened = Schema::documents(codec, 1)
            .fields(2, mapper.clone())
            .change(3, |_| Ok(()));
        for history in [fused, opened] {
            let schema = history.read_as::<In<Value>>().build().unwrap();
            let payload = Bytes::copy_from_slice(payload);
            let error = schema
                .decode(1, content_type, &payload, &mut |_| Ok(()))
                .unwrap_err();
            assert_eq!(*error.kind(), Kind::Decode);
        }
    }
    let lists = [&b"\x81\xa1x"[..], &repeated(&[0x91], &[0x90])].concat();
    read(MessagePack, &mapper, &ContentType::MESSAGE_PACK, &lists);
    let lists = [&b"\xa1\x61x"[..], &repeated(&[0x81], &[0x80])].concat();
    read(Cbor, &mapper, &ContentType::CBOR, &lists);
}

/// Ten bytes that ask for 2⁶³ elements of no size.
#[test]
fn elements_of_no_size_are_counted() {
    let mut many = vec![0xff; 9];
    many.push(0x00);
    let read: ledger_core::Result<Vec<()>> = read(&Postcard, &ContentType::POSTCARD, &many);
    let text = read.unwrap_err().to_string();
    assert!(text.contains("16777216 elements"), "{text}");
    let error = Postcard.encode(&vec![(); (1 << 24) + 1]).unwrap_err();
    assert_eq!(*error.kind(), Kind::Encode);
    super::comes_back(&Postcard, &vec![(); 1 << 24]);
}

/// Lengths that are not there are not allocated.
#[test]
fn great_lengths_are_not_believed() {
    type Everything = (Vec<u64>, String, BTreeMap<u8, u8>, IgnoredAnyOf);
    let payloads: [&[u8]; 8] = [
        b"\xdd\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xbb\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    ];
    for payload in payloads {
        is_too_deep::<Everything>(&MessagePack, &ContentType::MESSAGE_PACK, payload);
        is_too_deep::<Value>(&MessagePack, &ContentType::MESSAGE_PACK, payload);
        is_too_deep::<Everything>(&Cbor, &ContentType::CBOR, payload);
        is_too_deep::<Value>(&Cbor, &ContentType::CBOR, payload);
        is_too_deep::<Vec<u64>>(&Postcard, &ContentType::POSTCARD, payload);
        is_too_deep::<String>(&Postcard, &ContentType::POSTCARD, payload);
        is_too_deep::<Value>(&Bson, &ContentType::BSON, payload);
    }
}

#[derive(Debug, Deserialize)]
struct IgnoredAnyOf(IgnoredAny);

impl Serialize for IgnoredAnyOf {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_unit()
    }
}
