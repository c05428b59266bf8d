//! Typed steps, jumps and splits.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use ledger_core::{ContentType, Error, FieldMapper, Json, Kind, Raw, Result, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::{documents, nothing, read};

/// Each version's type is its own, so that a step in the wrong place would
/// not compile; the trail tells which steps ran, and how often.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct V1(pub(super) String);
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct V3(pub(super) String);
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct V4(pub(super) String);
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct V9(String);

fn chain() -> Schema<V9> {
    Schema::typed(Json, 1)
        .upcast(3, |v: V1| V3(v.0 + ">3"))
        .upcast(4, |v| V4(v.0 + ">4"))
        .upcast(9, |v| V9(v.0 + ">9"))
        .build()
        .unwrap()
}

#[test]
fn each_version_goes_through_each_later_step_once_and_in_order() {
    let schema = chain();
    assert_eq!(schema.version(), 9);
    for (version, trail) in [(1, "x>3>4>9"), (3, "x>4>9"), (4, "x>9"), (9, "x")] {
        assert_eq!(
            read(&schema, version, r#""x""#).unwrap(),
            [V9(trail.into())]
        );
    }
}

#[test]
fn what_is_written_carries_the_current_version() {
    let entry = chain().encode(&V9("x".into())).unwrap();
    assert_eq!(entry.schema_version, 9);
    assert_eq!(entry.content_type, ContentType::JSON);
    assert_eq!(entry.payload, r#""x""#);
}

#[test]
fn a_version_that_nobody_declared_is_an_error_that_names_it() {
    for version in [2, 8, 0] {
        let error = read(&chain(), version, r#""x""#).unwrap_err();
        assert_eq!(*error.kind(), Kind::Decode);
        assert_eq!(error.context_as("schema_version"), Some(version));
        assert!(
            error.to_string().contains("versions 1, 3, 4 and 9"),
            "{error}"
        );
    }
    let plain = SchemaRef::<V1>::json();
    let payload = Bytes::from_static(br#""x""#);
    let error = plain
        .decode(0, &ContentType::JSON, &payload, &mut |_| Ok(()))
        .unwrap_err();
    assert_eq!(*error.kind(), Kind::Decode);
}

#[test]
fn a_newer_version_is_an_error_of_its_own_kind() {
    let error = read(&chain(), 10, r#""x""#).unwrap_err();
    assert_eq!(
        *error.kind(),
        Kind::NewerVersion {
            known: 9,
            found: 10
        }
    );

    let plain = SchemaRef::<V1>::json();
    let payload = Bytes::from_static(br#""x""#);
    let error = plain
        .decode(2, &ContentType::JSON, &payload, &mut |_| Ok(()))
        .unwrap_err();
    assert_eq!(*error.kind(), Kind::NewerVersion { known: 1, found: 2 });
}

#[test]
fn another_content_type_is_refused_at_every_version() {
    let typed = chain();
    let fields = documents()
        .fields(2, FieldMapper::new())
        .read_as::<V9>()
        .build()
        .unwrap();
    let change = documents()
        .change(2, nothing)
        .read_as::<V9>()
        .build()
        .unwrap();
    let jump = Schema::typed(Json, 1)
        .upcast(2, |v: V1| V9(v.0))
        .jump(1, |v: V1| V9(v.0))
        .build()
        .unwrap();
    let cases = [
        (&typed, 1),
        (&typed, 9),
        (&fields, 1),
        (&fields, 2),
        (&change, 1),
        (&jump, 1),
    ];
    for (schema, version) in cases {
        let payload = Bytes::from_static(br#""x""#);
        let result = schema.decode(version, &ContentType::BYTES, &payload, &mut |_| Ok(()));
        let error = result.unwrap_err();
        assert_eq!(*error.kind(), Kind::Decode);
        assert_eq!(
            error.context("content_type"),
            Some("application/octet-stream")
        );
    }
}

#[test]
fn a_jump_replaces_the_steps_of_its_version_only() {
    let schema = Schema::typed(Json, 1)
        .upcast(2, |v: V1| V3(v.0 + ">2"))
        .upcast(3, |v| V4(v.0 + ">3"))
        .jump(1, |v: V1| V4(v.0 + ">>3"))
        .upcast(4, |v| V9(v.0 + ">4"))
        .build()
        .unwrap();
    for (version, trail) in [(1, "x>>3>4"), (2, "x>3>4"), (3, "x>4")] {
        assert_eq!(
            read(&schema, version, r#""x""#).unwrap(),
            [V9(trail.into())]
        );
    }
}

#[test]
fn a_jump_can_start_at_a_document() {
    let schema = documents()
        .change(2, |_| Err(Error::new(Kind::Decode, "not this way")))
        .read_as::<V4>()
        .jump(1, |v: V1| V4(v.0 + ">>2"))
        .build()
        .unwrap();
    assert_eq!(read(&schema, 1, r#""x""#).unwrap(), [V4("x>>2".into())]);
}

#[test]
fn a_split_makes_any_number_of_values_in_order_and_later_steps_see_each() {
    let schema = Schema::typed(Json, 1)
        .split(2, |lines: Vec<String>| lines.into_iter().map(V3))
        .split(3, |v| [V4(v.0.clone() + "a"), V4(v.0 + "b")])
        .upcast(4, |v| V9(v.0 + ">4"))
        .build()
        .unwrap();
    let values = read(&schema, 1, r#"["x","y"]"#).unwrap();
    let texts: Vec<&str> = values.iter().map(|v| v.0.as_str()).collect();
    assert_eq!(texts, ["xa>4", "xb>4", "ya>4", "yb>4"]);
    assert_eq!(read(&schema, 1, "[]").unwrap(), []);
    assert_eq!(read(&schema, 3, r#""x""#).unwrap(), [V9("x>4".into())]);
}

#[test]
fn an_error_in_the_middle_of_a_split_ends_it() {
    static PULLED: AtomicUsize = AtomicUsize::new(0);
    let schema = Schema::typed(Json, 1)
        .split(2, |lines: Vec<String>| {
            lines.into_iter().inspect(|_| {
                PULLED.fetch_add(1, Ordering::Relaxed);
            })
        })
        .try_upcast(3, |line| {
            line.parse::<u8>()
                .map_err(|_| Error::new(Kind::Decode, "not a number"))
        })
        .build()
        .unwrap();
    let mut seen = Vec::new();
    let payload = Bytes::from_static(br#"["1","x","3"]"#);
    let error = schema.decode(1, &ContentType::JSON, &payload, &mut |n| {
        seen.push(n);
        Ok(())
    });
    assert!(error.unwrap_err().to_string().contains("not a number"));
    assert_eq!(seen, [1]);
    assert_eq!(PULLED.load(Ordering::Relaxed), 2);
}

#[test]
fn what_the_reader_answers_comes_back_as_it_is() {
    let schema = Schema::typed(Json, 1)
        .split(2, |n: u32| vec![n, n])
        .try_upcast(3, |n| Ok(n + 1))
        .build()
        .unwrap();
    let payload = Bytes::from_static(b"7");
    for version in [1, 2, 3] {
        let mut calls = 0;
        let result = schema.decode(version, &ContentType::JSON, &payload, &mut |_| {
            calls += 1;
            Err(Error::new(Kind::LimitReached, "enough"))
        });
        let error = result.unwrap_err();
        assert_eq!(*error.kind(), Kind::LimitReached);
        assert_eq!(error.context("schema_version"), None);
        assert_eq!(calls, 1);
    }
}

#[test]
fn whatever_a_step_refuses_with_is_a_decode_error() {
    let schema = Schema::typed(Json, 1)
        .try_upcast(2, |v: V1| -> Result<V9> {
            match v.0.as_str() {
                "own" => Err(Error::new(Kind::Decode, "mine")),
                _ => Err(Error::new(Kind::Timeout, "theirs")),
            }
        })
        .build()
        .unwrap();
    let own = read(&schema, 1, r#""own""#).unwrap_err();
    assert_eq!(own.to_string(), "cannot decode: mine (schema_version: 1)");
    let other = read(&schema, 1, r#""other""#).unwrap_err();
    assert_eq!(*other.kind(), Kind::Decode);
    let source = std::error::Error::source(&other).unwrap();
    assert!(source.to_string().contains("theirs"));
}

#[test]
fn a_codec_need_not_be_json_nor_the_type_clone_or_send() {
    let raw = Schema::typed(Raw, 1)
        .upcast(2, |b: Bytes| b.slice(1..))
        .build()
        .unwrap();
    let mut out = Vec::new();
    let any = ContentType::from_static("x/y");
    let payload = Bytes::from_static(b"abc");
    raw.decode(1, &any, &payload, &mut |b| {
        out.push(b);
        Ok(())
    })
    .unwrap();
    assert_eq!(out, ["bc"]);

    #[derive(Serialize, Deserialize)]
    struct NotSend {
        #[serde(skip)]
        _rc: Rc<()>,
    }
    fn shared<S: Send + Sync + Clone>(_: &S) {}
    shared(&SchemaRef::<NotSend>::default());
    let schema = Schema::typed(Json, 1)
        .upcast(2, |_: V1| NotSend { _rc: Rc::new(()) })
        .build()
        .unwrap();
    shared(&SchemaRef::from(schema));
}

#[test]
fn every_way_to_hold_a_schema_is_the_same_schema() {
    static LAZY: LazyLock<Schema<V9>> = LazyLock::new(chain);
    let schemas: [SchemaRef<V9>; 4] = [
        SchemaRef::from(&LAZY),
        SchemaRef::from(&*LAZY),
        SchemaRef::from(Arc::new(chain())),
        SchemaRef::from(chain()),
    ];
    for schema in schemas {
        let schema = schema.clone();
        assert_eq!(schema.version(), 9);
        assert_eq!(schema.encode(&V9("x".into())).unwrap().schema_version, 9);
        let mut values = Vec::new();
        let payload = Bytes::from_static(br#""x""#);
        let out = &mut |v| {
            values.push(v);
            Ok(())
        };
        schema.decode(4, &ContentType::JSON, &payload, out).unwrap();
        assert_eq!(values, [V9("x>9".into())]);
    }
    assert_eq!(SchemaRef::<V9>::json().version(), 1);
}
