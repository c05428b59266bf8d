//! What field steps and closures do, each case through both engines.

use std::fmt::{self, Debug};

use bytes::Bytes;
use ledger_core::{
    Codec, ContentType, Document, Encoded, Error, FieldMapper, FieldPlan, Json, Kind, Result,
    Schema, SelfDescribing,
};
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::{Map, documents, map, nothing, read};

/// Reads through one mapper, fused and as a document; both must agree.
fn both<T>(mapper: FieldMapper, payload: &str) -> Result<T>
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    let fused = documents()
        .fields(2, mapper.clone())
        .read_as::<T>()
        .build()
        .unwrap();
    let document = documents()
        .fields(2, mapper)
        .change(3, nothing)
        .read_as::<T>();
    let fused = read(&fused, 1, payload);
    let document = read(&document.build().unwrap(), 1, payload);
    match (fused, document) {
        (Ok(mut a), Ok(b)) => {
            assert_eq!(a, b);
            Ok(a.remove(0))
        }
        (Err(a), Err(b)) => {
            assert_eq!(a.kind(), b.kind());
            assert_eq!(a.context("field"), b.context("field"));
            Err(a)
        }
        (a, b) => panic!("fused {a:?}, document {b:?}"),
    }
}

#[test]
fn removes_come_first_then_renames_then_defaults() {
    // Written in the opposite order.
    let mapper = || {
        FieldMapper::new()
            .default_value("b", "default")
            .rename("a", "b")
            .remove("b")
    };
    let cases = [
        (json!({"a": 1, "b": 2}), json!({"b": 1})),
        (json!({"b": 2}), json!({"b": "default"})),
        (json!({"a": null}), json!({"b": null})),
        (json!({}), json!({"b": "default"})),
    ];
    for (stored, expected) in cases {
        assert_eq!(
            both::<Map>(mapper(), &stored.to_string()).unwrap(),
            map(expected)
        );
    }
}

