//! Listing streams.

use std::collections::BTreeSet;

use ledger_core::{EntryId, ListStreams, PageEnd, Store, StreamName};

use super::trim_refused;
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Lab, unclaimed};
use crate::sample::{append_one, batch, entries, entry, given, name, whole};

/// All names, by pages of `size`.
async fn listed<I: EntryId>(
    store: &dyn Store<I>,
    mut after: Option<StreamName>,
    size: usize,
) -> Result<Vec<StreamName>, Failure> {
    let mut all = Vec::new();
    loop {
        let found = store
            .list(&ListStreams::new(after.clone(), size, store.limits())?)
            .await?;
        let (first, behind) = (found.records.first(), after.as_ref());
        let on = first.is_none_or(|first| behind.is_none_or(|behind| first > behind));
        let expected = format!("names behind {behind:?}");
        check::that("P16", "a page of names", on, expected, &found)?;
        let stuck = found.records.is_empty() && found.end == PageEnd::More;
        check::that("P16", "a page that says More", !stuck, "a name", &found)?;
        after = found.records.last().cloned().or(after);
        all.extend(found.records);
        if found.end == PageEnd::CaughtUp {
            return Ok(all);
        }
    }
}

async fn list_refused<I: EntryId>(lab: &Lab<I>) -> Result<Ran, Failure> {
    let store = lab.open().await?;
    append_one(&*store, &name("unlisted"), entry("unlisted", 0)).await?;
    let list = ListStreams::new(None, 10, store.limits())?;
    unclaimed("list", store.list(&list).await)
}

/// After a trim of everything the stream lives on: it is listed, and what is
/// appended next is found by readers that held a cursor from before. Catches
/// ids that are given again and streams that vanish with their last entry.
pub(crate) async fn m05_trim_all_then_append<I: EntryId>(lab: &Lab<I>) -> Verdict {
    if !lab.capabilities().trim {
        return trim_refused(lab).await;
    }
    let store = lab.open().await?;
    let stream = name("m05");
    let receipts = store.append(&stream, batch(entries("m05", 3))).await?;
    let newest = receipts[2].id.clone();
    store.trim(&stream, &newest).await?;
    if lab.capabilities().list {
        let names = listed(&*store, None, 10).await?;
        check::equal(
            "P19",
            "streams after a trim of everything",
            names,
            vec![stream.clone()],
        )?;
    }
    store.close().await?;
    let store = lab.open().await?;
    if lab.capabilities().list {
        let names = listed(&*store, None, 10).await?;
        check::equal("P19", "the same, opened again", names, vec![stream.clone()])?;
    }
    let next = append_one(&*store, &stream, entry("next", 0)).await?;
    check::that(
        "P2",
        "the next id",
        next[0].id > newest,
        "greater than all before",
        &next,
    )?;
    let query = ledger_core::Query::new().after(newest);
    let found = crate::sample::page(&*store, &stream, query).await?;
    let step = "behind a cursor from before the trim";
    check::equal("P3", step, given(&found.records), vec![&entry("next", 0)])?;
    check::equal(
        "P3",
        "the whole stream",
        whole(&*store, &stream).await?,
        found.records,
    )?;
    Ok(Ran::Whole)
}

/// Names are listed in byte order, each once, by pages of any size, those of
/// streams trimmed empty too. Catches orders of a locale, folded or normalised
/// names, and names lost or repeated at the edge of a page.
pub(crate) async fn m06_list_byte_order<I: EntryId>(lab: &Lab<I>) -> Verdict {
    if !lab.capabilities().list {
        return list_refused(lab).await;
    }
    let store = lab.open().await?;
    let none = listed(&*store, None, 3).await?;
    check::equal("P16", "streams of an empty store", none, vec![])?;
    let texts = [
        "a",
        "A",
        "B",
        "b",
        "_",
        "-",
        "é",
        "e\u{301}",
        "~",
        "e",
        "z",
        "Z",
        "1",
        "10",
        "9",
        "aa",
        "a b",
        "a-b",
        "a_b",
        "aB",
        "ab",
        " ",
        "ß",
        "ss",
        "İ",
        "i",
        "I",
        "ı",
        "\u{1F4D2}",
        "\u{e000}",
        "\u{ffff}",
        "ñ",
        "a\u{1}",
        "empty",
        "a%",
    ];
    let mut sorted: Vec<StreamName> = texts.iter().map(|text| name(text)).collect();
    let mut shuffled = sorted.clone();
    lab.rng().shuffle(&mut shuffled);
    for (n, stream) in (0..).zip(&shuffled) {
        append_one(&*store, stream, entry(stream.as_str(), n)).await?;
    }
    if lab.capabilities().trim {
        let stream = name("empty");
        let at = whole(&*store, &stream).await?;
        store.trim(&stream, &at[0].id).await?;
    }
    sorted.sort_by(|a, b| a.as_str().as_bytes().cmp(b.as_str().as_bytes()));
    for size in [1, 2, 3, 4, 5, 6, 7, 100] {
        lab.step(format!("a list by pages of {size}"));
        let found = listed(&*store, None, size).await?;
        check::equal("P16", format!("a list by pages of {size}"), &found, &sorted)?;
    }
    for after in ["a", "ab\u{1}", "aaa", "M", "\u{1}", "\u{10ffff}"] {
        let after = name(after);
        lab.step(format!("a list behind {after:?}"));
        let found = listed(&*store, Some(after.clone()), 4).await?;
        let rest: Vec<_> = sorted.iter().filter(|n| **n > after).cloned().collect();
        check::equal("P16", format!("a list behind {after:?}"), found, rest)?;
    }
    Ok(Ran::Whole)
}

/// While streams are created, those that were there before are listed exactly
/// once, and the next list has all. Catches paging by offset and lists that
/// are kept.
pub(crate) async fn m07_list_under_creation<I: EntryId>(lab: &Lab<I>) -> Verdict {
    if !lab.capabilities().list {
        return list_refused(lab).await;
    }
    let store = lab.open().await?;
    let mut rng = lab.rng();
    let mut all = BTreeSet::new();
    for n in 0..20 {
        let stream = name(&format!("{:02}-before", n * 5));
        append_one(&*store, &stream, entry("before", n)).await?;
        all.insert(stream);
    }
    let before = all.clone();
    for round in 0..5_u32 {
        lab.step(format!("round {round}"));
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let list = ListStreams::new(after.clone(), 3, store.limits())?;
            let found = store.list(&list).await?;
            after = found.records.last().cloned().or(after);
            seen.extend(found.records);
            if found.end == PageEnd::CaughtUp {
                break;
            }
            let stream = name(&format!("{:02}-{round}-{}", rng.u32(..100), all.len()));
            append_one(&*store, &stream, entry("during", 0)).await?;
            all.insert(stream);
        }
        let ordered = seen.windows(2).all(|pair| pair[0] < pair[1]);
        check::that(
            "P16",
            "names under creation",
            ordered,
            "ascending, each once",
            &seen,
        )?;
        let seen: BTreeSet<_> = seen.into_iter().collect();
        let missing: Vec<_> = before.difference(&seen).collect();
        check::equal("P3", "missing of those from before", missing, vec![])?;
        let strange: Vec<_> = seen.difference(&all).collect();
        check::equal("P16", "names that were never appended to", strange, vec![])?;
        let found = listed(&*store, None, 7).await?;
        let wanted: Vec<_> = all.iter().cloned().collect();
        check::equal("P4", "the list afterwards", found, wanted)?;
    }
    Ok(Ran::Whole)
}
