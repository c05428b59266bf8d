//! Reading where a trim was, and where one is at work.

use std::time::Duration;

use ledger_core::{AllQuery, EntryId, PageEnd, Query, ReadAll, StoreOrder};

use super::trim_refused;
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::sample::{batch, entries, everything, given, name, page, records};

/// A read into the trimmed range starts at the first entry that is left; the
/// versions show the gap, and `stat` tells the range. Old cursors stay usable,
/// those of the whole store too. Catches errors for old cursors, silence, and
/// positions counted from the first retained entry.
pub(crate) async fn m03_read_into_trimmed_range<I: EntryId>(lab: &Lab<I>) -> Verdict {
    if !lab.capabilities().trim {
        return trim_refused(lab).await;
    }
    let store = lab.open().await?;
    let (stream, sent) = (name("m03"), entries("m03", 10));
    let receipts = store.append(&stream, batch(sent.clone())).await?;
    let id = |version: usize| receipts[version - 1].id.clone();
    let store_wide = lab.capabilities().store_order != StoreOrder::None;
    let old = if store_wide {
        let read = ReadAll::new(AllQuery::new().limit(2), store.limits())?;
        let two = store.read_all(&read).await?;
        let got = two.records.len();
        Some((two.next, got))
    } else {
        None
    };
    store.trim(&stream, &id(6)).await?;

    let stat = store.stat(&stream).await?;
    let stat = stat.map(|s| (s.first, s.last, s.last_version, s.retained));
    let wanted = Some((Some(id(7)), Some(id(10)), 10, 4));
    check::equal("P19", "the stat behind a trim", stat, wanted)?;
    for after in 0..=10_usize {
        lab.step(format!("read after version {after}"));
        let mut query = Query::new();
        if after > 0 {
            query = query.after(id(after));
        }
        let first = after.max(6);
        for size in [1, 3, 100] {
            let found = records(&*store, &stream, query.clone(), size, false).await?;
            let step = format!("read after version {after} by pages of {size}");
            check::equal("P19", step, given(&found), sent[first..].iter().collect())?;
        }
    }
    let q = Query::<I>::new;
    let wanted: Vec<(&str, Query<I>, Vec<u64>)> = vec![
        ("the versions trimmed", q().versions(1..=6), vec![]),
        (
            "versions across the end of the trim",
            q().versions(5..=8),
            vec![7, 8],
        ),
        ("one trimmed version", q().at_version(6), vec![]),
        ("the first version left", q().at_version(7), vec![7]),
        ("before a trimmed id", q().before(id(3)), vec![]),
        (
            "between a trimmed id and one that is left",
            q().after(id(2)).before(id(9)),
            vec![7, 8],
        ),
    ];
    for (what, query, versions) in wanted {
        lab.step(what);
        let found = page(&*store, &stream, query).await?;
        let got: Vec<u64> = found.records.iter().map(|r| r.version).collect();
        check::equal("P19", what, got, versions)?;
    }
    let back = records(&*store, &stream, q(), 3, true).await?;
    check::equal(
        "P19",
        "descending",
        given(&back),
        sent[6..].iter().rev().collect(),
    )?;

    if let Some((cursor, seen)) = old {
        lab.step("the whole store");
        let all = everything(&*store, 3, false).await?;
        let got: Vec<u64> = all.iter().map(|r| r.record.version).collect();
        check::equal("P19", "the whole store", got, vec![7, 8, 9, 10])?;
        let read = ReadAll::new(AllQuery::new().after(cursor), store.limits())?;
        let mut rest = store.read_all(&read).await?;
        while rest.records.is_empty() && rest.end != PageEnd::CaughtUp {
            tokio::time::sleep(Duration::from_millis(2)).await;
            let query = AllQuery::new().after(rest.next);
            rest = store
                .read_all(&ReadAll::new(query, store.limits())?)
                .await?;
        }
        let first = rest.records.first().map(|r| r.record.version);
        let step = format!("a cursor of the whole store from before the trim, behind {seen}");
        check::equal("P19", step, first, Some(7))?;
    }
    Ok(Ran::Whole)
}

