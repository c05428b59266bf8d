//! D: the last versions of a stream.

use ledger_core::{EntryId, Expected, Kind, Query, Receipts, Result as CoreResult, StreamName};

use super::d_expected::{conflicts, try_append};
use super::e_dedup::keyed;
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Handle, Lab};
use crate::sample::{append_one, batch, entry, name, page, whole};

/// The last version that there can be.
const LAST: u64 = i64::MAX as u64;
const SIGNED: u64 = i32::MAX as u64;
const UNSIGNED: u64 = u32::MAX as u64;

/// Streams two short of 2^31, 2^32 and 2^63 - 1 versions: the first two go on
/// as if nothing were there, the third ends with `LimitReached` and no effect.
/// Catches versions that wrap or are cut, a batch that is stored as far as it
/// fits, and a last version that is never reached.
pub(super) async fn d08_version_near_limits<I: EntryId>(lab: &Lab<I>) -> Verdict {
    for edge in [SIGNED, UNSIGNED, LAST] {
        let seeded = lab.seed_version(&stream(edge), edge - 2).await;
        match seeded {
            Some(seeded) => seeded?,
            None => return Ok(Ran::Not("the harness does not seed versions")),
        }
    }
    let store = lab.open().await?;
    for edge in [SIGNED, UNSIGNED, LAST] {
        lab.step(format!("up to version {edge}"));
        up_to(&store, &stream(edge), edge).await?;
    }
    for edge in [SIGNED, UNSIGNED] {
        lab.step(format!("beyond version {edge}"));
        let stream = stream(edge);
        let beyond = try_append(&store, &stream, "beyond", 2, Expected::Exactly(edge)).await?;
        versions("beyond it", &beyond, &[edge + 1, edge + 2])?;
        reads(&store, &stream, edge, 4).await?;
    }

    lab.step("the last version");
    let stream = stream(LAST);
    full(append_one(&*store, &stream, entry("too many", 0)).await)?;
    let any = try_append(&store, &stream, "too many", 1, Expected::Exactly(LAST)).await;
    full(any)?;
    let call = try_append(&store, &stream, "stale", 1, Expected::Exactly(LAST - 1)).await;
    conflicts(
        "a stale expectation at the end",
        call,
        Expected::Exactly(LAST - 1),
        LAST,
    )?;
    let again = append_one(&*store, &stream, keyed("d08", LAST - 1, "first")).await?;
    check::equal(
        "P9",
        "a repeat at the end",
        (again[0].version, again.duplicates()),
        (LAST - 1, 1),
    )?;
    let other = append_one(&*store, &name("d08 other"), entry("other", 0)).await?;
    versions("another stream", &other, &[1])?;
    store.close().await?;
    let store = lab.open().await?;
    reads(&store, &stream, LAST, 2).await?;
    full(append_one(&*store, &stream, entry("too many", 1)).await)?;
    Ok(Ran::Whole)
}

fn stream(edge: u64) -> StreamName {
    name(&format!("d08 {edge}"))
}

/// The two versions that are left up to the edge.
async fn up_to<I: EntryId>(
    store: &Handle<I>,
    stream: &StreamName,
    edge: u64,
) -> Result<(), Failure> {
    let stat = store.stat(stream).await?;
    let seen = stat.map(|stat| (stat.last_version, stat.retained));
    check::equal("P1", "the seeded stream", seen, Some((edge - 2, 0)))?;
    let call = try_append(store, stream, "new", 1, Expected::NoStream).await;
    conflicts("a seeded stream exists", call, Expected::NoStream, edge - 2)?;
    if edge == LAST {
        full(try_append(store, stream, "three", 3, Expected::Any).await)?;
        check::equal(
            "P7",
            "what it stored",
            whole(&**store, stream).await?,
            vec![],
        )?;
    }
    let sent = [keyed("d08", edge - 1, "first"), entry("d08", edge)];
    let sent = batch(sent).with_expected(edge - 2);
    let receipts = store.append(stream, sent).await?;
    versions("two entries", &receipts, &[edge - 1, edge])?;
    reads(store, stream, edge, 2).await
}

/// What is there: `count` entries, the second of which is at the edge.
async fn reads<I: EntryId>(
    store: &Handle<I>,
    stream: &StreamName,
    edge: u64,
    count: u64,
) -> Result<(), Failure> {
    let last = edge - 2 + count;
    let found = whole(&**store, stream).await?;
    let found: Vec<u64> = found.iter().map(|record| record.version).collect();
    let expected: Vec<u64> = (edge - 1..=last).collect();
    check::equal("P1", "the versions that are read", found, expected)?;
    let stat = store.stat(stream).await?;
    let stat = stat.map(|stat| (stat.last_version, stat.retained));
    check::equal("P1", "the state", stat, Some((last, count)))?;
    for (query, expected) in [
        (Query::new().at_version(edge), vec![edge]),
        (Query::new().versions(..edge), vec![edge - 1]),
        (Query::new().versions(edge..).desc().limit(1), vec![last]),
    ] {
        let found = page(&**store, stream, query.clone()).await?;
        let found: Vec<u64> = found.records.iter().map(|record| record.version).collect();
        check::equal("P1", format!("{query:?}"), found, expected)?;
    }
    Ok(())
}

#[track_caller]
fn versions<I>(step: &str, receipts: &Receipts<I>, expected: &[u64]) -> Result<(), Failure> {
    let got: Vec<u64> = receipts.iter().map(|receipt| receipt.version).collect();
    check::same_list("P1", step, &got, expected)
}

#[track_caller]
fn full<I: EntryId>(call: CoreResult<Receipts<I>>) -> Result<(), Failure> {
    let step = "an append beyond the last version";
    check::refused("P18", step, call, "LimitReached", |kind| {
        *kind == Kind::LimitReached
    })?;
    Ok(())
}
