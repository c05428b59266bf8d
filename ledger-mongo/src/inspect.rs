//! Facts about streams and the store: stat, list.

use std::ops::ControlFlow;

use ledger_core::{ListStreams, Page, PageEnd, Result, StreamName, StreamStat};
use mongodb::ClientSession;
use mongodb::bson::doc;

use crate::error::{During, corrupt};
use crate::handle::Inner;
use crate::heads::{head, name};
use crate::id::MongoId;
use crate::query;

/// The head is read first: what is appended in between is beyond it, and only
/// a trim can take away what is before it.
pub(crate) async fn stat(
    inner: &Inner,
    session: &mut ClientSession,
    stream: &StreamName,
    during: During,
) -> Result<Option<StreamStat<MongoId>>> {
    let Some(head) = head(inner, session, stream, during).await? else {
        return Ok(None);
    };
    if head.version == 0 {
        return Ok(None);
    }
    let last = MongoId::new(head.number, head.version);
    let first = lowest(inner, session, last, during).await?;
    let retained = first.map_or(0, |first| head.version - first.version() + 1);
    let last = first.map(|_| last);
    Ok(Some(StreamStat::new(first, last, head.version, retained)))
}

/// The first entry of a stream up to one, inclusive.
pub(crate) async fn lowest(
    inner: &Inner,
    session: &mut ClientSession,
    through: MongoId,
    during: During,
) -> Result<Option<MongoId>> {
    let from = MongoId::new(through.stream_number(), 1);
    let filter = doc! { "_id": { "$gte": from.object_id(), "$lte": through.object_id() } };
    let mut options = query::bounded(1);
    options.sort = Some(doc! { "_id": 1 });
    options.projection = Some(doc! { "_id": 1 });
    let found = query::first(&inner.entries, session, filter, options, during).await?;
    let id = found.map(|document| {
        let id = document.get_object_id("_id");
        id.map(MongoId::from_object_id)
            .map_err(|_| corrupt("an _id"))
    });
    id.transpose()
}

pub(crate) async fn list(
    inner: &Inner,
    session: &mut ClientSession,
    list: &ListStreams,
) -> Result<Page<StreamName>> {
    // A head without a version was left by an append that came to nothing.
    let mut filter = doc! { "head": { "$gt": 0 } };
    if let Some(after) = list.after() {
        filter.insert("_id", doc! { "$gt": after.as_str() });
    }
    let mut options = query::bounded(list.limit() + 1);
    options.sort = Some(doc! { "_id": 1 });
    options.projection = Some(doc! { "_id": 1 });
    let mut names = Vec::new();
    let mut end = PageEnd::CaughtUp;
    query::visit(
        &inner.streams,
        session,
        filter,
        options,
        During::Read,
        |document| {
            if names.len() == list.limit() {
                end = PageEnd::More;
                return Ok(ControlFlow::Break(()));
            }
            names.push(name(document)?);
            Ok(ControlFlow::Continue(()))
        },
    )
    .await?;
    inner.saw(session);
    Ok(Page::new(names, end))
}
