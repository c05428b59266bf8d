//! The two engines over every format that names its fields, against each
//! other and against a specification.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_core::{
    Bson, Cbor, Codec, Document, Documents, FieldMapper, MessagePack, Result, Schema,
    SelfDescribing, Zstd,
};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::exact::Octets;
use super::value::{Fields, Has, Val, val};

const NAMES: [&str; 5] = ["a", "b", "c", "long", "é"];

/// A mapper that does not contradict itself, and what it means.
#[derive(Clone, Debug)]
struct Step {
    remove: Option<&'static str>,
    rename: Option<(&'static str, &'static str)>,
    default: Option<(&'static str, u8)>,
}

fn step() -> impl Strategy<Value = Step> {
    let name = || prop::sample::select(&NAMES[..]);
    let rename = (name(), name());
    (
        prop::option::of(name()),
        prop::option::of(rename),
        prop::option::of((name(), any::<u8>())),
    )
        .prop_map(|(remove, rename, default)| Step {
            remove,
            rename: rename.filter(|(from, to)| from != to && remove != Some(from)),
            default,
        })
}

impl Step {
    fn mapper(&self) -> FieldMapper {
        let mut mapper = FieldMapper::new();
        if let Some(name) = self.remove {
            mapper = mapper.remove(name);
        }
        if let Some((from, to)) = self.rename {
            mapper = mapper.rename(from, to);
        }
        if let Some((name, value)) = self.default {
            mapper = mapper.default_value(name, value);
        }
        mapper
    }

