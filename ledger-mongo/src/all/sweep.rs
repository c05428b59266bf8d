//! The sweep over the streams, by their numbers.

use std::ops::ControlFlow;

use ledger_core::Result;
use mongodb::ClientSession;
use mongodb::bson::{Document, doc};

use super::page::Page;
use super::place::Place;
use crate::document::decode;
use crate::error::During;
use crate::handle::Inner;
use crate::heads::{Head, projection};
use crate::id::MongoId;
use crate::query;

/// How many streams are looked at in one step.
const STEP: usize = 256;

/// Sweeps on from the place, until the page is full, or over one step.
///
/// Heads and entries are read one after the other. What is appended in between
/// is beyond the heads: the events tell of it, or the sweep has not passed the
/// stream yet.
pub(super) async fn sweep(
    inner: &Inner,
    session: &mut ClientSession,
    place: &mut Place,
    from: MongoId,
    page: &mut Page,
) -> Result<()> {
    let heads = heads(inner, session, from).await?;
    let mut over = heads.len() < STEP;
    let mut passed = Vec::new();
    let mut ranges: Vec<Document> = Vec::new();
    let mut wanted = 0;
    for head in heads {
        if wanted >= page.room() as u64 {
            over = false;
            break;
        }
        let number = head.number;
        let swept = if number == from.stream_number() {
            from.version()
        } else {
            0
        };
        let reached = place.reached(number).max(swept);
        if head.version > reached {
            wanted += head.version - reached;
            let (low, high) = (
                MongoId::new(number, reached),
                MongoId::new(number, head.version),
            );
            let range = doc! { "$gt": low.object_id(), "$lte": high.object_id() };
            ranges.push(doc! { "_id": range });
        }
        passed.push(head);
    }
    if !ranges.is_empty() {
        let filter = match ranges.len() {
            1 => ranges.remove(0),
            _ => doc! { "$or": ranges },
        };
        let mut options = query::bounded(page.room() + 1);
        options.sort = Some(doc! { "_id": 1 });
        let mut given = Vec::new();
        let entries = &inner.entries;
        query::visit(
            entries,
            session,
            filter,
            options,
            During::Read,
            |document| {
                let decoded = decode(document)?;
                let (stream, id) = (decoded.stream_name()?, decoded.record.id);
                let flow = page.take(stream, decoded.record);
                if flow.is_continue() {
                    given.push(id);
                }
                Ok(flow)
            },
        )
        .await?;
        let time = inner.saw(session);
        for id in &given {
            place.advance(id.stream_number(), id.version(), time);
        }
        if page.is_full() {
            place.sweep = given.last().copied().or(place.sweep);
            return Ok(());
        }
    }
    let time = inner.saw(session);
    for head in &passed {
        // What is missing in between was trimmed.
        if head.version > place.reached(head.number) {
            place.advance(head.number, head.version, time);
        }
        inner.numbers.saw(head.number, head.version);
    }
    let last = passed
        .last()
        .map(|head| MongoId::new(head.number, head.version));
    place.sweep = if over { None } else { last.or(place.sweep) };
    Ok(())
}

/// The heads of the next streams, from that of the place on.
async fn heads(inner: &Inner, session: &mut ClientSession, from: MongoId) -> Result<Vec<Head>> {
    let filter = doc! { "no": { "$gte": i64::from(from.stream_number()) } };
    let mut options = projection(query::bounded(STEP));
    options.sort = Some(doc! { "no": 1 });
    let mut heads = Vec::new();
    query::visit(
        &inner.streams,
        session,
        filter,
        options,
        During::Read,
        |document| {
            heads.push(Head::parse(document)?);
            Ok(ControlFlow::Continue(()))
        },
    )
    .await?;
    Ok(heads)
}
