//! E: how long a dedup key is remembered.

use ledger_core::EntryId;

use super::e_dedup::{NEW, OLD, keyed, log_is, receipts_are};
use crate::case::{Ran, Verdict};
use crate::check;
use crate::lab::{Lab, unclaimed};
use crate::sample::{batch, name};

/// Keys are remembered by a store that was closed and opened again, and by one
/// that was dropped. Catches an index in memory.
pub(super) async fn e08_survives_reopen<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let stream = name("e08");
    let kept: Vec<_> = (0..30)
        .map(|n| keyed("e08", n, &format!("key {n}")))
        .collect();
    let store = lab.open().await?;
    for part in kept.chunks(7) {
        store.append(&stream, batch(part)).await?;
    }
    store.close().await?;
    drop(store);
    for round in 0..3 {
        lab.step(format!("opened again, {round}"));
        let store = lab.open().await?;
        let expected: Vec<_> = (1..=30).map(|version| (version, OLD)).collect();
        let receipts = store
            .append(&stream, batch(&kept[..]).with_verified_duplicates(true))
            .await?;
        receipts_are("all of them again", &receipts, &expected)?;
        log_is(&store, &stream, &receipts, &kept).await?;
        if round == 1 {
            store.close().await?;
        }
    }
    Ok(Ran::Whole)
}

/// A key is remembered as long as its entry is retained: free again once it was
/// trimmed, and not before, also after reopening. Catches a trim that forgets
/// the keys of what it keeps, and one that remembers those of what is gone.
pub(super) async fn e09_trim_frees_keys<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let mut store = lab.open().await?;
    let stream = name("e09");
    let sent: Vec<_> = (0..10)
        .map(|n| keyed("e09", n, &format!("key {n}")))
        .collect();
    let receipts = store.append(&stream, batch(&sent[..])).await?;
    if !lab.capabilities().trim {
        return unclaimed("trim", store.trim(&stream, &receipts[3].id).await);
    }
    let trimmed = store.trim(&stream, &receipts[3].id).await?;
    check::equal("P19", "entries trimmed", trimmed, 4)?;
    store.close().await?;
    store = lab.open().await?;

    let again = store.append(&stream, batch(&sent[4..])).await?;
    let expected: Vec<_> = (5..=10).map(|version| (version, OLD)).collect();
    receipts_are("keys of retained entries", &again, &expected)?;
    for (again, first) in again.iter().zip(&receipts[4..]) {
        check::equal("P9", "the id of the original", &again.id, &first.id)?;
    }
    // New content, verified: nothing is left of the old entries.
    let fresh: Vec<_> = (0..4)
        .map(|n| keyed("anew", n, &format!("key {n}")))
        .collect();
    let mixed = [&fresh[..2], &sent[4..5], &fresh[2..]].concat();
    let mixed = batch(mixed).with_verified_duplicates(true);
    let receipts = store.append(&stream, mixed.clone()).await?;
    let expected = [(11, NEW), (12, NEW), (5, OLD), (13, NEW), (14, NEW)];
    receipts_are("keys of trimmed entries", &receipts, &expected)?;
    let kept = [&sent[4..], &fresh[..]].concat();
    log_is(&store, &stream, &receipts, &kept).await?;
    let receipts = store.append(&stream, mixed).await?;
    receipts_are(
        "once more",
        &receipts,
        &expected.map(|(version, _)| (version, OLD)),
    )?;

    lab.step("a stream trimmed empty has no keys");
    if let Some(last) = receipts.last_id() {
        store.trim(&stream, last).await?;
    }
    let receipts = store.append(&stream, batch(&sent[..])).await?;
    let expected: Vec<_> = (15..25).map(|version| (version, NEW)).collect();
    receipts_are("all keys", &receipts, &expected)?;
    log_is(&store, &stream, &receipts, &sent).await?;
    Ok(Ran::Whole)
}
