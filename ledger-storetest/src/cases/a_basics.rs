//! A: appending and reading.

use ledger_core::{EntryId, Page, Query, Record};

use crate::case::{Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::sample::{append_one, batch, begins, entries, entry, given, name, page, records, whole};

/// Every field of one entry comes back as it was given, and the receipt names
/// the place where it is found. Catches swapped fields and a payload replaced
/// by a default.
pub(super) async fn a01_append_one_roundtrip<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("a01");
    let sent = entry("a01", 3)
        .with_order_key("customer-1")
        .with_dedup_key("evt-9");
    let receipts = append_one(&*store, &stream, sent.clone()).await?;
    check::equal("P1", "receipts of one entry", receipts.len(), 1)?;
    check::equal("P1", "the first version", receipts[0].version, 1)?;
    check::that(
        "P9",
        "a new entry",
        !receipts[0].is_duplicate(),
        "appended",
        &receipts[0],
    )?;

    let records = whole(&*store, &stream).await?;
    check::equal("P16", "what is read back", given(&records), vec![&sent])?;
    check::equal("P1", "the version read", records[0].version, 1)?;
    check::equal("P2", "the id read", &records[0].id, &receipts[0].id)?;
    Ok(Ran::Whole)
}

/// A batch of 50 is stored in the given order at contiguous versions and
/// growing ids. Catches reordering inside a batch.
pub(super) async fn a02_append_batch_order<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("a02");
    append_one(&*store, &stream, entry("before", 0)).await?;
    let sent = entries("a02", 50);
    let receipts = store.append(&stream, batch(sent.clone())).await?;
    let versions: Vec<u64> = receipts.iter().map(|r| r.version).collect();
    check::equal("P7", "versions of the batch", versions, (2..52).collect())?;
    let growing = receipts.windows(2).all(|pair| pair[0].id < pair[1].id);
    check::that("P2", "ids of the batch", growing, "growing ids", &receipts)?;

    let all = whole(&*store, &stream).await?;
    check::equal(
        "P7",
        "order of the batch",
        given(&all[1..]),
        sent.iter().collect(),
    )?;
    let versions = Query::new().versions(2..=3);
    let found = records(&*store, &stream, versions, 100, false).await?;
    check::equal(
        "P1",
        "versions 2 and 3",
        given(&found),
        sent[..2].iter().collect(),
    )?;
    Ok(Ran::Whole)
}

/// Of appends one after the other, every receipt names the entry that is read
/// back at its place. Catches a store that acknowledges what it did not store,
/// and receipts of other entries.
pub(super) async fn a03_append_returns_what_is_stored<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("a03");
    let mut told = Vec::new();
    for n in 0..20 {
        let sent = entries(&format!("a03-{n}"), 1 + n % 3);
        let receipts = store.append(&stream, batch(sent.clone())).await?;
        check::equal("P1", "receipts of a batch", receipts.len(), sent.len())?;
        for (receipt, sent) in receipts.into_iter().zip(sent) {
            told.push((receipt.id, receipt.version, sent));
        }
    }
    let records = whole(&*store, &stream).await?;
    let stored: Vec<_> = records
        .into_iter()
        .map(|r| (r.id, r.version, r.entry))
        .collect();
    check::same_list("P1", "what the receipts named", &stored, &told)?;
    let versions: Vec<u64> = stored.iter().map(|(_, version, _)| *version).collect();
    let contiguous: Vec<u64> = (1..=told.len() as u64).collect();
    check::same_list("P1", "versions", &versions, &contiguous)?;
    Ok(Ran::Whole)
}

/// An empty batch is accepted and does nothing: no stream comes to be, and the
/// version of one that exists stays. Catches a batch that creates its stream.
pub(super) async fn a04_empty_batch<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("a04");
    let receipts = store.append(&stream, batch([])).await?;
    check::equal("P7", "receipts of nothing", receipts.len(), 0)?;
    check::equal("P7", "the stream", store.stat(&stream).await?, None)?;

    append_one(&*store, &stream, entry("a04", 0)).await?;
    let before = (store.stat(&stream).await?, whole(&*store, &stream).await?);
    let receipts = store.append(&stream, batch([])).await?;
    check::equal("P7", "receipts of nothing", receipts.len(), 0)?;
    let after = (store.stat(&stream).await?, whole(&*store, &stream).await?);
    check::equal("P7", "the stream after an empty batch", after, before)?;
    let receipts = append_one(&*store, &stream, entry("a04", 1)).await?;
    check::equal("P1", "the next version", receipts[0].version, 2)?;
    Ok(Ran::Whole)
}

