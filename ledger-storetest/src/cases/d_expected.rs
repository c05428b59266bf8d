//! D: expected versions.

use std::fmt::Debug;

use ledger_core::{
    EntryId, Error, Expected, Kind, ListStreams, Page, PageEnd, Receipts, Result as CoreResult,
    StreamName,
};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Handle, Lab};
use crate::sample::{batch, entries, entry, everything, name, whole};
use crate::tail::{StoreTail, Tail};

/// The call conflicts: it expected this, and the stream was at that version.
#[track_caller]
pub(super) fn conflicts<T: Debug>(
    step: impl Into<String>,
    call: CoreResult<T>,
    expected: Expected,
    actual: u64,
) -> Result<Error, Failure> {
    let told = format!("Conflict {{ expected: {expected:?}, actual: {actual} }}");
    check::refused("P8", step, call, &told, |kind| match kind {
        Kind::Conflict {
            expected: told,
            actual: at,
        } => *at == actual && same_meaning(*told, expected),
        _ => false,
    })
}

/// `Exactly(0)` and `NoStream` are two words for the same.
fn same_meaning(one: Expected, other: Expected) -> bool {
    let word = |expected| match expected {
        Expected::NoStream => Expected::Exactly(0),
        other => other,
    };
    word(one) == word(other)
}

pub(super) async fn try_append<I: EntryId>(
    store: &Handle<I>,
    stream: &StreamName,
    tag: &str,
    count: u64,
    expected: Expected,
) -> CoreResult<Receipts<I>> {
    let sent = batch(entries(tag, count)).with_expected(expected);
    store.append(stream, sent).await
}

/// Every mode against a stream that is absent, at a version, and trimmed empty:
/// accepted or refused, and the right entries there afterwards. Catches
/// `StreamExists` that is `Any`, and a version that a trim forgets.
pub(super) async fn d01_all_modes_table<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let modes = [
        Expected::Any,
        Expected::NoStream,
        Expected::StreamExists,
        Expected::Exactly(0),
        Expected::Exactly(1),
        Expected::Exactly(2),
        Expected::Exactly(3),
        Expected::Exactly(4),
        Expected::Exactly(1 << 31),
        Expected::Exactly(1 << 32 | 3),
        Expected::Exactly(i64::MAX as u64),
        Expected::Exactly(1 << 63 | 3),
        Expected::Exactly(u64::MAX),
    ];
    let states: &[(&str, u64, bool)] = &[
        ("absent", 0, false),
        ("at 1", 1, false),
        ("at 3", 3, false),
        ("at 1 and trimmed", 1, true),
        ("at 3 and trimmed", 3, true),
    ];
    for (state, version, trimmed) in states.iter().copied() {
        if trimmed && !lab.capabilities().trim {
            continue;
        }
        for (n, expected) in modes.into_iter().enumerate() {
            let step = format!("expecting {expected} of a stream {state}");
            lab.step(step.clone());
            let stream = name(&format!("d01 {state} {n}"));
            let receipts = store
                .append(&stream, batch(entries("first", version)))
                .await?;
            if let (true, Some(last)) = (trimmed, receipts.last_id()) {
                store.trim(&stream, last).await?;
            }
            let before = whole(&*store, &stream).await?;
            let call = try_append(&store, &stream, "second", 2, expected).await;
            let after = whole(&*store, &stream).await?;
            if expected.holds_at(version) {
                let versions: Vec<u64> = call?.iter().map(|r| r.version).collect();
                check::equal("P8", step.clone(), versions, vec![version + 1, version + 2])?;
                check::equal("P8", step, after.len(), before.len() + 2)?;
            } else {
                conflicts(step.clone(), call, expected, version)?;
                check::same_list("P8", step, &after, &before)?;
            }
        }
    }
    Ok(Ran::Whole)
}