/// A reader that pages while a trim is at work never gets wrong data and never
/// misses an entry that is left. Catches paging by offset.
pub(crate) async fn m04_trim_during_read<I: EntryId>(lab: &Lab<I>) -> Verdict {
    if !lab.capabilities().trim {
        return trim_refused(lab).await;
    }
    const ENTRIES: usize = 60;
    let store = lab.open().await?;
    let mut rng = lab.rng();
    let sent = entries("m04", ENTRIES as u64);
    for round in 0..4 {
        let stream = name(&format!("m04-{round}"));
        let receipts = store.append(&stream, batch(sent.clone())).await?;
        let ids: Vec<I> = receipts.iter().map(|r| r.id.clone()).collect();

        lab.step(format!("round {round}: a trim between the pages"));
        let mut seen = Vec::new();
        let mut trimmed = 0;
        let mut query = Query::new().limit(1 + rng.usize(..5));
        loop {
            let found = page(&*store, &stream, query.clone()).await?;
            let end = found.end;
            if let Some(last) = found.records.last() {
                query = query.after(last.id.clone());
            }
            for record in found.records {
                let right =
                    given(std::slice::from_ref(&record)) == [&sent[record.version as usize - 1]];
                check::that(
                    "P5",
                    "a record of the reader",
                    right,
                    "what was sent",
                    &record,
                )?;
                let late = record.version > trimmed as u64;
                check::that("P19", "a record read after its trim", late, "none", &record)?;
                seen.push(record.version);
            }
            // What is missing has to have been trimmed before this page.
            suffix_complete(&seen, trimmed)?;
            if end == PageEnd::CaughtUp {
                break;
            }
            trimmed = (trimmed + rng.usize(..8)).min(ENTRIES - 5);
            if trimmed > 0 {
                store.trim(&stream, &ids[trimmed - 1]).await?;
            }
        }
        check::equal(
            "P3",
            "the last one seen",
            seen.last(),
            Some(&(ENTRIES as u64)),
        )?;
    }

    lab.step("a trim and a reader at the same time");
    let stream = name("m04-both");
    let receipts = store.append(&stream, batch(sent.clone())).await?;
    let last = receipts[ENTRIES - 11].id.clone();
    let trimmer = async {
        for receipt in receipts.iter().step_by(3).take_while(|r| r.id <= last) {
            store.trim(&stream, &receipt.id).await?;
            tokio::task::yield_now().await;
        }
        store.trim(&stream, &last).await
    };
    let reader = records(&*store, &stream, Query::new(), 2, false);
    let (trimmed, found) = tokio::join!(trimmer, reader);
    trimmed?;
    let found = found?;
    let seen: Vec<u64> = found.iter().map(|r| r.version).collect();
    suffix_complete(&seen, ENTRIES - 10)?;
    check::equal(
        "P3",
        "the last one seen",
        seen.last(),
        Some(&(ENTRIES as u64)),
    )?;
    let right = found
        .iter()
        .all(|r| r.entry == sent[r.version as usize - 1]);
    check::that("P5", "the records", right, "what was sent", &seen)?;
    Ok(Ran::Whole)
}

/// Versions ascend, and only such as were trimmed are missing.
fn suffix_complete(seen: &[u64], trimmed: usize) -> Result<(), Failure> {
    let mut before = 0;
    for &version in seen {
        let skipped = before + 1..version;
        let gap = skipped.clone().find(|&v| v > trimmed as u64);
        let expected = format!("none missing but of 1..={trimmed}");
        let ok = version > before && gap.is_none();
        check::that("P3", "versions of the reader", ok, expected, seen)?;
        before = version;
    }
    Ok(())
}
