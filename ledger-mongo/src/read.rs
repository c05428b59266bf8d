//! Pages of one stream.

use std::ops::ControlFlow;

use ledger_core::{Error, Kind, Limits, Page, PageEnd, Read, Record, Result, StreamName};
use mongodb::ClientSession;
use mongodb::bson::doc;

use crate::document::decode;
use crate::error::During;
use crate::handle::Inner;
use crate::heads::head;
use crate::id::MongoId;
use crate::query;

/// Checks the ids of a request.
pub(crate) fn check_ids(read: &Read<MongoId>) -> Result<()> {
    for (field, id) in [("after", read.after()), ("before", read.before())] {
        id.map(|id| id.check(field)).transpose()?;
    }
    Ok(())
}

/// Reads a page.
pub(crate) async fn read(
    inner: &Inner,
    session: &mut ClientSession,
    stream: &StreamName,
    read: &Read<MongoId>,
    during: During,
) -> Result<Page<Record<MongoId>>> {
    let number = match inner.numbers.get(stream) {
        Some(number) => Some(number),
        None => head(inner, session, stream, during)
            .await?
            .map(|head| head.number),
    };
    if let Some(after) = read.after() {
        check_after(inner, session, stream, number, *after, during).await?;
    }
    let Some(number) = number else {
        return Ok(Page::empty());
    };
    let Some((low, high)) = range(number, read) else {
        return Ok(Page::empty());
    };
    let (low, high) = (MongoId::new(number, low), MongoId::new(number, high));
    let mut filter = doc! { "_id": { "$gte": low.object_id(), "$lte": high.object_id() } };
    if let Some(key) = read.order_key() {
        filter.insert("stream", stream.as_str());
        filter.insert("order_key", key);
    }
    let mut options = query::bounded(read.limit() + 1);
    options.sort = Some(doc! { "_id": if read.is_descending() { -1 } else { 1 } });
    let mut taken = Taken::new(read.limit());
    let entries = &inner.entries;
    query::visit(entries, session, filter, options, during, |document| {
        let decoded = decode(document).map_err(|e| e.with("stream", stream))?;
        Ok(taken.take(decoded.record))
    })
    .await?;
    if during == During::Read {
        inner.saw(session);
        for record in &taken.records {
            inner.numbers.saw(number, record.version);
        }
    }
    Ok(Page::new(taken.records, taken.end))
}

/// # Errors
///
/// `InvalidCursor` for an id that the stream has not given out.
async fn check_after(
    inner: &Inner,
    session: &mut ClientSession,
    stream: &StreamName,
    number: Option<u32>,
    after: MongoId,
    during: During,
) -> Result<()> {
    let refused = |why: &'static str| {
        let refused = Error::new(Kind::InvalidCursor, why);
        Err(refused.with("stream", stream).with("after", after))
    };
    let Some(number) = number else {
        return refused("an id of a stream that the store does not have");
    };
    if number != after.stream_number() {
        return refused("an id of another stream");
    }
    if after.version() <= inner.numbers.reached(number) {
        return Ok(());
    }
    let head = head(inner, session, stream, during).await?;
    if head.is_none_or(|head| after.version() > head.version) {
        return refused("an id ahead of the stream");
    }
    Ok(())
}

/// The versions to read, both inclusive; `None` if there are none. Ids compare
/// as they are, those of other streams too.
fn range(number: u32, read: &Read<MongoId>) -> Option<(u64, u64)> {
    let mut low = (*read.versions().start()).max(1);
    let mut high = (*read.versions().end()).min(Limits::TABLE.position);
    if let Some(after) = read.after() {
        low = low.max(after.version().saturating_add(1));
    }
    if let Some(before) = read.before() {
        high = high.min(match before.stream_number().cmp(&number) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => before.version() - 1,
            std::cmp::Ordering::Greater => u64::MAX,
        });
    }
    (low <= high).then_some((low, high))
}

/// A page on its way: at most the limit, and no more once the bytes of a page
/// are reached; always one, if there is one.
pub(crate) struct Taken {
    pub(crate) records: Vec<Record<MongoId>>,
    pub(crate) end: PageEnd,
    limit: usize,
    bytes: u64,
}

impl Taken {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            records: Vec::new(),
            end: PageEnd::CaughtUp,
            limit,
            bytes: 0,
        }
    }

    pub(crate) fn take(&mut self, record: Record<MongoId>) -> ControlFlow<()> {
        self.bytes += record.entry.size() as u64;
        let full = self.bytes > Limits::TABLE.page_bytes && !self.records.is_empty();
        if full || self.records.len() == self.limit {
            self.end = PageEnd::More;
            return ControlFlow::Break(());
        }
        self.records.push(record);
        ControlFlow::Continue(())
    }
}
