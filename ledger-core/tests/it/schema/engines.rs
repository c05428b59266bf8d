//! The two engines, against each other and against a specification.

use std::collections::BTreeMap;
use std::fmt;

use ledger_core::{Documents, FieldMapper, Json, Schema};
use proptest::prelude::*;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{documents, nothing, read};

const NAMES: [&str; 6] = ["a", "b", "c", "long", "é\"", "more"];

#[derive(Clone, Debug)]
pub(super) enum Op {
    Rename(&'static str, &'static str),
    Remove(&'static str),
    Default(&'static str, u8),
}

fn op() -> impl Strategy<Value = Op> {
    let name = || prop::sample::select(&NAMES[..]);
    prop_oneof![
        3 => (name(), name()).prop_map(|(from, to)| Op::Rename(from, to)),
        1 => name().prop_map(Op::Remove),
        2 => (name(), any::<u8>()).prop_map(|(name, value)| Op::Default(name, value)),
    ]
}

/// Operations of one mapper that do not contradict each other.
pub(super) fn step() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 0..5).prop_map(|ops| {
        let mut kept: Vec<Op> = Vec::new();
        for op in ops {
            kept.push(op);
            if documents()
                .fields(2, mapper(&kept))
                .read_as::<Fields>()
                .build()
                .is_err()
            {
                kept.pop();
            }
        }
        kept
    })
}

pub(super) fn mapper(ops: &[Op]) -> FieldMapper {
    ops.iter().fold(FieldMapper::new(), |mapper, op| match *op {
        Op::Rename(from, to) => mapper.rename(from, to),
        Op::Remove(name) => mapper.remove(name),
        Op::Default(name, value) => mapper.default_value(name, value),
    })
}

/// Names and JSON texts in order, as stored and as read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fields(pub(super) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    fields.push((name, value.get().to_owned()));
                }
                Ok(Fields(fields))
            }
        }
        d.deserialize_map(Pairs)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(name, json)| {
            (
                name,
                RawValue::from_string(json.clone()).expect("the value is JSON"),
            )
        }))
    }
}

pub(super) fn stored() -> impl Strategy<Value = Fields> {
    let name = prop_oneof![
        8 => prop::sample::select(&NAMES[..]).prop_map(String::from),
        2 => "[x-z]",
    ];
    let json = prop_oneof![
        any::<u8>().prop_map(|n| n.to_string()),
        any::<Option<u128>>().prop_map(|n| serde_json::to_string(&n).unwrap()),
        Just("1e400".to_owned()),
        Just(r#"{"a":[1.50]}"#.to_owned()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    prop::collection::vec((name, json), 0..7).prop_map(Fields)
}

/// What a step means, said as plainly as possible; `None` if two fields meet.
pub(super) fn specified(fields: Fields, ops: &[Op]) -> Option<Fields> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut renamed_to = Vec::new();
    for (name, json) in fields.0 {
        if ops
            .iter()
            .any(|op| matches!(op, Op::Remove(removed) if *removed == name))
        {
            continue;
        }
        let to = ops.iter().find_map(|op| match op {
            Op::Rename(from, to) if *from == name => Some(*to),
            _ => None,
        });
        renamed_to.extend(to);
        out.push((to.map_or(name, String::from), json));
    }
    for to in renamed_to {
        if out.iter().filter(|(name, _)| name == to).count() > 1 {
            return None;
        }
    }
    for op in ops {
        if let Op::Default(default, value) = op
            && !out.iter().any(|(name, _)| name == default)
        {
            out.push(((*default).to_owned(), value.to_string()));
        }
    }
    Some(Fields(out))
}

/// The chain, with a closure that does nothing before step `at`.
fn history(steps: &[Vec<Op>], at: Option<usize>) -> Documents<Json> {
    let mut history = documents();
    let mut version = 1;
    for index in 0..=steps.len() {
        if at == Some(index) {
            version += 1;
            history = history.change(version, nothing);
        }
        if let Some(ops) = steps.get(index) {
            version += 1;
            history = history.fields(version, mapper(ops));
        }
    }
    history
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Struct {
    a: Option<u8>,
    b: Option<u128>,
    #[serde(default)]
    c: Option<serde_json::Value>,
    long: Option<Box<Struct>>,
    more: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    a: Option<u8>,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "more")]
enum Tagged {
    #[serde(rename = "")]
    Empty { a: u8 },
    #[serde(untagged)]
    Other(BTreeMap<String, serde_json::Value>),
}

/// What a type makes of the specified fields, or refuses.
fn agrees<T>(
    steps: &[Vec<Op>],
    stored: &str,
    specified: Option<&Fields>,
) -> Result<(), TestCaseError>
where
    T: Serialize + DeserializeOwned + PartialEq + fmt::Debug + 'static,
{
    let plain = specified.and_then(|fields| {
        let text = serde_json::to_string(fields).unwrap();
        serde_json::from_str::<T>(&text).ok()
    });
    let places = (0..=steps.len()).map(Some).chain([None]);
    for at in places {
        let schema: Schema<T> = history(steps, at).read_as().build().unwrap();
        match (read(&schema, 1, stored), &plain) {
            (Ok(values), Some(plain)) => prop_assert_eq!(&values[..], std::slice::from_ref(plain)),
            (Err(_), None) => {}
            (got, _) => prop_assert!(false, "closure {:?}: {:?}, plainly {:?}", at, got, plain),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Each engine gives what the steps mean, value for value, refusal for
    /// refusal, whatever the type.
    #[test]
    fn both_engines_do_what_the_steps_mean(
        stored in stored(),
        steps in prop::collection::vec(step(), 1..5),
    ) {
        let text = serde_json::to_string(&stored).unwrap();
        let specified = steps.iter().try_fold(stored, |fields, ops| specified(fields, ops));
        let specified = specified.as_ref();
        agrees::<Fields>(&steps, &text, specified)?;
        agrees::<BTreeMap<String, serde_json::Value>>(&steps, &text, specified)?;
        agrees::<Struct>(&steps, &text, specified)?;
        agrees::<Flat>(&steps, &text, specified)?;
        agrees::<Tagged>(&steps, &text, specified)?;
    }
}
