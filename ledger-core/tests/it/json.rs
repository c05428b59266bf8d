//! The JSON codec: exact, or refused.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use ledger_core::{Codec, ContentType, Json, Kind, SelfDescribing};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

fn read<T: Serialize + DeserializeOwned>(payload: &[u8]) -> ledger_core::Result<T> {
    Json.decode(&ContentType::JSON, &Bytes::copy_from_slice(payload))
}

#[track_caller]
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let written = Json.encode(value).unwrap();
    assert_eq!(written.content_type, ContentType::JSON);
    assert_eq!(read::<T>(&written.payload).unwrap(), *value);
}

#[track_caller]
fn is_refused<T: Serialize + DeserializeOwned>(value: &T) {
    let error = Json.encode(value).unwrap_err();
    assert_eq!(*error.kind(), Kind::Encode, "{error}");
}

#[test]
fn integers_keep_every_digit() {
    comes_back(&u64::MAX);
    comes_back(&i64::MIN);
    comes_back(&(u128::MAX, i128::MIN, i128::MAX));
    comes_back(&((1_u64 << 53) + 1));
    comes_back(&BTreeMap::from([(u128::MAX, i128::MIN)]));
}

#[test]
fn floats_keep_every_bit() {
    // serde_json without `float_roundtrip` is off by one in the last place
    // for about one double in a thousand, this one among them.
    for f in [
        51.24817837550540_4,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        -0.0,
        1e23,
    ] {
        let written = Json.encode(&f).unwrap();
        assert_eq!(
            read::<f64>(&written.payload).unwrap().to_bits(),
            f.to_bits(),
            "{f}"
        );
    }
    comes_back(&(f32::MAX, f32::MIN_POSITIVE, 1e-45_f32, 0.1_f32));
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(f64),
    Tuple(f32, Option<f64>),
    Struct { x: f64, seq: Vec<Shape> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Inside {
    A { x: f64 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Beside {
    A(f64),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    A(f64),
}

#[derive(Serialize, Deserialize)]
struct Newtype(f64);

#[derive(Serialize, Deserialize)]
struct Flat {
    #[serde(flatten)]
    inner: BTreeMap<String, f64>,
}

/// A map with a float for a key, which no map of the standard library is.
#[derive(Deserialize)]
struct FloatKey(f64);

impl Serialize for FloatKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(1))?;
        map.serialize_key(&self.0)?;
        map.serialize_value(&1)?;
        map.end()
    }
}

/// Ignores what it is told, as a careless implementation might.
#[derive(Deserialize)]
struct Careless;

impl Serialize for Careless {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        let _ = map.serialize_entry("x", &f64::NAN);
        map.end()
    }
}

#[test]
fn floats_that_are_not_finite_are_refused_wherever_they_are() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        is_refused(&bad);
        is_refused(&(bad as f32));
        is_refused(&Some(bad));
        is_refused(&vec![0.0, bad]);
        is_refused(&(1, bad));
        is_refused(&Newtype(bad));
        is_refused(&BTreeMap::from(
            [("k", bad)].map(|(k, v)| (k.to_owned(), v)),
        ));
        is_refused(&FloatKey(bad));
        is_refused(&Flat {
            inner: BTreeMap::from([("k".to_owned(), bad)]),
        });
        is_refused(&Shape::Newtype(bad));
        is_refused(&Shape::Tuple(bad as f32, None));
        is_refused(&Shape::Tuple(0.0, Some(bad)));
        is_refused(&Shape::Struct {
            x: bad,
            seq: vec![],
        });
        is_refused(&Shape::Struct {
            x: 0.0,
            seq: vec![Shape::Unit, Shape::Newtype(bad)],
        });
        is_refused(&Inside::A { x: bad });
        is_refused(&Beside::A(bad));
        is_refused(&Untagged::A(bad));
        is_refused(&vec![Some(BTreeMap::from([(1, Box::new((bad,)))]))]);
    }
    is_refused(&Careless);
}

#[test]
fn other_keys_than_json_has_are_refused() {
    is_refused(&BTreeMap::from([(vec![1], 1)]));
    comes_back(&BTreeMap::from([(true, 1)]));
    comes_back(&BTreeMap::from([('x', 1)]));
}

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
    Maps { In(BTreeMap<u8, Maps>) } |inner| Maps::In(BTreeMap::from([(0, inner)]));
    Arrays { In([Box<Arrays>; 1]) } |inner| Arrays::In([Box::new(inner)]);
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
struct Options {
    next: Option<Box<Options>>,
}

