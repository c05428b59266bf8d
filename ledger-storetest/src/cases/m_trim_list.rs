//! M: trimming and listing.

mod list;
mod reading;
mod trim;

pub(super) use list::{m05_trim_all_then_append, m06_list_byte_order, m07_list_under_creation};
pub(super) use reading::{m03_read_into_trimmed_range, m04_trim_during_read};
pub(super) use trim::{m01_trim_exact_end, m02_trim_keeps_versions};

use ledger_core::EntryId;

use crate::case::{Failure, Ran};
use crate::lab::{Lab, unclaimed};
use crate::sample::{append_one, entry, name};

/// For a store that does not claim to trim: that it refuses.
async fn trim_refused<I: EntryId>(lab: &Lab<I>) -> Result<Ran, Failure> {
    let store = lab.open().await?;
    let stream = name("untrimmed");
    let receipts = append_one(&*store, &stream, entry("untrimmed", 0)).await?;
    unclaimed("trim", store.trim(&stream, &receipts[0].id).await)
}
