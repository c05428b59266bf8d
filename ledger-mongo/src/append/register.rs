//! Giving streams their numbers.
//!
//! Outside of any transaction, and confirmed by a majority: a number is used
//! by everything that follows. Numbers that two writers draw for one new stream
//! leave a gap, which is harmless; a stream without entries does not exist yet.

use std::ops::ControlFlow;

use ledger_core::{Error, Kind, Result, StreamName};
use mongodb::ClientSession;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{FindOptions, ReturnDocument};

use crate::error::{During, convert, corrupt};
use crate::handle::{Inner, session};
use crate::heads::{Head, name, projection};
use crate::query;
use crate::schema::DUPLICATE_KEY;

/// Sees to it that the streams have heads. What this does is not part of an
/// append: repeated or left half done it changes nothing that anyone sees.
pub(crate) async fn register<'s>(
    inner: &Inner,
    streams: impl Iterator<Item = &'s StreamName>,
) -> Result<()> {
    let mut unknown: Vec<_> = streams
        .filter(|stream| inner.numbers.get(stream).is_none())
        .cloned()
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let mut session = session(&inner.client, true).await?;
    find(inner, &mut session, &mut unknown).await?;
    if unknown.is_empty() {
        return Ok(());
    }
    let last = draw(inner, &mut session, unknown.len()).await?;
    let first = last - unknown.len() as u64 + 1;
    let command = doc! {
        "update": &inner.names.streams,
        "updates": births(&unknown, first),
        "ordered": false,
        "writeConcern": { "w": "majority", "j": true },
    };
    let done = inner
        .database
        .run_command(command)
        .session(&mut session)
        .await;
    let done = done.map_err(|e| convert(&e, During::Read))?;
    // Another writer may have been faster with the same stream.
    let errors = done.get_array("writeErrors").map_or(&[][..], Vec::as_slice);
    let strange = errors.iter().find_map(|error| {
        let code = error.as_document()?.get_i32("code").ok()?;
        (code != DUPLICATE_KEY).then_some(code)
    });
    if strange.is_some() || done.contains_key("writeConcernError") {
        let failed = Error::new(Kind::Unavailable, "a new stream could not be registered");
        return Err(failed.with("code", strange.unwrap_or_default()));
    }
    find(inner, &mut session, &mut unknown).await?;
    match unknown.first() {
        None => Ok(()),
        // Two streams with one number would be refused by the unique index.
        Some(stream) => Err(Error::new(
            Kind::Corrupt,
            "a new stream gets no number: the counter of streams is behind, or a restore has lost it",
        )
        .with("stream", stream)),
    }
}

fn births(streams: &[StreamName], first: u64) -> Vec<Document> {
    let birth = |(stream, no): (&StreamName, u64)| {
        // `draw` has seen to it that the numbers fit.
        let no = i64::try_from(no).unwrap_or(i64::MAX);
        let born = doc! { "$setOnInsert": { "no": no, "head": 0_i64, "floor": 0_i64 } };
        doc! { "q": { "_id": stream.as_str() }, "u": born, "upsert": true }
    };
    streams.iter().zip(first..).map(birth).collect()
}

/// Takes those out that have a head, as a majority has it.
async fn find(
    inner: &Inner,
    session: &mut ClientSession,
    unknown: &mut Vec<StreamName>,
) -> Result<()> {
    let names: Vec<_> = unknown.iter().map(StreamName::as_str).collect();
    let filter = doc! { "_id": { "$in": names } };
    let mut options = projection(FindOptions::default());
    options.batch_size = u32::try_from(unknown.len() + 1).ok();
    let mut found = Vec::new();
    query::visit(
        &inner.streams,
        session,
        filter,
        options,
        During::Read,
        |document| {
            found.push((name(document)?, Head::parse(document)?));
            Ok(ControlFlow::Continue(()))
        },
    )
    .await?;
    for (stream, head) in found {
        inner.numbers.learn(&stream, head.number);
        unknown.retain(|name| *name != stream);
    }
    Ok(())
}

/// Draws `count` numbers; the last of them.
pub(super) async fn draw(inner: &Inner, session: &mut ClientSession, count: usize) -> Result<u64> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let drawn = inner
        .meta
        .find_one_and_update(
            doc! { "_id": "streams" },
            doc! { "$inc": { "next": count } },
        )
        .upsert(true)
        .return_document(ReturnDocument::After)
        .session(session)
        .await
        .map_err(|e| convert(&e, During::Read))?;
    let last = match drawn.as_ref().and_then(|d| d.get("next")) {
        Some(Bson::Int64(n)) => u64::try_from(*n).ok(),
        _ => None,
    };
    let last = last.ok_or_else(|| corrupt("the counter of streams"))?;
    if last > u64::from(u32::MAX) {
        return Err(Error::new(
            Kind::LimitReached,
            "the store has as many streams as it can have, 4,294,967,295",
        ));
    }
    Ok(last)
}
