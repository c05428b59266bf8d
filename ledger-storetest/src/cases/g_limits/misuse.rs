//! Refused calls and what comes after them.

use std::future::Future;

use ledger_core::{
    AllQuery, Batch, EntryId, Expected, Kind, Query, RawEntry, ReadAll, Result, Store, StoreCursor,
    StoreOrder, StreamName,
};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::sample::{append_one, batch, entry, given, name, page, whole};

/// A stream and what has to be in it, to try after each refused call.
struct Witness<'a, I> {
    store: &'a dyn Store<I>,
    stream: StreamName,
    sent: Vec<RawEntry>,
}

impl<I: EntryId> Witness<'_, I> {
    /// The call was refused; the next ones work, and nothing else happened.
    async fn refused<T: std::fmt::Debug>(
        &mut self,
        what: &str,
        call: impl Future<Output = Result<T>>,
        fits: impl FnOnce(&Kind) -> bool,
    ) -> std::result::Result<(), Failure> {
        check::refused("P20", what, call.await, "a refusal of its kind", fits)?;
        let n = self.sent.len() as u64;
        self.sent.push(entry("g05", n));
        let good = append_one(self.store, &self.stream, entry("g05", n)).await;
        let step = format!("an append after {what}");
        check::that("P20", &step, good.is_ok(), "Ok", &good)?;
        check::equal("P20", step, good?[0].version, n + 1)?;
        let found = whole(self.store, &self.stream).await;
        let step = format!("a read after {what}");
        check::that("P20", &step, found.is_ok(), "Ok", &found)?;
        check::equal("P20", step, given(&found?), self.sent.iter().collect())?;
        Ok(())
    }
}

/// After every kind of refused call the same handle goes on to work, and the
/// refused call has left nothing. Catches handles and connections that a
/// refusal leaves broken.
pub(crate) async fn g05_bad_input_does_not_poison<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let store = &*store;
    let stream = name("g05");
    let mut witness = Witness {
        store,
        stream: stream.clone(),
        sent: vec![entry("g05", 0).with_dedup_key("key")],
    };
    let first = append_one(store, &stream, witness.sent[0].clone()).await?;
    let bad = || batch([entry("never", 0), entry("never", 1)]);

    for expected in [
        Expected::NoStream,
        Expected::Exactly(0),
        Expected::Exactly(u64::MAX),
    ] {
        let call = store.append(&stream, bad().with_expected(expected));
        let what = format!("a conflict with {expected}");
        let fits = |k: &Kind| matches!(k, Kind::Conflict { .. });
        witness.refused(&what, call, fits).await?;
    }
    let other = name("g05-missing");
    let call = store.append(&other, bad().with_expected(Expected::StreamExists));
    let fits = |k: &Kind| matches!(k, Kind::Conflict { actual: 0, .. });
    witness
        .refused("a conflict in a missing stream", call, fits)
        .await?;
    check::equal("P8", "the missing stream", store.stat(&other).await?, None)?;

    let repeat = batch([entry("never", 0), entry("never", 1).with_dedup_key("key")]);
    let call = store.append(&stream, repeat.with_verified_duplicates(true));
    let fits = |k: &Kind| {
        matches!(
            k,
            Kind::DedupMismatch {
                index: 1,
                original: Some(1)
            }
        )
    };
    witness.refused("a mismatch", call, fits).await?;

    let invalid = |k: &Kind| matches!(k, Kind::InvalidInput { .. });
    for id in lab.impossible_ids() {
        let call = page(store, &stream, Query::new().after(id.clone()));
        witness.refused("an impossible id", call, invalid).await?;
        let call = page(store, &stream, Query::new().before(id.clone()));
        witness
            .refused("an impossible bound", call, invalid)
            .await?;
        if lab.capabilities().trim {
            let call = store.trim(&stream, &id);
            witness
                .refused("a trim to an impossible id", call, invalid)
                .await?;
        }
    }
    let ahead = |k: &Kind| *k == Kind::InvalidCursor;
    if let Some(id) = lab.future_id() {
        let call = page(store, &stream, Query::new().after(id));
        witness
            .refused("an id ahead of the store", call, ahead)
            .await?;
    }
    if lab.capabilities().store_order != StoreOrder::None {
        let cursor = StoreCursor::from_bytes(b"garbage".to_vec());
        let read = ReadAll::new(AllQuery::new().after(cursor), store.limits())?;
        let call = store.read_all(&read);
        witness.refused("a cursor of garbage", call, ahead).await?;
    }
    let call = async { Batch::new(vec![entry("", 0).with_dedup_key("")], store.limits()) };
    witness.refused("an empty key", call, invalid).await?;
    let call = page(store, &stream, Query::new().limit(0));
    witness.refused("a page of 0", call, invalid).await?;

    let again = append_one(store, &stream, entry("g05", 0).with_dedup_key("key")).await?;
    let same = again[0].is_duplicate() && again[0].id == first[0].id;
    check::that(
        "P9",
        "the first key, at the end",
        same,
        "a duplicate",
        &again,
    )?;
    Ok(Ran::Whole)
}
