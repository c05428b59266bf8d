//! Steps compose: to go from one version to a later one is to go by any
//! version in between.

use bytes::Bytes;
use ledger_core::{
    Bson, Cbor, Codec, ContentType, FieldMapper, Json, MessagePack, Postcard, Schema,
    SelfDescribing, Zstd,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::value::{Fields, Has, val};

/// Each version has its own type; the trail tells which steps were taken.
macro_rules! versions {
    ($($name:ident { $($field:ident: $ty:ty),* })*) => {$(
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct $name { trail: Vec<u8>, $($field: $ty),* }
    )*};
}

versions! {
    V1 { amount: i32, note: Option<String> }
    V2 { cents: i64, note: Option<String> }
    V3 { cents: i64, note: String }
}

fn second(v: V1) -> V2 {
    V2 {
        trail: [v.trail, vec![2]].concat(),
        cents: i64::from(v.amount) * 100,
        note: v.note,
    }
}

fn third(v: V2) -> V3 {
    V3 {
        trail: [v.trail, vec![3]].concat(),
        cents: v.cents,
        note: v.note.unwrap_or_default(),
    }
}

fn read<T: 'static>(schema: &Schema<T>, version: u32, kind: &ContentType, bytes: &Bytes) -> T {
    let mut values = Vec::new();
    let out = &mut |value| {
        values.push(value);
        Ok(())
    };
    schema.decode(version, kind, bytes, out).unwrap();
    assert_eq!(values.len(), 1);
    values.remove(0)
}

/// Reads a value as stored at a version.
fn at<T: 'static, U>(schema: &Schema<T>, codec: &impl Codec<U>, version: u32, value: &U) -> T {
    let written = codec.encode(value).unwrap();
    read(schema, version, &written.content_type, &written.payload)
}

fn typed_chains_compose<C>(codec: &C, v1: &V1) -> Result<(), TestCaseError>
where
    C: Codec<V1> + Codec<V2> + Codec<V3> + Clone + 'static,
{
    let to_2 = Schema::typed(codec.clone(), 1)
        .upcast(2, second)
        .build()
        .unwrap();
    let from_2 = Schema::typed(codec.clone(), 2)
        .upcast(3, third)
        .build()
        .unwrap();
    let to_3 = Schema::typed(codec.clone(), 1)
        .upcast(2, second)
        .upcast(3, third);
    let to_3 = to_3.build().unwrap();
    let jump = Schema::typed(codec.clone(), 1)
        .upcast(2, second)
        .upcast(3, third)
        .jump(1, |v: V1| third(second(v)))
        .build()
        .unwrap();

    // v1 → v3 is v1 → v2, stored as v2, → v3.
    let v2 = at(&to_2, codec, 1, v1);
    let v3 = at(&from_2, codec, 2, &v2);
    prop_assert_eq!(&at(&to_3, codec, 1, v1), &v3);
    prop_assert_eq!(&at(&to_3, codec, 2, &v2), &v3);
    // The current version is left as it is.
    prop_assert_eq!(&at(&to_3, codec, 3, &v3), &v3);
    let again = to_3.encode(&v3).unwrap();
    prop_assert_eq!(again.schema_version, 3);
    prop_assert_eq!(&read(&to_3, 3, &again.content_type, &again.payload), &v3);
    // A jump that does what the steps do changes nothing, for any version.
    prop_assert_eq!(&at(&jump, codec, 1, v1), &v3);
    prop_assert_eq!(&at(&jump, codec, 2, &v2), &v3);
    prop_assert_eq!(&at(&jump, codec, 3, &v3), &v3);
    Ok(())
}

/// As [`typed_chains_compose`], over documents of any shape: what a stored
/// document is read as does not depend on whether it was stored again on the
/// way.
fn field_chains_compose<C>(codec: &C, stored: &Fields) -> Result<(), TestCaseError>
where
    C: Codec<Fields> + SelfDescribing + Clone + 'static,
{
    let one = || FieldMapper::new().rename("a", "b").remove("c");
    let two = || FieldMapper::new().rename("b", "d").default_value("e", 7);
    let start = |version| Schema::documents(codec.clone(), version);
    let to_2 = start(1)
        .fields(2, one())
        .read_as::<Fields>()
        .build()
        .unwrap();
    let from_2 = start(2)
        .fields(3, two())
        .read_as::<Fields>()
        .build()
        .unwrap();
    let fused = start(1).fields(2, one()).fields(3, two());
    let fused = fused.read_as::<Fields>().build().unwrap();
    let opened = start(1).fields(2, one()).change(3, |d| {
        // What `two` does.
        if let Some(b) = d.take::<super::value::Val>("b")? {
            d.set("d", &b)?;
        }
        if !d.has("e") {
            d.set("e", &7)?;
        }
        Ok(())
    });
    let opened = opened.read_as::<Fields>().build().unwrap();
    let sorted = |mut fields: Fields| {
        fields.0.sort_by(|(a, _), (b, _)| a.cmp(b));
        fields
    };

    let v2 = at(&to_2, codec, 1, stored);
    let v3 = at(&from_2, codec, 2, &v2);
    prop_assert_eq!(&at(&fused, codec, 1, stored), &v3);
    prop_assert_eq!(&at(&fused, codec, 2, &v2), &v3);
    prop_assert_eq!(&at(&fused, codec, 3, &v3), &v3);
    prop_assert_eq!(sorted(at(&opened, codec, 1, stored)), sorted(v3));
    Ok(())
}

fn v1() -> impl Strategy<Value = V1> {
    (any::<i32>(), any::<Option<String>>()).prop_map(|(amount, note)| V1 {
        trail: vec![1],
        amount,
        note,
    })
}

/// Fields with names of their own, `a` and `c` perhaps among them; `b`, `d`
/// and `e` would meet others.
fn stored() -> impl Strategy<Value = Fields> {
    let narrow = Has {
        wide_integers: false,
        long_integers: false,
    };
    let names = prop::sample::subsequence(vec!["a", "c", "f", "x", "é"], 0..=5);
    (names, prop::collection::vec(val(narrow), 5)).prop_map(|(names, values)| {
        let names = names.into_iter().map(String::from);
        Fields(names.zip(values).collect())
    })
}

proptest! {
    #[test]
    fn typed(v1 in v1()) {
        typed_chains_compose(&Json, &v1)?;
        typed_chains_compose(&MessagePack, &v1)?;
        typed_chains_compose(&Cbor, &v1)?;
        typed_chains_compose(&Bson, &v1)?;
        typed_chains_compose(&Postcard, &v1)?;
        typed_chains_compose(&Zstd::new(Json), &v1)?;
    }

    #[test]
    fn fields(stored in stored()) {
        field_chains_compose(&MessagePack, &stored)?;
        field_chains_compose(&Cbor, &stored)?;
        field_chains_compose(&Bson, &stored)?;
        field_chains_compose(&Zstd::new(Cbor), &stored)?;
    }
}
