//! N: typed streams over the store.

mod codecs;
mod history;
mod poison;

pub(super) use codecs::{n01_codec_roundtrip_law, n08_content_type_mismatch, n09_facts_of_entries};
pub(super) use history::{
    n02_chain_order_and_completeness, n03_newer_than_known, n06_upcast_does_not_rewrite,
};
pub(super) use poison::n05_poison_position;

use futures_util::StreamExt;
use ledger_core::{Entry, EntryId, Error, Query, Stream, StreamName};

use crate::case::Failure;
use crate::check;

/// Everything that `entries` yields, errors too.
async fn all_of<I: EntryId, T: 'static>(
    stream: &Stream<I, T>,
    query: Query<I>,
) -> Vec<Result<Entry<I, T>, Error>> {
    stream.entries(query).collect().await
}

/// The error tells which entry it is about, so that reading can go on.
fn tells_the_place<I: EntryId>(
    error: &Error,
    stream: &StreamName,
    id: &I,
    version: u64,
) -> Result<(), Failure> {
    let got = (
        error.is_entry(),
        error.context("stream").map(str::to_owned),
        error.context_as::<I>("id"),
        error.context_as::<u64>("version"),
    );
    let stream = Some(stream.as_str().to_owned());
    let wanted = (true, stream, Some(id.clone()), Some(version));
    let step = format!("the place in the error {error}");
    check::equal("P24", step, got, wanted)
}