/// A stream that nothing was appended to is empty, not an error, and has no
/// state, also beside streams that have entries. Catches a missing stream as
/// an error and names that run into each other.
pub(super) async fn a05_read_missing_stream<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    for round in 0..2 {
        for text in ["a05", "a05-", "a0", "a05-there-too"] {
            let (stream, what) = (name(text), format!("round {round}, stream {text}"));
            for query in [
                Query::new(),
                Query::new().desc(),
                Query::new().at_version(1),
            ] {
                let found = page(&*store, &stream, query).await?;
                check::equal("P16", what.clone(), found, Page::empty())?;
            }
            check::equal("P16", what, store.stat(&stream).await?, None)?;
        }
        append_one(&*store, &name("a05-there"), entry("a05", round)).await?;
    }
    let stat = store.stat(&name("a05-there")).await?;
    check::equal(
        "P1",
        "the stream that is there",
        stat.map(|s| s.last_version),
        Some(2),
    )?;
    Ok(Ran::Whole)
}

/// Five streams that are written in turns: each reads back its own entries.
/// Catches a store that returns another stream's entries in the right number.
pub(super) async fn a06_stream_isolation_content<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let names = ["a06", "a06/", "a06 ", "b", "a06a06"];
    let mut sent = vec![Vec::new(); names.len()];
    for n in 0..20 {
        for (text, sent) in names.iter().zip(&mut sent) {
            let new = entries(&format!("{text}-{n}"), 1 + n % 2);
            store.append(&name(text), batch(new.clone())).await?;
            sent.extend(new);
        }
    }
    for (text, sent) in names.iter().zip(&sent) {
        let records = whole(&*store, &name(text)).await?;
        let sent: Vec<_> = sent.iter().collect();
        check::same_list("P16", format!("stream {text:?}"), &given(&records), &sent)?;
    }
    Ok(Ran::Whole)
}

/// The rest of a stream from every version and behind every entry is exact,
/// past the end it is empty. Catches bounds that are one off.
pub(super) async fn a07_read_from_every_place<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("a07");
    append_one(&*store, &name("a07-other"), entry("other", 0)).await?;
    store.append(&stream, batch(entries("a07", 9))).await?;
    append_one(&*store, &name("a07-other"), entry("other", 1)).await?;
    append_one(&*store, &stream, entry("a07", 9)).await?;
    let all = whole(&*store, &stream).await?;
    check::equal("P7", "entries", all.len(), 10)?;

    let exact = async |what: String, query: Query<I>, expected: &[Record<I>]| {
        let got = records(&*store, &stream, query, 100, false).await?;
        check::same_list("P1", what, &got, expected)
    };
    for from in 0..=12_u64 {
        let at = (from.max(1) as usize - 1).min(all.len());
        let what = |of: &str| format!("{of} version {from}");
        exact(what("from"), Query::new().versions(from..), &all[at..]).await?;
        exact(what("below"), Query::new().versions(..from), &all[..at]).await?;
        let one = if from == 0 {
            &[]
        } else {
            &all[at..(at + 1).min(all.len())]
        };
        exact(what("at"), Query::new().at_version(from), one).await?;
    }
    for (at, record) in all.iter().enumerate() {
        let (id, what) = (&record.id, |of: &str| format!("{of} id {}", record.id));
        exact(
            what("behind"),
            Query::new().after(id.clone()),
            &all[at + 1..],
        )
        .await?;
        exact(what("before"), Query::new().before(id.clone()), &all[..at]).await?;
        let none = Query::new().after(id.clone()).before(id.clone());
        exact(what("between nothing at"), none, &[]).await?;
    }
    exact("the far end".into(), Query::new().versions(u64::MAX..), &[]).await?;
    Ok(Ran::Whole)
}

/// Descending is the exact reverse, from each place and cut to each limit.
/// Catches an ignored direction and a limit applied before the reversal.
pub(super) async fn a08_read_desc_exact<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("a08");
    store.append(&stream, batch(entries("a08", 12))).await?;
    let mut newest_first = whole(&*store, &stream).await?;
    newest_first.reverse();
    for size in [1, 5, 12, 100] {
        let got = records(&*store, &stream, Query::new(), size, true).await?;
        let step = format!("paging backwards by {size}");
        check::same_list("P3", step, &got, &newest_first)?;
    }
    for (at, start) in newest_first.iter().enumerate() {
        for limit in [1, 2, 11, 12, 13] {
            let query = Query::new().before(start.id.clone()).desc().limit(limit);
            let got = page(&*store, &stream, query).await?;
            let older = &newest_first[at + 1..];
            let step = format!("{limit} before version {}", start.version);
            begins(&got, older, limit, &step)?;
        }
    }
    Ok(Ran::Whole)
}
