//! What closures do to a document.

use std::collections::BTreeMap;

use ledger_core::{Document, Error, FieldMapper, Kind, Result};
use serde_json::{Value, json};

use super::engines::Fields;
use super::{Map, documents, map, read};

fn changed(
    payload: &str,
    change: impl for<'a> Fn(&mut Document<'a>) -> Result<()> + Send + Sync + 'static,
) -> Result<Value> {
    let schema = documents()
        .change(2, change)
        .read_as::<Value>()
        .build()
        .unwrap();
    read(&schema, 1, payload).map(|mut values| values.remove(0))
}

#[test]
fn a_closure_takes_sets_and_removes() {
    let payload = r#"{"amount":12.5,"keep":{"n":340282366920938463463374607431768211455},"x":1}"#;
    let value = changed(payload, |d| {
        assert!(d.has("amount") && !d.has("cents"));
        assert_eq!(d.get::<u128>("none")?, None);
        assert_eq!(
            d.get::<BTreeMap<String, u128>>("keep")?.unwrap()["n"],
            u128::MAX
        );
        let amount: f64 = d.take("amount")?.unwrap_or(0.);
        assert!(!d.has("amount"));
        d.set("cents", &((amount * 100.).round() as i64))?;
        d.set(String::from("x"), "text")?;
        assert!(d.remove("keep") && !d.remove("keep"));
        Ok(())
    });
    assert_eq!(value.unwrap(), json!({"cents": 1250, "x": "text"}));
}

#[test]
fn fields_keep_their_places_and_new_ones_come_last() {
    let schema = documents()
        .change(2, |d| {
            d.set("b", &0)?;
            d.set("new", &1)?;
            let a: u8 = d.take("a")?.unwrap_or(0);
            d.set("a", &a)
        })
        .read_as::<Fields>()
        .build()
        .unwrap();
    let fields = &read(&schema, 1, r#"{"a":1,"b":2,"c":1.50}"#).unwrap()[0].0;
    let texts: Vec<String> = fields
        .iter()
        .map(|(name, json)| format!("{name}={json}"))
        .collect();
    assert_eq!(texts, ["b=0", "c=1.50", "new=1", "a=1"]);
}

#[test]
fn null_is_there() {
    let value = changed(r#"{"a":null}"#, |d| {
        assert!(d.has("a"));
        assert_eq!(d.get::<Option<u8>>("a")?, Some(None));
        assert!(d.get::<u8>("a").is_err());
        Ok(())
    });
    assert_eq!(value.unwrap(), json!({"a": null}));
}

#[test]
fn a_take_that_fails_leaves_the_field() {
    let value = changed(r#"{"a":"1"}"#, |d| {
        assert!(d.take::<u8>("a").is_err());
        let text: String = d.take("a")?.unwrap_or_default();
        d.set("a", &text.parse::<u8>().unwrap_or(0))
    });
    assert_eq!(value.unwrap(), json!({"a": 1}));
}

#[test]
fn what_a_closure_fails_with_is_a_decode_error() {
    type Change = for<'a> fn(&mut Document<'a>) -> Result<()>;
    let cases: [(Change, Option<&str>); 5] = [
        (|d| d.get::<u8>("text").map(drop), Some("text")),
        (|d| d.get::<u8>("twice").map(drop), Some("twice")),
        (|d| d.set("twice", &1), Some("twice")),
        (|d| d.set("new", &f64::NAN), Some("new")),
        (|_| Err(Error::new(Kind::Internal, "mine")), None),
    ];
    for (change, field) in cases {
        let error = changed(r#"{"text":"x","twice":1,"twice":2}"#, change).unwrap_err();
        assert_eq!(*error.kind(), Kind::Decode);
        assert_eq!(error.context("field"), field);
        assert_eq!(error.context("schema_version"), Some("1"));
    }
}

#[test]
fn fields_and_closures_mix_in_the_order_they_are_written() {
    let schema = documents()
        .fields(2, FieldMapper::new().rename("a", "b"))
        .change(3, |d| {
            let b: u32 = d.take("b")?.unwrap_or(0);
            d.set("c", &(b + 1))
        })
        .fields(4, FieldMapper::new().rename("c", "d"))
        .read_as::<Map>()
        .upcast(5, |mut map: Map| {
            map.insert("typed".into(), json!(true));
            map
        })
        .build()
        .unwrap();
    for (version, stored) in [(1, r#"{"a":1}"#), (2, r#"{"b":1}"#), (3, r#"{"c":2}"#)] {
        let expected = map(json!({"d": 2, "typed": true}));
        assert_eq!(read(&schema, version, stored).unwrap(), [expected]);
    }
    assert_eq!(
        read(&schema, 4, r#"{"c":2}"#).unwrap(),
        [map(json!({"c": 2, "typed": true}))]
    );
    assert_eq!(
        read(&schema, 5, r#"{"c":2}"#).unwrap(),
        [map(json!({"c": 2}))]
    );
}