#[test]
fn renames_happen_all_at_once() {
    let swap = FieldMapper::new().rename("a", "b").rename("b", "a");
    let read = both::<Map>(swap, r#"{"a":1,"b":2}"#).unwrap();
    assert_eq!(read, map(json!({"a": 2, "b": 1})));

    let chain = FieldMapper::new().rename("a", "b").rename("b", "c");
    let read = both::<Map>(chain, r#"{"a":1,"b":2}"#).unwrap();
    assert_eq!(read, map(json!({"b": 1, "c": 2})));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair {
    b: Option<u32>,
}

#[test]
fn a_rename_that_meets_a_field_names_it_for_structs_and_for_maps() {
    for payload in [r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, r#"{"a":1,"a":1}"#] {
        let rename = || FieldMapper::new().rename("a", "b");
        for error in [
            both::<Map>(rename(), payload).unwrap_err(),
            both::<Pair>(rename(), payload).unwrap_err(),
        ] {
            assert_eq!(*error.kind(), Kind::Decode);
            assert_eq!(error.context("field"), Some("b"));
        }
    }
}

/// The two meet at the first step, whatever a later step does about it.
#[test]
fn a_meeting_counts_although_a_later_step_would_remove_the_field() {
    let steps = [
        FieldMapper::new().rename("a", "b"),
        FieldMapper::new().remove("b"),
    ];
    for change in [false, true] {
        let [first, second] = steps.clone();
        let mut history = documents().fields(2, first).fields(3, second);
        if change {
            history = history.change(4, nothing);
        }
        let schema = history.read_as::<Map>().build().unwrap();
        let error = read(&schema, 1, r#"{"a":1,"b":2}"#).unwrap_err();
        assert_eq!(error.context("field"), Some("b"));
        assert_eq!(read(&schema, 1, r#"{"a":1}"#).unwrap(), [Map::new()]);
        assert_eq!(
            read(&schema, 2, r#"{"a":1,"b":2}"#).unwrap(),
            [map(json!({"a": 1}))]
        );
    }
}

#[test]
fn a_default_is_a_field_for_the_steps_after_it() {
    for change in [false, true] {
        let mut history = documents()
            .fields(2, FieldMapper::new().default_value("a", 1))
            .fields(3, FieldMapper::new().rename("a", "b"))
            .fields(
                4,
                FieldMapper::new()
                    .default_value("a", 2)
                    .default_value("b", 3),
            );
        if change {
            history = history.change(5, nothing);
        }
        let schema = history.read_as::<Map>().build().unwrap();
        assert_eq!(
            read(&schema, 1, "{}").unwrap(),
            [map(json!({"a": 2, "b": 1}))]
        );
        assert_eq!(
            read(&schema, 3, "{}").unwrap(),
            [map(json!({"a": 2, "b": 3}))]
        );
        assert_eq!(
            read(&schema, 1, r#"{"a":0}"#).unwrap(),
            [map(json!({"a": 2, "b": 0}))]
        );
        // The default of step 2, renamed, meets the stored `b`.
        let error = read(&schema, 1, r#"{"b":0}"#).unwrap_err();
        assert_eq!(error.context("field"), Some("b"));
    }
}

#[test]
fn names_that_occur_twice_are_left_to_the_type_unless_they_are_renamed() {
    let other = || FieldMapper::new().remove("x").default_value("b", 9);
    let twice = r#"{"b":1,"b":2,"x":1,"x":2}"#;
    assert_eq!(both::<Map>(other(), twice).unwrap(), map(json!({"b": 2})));
    assert_eq!(
        *both::<Pair>(other(), twice).unwrap_err().kind(),
        Kind::Decode
    );
    assert_eq!(
        both::<Pair>(other(), r#"{"b":1,"z":1,"z":2}"#).unwrap(),
        Pair { b: Some(1) }
    );
}

/// Takes an error for the end of the object.
#[derive(Debug, PartialEq, Serialize)]
struct Careless;

impl<'de> Deserialize<'de> for Careless {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Careless;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Careless, A::Error> {
                while let Ok(Some(_)) = map.next_entry::<IgnoredAny, IgnoredAny>() {}
                Ok(Careless)
            }
        }
        d.deserialize_map(Keys)
    }
}

#[test]
fn a_type_cannot_overlook_that_fields_meet() {
    let schema = documents()
        .fields(2, FieldMapper::new().default_value("a", 1))
        .fields(3, FieldMapper::new().rename("a", "b"))
        .read_as::<Careless>()
        .build()
        .unwrap();
    let error = read(&schema, 1, r#"{"b":0}"#).unwrap_err();
    assert_eq!(error.context("field"), Some("b"));
    assert_eq!(read(&schema, 1, "{}").unwrap(), [Careless]);
}

#[test]
fn only_objects_have_fields() {
    let default = || FieldMapper::new().default_value("b", 1);
    for payload in ["[1]", "null", r#""text""#, "12", "true"] {
        for error in [
            both::<Value>(default(), payload).unwrap_err(),
            both::<Pair>(default(), payload).unwrap_err(),
            both::<Option<Pair>>(default(), payload).unwrap_err(),
        ] {
            assert!(error.to_string().contains("not an object"), "{error}");
        }
    }
    assert_eq!(
        both::<Option<Pair>>(default(), "{}").unwrap(),
        Some(Pair { b: Some(1) })
    );
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum External {
    Created { b: u32 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Wrapped(External);

#[test]
fn an_externally_tagged_enum_is_refused_with_the_way_out() {
    let payload = r#"{"Created":{"b":1}}"#;
    for error in [
        both::<External>(FieldMapper::new(), payload).unwrap_err(),
        both::<Wrapped>(FieldMapper::new(), payload).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(
            text.contains("externally tagged") && text.contains("serde(tag"),
            "{text}"
        );
    }
}

#[test]
fn a_default_that_does_not_fit_is_refused() {
    let mapper = FieldMapper::new().default_value("b", "text");
    let fused = documents()
        .fields(2, mapper.clone())
        .read_as::<Pair>()
        .build()
        .unwrap();
    let error = read(&fused, 1, "{}").unwrap_err();
    assert_eq!(error.context("field"), Some("b"));
    let document = documents()
        .fields(2, mapper)
        .change(3, nothing)
        .read_as::<Pair>();
    let error = read(&document.build().unwrap(), 1, "{}").unwrap_err();
    assert_eq!(*error.kind(), Kind::Decode);
}

#[test]
fn broken_json_is_refused_by_both_engines() {
    for payload in [
        "",
        "{",
        r#"{"a":1"#,
        r#"{"a":1}}"#,
        r#"{"a":1} x"#,
        r#"{"a":01}"#,
        "{a:1}",
    ] {
        let error = both::<Map>(FieldMapper::new().remove("a"), payload).unwrap_err();
        assert_eq!(*error.kind(), Kind::Decode, "{payload}");
    }
}

/// A format from elsewhere: JSON by way of a tree, to show that the fused
/// engine asks nothing of a format but serde.
#[derive(Clone)]
struct Tree;

const TREE: ContentType = ContentType::from_static("x/tree");

fn broken<E>(_: E) -> Error {
    Error::new(Kind::Decode, "broken")
}

impl<T: Serialize + DeserializeOwned> Codec<T> for Tree {
    fn encode(&self, value: &T) -> Result<Encoded> {
        Ok(Encoded::new(TREE, Codec::encode(&Json, value)?.payload))
    }
    fn accepts(&self, content_type: &ContentType) -> bool {
        *content_type == TREE
    }
    fn decode(&self, _: &ContentType, payload: &Bytes) -> Result<T> {
        serde_json::from_slice(payload).map_err(broken)
    }
}

impl SelfDescribing for Tree {
    fn knows(&self, content_type: &ContentType) -> bool {
        *content_type == TREE
    }
    fn open<'a>(&self, _: &ContentType, payload: &'a [u8]) -> Result<Document<'a>> {
        Json.open(&ContentType::JSON, payload)
    }
    fn read_mapped<T: DeserializeOwned>(
        &self,
        _: &ContentType,
        payload: &[u8],
        plan: &FieldPlan,
    ) -> Result<T> {
        let tree: Value = serde_json::from_slice(payload).map_err(broken)?;
        plan.read(tree, broken)
    }
}

#[test]
fn the_fused_engine_runs_over_another_format() {
    let mapper = FieldMapper::new()
        .rename("a", "b")
        .remove("x")
        .default_value("y", 1);
    let schema = Schema::documents(Tree, 1)
        .fields(2, mapper)
        .read_as::<Map>()
        .build()
        .unwrap();
    let read = |payload: &'static str| {
        let mut out = Vec::new();
        let read = schema.decode(1, &TREE, &payload.into(), &mut |value| {
            out.push(value);
            Ok(())
        });
        read.map(|()| out)
    };
    let expected = map(json!({"b": [1], "y": 1, "z": null}));
    assert_eq!(read(r#"{"a":[1],"x":2,"z":null}"#).unwrap(), [expected]);
    assert_eq!(
        read(r#"{"a":1,"b":2}"#).unwrap_err().context("field"),
        Some("b")
    );
    assert!(
        read("[]")
            .unwrap_err()
            .to_string()
            .contains("not an object")
    );
}
