//! A page of the whole store.

use std::collections::HashMap;
use std::ops::ControlFlow;

use ledger_core::{
    Error, Kind, Limits, PageEnd, ReadAll, Record, Result, StoreCursor, StorePage, StoreRecord,
    StreamName,
};
use mongodb::ClientSession;
use mongodb::bson::doc;

use super::events::{Event, Events, Lost, Next};
use super::place::{MOST_POSITIONS, Place};
use super::sweep::sweep;
use crate::document::decode;
use crate::error::During;
use crate::handle::Inner;
use crate::heads::{Head, projection};
use crate::id::MongoId;
use crate::query;
use crate::time::ClusterTime;

/// A place that does not know the versions of all streams keeps those that the
/// sweep has passed, up to so many, before it looks at the events that make
/// them needless.
const MOST_SWEPT: usize = 2 * MOST_POSITIONS;

/// Records on their way.
pub(super) struct Page {
    records: Vec<StoreRecord<MongoId>>,
    limit: usize,
    bytes: u64,
    full: bool,
}

impl Page {
    fn new(limit: usize) -> Self {
        Self {
            records: Vec::new(),
            limit,
            bytes: 0,
            full: false,
        }
    }

    /// How many records still fit.
    pub(super) fn room(&self) -> usize {
        if self.full {
            0
        } else {
            self.limit - self.records.len()
        }
    }

    /// Whether something was left out.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn take(&mut self, stream: StreamName, record: Record<MongoId>) -> ControlFlow<()> {
        let bytes = self.bytes + record.entry.size() as u64;
        let long = bytes > Limits::TABLE.page_bytes && !self.records.is_empty();
        if long || self.room() == 0 {
            self.full = true;
            return ControlFlow::Break(());
        }
        self.bytes = bytes;
        self.records.push(StoreRecord::new(stream, record));
        ControlFlow::Continue(())
    }

    fn finish(self, place: &Place, end: PageEnd) -> StorePage<MongoId> {
        StorePage::new(self.records, place.encode(), end)
    }
}

/// Reads a page.
pub(crate) async fn page(inner: &Inner, read: &ReadAll) -> Result<StorePage<MongoId>> {
    let mut session = inner.session().await?;
    let mut place = match read.after() {
        Some(cursor) => {
            let place = Place::decode(cursor, inner.id)?;
            session.advance_operation_time(place.seen.timestamp());
            check_ahead(inner, &mut session, &place).await?;
            place
        }
        None => Place::beginning(inner.id, now(inner, &mut session).await?),
    };
    let mut page = Page::new(read.limit());
    let mut healed = false;
    loop {
        if let Some(from) = place.sweep
            && (place.complete || place.positions.len() < MOST_SWEPT)
        {
            sweep(inner, &mut session, &mut place, from, &mut page).await?;
            if page.room() == 0 {
                break;
            }
            continue;
        }
        match follow(inner, &mut session, &mut place, &mut page).await {
            Ok(()) => {}
            Err(Lost::Error(error)) => return Err(error),
            Err(Lost::History) => {
                if !place.complete {
                    return Err(Error::new(
                        Kind::InvalidCursor,
                        "the oplog does not reach back to this cursor, and the store has too many \
                         streams for the cursor to know the place in each",
                    ));
                }
                if std::mem::replace(&mut healed, true) {
                    let short = "the oplog is too short: it does not reach back over one page";
                    return Err(Error::new(Kind::Unavailable, short));
                }
                // What was given out is known without the oplog. From now on the
                // sweep brings the rest, and events what comes after this moment.
                place.time = now(inner, &mut session).await?;
                place.sweep = Some(MongoId::new(0, 0));
                continue;
            }
        }
        if page.room() == 0 {
            break;
        }
        if place.sweep.is_none() {
            place.seen = place.seen.max(inner.saw(&session));
            return Ok(page.finish(&place, PageEnd::CaughtUp));
        }
    }
    place.seen = place.seen.max(inner.saw(&session));
    Ok(page.finish(&place, PageEnd::More))
}

/// The time of a read that a majority answers for: all that was acknowledged
/// before it began was committed by then.
async fn now(inner: &Inner, session: &mut ClientSession) -> Result<ClusterTime> {
    let filter = doc! { "_id": "store" };
    let found = inner.meta.find_one(filter).session(&mut *session).await;
    found.map_err(|e| crate::error::convert(&e, During::Read))?;
    Ok(inner.saw(session))
}

/// # Errors
///
/// `InvalidCursor` if the place is beyond the head of a stream: the store was
/// replaced by an older one.
async fn check_ahead(inner: &Inner, session: &mut ClientSession, place: &Place) -> Result<()> {
    let news = place.positions.iter();
    let mut unknown: HashMap<u32, u64> = news
        .map(|(&number, &(version, _))| (number, version))
        .filter(|&(number, version)| version > inner.numbers.reached(number))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let numbers: Vec<_> = unknown.keys().map(|&no| i64::from(no)).collect();
    let mut options = projection(Default::default());
    options.batch_size = u32::try_from(numbers.len() + 1).ok();
    let filter = doc! { "no": { "$in": numbers } };
    query::visit(
        &inner.streams,
        session,
        filter,
        options,
        During::Read,
        |document| {
            let head = Head::parse(document)?;
            inner.numbers.saw(head.number, head.version);
            unknown.retain(|&number, version| number != head.number || *version > head.version);
            Ok(ControlFlow::Continue(()))
        },
    )
    .await?;
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(Error::new(
            Kind::InvalidCursor,
            "a cursor ahead of the store",
        )),
    }
}