/// An append that conflicts changes nothing: not the log, not the versions,
/// not the dedup keys, not the list of streams, and nothing that readers see.
/// Catches a hole in the versions and a key that is kept.
pub(super) async fn d02_conflict_has_no_effect<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let (store, other) = (lab.open().await?, lab.open().await?);
    let caps = lab.capabilities();
    let whole_store = caps.store_order != ledger_core::StoreOrder::None;
    let (stream, absent) = (name("d02"), name("d02-absent"));
    store.append(&stream, batch(entries("d02", 3))).await?;
    let mut tail = Tail::new(&other, &stream, 10);
    tail.catch_up().await?;
    let mut store_tail = StoreTail::new(&other, 10);
    let stat = store.stat(&stream).await?;

    let keyed = |n: u64| entry("refused", n).with_dedup_key(format!("key {n}"));
    for n in 0..20_u64 {
        let expected = [
            Expected::NoStream,
            Expected::Exactly(2),
            Expected::Exactly(4),
        ][n as usize % 3];
        let sent = vec![keyed(2 * n), entry("refused", n), keyed(2 * n + 1)];
        let call = store
            .append(&stream, batch(sent.clone()).with_expected(expected))
            .await;
        conflicts(format!("expecting {expected}"), call, expected, 3)?;
        for expected in [Expected::StreamExists, Expected::Exactly(1)] {
            let call = store
                .append(&absent, batch(sent.clone()).with_expected(expected))
                .await;
            conflicts(format!("expecting {expected}"), call, expected, 0)?;
        }
    }
    for reader in [&store, &other] {
        check::equal(
            "P8",
            "the stream",
            reader.stat(&stream).await?,
            stat.clone(),
        )?;
        check::equal(
            "P8",
            "a stream that never was",
            reader.stat(&absent).await?,
            None,
        )?;
        check::same_list(
            "P8",
            "the log",
            &whole(&**reader, &stream).await?,
            &tail.got,
        )?;
        check::equal(
            "P8",
            "its entries",
            whole(&**reader, &absent).await?,
            Vec::new(),
        )?;
        if caps.list {
            let list = ListStreams::new(None, 10, reader.limits())?;
            let expected = Page::new(vec![stream.clone()], PageEnd::CaughtUp);
            check::equal(
                "P8",
                "the list of streams",
                reader.list(&list).await?,
                expected,
            )?;
        }
    }
    let sent: Vec<_> = (0..40).map(keyed).collect();
    let receipts = store.append(&stream, batch(sent).with_expected(3)).await?;
    check::equal("P9", "keys of refused appends", receipts.duplicates(), 0)?;
    let versions: Vec<u64> = receipts.iter().map(|r| r.version).collect();
    check::equal("P1", "the next versions", versions, (4..44).collect())?;
    tail.catch_up().await?;
    check::same_list("P3", "a reader", &tail.got, &whole(&*store, &stream).await?)?;
    if whole_store {
        store_tail.catch_up().await?;
        let all = everything(&*store, 100, false).await?;
        check::same_list("P3", "a reader of the store", &store_tail.got, &all)?;
        check::equal("P8", "entries of the store", all.len(), 43)?;
    }
    Ok(Ran::Whole)
}

/// A version below and one above the actual conflict alike, for one entry and
/// for many; the actual one is told, and expecting it works. Catches a store
/// that accepts a version from the future.
pub(super) async fn d03_stale_low_and_high<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("d03");
    for version in 0..12_u64 {
        let store = &handles[version as usize % 2];
        let wrong = (0..version + 3).filter(|v| *v != version);
        for expected in wrong.map(Expected::Exactly) {
            for count in [1, 4] {
                let call = try_append(store, &stream, "refused", count, expected).await;
                let step = format!("expecting {expected} of {version}");
                conflicts(step, call, expected, version)?;
            }
        }
        if version > 0 {
            let call = try_append(store, &stream, "refused", 1, Expected::NoStream).await;
            conflicts("expecting no stream", call, Expected::NoStream, version)?;
        }
        let sent = entry("d03", version);
        let receipts = store
            .append(&stream, batch([sent]).with_expected(version))
            .await?;
        check::equal(
            "P8",
            "the next version",
            receipts.last_version(),
            Some(version + 1),
        )?;
    }
    let sent: Vec<_> = (0..12).map(|n| entry("d03", n)).collect();
    let stored: Vec<_> = whole(&*handles[0], &stream)
        .await?
        .into_iter()
        .map(|r| r.entry)
        .collect();
    check::same_list("P8", "the log", &stored, &sent)?;
    Ok(Ran::Whole)
}
