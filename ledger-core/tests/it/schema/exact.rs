//! What a plain read gets right stays right through field steps.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;

use ledger_core::{Documents, FieldMapper, Json, Schema};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{documents, nothing, read};

fn mapper() -> FieldMapper {
    FieldMapper::new()
        .rename("old", "new")
        .remove("gone")
        .default_value("more", u128::MAX)
}

fn engines() -> [Documents<Json>; 2] {
    [
        documents().fields(2, mapper()),
        documents().fields(2, mapper()).change(3, nothing),
    ]
}

/// Reads `before` through the steps and compares with a plain read of
/// `after`.
#[track_caller]
fn same<T: Serialize + DeserializeOwned + Debug + 'static>(before: &str, after: &str) {
    let plain = format!("{:?}", serde_json::from_str::<T>(after).unwrap());
    for history in engines() {
        let schema: Schema<T> = history.read_as().build().unwrap();
        assert_eq!(format!("{:?}", read(&schema, 1, before).unwrap()[0]), plain);
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Of<V> {
    new: V,
    more: u128,
}

/// One value under the renamed name, beside the default.
#[track_caller]
fn value<V: Serialize + DeserializeOwned + Debug + 'static>(json: &str) {
    let before = format!(r#"{{"gone":{{"x":[1e999]}}, "old" : {json} }}"#);
    let after = format!(r#"{{"new":{json},"more":{}}}"#, u128::MAX);
    same::<Of<V>>(&before, &after);
}

#[derive(Debug, Serialize, Deserialize)]
struct Unit;
#[derive(Debug, Serialize, Deserialize)]
struct Newtype(Vec<u128>);
#[derive(Debug, Serialize, Deserialize)]
enum External {
    Unit,
    Newtype(i128),
    Tuple(u8, u8),
    Struct { a: u128 },
}
#[derive(Debug, Serialize, Deserialize)]
struct Point {
    x: f64,
    #[serde(default)]
    y: Option<u64>,
}

#[test]
fn values_of_every_kind() {
    value::<u128>(&u128::MAX.to_string());
    value::<i128>(&i128::MIN.to_string());
    value::<u64>("9007199254740993");
    value::<f64>("51.248178375505404");
    value::<f32>("0.1");
    value::<char>(r#""é""#);
    value::<bool>("true");
    value::<()>("null");
    value::<Unit>("null");
    value::<Option<u8>>("null");
    value::<Option<u8>>("3");
    value::<(u8, String, [u128; 1])>(r#"[1,"\u00e9",[18446744073709551616]]"#);
    value::<Newtype>("[18446744073709551616]");
    value::<Box<Point>>(r#"{"x":1}"#);
    value::<Vec<Point>>(r#"[{"x":1,"y":2},[3,4]]"#);
    value::<External>(r#""Unit""#);
    value::<External>(r#"{"Newtype":-170141183460469231731687303715884105728}"#);
    value::<External>(r#"{"Tuple":[1,2]}"#);
    value::<External>(r#"{"Struct":{"a":340282366920938463463374607431768211455}}"#);
    value::<BTreeMap<u128, i8>>(r#"{"340282366920938463463374607431768211455":-1}"#);
    value::<Cow<'static, str>>(r#""a\"b""#);
    value::<Box<RawValue>>("1e400");
    value::<Box<RawValue>>(r#"{ "spaced" : [1.10, 1e400] }"#);
    value::<serde_json::Value>(r#"{"a":[1,2.5,null]}"#);
    value::<IgnoredAnyOf>("[1e999]");
}

/// `IgnoredAny` that can be written.
#[derive(Debug, Deserialize)]
struct IgnoredAnyOf(IgnoredAny);

impl Serialize for IgnoredAnyOf {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_unit()
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Flat {
    new: u128,
    #[serde(flatten)]
    point: Point,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
    more: u128,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "new")]
enum Inside {
    Point(Point),
    Struct { x: String, y: Option<Vec<i64>> },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "new", content = "content")]
enum Beside {
    Point(Point),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Wrong { nowhere: u8 },
    Right { new: i64 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Outer(Option<Of<u8>>);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Strict {
    #[serde(alias = "new")]
    new_name: u8,
    more: u128,
}

#[test]
fn types_of_every_kind() {
    let max = u128::MAX;
    same::<Flat>(
        r#"{"gone":1,"y":2,"old":340282366920938463463374607431768211455,"x":1.5,"z":[1]}"#,
        &format!(r#"{{"y":2,"new":{max},"x":1.5,"z":[1],"more":{max}}}"#),
    );
    same::<Inside>(
        r#"{"x":1.5,"old":"Point","y":9007199254740993}"#,
        r#"{"x":1.5,"new":"Point","y":9007199254740993}"#,
    );
    same::<Inside>(
        r#"{"old":"Struct","x":"t","y":[1]}"#,
        r#"{"new":"Struct","x":"t","y":[1]}"#,
    );
    same::<Beside>(
        r#"{"content":{"x":1},"old":"Point"}"#,
        r#"{"content":{"x":1},"new":"Point"}"#,
    );
    same::<Untagged>(r#"{"old":-5}"#, r#"{"new":-5}"#);
    same::<Outer>(r#"{"old":1}"#, &format!(r#"{{"new":1,"more":{max}}}"#));
    same::<Strict>(
        r#"{"old":1,"gone":2}"#,
        &format!(r#"{{"new":1,"more":{max}}}"#),
    );
    same::<BTreeMap<String, f64>>(r#"{"old":1}"#, r#"{"new":1,"more":3.4028236692093846e38}"#);
}

#[test]
fn keys_however_they_are_written() {
    // Escaped names are not lent by the payload but passed on.
    same::<Of<u8>>(
        r#"{"\u006fld":1,"g\u006fne":2}"#,
        &format!(r#"{{"new":1,"more":{}}}"#, u128::MAX),
    );
    same::<BTreeMap<String, u128>>(
        r#"{"\"\\\u00e9\n":1,"":2,"old":3}"#,
        &format!(r#"{{"\"\\é\n":1,"":2,"new":3,"more":{}}}"#, u128::MAX),
    );
}

#[test]
fn keys_that_are_not_text_in_the_type() {
    fn keys<K: DeserializeOwned + Serialize + Ord + Debug + 'static>(keys: [&'static str; 2]) {
        let [a, b] = keys;
        let plain: BTreeMap<K, u8> =
            serde_json::from_str(&format!(r#"{{"{a}":1,"{b}":2}}"#)).unwrap();
        let mapper = || {
            FieldMapper::new()
                .rename("old", a)
                .default_value(b, 2)
                .remove("gone")
        };
        for history in [
            documents().fields(2, mapper()),
            documents().fields(2, mapper()).change(3, nothing),
        ] {
            let schema = history.read_as::<BTreeMap<K, u8>>().build().unwrap();
            for stored in [
                r#"{"old":1,"gone":0}"#.to_owned(),
                format!(r#"{{"{a}":1}}"#),
                format!(r#"{{"{b}":2,"\u006fld":1}}"#),
            ] {
                let read = read(&schema, 1, &stored).unwrap();
                assert_eq!(format!("{:?}", read[0]), format!("{plain:?}"), "{stored}");
            }
            assert!(read(&schema, 1, r#"{"neither":1}"#).is_err());
            assert!(read(&schema, 1, r#"{" 7":1}"#).is_err());
            assert!(read(&schema, 1, r#"{"7 ":1}"#).is_err());
            assert!(read(&schema, 1, r#"{"07":1}"#).is_err());
        }
    }
    keys::<u128>(["340282366920938463463374607431768211455", "0"]);
    keys::<i64>(["-1", "1"]);
    keys::<u8>(["255", "1"]);
    keys::<bool>(["true", "false"]);
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    enum Key {
        A,
        B,
    }
    keys::<Key>(["A", "B"]);
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct Wrapped(Option<u16>);
    keys::<Wrapped>(["1", "2"]);
}

/// More names than fit one machine word.
#[test]
fn a_hundred_renames() {
    let mut mapper = FieldMapper::new();
    let mut stored = Vec::new();
    for n in 0..100 {
        mapper = mapper
            .rename(format!("a{n}"), format!("b{n}"))
            .default_value(format!("c{n}"), n);
        stored.push(format!(r#""a{n}":{n}"#));
    }
    for change in [false, true] {
        let mut history = documents().fields(2, mapper.clone());
        if change {
            history = history.change(3, nothing);
        }
        let schema = history.read_as::<BTreeMap<String, u8>>().build().unwrap();
        let values = read(&schema, 1, &format!("{{{}}}", stored.join(","))).unwrap();
        assert_eq!(values[0].len(), 200);
        assert!((0..100).all(|n| values[0][&format!("b{n}")] == n));
        let error = read(&schema, 1, r#"{"a98":1,"x":1,"b98":2}"#).unwrap_err();
        assert_eq!(error.context("field"), Some("b98"));
    }
}
