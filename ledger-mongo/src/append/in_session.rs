//! An append inside the caller's transaction.

use ledger_core::{Error, Kind, Receipts, Result, Retry};
use mongodb::ClientSession;

use super::originals::Originals;
use super::register::register;
use super::request::Request;
use super::transaction::{heads, insert, move_heads};
use crate::document::document;
use crate::error::{During, convert};
use crate::handle::Inner;
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
    register(inner, std::iter::once(stream)).await?;
    let in_the_way = |why| Error::new(Kind::Contention, why).with_retry(Retry::Transaction);
    let found = heads(inner, session, &[stream], During::Session).await?;
    let Some(locked) = found.get(stream).copied() else {
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
