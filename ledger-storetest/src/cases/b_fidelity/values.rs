//! Values of Rust types at the edges of what JSON can say.

use std::collections::BTreeMap;
use std::fmt::Debug;

use ledger_core::{ContentType, EntryId, Kind, NewEntry, Query, RawEntry, StoreExt};
use serde::{Deserialize, Serialize};

use super::comes_back;
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Handle, Lab};
use crate::sample::{append_one, name};

/// NaN and the infinities are refused wherever they are in a value, before
/// anything is stored, and numbers that only integers hold exactly come back
/// exactly. Catches NaN that is stored as null, and floats on the way.
pub(crate) async fn b11_nan_rejected<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("b11");
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        lab.step(format!("the float {bad}"));
        encodes_not(&store, bad).await?;
        encodes_not(&store, bad as f32).await?;
        encodes_not(&store, Some(bad)).await?;
        encodes_not(&store, vec![vec![1.0, bad]]).await?;
        encodes_not(&store, BTreeMap::from([("a", 1.0), ("b", bad)])).await?;
    }
    check::equal("P7", "the stream", store.stat(&stream).await?, None)?;
    let numbers = [0, (1 << 53) + 1, u64::MAX - 1, u64::MAX];
    let typed = store.stream::<u64>(&stream);
    typed.append_all(numbers).await?;
    let page = typed.read(Query::new()).await?;
    let found: Vec<u64> = page.into_iter().map(|entry| entry.value).collect();
    check::same_list("P16", "integers", &found, &numbers)?;
    Ok(Ran::Whole)
}

async fn encodes_not<I: EntryId, T>(store: &Handle<I>, value: T) -> Result<(), Failure>
where
    T: Serialize + Debug + Send + Sync + 'static,
{
    let step = format!("{value:?}");
    let stream = store.stream::<Written<T>>("b11");
    let call = stream.append(NewEntry::new(Written(value)));
    check::refused("P24", step, call.await, "Encode", |kind| {
        *kind == Kind::Encode
    })?;
    Ok(())
}

/// A value that is only written: the typed layer wants both ways.
#[derive(Debug)]
struct Written<T>(T);

impl<T: Serialize> Serialize for Written<T> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(s)
    }
}

impl<'de, T> Deserialize<'de> for Written<T> {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("only written"))
    }
}

/// A list in a list in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Nest(Vec<Nest>);

fn nest(depth: usize) -> Nest {
    (1..depth).fold(Nest(Vec::new()), |inner, _| Nest(vec![inner]))
}

/// As deep as a type can be read it is written, and deeper is refused when it
/// is written, not when it is too late; bytes that are nested deeper are the
/// caller's business and come back as they are. Catches a store that looks
/// into payloads and has a depth of its own.
pub(crate) async fn b12_deep_nesting<I: EntryId>(lab: &Lab<I>) -> Verdict {
    const DEEPEST: usize = 127;
    let store = lab.open().await?;
    let typed = store.stream::<Nest>("b12");
    for depth in [1, 90, 101, DEEPEST - 1, DEEPEST] {
        lab.step(format!("depth {depth}"));
        typed.append(nest(depth)).await?;
        let last = typed.read(Query::new().desc().limit(1)).await?;
        let found = last.into_iter().next().map(|entry| entry.value);
        check::equal("P16", format!("depth {depth}"), found, Some(nest(depth)))?;
    }
    let call = typed.append(nest(DEEPEST + 1)).await;
    check::refused("P24", "one deeper", call, "Encode", |kind| {
        *kind == Kind::Encode
    })?;
    check::equal("P24", "entries after it", typed.count().await?, 5)?;

    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let raw = |depth: usize| RawEntry::new(ContentType::JSON, 1, deep(depth));
    append_one(&*store, &name("b12"), raw(DEEPEST + 1)).await?;
    typed.append(nest(2)).await?;
    let call = typed.read(Query::new().at_version(6)).await;
    check::refused("P24", "reading it", call, "Decode", |kind| {
        *kind == Kind::Decode
    })?;
    let behind = typed.read(Query::new().versions(7..)).await?;
    check::equal("P24", "behind it", behind.len(), 1)?;
    store.close().await?;
    comes_back(
        lab,
        "b12 raw",
        &[raw(128), raw(181), raw(1_000), raw(100_000)],
    )
    .await
}
