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
use ledger_core::{Entry, EntryId, Error, PageEnd, Query, Stream, StreamName};

use crate::case::Failure;
use crate::check;

/// The entries that the query selects, by pages: up to the end, or to the first
/// error.
async fn pages<I: EntryId, T: 'static>(
    stream: &Stream<I, T>,
    mut query: Query<I>,
) -> (Vec<Entry<I, T>>, Option<Error>) {
    let mut all = Vec::new();
    loop {
        match stream.read(query.clone()).await {
            Ok(page) => {
                let (next, end) = (page.next.clone(), page.end);
                all.extend(page);
                match next {
                    Some(next) if end != PageEnd::CaughtUp => query = query.after(next),
                    _ => return (all, None),
                }
            }
            Err(e) => return (all, Some(e)),
        }
    }
}

/// All of them; an error is the case's.
async fn all_pages<I: EntryId, T: 'static>(
    stream: &Stream<I, T>,
    query: Query<I>,
) -> Result<Vec<Entry<I, T>>, Error> {
    let (all, error) = pages(stream, query).await;
    error.map_or(Ok(all), Err)
}

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