impl Nest for Options {
    fn end() -> Self {
        Self { next: None }
    }
    fn around(self) -> Self {
        Self {
            next: Some(Box::new(self)),
        }
    }
}

/// The limit of writing is exactly the limit of reading, whatever opens the
/// arrays and objects: one too many could never be read again.
fn is_writable_where_readable<N: Nest>() {
    let mut refused = 0;
    for depth in 0..140 {
        let value = (0..depth).fold(N::end(), |inner, _| inner.around());
        let text = serde_json::to_vec(&value).unwrap();
        let readable = serde_json::from_slice::<N>(&text).is_ok();
        match Json.encode(&value) {
            Ok(written) => {
                assert!(readable, "unreadable at depth {depth}");
                assert_eq!(written.payload, text);
            }
            Err(e) => {
                assert!(!readable, "refused at depth {depth}, though readable");
                assert_eq!(*e.kind(), Kind::Encode);
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn nesting_is_refused_exactly_where_it_could_not_be_read() {
    is_writable_where_readable::<Lists>();
    is_writable_where_readable::<Options>();
    is_writable_where_readable::<Newtypes>();
    is_writable_where_readable::<Tuples>();
    is_writable_where_readable::<Structs>();
    is_writable_where_readable::<Sequences>();
    is_writable_where_readable::<Maps>();
    is_writable_where_readable::<Arrays>();
}

#[test]
fn raw_values_are_written_as_they_are() {
    let raw = RawValue::from_string("[1e400, 1.10]".to_owned()).unwrap();
    let written = Json.encode(&raw).unwrap();
    assert_eq!(written.payload, "[1e400, 1.10]");
    assert_eq!(
        read::<Box<RawValue>>(&written.payload).unwrap().get(),
        raw.get()
    );
}

#[test]
fn exactly_one_value_is_read() {
    assert_eq!(read::<u8>(b" 1\n").unwrap(), 1);
    for broken in ["", "1 2", "1,", "{} x", "nul"] {
        let error = read::<serde_json::Value>(broken.as_bytes()).unwrap_err();
        assert_eq!(*error.kind(), Kind::Decode, "{broken:?}");
    }
}

#[test]
fn text_that_is_not_utf8_is_refused_even_where_the_type_does_not_look() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Empty {}
    let error = read::<Empty>(b"{\"ignored\":\"\xff\"}").unwrap_err();
    assert_eq!(*error.kind(), Kind::Decode);
}

#[test]
fn errors_name_place_and_type() {
    let error = read::<Vec<u8>>(b"[1,\n 256]").unwrap_err().to_string();
    assert!(
        error.contains("line 2 column") & error.contains("Vec<u8>"),
        "{error}"
    );
    let error = read::<Vec<u8>>(b"[1,").unwrap_err().to_string();
    assert!(
        error.contains("EOF") & error.contains("line 1 column 3"),
        "{error}"
    );
}

#[test]
fn only_its_own_content_type_is_accepted() {
    let json: &'static dyn Codec<u8> = &Json;
    assert!(json.accepts(&ContentType::parse("application/json").unwrap()));
    assert!(!json.accepts(&ContentType::BYTES));
    assert!(!Json.knows(&ContentType::parse("application/json+zstd").unwrap()));
}

fn float() -> impl Strategy<Value = f64> {
    use prop::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Unit),
        float().prop_map(Shape::Newtype),
        (any::<f32>(), prop::option::of(float())).prop_map(|(a, b)| Shape::Tuple(a, b)),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        (float(), prop::collection::vec(inner, 0..4)).prop_map(|(x, seq)| Shape::Struct { x, seq })
    })
}

type Anything = (
    BTreeMap<String, (u128, i128, char)>,
    BTreeMap<i64, Option<String>>,
    (Shape, f32, bool),
);

fn anything() -> impl Strategy<Value = Anything> {
    use prop::collection::btree_map;
    let text = || prop::string::string_regex("(?s).{0,6}").unwrap();
    (
        btree_map(text(), any::<(u128, i128, char)>(), 0..4),
        btree_map(any::<i64>(), prop::option::of(text()), 0..4),
        (shape(), any::<f32>(), any::<bool>()),
    )
}

proptest! {
    /// N01: what is written is what serde_json would write, and comes back
    /// the same.
    #[test]
    fn what_is_written_comes_back(value in anything()) {
        let written = Json.encode(&value).unwrap();
        prop_assert_eq!(&written.payload, &serde_json::to_vec(&value).unwrap());
        prop_assert_eq!(read::<Anything>(&written.payload).unwrap(), value);
    }
}
