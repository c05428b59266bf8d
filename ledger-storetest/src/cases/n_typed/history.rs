//! Entries of several schema versions in one stream.

use ledger_core::{ContentType, EntryId, Json, Kind, Query, RawEntry, Schema, SchemaError, Stream};
use serde::{Deserialize, Serialize};

use super::codecs::broken;
use super::{all_of, all_pages, pages, tells_the_place};
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Handle, Lab};
use crate::sample::{append_one, batch, given, name, whole};

/// Version 1, and every later one: which steps have brought it up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Steps<const VERSION: u32> {
    n: u64,
    steps: Vec<u32>,
}

impl<const VERSION: u32> Steps<VERSION> {
    fn up<const NEXT: u32>(mut self) -> Steps<NEXT> {
        self.steps.push(NEXT);
        Steps {
            n: self.n,
            steps: self.steps,
        }
    }
}

fn built<T>(schema: Result<Schema<T>, SchemaError>) -> Result<Schema<T>, Failure> {
    schema.map_err(|e| broken("a schema of the suite", &e))
}

/// Writes an entry as a release did whose newest version was `VERSION`.
async fn write<const VERSION: u32, I: EntryId>(
    store: &Handle<I>,
    stream: &str,
    n: u64,
) -> Result<(), Failure> {
    let schema = built(Schema::typed(Json, VERSION).build())?;
    let stream: Stream<I, Steps<VERSION>> = Stream::with_schema(store.clone(), stream, schema);
    stream
        .append(Steps {
            n,
            steps: Vec::new(),
        })
        .await?;
    Ok(())
}

/// Each entry goes through the steps behind its own version, once each and in
/// order, whatever stands next to it; a split gives its parts in order; a
/// version that nobody declared is an error that names it. Catches lost schema
/// versions, steps left out, repeated or in the wrong order.
pub(crate) async fn n02_chain_order_and_completeness<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    for n in 0..3 {
        write::<3, I>(&store, "n02", 10 * n + 3).await?;
        write::<1, I>(&store, "n02", 10 * n + 1).await?;
        write::<4, I>(&store, "n02", 10 * n + 4).await?;
        write::<2, I>(&store, "n02", 10 * n + 2).await?;
    }
    let schema = built(
        Schema::typed(Json, 1)
            .upcast(2, Steps::<1>::up::<2>)
            .upcast(3, Steps::<2>::up::<3>)
            .upcast(4, Steps::<3>::up::<4>)
            .build(),
    )?;
    let stream = Stream::with_schema(store.clone(), "n02", schema);
    let mut wanted = Vec::new();
    for n in 0..3 {
        wanted.push((10 * n + 3, 3, vec![4]));
        wanted.push((10 * n + 1, 1, vec![2, 3, 4]));
        wanted.push((10 * n + 4, 4, vec![]));
        wanted.push((10 * n + 2, 2, vec![3, 4]));
    }
    let page = all_pages(&stream, Query::new()).await?;
    let got: Vec<_> = page
        .iter()
        .map(|e| (e.value.n, e.schema_version, e.value.steps.clone()))
        .collect();
    check::equal("P24", "entries of four versions", got, wanted.clone())?;
    let entries: Result<Vec<_>, _> = all_of(&stream, Query::new().desc())
        .await
        .into_iter()
        .collect();
    let got: Vec<_> = entries?
        .into_iter()
        .map(|e| (e.value.n, e.schema_version, e.value.steps))
        .collect();
    wanted.reverse();
    check::equal("P24", "one by one, newest first", got, wanted)?;

    lab.step("a split");
    let parts = |s: Steps<1>| (0..s.n).map(move |n| Steps::<2> { n, steps: vec![2] });
    let schema = Schema::typed(Json, 1)
        .split(2, parts)
        .upcast(3, Steps::<2>::up::<3>);
    let stream = Stream::with_schema(store.clone(), "n02-split", built(schema.build())?);
    for n in [2, 0, 1] {
        write::<1, I>(&store, "n02-split", n).await?;
    }
    let page = all_pages(&stream, Query::new()).await?;
    let got: Vec<_> = page
        .iter()
        .map(|e| {
            (
                e.version,
                e.part.index,
                e.part.last,
                e.value.n,
                e.value.steps.clone(),
            )
        })
        .collect();
    let both = vec![2, 3];
    let wanted = vec![
        (1, 0, false, 0, both.clone()),
        (1, 1, true, 1, both.clone()),
        (3, 0, true, 0, both),
    ];
    check::equal("P24", "a split into two, none and one", got, wanted)?;

    lab.step("an undeclared version");
    write::<2, I>(&store, "n02-gap", 0).await?;
    let schema = Schema::typed(Json, 1).upcast(3, |s: Steps<1>| s.up::<3>());
    let stream = Stream::with_schema(store.clone(), "n02-gap", built(schema.build())?);
    let call = stream.read(Query::new()).await;
    let decode = |k: &Kind| *k == Kind::Decode;
    let error = check::refused("P24", "version 2 of 1 and 3", call, "Decode", decode)?;
    let found = error.context_as::<u32>("schema_version");
    check::equal("P24", "the version in the error", found, Some(2))?;
    Ok(Ran::Whole)
}