    /// `None` if two fields meet.
    fn specified(&self, fields: Fields) -> Option<Fields> {
        let mut out = fields.0;
        out.retain(|(name, _)| Some(name.as_str()) != self.remove);
        if let Some((from, to)) = self.rename {
            let mut renamed = 0;
            for (name, _) in &mut out {
                if name == from {
                    *name = to.to_owned();
                    renamed += 1;
                }
            }
            if renamed > 0 && out.iter().filter(|(name, _)| name == to).count() > 1 {
                return None;
            }
        }
        if let Some((default, value)) = self.default
            && !out.iter().any(|(name, _)| name == default)
        {
            out.push((default.to_owned(), Val::Int(value.into())));
        }
        Some(Fields(out))
    }
}

fn nothing(_: &mut Document<'_>) -> Result<()> {
    Ok(())
}

/// Reads through the steps, with a closure before the step `at`.
fn through<T, C>(codec: &C, steps: &[Step], at: Option<usize>, stored: &Fields) -> Result<T>
where
    T: DeserializeOwned + 'static,
    C: Codec<T> + Codec<Fields> + SelfDescribing + Clone + 'static,
{
    let mut history: Documents<C> = Schema::documents(codec.clone(), 1);
    let mut version = 1;
    for index in 0..=steps.len() {
        if at == Some(index) {
            version += 1;
            history = history.change(version, nothing);
        }
        if let Some(step) = steps.get(index) {
            version += 1;
            history = history.fields(version, step.mapper());
        }
    }
    let schema = history.read_as::<T>().build().unwrap();
    let written = codec.encode(stored).unwrap();
    let mut values = Vec::new();
    schema.decode(1, &written.content_type, &written.payload, &mut |value| {
        values.push(value);
        Ok(())
    })?;
    Ok(values.remove(0))
}

fn agree<C>(codec: &C, steps: &[Step], stored: &Fields) -> Result<(), TestCaseError>
where
    C: Codec<Fields> + SelfDescribing + Clone + 'static,
{
    let specified = steps
        .iter()
        .try_fold(stored.clone(), |fields, step| step.specified(fields));
    for at in (0..=steps.len()).map(Some).chain([None]) {
        let read = through::<Fields, C>(codec, steps, at, stored);
        prop_assert_eq!(read.ok(), specified.clone(), "closure before {:?}", at);
    }
    Ok(())
}

fn stored(has: Has) -> impl Strategy<Value = Fields> {
    let name = prop_oneof![
        8 => prop::sample::select(&NAMES[..]).prop_map(String::from),
        2 => "[x-z]",
    ];
    prop::collection::vec((name, val(has)), 0..7).prop_map(Fields)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn cbor(
        stored in stored(Has { wide_integers: true, long_integers: true }),
        steps in steps(),
    ) {
        agree(&Cbor, &steps, &stored)?;
        agree(&Zstd::new(Cbor), &steps, &stored)?;
    }

    #[test]
    fn messagepack(
        stored in stored(Has { wide_integers: true, long_integers: false }),
        steps in steps(),
    ) {
        agree(&MessagePack, &steps, &stored)?;
    }

    #[test]
    fn bson(
        stored in stored(Has { wide_integers: false, long_integers: false }),
        steps in steps(),
    ) {
        agree(&Bson, &steps, &stored)?;
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Old<N> {
    n: N,
    bytes: Octets,
    float: f32,
    gone: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct New<N> {
    number: N,
    bytes: Octets,
    float: f32,
    more: N,
}

/// 128-bit integers and byte strings pass through both engines, and are what
/// a closure gets and sets.
fn is_exact<N, C>(codec: &C, n: &N, more: &N)
where
    N: Clone + PartialEq + std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec<Old<N>> + Codec<New<N>> + SelfDescribing + Clone + 'static,
{
    let old = Old {
        n: n.clone(),
        bytes: Octets(vec![0, 0xff]),
        float: 1e-45,
        gone: vec!["x".repeat(300)],
    };
    let new = New {
        number: n.clone(),
        bytes: old.bytes.clone(),
        float: old.float,
        more: more.clone(),
    };
    let mapper = FieldMapper::new()
        .rename("n", "number")
        .remove("gone")
        .default_value("more", more.clone());
    let fused = Schema::documents(codec.clone(), 1).fields(2, mapper.clone());
    let opened = Schema::documents(codec.clone(), 1)
        .fields(2, mapper)
        .change(3, nothing);
    let added = more.clone();
    let changed = Schema::documents(codec.clone(), 1).change(2, move |d| {
        let n: N = d.take("n")?.unwrap();
        d.set("number", &n)?;
        assert_eq!(d.get::<Octets>("bytes")?.unwrap().0, [0, 0xff]);
        assert!(d.remove("gone"));
        d.set("more", &added)
    });
    let written = codec.encode(&old).unwrap();
    for history in [fused, opened, changed] {
        let schema = history.read_as::<New<N>>().build().unwrap();
        let mut values = Vec::new();
        let out = &mut |value| {
            values.push(value);
            Ok(())
        };
        let read = schema.decode(1, &written.content_type, &written.payload, out);
        read.unwrap();
        assert_eq!(values, std::slice::from_ref(&new));
    }
}

#[test]
fn nothing_is_lost_on_the_way() {
    is_exact(&Cbor, &u128::MAX, &(1 << 127));
    is_exact(&Cbor, &i128::MIN, &-1);
    is_exact(&MessagePack, &u128::MAX, &(1 << 127));
    is_exact(&MessagePack, &i128::MIN, &1);
    is_exact(&Zstd::new(MessagePack), &u64::MAX, &(1 << 63));
    is_exact(&Bson, &i64::MIN, &i64::MAX);
    is_exact(&Zstd::new(Cbor), &u64::MAX, &(1 << 63));
}

/// Fields whose names are not text have no name for the steps and go on to
/// the type.
#[test]
fn keys_that_are_not_text_go_through_both_engines() {
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct Wrapped(Option<i64>);

    fn pass<K, C>(codec: &C, keys: [K; 3])
    where
        K: Ord + Clone + std::fmt::Debug + Serialize + DeserializeOwned + 'static,
        C: Codec<BTreeMap<K, u8>> + SelfDescribing + Clone + 'static,
    {
        let stored: BTreeMap<K, u8> = keys.into_iter().zip([1, 2, 3]).collect();
        let written = codec.encode(&stored).unwrap();
        let mapper = FieldMapper::new().rename("old", "new").remove("gone");
        let fused = Schema::documents(codec.clone(), 1).fields(2, mapper.clone());
        let opened = Schema::documents(codec.clone(), 1)
            .fields(2, mapper)
            .change(3, nothing);
        for history in [fused, opened] {
            let schema = history.read_as::<BTreeMap<K, u8>>().build().unwrap();
            let mut values = Vec::new();
            let out = &mut |value| {
                values.push(value);
                Ok(())
            };
            let read = schema.decode(1, &written.content_type, &written.payload, out);
            read.unwrap();
            assert_eq!(values, std::slice::from_ref(&stored));
        }
    }
    pass(&MessagePack, [i64::MIN, 0, i64::MAX]);
    pass(&MessagePack, [0, 1, u64::MAX]);
    pass(&MessagePack, [-1, 0, 1].map(|n| Wrapped(Some(n))));
    pass(&Cbor, [i128::MIN, 0, i128::MAX]);
    pass(&Cbor, [0, 1, u128::MAX]);
    pass(&Cbor, [-1, 0, 1].map(|n| Wrapped(Some(n))));
    pass(&Cbor, ["", "a", "é"].map(String::from));
}

#[test]
fn other_payloads_than_objects_are_refused() {
    fn refuses<C: Codec<Fields> + Codec<Vec<u8>> + SelfDescribing + Clone + 'static>(codec: &C) {
        let written = codec.encode(&vec![1_u8, 2]).unwrap();
        for change in [false, true] {
            let mut history = Schema::documents(codec.clone(), 1).fields(2, FieldMapper::new());
            if change {
                history = history.change(3, nothing);
            }
            let schema = history.read_as::<Fields>().build().unwrap();
            let payload: &Bytes = &written.payload;
            let read = schema.decode(1, &written.content_type, payload, &mut |_| Ok(()));
            let error = read.unwrap_err();
            assert!(error.to_string().contains("not an object"), "{error}");
        }
    }
    refuses(&MessagePack);
    refuses(&Cbor);
    refuses(&Zstd::new(Cbor));
}
