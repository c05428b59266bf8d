//! B: what goes in comes out, byte for byte.

mod metadata;
mod payloads;
mod texts;
mod times;
mod values;

pub(super) use metadata::{b08_metadata_keys_odd, b09_metadata_full_size, b14_none_vs_empty};
pub(super) use payloads::{
    b01_payload_bytes_exact, b02_json_text_not_rewritten, b03_nul_and_controls, b10_numbers,
};
pub(super) use texts::{
    b04_unicode_names_distinct, b05_case_sensitive_everything, b06_whitespace_preserved,
    b07_like_and_regex_metachars,
};
pub(super) use times::b13_timestamps;
pub(super) use values::{b11_nan_rejected, b12_deep_nesting};

use ledger_core::{EntryId, Query, RawEntry, Record, Store, StoreOrder, StreamName};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::sample::{append_one, batch, everything, given, name, records, whole};

/// Appends the entries to a stream of this name, some one by one and the others
/// as a batch: they are read back exactly, also after the store was closed and
/// opened again.
async fn comes_back<I: EntryId>(lab: &Lab<I>, stream: &str, sent: &[RawEntry]) -> Verdict {
    let store = lab.open().await?;
    let stream = name(stream);
    let (single, together) = sent.split_at(sent.len() / 2);
    for (n, entry) in single.iter().enumerate() {
        lab.step(format!("appending entry {n}"));
        append_one(&*store, &stream, entry.clone()).await?;
    }
    lab.step("appending the rest as a batch");
    store.append(&stream, batch(together)).await?;
    let order = lab.capabilities().store_order;
    let found = every_way(&*store, order, &stream).await?;
    let sent: Vec<_> = sent.iter().collect();
    check::same_list("P16", "what is read back", &given(&found), &sent)?;

    lab.step("opening the store again");
    store.close().await?;
    let store = lab.open().await?;
    let again = every_way(&*store, order, &stream).await?;
    check::same_list("P16", "after opening again", &again, &found)?;
    Ok(Ran::Whole)
}

/// The records of a stream, which are the same whichever way they are read:
/// forwards, backwards, each at its version, and with the whole store.
async fn every_way<I: EntryId>(
    store: &dyn Store<I>,
    order: StoreOrder,
    stream: &StreamName,
) -> Result<Vec<Record<I>>, Failure> {
    let found = whole(store, stream).await?;
    let mut backwards = records(store, stream, Query::new(), 50, true).await?;
    backwards.reverse();
    check::same_list("P16", "read backwards", &backwards, &found)?;
    for record in found.iter().take(20) {
        let query = Query::new().at_version(record.version);
        let one = records(store, stream, query, 10, false).await?;
        let step = format!("version {} alone", record.version);
        check::same_list("P16", step, &one, std::slice::from_ref(record))?;
    }
    if order != StoreOrder::None {
        // Only a total order can be read backwards.
        for desc in [false, true] {
            if desc && order != StoreOrder::Total {
                continue;
            }
            let all = everything(store, 100, desc).await?;
            let mut all: Vec<_> = all
                .into_iter()
                .filter(|found| found.stream == *stream)
                .map(|found| found.record)
                .collect();
            if desc {
                all.reverse();
            }
            let step = format!("with the whole store, descending: {desc}");
            check::same_list("P16", step, &all, &found)?;
        }
    }
    Ok(found)
}