/// An entry of a version newer than the reader knows is an error of its own
/// kind, which tells both versions and the place; reading goes on behind it.
/// Catches readers that do their best with it.
pub(crate) async fn n03_newer_than_known<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    write::<2, I>(&store, "n03", 0).await?;
    write::<3, I>(&store, "n03", 1).await?;
    write::<1, I>(&store, "n03", 2).await?;
    let schema = Schema::typed(Json, 1).upcast(2, Steps::<1>::up::<2>);
    let stream = Stream::with_schema(store.clone(), "n03", built(schema.build())?);
    let records = whole(&*store, &name("n03")).await?;
    let place = &records[1].id;

    let (before, error) = pages(&stream, Query::new()).await;
    let got: Vec<_> = before.iter().map(|e| e.value.n).collect();
    check::equal("P24", "the pages before it", got, vec![0])?;
    let call = error.map_or(Ok(()), Err);
    let newer = |k: &Kind| *k == Kind::NewerVersion { known: 2, found: 3 };
    let wanted = "NewerVersion { known: 2, found: 3 }";
    let error = check::refused("P24", "a newer entry", call, wanted, newer)?;
    tells_the_place(&error, &name("n03"), place, 2)?;
    let page = all_pages(&stream, Query::new().after(place.clone())).await?;
    let got: Vec<_> = page
        .iter()
        .map(|e| (e.value.n, e.value.steps.clone()))
        .collect();
    check::equal("P24", "behind it", got, vec![(2, vec![2])])?;

    let got: Vec<_> = all_of(&stream, Query::new())
        .await
        .into_iter()
        .map(|found| found.map(|e| e.value.n).map_err(|e| newer(e.kind())))
        .collect();
    check::equal("P24", "one by one", got, vec![Ok(0), Err(true), Ok(2)])?;
    Ok(Ran::Whole)
}

/// Reading old entries as the current type changes nothing that is stored: not
/// the text of a payload, not its schema version. Catches stores and readers
/// that rewrite history.
pub(crate) async fn n06_upcast_does_not_rewrite<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let texts = [
        "{ \"steps\" : [ ] ,\n\t\"n\":7 }  ",
        r#"{"n":1,"steps":[],"big":1e400,"float":1.0,"exp":1E2}"#,
        r#"{"z":1,"a":2,"z":3,"n":2,"steps":[],"\u0061b":"\u0000\/"}"#,
        r#"{"steps":[],"n":18446744073709551615,"x":123456789012345678901234567890}"#,
    ];
    let sent = texts.map(|text| RawEntry::new(ContentType::JSON, 1, text));
    let stream = name("n06");
    store.append(&stream, batch(sent.clone())).await?;
    let before = whole(&*store, &stream).await?;
    check::equal(
        "P16",
        "the texts as stored",
        given(&before),
        sent.iter().collect(),
    )?;

    let schema = Schema::typed(Json, 1).upcast(2, Steps::<1>::up::<2>);
    let typed = Stream::with_schema(store.clone(), &stream, built(schema.build())?);
    for _ in 0..2 {
        let page = all_pages(&typed, Query::new()).await?;
        let got: Vec<_> = page
            .iter()
            .map(|e| (e.value.n, e.value.steps.clone()))
            .collect();
        let wanted = [7, 1, 2, u64::MAX].map(|n| (n, vec![2]));
        check::equal("P24", "the texts as version 2", got, wanted.to_vec())?;
    }
    let after = whole(&*store, &stream).await?;
    check::equal("P16", "the records after the reads", after, before)?;
    let more = RawEntry::new(ContentType::JSON, 2, r#"{"n":5,"steps":[]}"#);
    append_one(&*store, &stream, more).await?;
    let newest = typed.read(Query::new().desc().limit(1)).await?;
    let got: Vec<_> = newest
        .iter()
        .map(|e| (e.schema_version, e.value.steps.len()))
        .collect();
    check::equal("P24", "an entry of the current version", got, vec![(2, 0)])?;
    Ok(Ran::Whole)
}
