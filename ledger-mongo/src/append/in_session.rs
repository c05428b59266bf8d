//! An append inside the caller's transaction.

use ledger_core::{Error, Kind, Receipts, Result, Retry, StreamName};
use mongodb::ClientSession;
use mongodb::bson::doc;
use mongodb::options::ReturnDocument;

use super::originals::Originals;
use super::register::draw;
use super::request::Request;
use super::transaction::{Locked, heads, insert, move_heads};
use crate::document::document;
use crate::error::{During, convert, corrupt};
use crate::handle::Inner;
use crate::heads::{Head, head};
use crate::id::MongoId;

/// Appends. Keys are looked for beforehand: a repeated key that the server met
/// would end the caller's transaction. One that was committed after the
/// transaction began ends it all the same, as a conflict to be repeated.
pub(crate) async fn in_session(
    inner: &Inner,
    session: &mut ClientSession,
    request: &Request,
    mut originals: Originals,
) -> Result<Receipts<MongoId>> {
    let stream = &request.stream;
    let in_the_way = |why| Error::new(Kind::Contention, why).with_retry(Retry::Transaction);
    let mut found = heads(inner, session, &[stream], During::Session).await?;
    let locked = match found.remove(stream) {
        None => born(inner, session, stream).await?,
        found => found,
    };
    let Some(locked) = locked else {
        return Err(in_the_way(
            "the stream is newer than the transaction; repeat it",
        ));
    };
    if request.is_keyed() {
        originals
            .find(inner, session, request.wanted(), During::Session)
            .await?;
    }
    let version = locked.head.version;
    let plan = request.plan(version, |key| originals.get(key).cloned())?;
    let place = |nth: usize| {
        let version = version + 1 + nth as u64;
        (MongoId::new(locked.head.number, version), version)
    };
    if !plan.fresh.is_empty() {
        let time = locked.time.timestamp_millis();
        let documents = plan.fresh.iter().enumerate();
        let documents = documents.map(|(nth, &index)| {
            document(place(nth).0, time, request.body(index))
                .ok_or_else(|| Error::new(Kind::Internal, "an entry has no document"))
        });
        let documents = documents.collect::<Result<Vec<_>>>()?;
        let failed = |e: mongodb::error::Error| convert(&e, During::Session);
        let moves = [(stream, locked, plan.fresh.len() as u64)];
        if !move_heads(inner, session, &moves).await.map_err(failed)? {
            return Err(in_the_way(
                "the head of the stream has moved; repeat the transaction",
            ));
        }
        insert(inner, session, &documents).await.map_err(failed)?;
    }
    Ok(plan.receipts(place))
}

/// Makes the head of a new stream inside the transaction: one that is made
/// outside would be newer than what the transaction sees. `None` if somebody
/// has done that.
async fn born(
    inner: &Inner,
    session: &mut ClientSession,
    stream: &StreamName,
) -> Result<Option<Locked>> {
    let mut outside = inner.session().await?;
    if head(inner, &mut outside, stream, During::Read)
        .await?
        .is_some()
    {
        return Ok(None);
    }
    let no = i64::try_from(draw(inner, &mut outside, 1).await?).unwrap_or(i64::MAX);
    let born = doc! { "$set": { "no": no, "head": 0_i64, "floor": 0_i64, "t": "$$NOW" } };
    let born = inner
        .streams
        .find_one_and_update(doc! { "_id": stream.as_str() }, vec![born])
        .upsert(true)
        .return_document(ReturnDocument::After)
        .session(session)
        .await
        .map_err(|e| convert(&e, During::Session))?;
    let born = born.ok_or_else(|| corrupt("a head, which vanishes while it is made"))?;
    let time = born
        .get_datetime("t")
        .map_err(|_| corrupt("the time of a stream"))?;
    let head = Head::parse(&born)?;
    Ok(Some(Locked { head, time }))
}
