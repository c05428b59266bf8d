//! A: appending and reading.

use ledger_core::{EntryId, Query};

use crate::case::{Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::sample::{append_one, batch, entries, entry, given, name, whole};

/// Every field of one entry comes back as it was given, and the receipt names
/// the place where it is found. Catches swapped fields and a payload replaced
/// by a default.
pub(super) async fn a01_append_one_roundtrip<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("a01");
    let sent = entry("a01", 3)
        .with_order_key("customer-1")
        .with_dedup_key("evt-9");
    let receipts = append_one(&store, &stream, sent.clone()).await?;
    check::equal("P1", "receipts of one entry", receipts.len(), 1)?;
    check::equal("P1", "the first version", receipts[0].version, 1)?;
    check::that(
        "P9",
        "a new entry",
        !receipts[0].is_duplicate(),
        "appended",
        &receipts[0],
    )?;

    let records = whole(&store, &stream).await?;
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
    append_one(&store, &stream, entry("before", 0)).await?;
    let sent = entries("a02", 50);
    let receipts = store.append(&stream, batch(sent.clone())).await?;
    let versions: Vec<u64> = receipts.iter().map(|r| r.version).collect();
    check::equal("P7", "versions of the batch", versions, (2..52).collect())?;
    let growing = receipts.windows(2).all(|pair| pair[0].id < pair[1].id);
    check::that("P2", "ids of the batch", growing, "growing ids", &receipts)?;

    let records = whole(&store, &stream).await?;
    check::equal(
        "P7",
        "order of the batch",
        given(&records[1..]),
        sent.iter().collect(),
    )?;
    let versions = Query::new().versions(2..=3);
    let found = crate::sample::page(&store, &stream, versions).await?;
    check::equal(
        "P1",
        "versions 2 and 3",
        given(&found.records),
        sent[..2].iter().collect(),
    )?;
    Ok(Ran::Whole)
}