/// Follows the events until the page is full, or until all that was
/// acknowledged before the call has been looked at.
async fn follow(
    inner: &Inner,
    session: &mut ClientSession,
    place: &mut Place,
    page: &mut Page,
) -> Result<(), Lost> {
    // A few more than fit: some may have been given out before.
    let at_once = (page.room() + 16).min(2_000);
    let mut events = Events::from(inner, session, place.time, at_once).await?;
    // The answer of a primary that was deposed may be old; what this handle has
    // seen elsewhere has to be waited for.
    let target = inner.saw(session).max(inner.seen.highest()).max(place.seen);
    loop {
        let mut wanted = Vec::new();
        let mut reached: HashMap<u32, u64> = HashMap::new();
        // Where to go on: at an event that finds no room, or behind all.
        let on = loop {
            match events.next(session).await? {
                Next::Event(event) => {
                    let (number, version) = (event.id.stream_number(), event.id.version());
                    let not_swept = |sweep: MongoId| number >= sweep.stream_number();
                    let known = reached.get(&number).copied().unwrap_or(0);
                    if place.sweep.is_some_and(not_swept)
                        || version <= place.reached(number).max(known)
                    {
                        continue;
                    }
                    if wanted.len() == page.room() {
                        break Err(event.time);
                    }
                    reached.insert(number, version);
                    wanted.push(event);
                }
                Next::Looked { time, asked } => break Ok((time, asked)),
            }
        };
        let cut = give(inner, session, place, page, &wanted).await?;
        if let Some(time) = cut.or(on.err()) {
            place.looked_until(time);
            page.full = true;
            return Ok(());
        }
        let Ok((time, asked)) = on else {
            return Ok(());
        };
        // From here on, and not from behind it: there may be more at this very
        // time. What is looked at twice is told apart by its version.
        place.looked_until(time);
        let done = match place.sweep {
            None => time > target || (time == target && asked),
            Some(_) => place.positions.len() < MOST_SWEPT / 2,
        };
        if done {
            return Ok(());
        }
    }
}

/// Reads the entries of events and puts them into the page, in the order of the
/// events. If the page is full before, the time of the first that found no room.
async fn give(
    inner: &Inner,
    session: &mut ClientSession,
    place: &mut Place,
    page: &mut Page,
    wanted: &[Event],
) -> Result<Option<ClusterTime>> {
    let mut rest = wanted;
    let mut step = 256;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.len().min(step));
        let Some(mut found) = fetch(inner, session, now).await? else {
            // Too many bytes at once.
            step = (now.len() / 8).max(1);
            continue;
        };
        for event in now {
            let (number, version) = (event.id.stream_number(), event.id.version());
            inner.numbers.saw(number, version);
            // An entry that is not there any more was trimmed.
            if let Some((stream, record)) = found.remove(&event.id)
                && page.take(stream, record).is_break()
            {
                return Ok(Some(event.time));
            }
            place.advance(number, version, event.time);
        }
        rest = later;
        step = 2_000;
    }
    Ok(None)
}

type Fetched = HashMap<MongoId, (StreamName, Record<MongoId>)>;

/// The entries of events; `None` if they are more than a page.
async fn fetch(
    inner: &Inner,
    session: &mut ClientSession,
    events: &[Event],
) -> Result<Option<Fetched>> {
    // A stale primary would not have them yet, as if they had been trimmed.
    if let Some(last) = events.iter().map(|event| event.time).max() {
        session.advance_operation_time(last.timestamp());
    }
    let ids: Vec<_> = events.iter().map(|event| event.id.object_id()).collect();
    let filter = doc! { "_id": { "$in": ids } };
    let mut options = query::bounded(events.len());
    options.limit = None;
    let (mut found, mut bytes, mut long) = (HashMap::new(), 0, false);
    let entries = &inner.entries;
    query::visit(
        entries,
        session,
        filter,
        options,
        During::Read,
        |document| {
            let decoded = decode(document)?;
            bytes += decoded.record.entry.size() as u64;
            if bytes > Limits::TABLE.page_bytes && events.len() > 1 {
                long = true;
                return Ok(ControlFlow::Break(()));
            }
            found.insert(decoded.record.id, (decoded.stream_name()?, decoded.record));
            Ok(ControlFlow::Continue(()))
        },
    )
    .await?;
    inner.saw(session);
    Ok((!long).then_some(found))
}

/// The settled end.
pub(crate) async fn head(inner: &Inner) -> Result<StoreCursor> {
    let mut session = inner.session().await?;
    let time = now(inner, &mut session).await?;
    let mut place = Place::beginning(inner.id, time);
    place.sweep = None;
    let mut options = projection(query::bounded(MOST_POSITIONS + 1));
    options.sort = Some(doc! { "no": 1 });
    let mut heads = Vec::new();
    let filter = doc! { "head": { "$gt": 0 } };
    query::visit(
        &inner.streams,
        &mut session,
        filter,
        options,
        During::Read,
        |document| {
            heads.push(Head::parse(document)?);
            Ok(ControlFlow::Continue(()))
        },
    )
    .await?;
    let seen = inner.saw(&session);
    place.seen = seen;
    if heads.len() > MOST_POSITIONS {
        // More streams than a cursor can hold. All that was committed by `time`
        // is before this place.
        place.complete = false;
        place.time = time.next();
    } else {
        for head in heads {
            place.advance(head.number, head.version, seen);
        }
    }
    Ok(place.encode())
}
