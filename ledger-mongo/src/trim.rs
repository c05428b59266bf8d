//! Removing old entries, in steps.

use std::cmp::Ordering;

use ledger_core::{Error, Kind, Result, StreamName};
use mongodb::ClientSession;
use mongodb::bson::{Document, doc};
use tokio::time::Instant;

use crate::error::{During, convert};
use crate::handle::Inner;
use crate::heads::head;
use crate::id::MongoId;
use crate::inspect::lowest;

/// Removes the entries of a stream up to an id, oldest first. The head stays,
/// so that versions go on as before.
pub(crate) async fn trim(
    inner: &Inner,
    stream: &StreamName,
    through: MongoId,
    deadline: Instant,
) -> Result<u64> {
    let mut session = inner.session().await?;
    let Some(head) = head(inner, &mut session, stream, During::Read).await? else {
        return Ok(0);
    };
    let number = head.number;
    let through = match through.stream_number().cmp(&number) {
        Ordering::Less => 0,
        Ordering::Equal => head.version.min(through.version()),
        Ordering::Greater => head.version,
    };
    if through == 0 {
        return Ok(0);
    }
    let end = MongoId::new(number, through);
    let Some(first) = lowest(inner, &mut session, end, During::Read).await? else {
        return Ok(0);
    };
    // The floor first: whoever repairs or restores a store knows from it that
    // what is missing was to be removed.
    let floor = i64::try_from(through).unwrap_or(i64::MAX);
    let command = doc! {
        "update": &inner.names.streams,
        "updates": [{ "q": { "_id": stream.as_str() }, "u": { "$max": { "floor": floor } } }],
    };
    write(inner, &mut session, command, deadline).await?;

    let (mut removed, mut from) = (0, first.version());
    while from <= through {
        let last = (from + u64::from(inner.config.trim_chunk) - 1).min(through);
        let (low, high) = (MongoId::new(number, 1), MongoId::new(number, last));
        let doomed = doc! { "_id": { "$gte": low.object_id(), "$lte": high.object_id() } };
        let command = doc! {
            "delete": &inner.names.entries,
            "deletes": [{ "q": doomed, "limit": 0 }],
        };
        removed += write(inner, &mut session, command, deadline).await?;
        from = last + 1;
    }
    Ok(removed)
}

/// Writes until the deadline and no longer: outside of a transaction an update
/// waits inside the server for whoever has locked the document. How many
/// documents it met.
async fn write(
    inner: &Inner,
    session: &mut ClientSession,
    mut command: Document,
    deadline: Instant,
) -> Result<u64> {
    let left = deadline.saturating_duration_since(Instant::now());
    let millis = i64::try_from(left.as_millis()).unwrap_or(i64::MAX).max(1);
    command.insert("maxTimeMS", millis);
    command.insert("writeConcern", doc! { "w": "majority", "j": true });
    let done = inner
        .database
        .run_command(command)
        .session(&mut *session)
        .await;
    let done = done.map_err(|e| convert(&e, During::Write))?;
    inner.saw(session);
    let refused = done.get_array("writeErrors").ok();
    if let Some(refused) = refused.and_then(|errors| errors.first()?.as_document()) {
        let kind = match refused.get_i32("code") {
            Ok(50) => Kind::Timeout,
            Ok(112) => Kind::Contention,
            _ => Kind::Internal,
        };
        let refused = Error::new(kind, "the server refuses to trim");
        return Err(refused.unknown_outcome());
    }
    if done.contains_key("writeConcernError") {
        let lost = "the trim could not be confirmed by a majority of the replica set";
        return Err(Error::new(Kind::Unavailable, lost).unknown_outcome());
    }
    let n = done.get_i32("n").ok().and_then(|n| u64::try_from(n).ok());
    Ok(n.unwrap_or(0))
}
