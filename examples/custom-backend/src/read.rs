//! What reads tables, each from one snapshot.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::ops::Bound;

use ledger_core::backend::PositionCursor;
use ledger_core::{
    Error, Kind, Limits, ListStreams, Page, PageEnd, Read, ReadAll, Record, Result, StorePage,
    StoreRecord, StreamName, StreamStat,
};
use redb::{ReadTransaction, ReadableTable};

use crate::error::{convert, corrupt};
use crate::record;
use crate::tables::{ENTRIES, INDEX, META, Meta, NAMES, STREAMS};

/// Number and version of a stream.
fn stream(tx: &ReadTransaction, name: &StreamName) -> Result<Option<(u64, u64)>> {
    let streams = tx.open_table(STREAMS).map_err(convert)?;
    let found = streams.get(name.as_str()).map_err(convert)?;
    Ok(found
        .map(|row| row.value())
        .map(|(number, version, _)| (number, version)))
}

pub(crate) fn meta(tx: &ReadTransaction) -> Result<Meta> {
    Meta::load(&tx.open_table(META).map_err(convert)?)
}

pub(crate) fn page(
    tx: &ReadTransaction,
    name: &StreamName,
    read: &Read<i64>,
) -> Result<Page<Record<i64>>> {
    let after = read.after().copied().unwrap_or(0);
    if after > meta(tx)?.last_id {
        let ahead = Error::new(Kind::InvalidCursor, "an id ahead of the store");
        return Err(ahead.with("after", after));
    }
    let Some((number, _)) = stream(tx, name)? else {
        return Ok(Page::empty());
    };
    let above = match read.before() {
        Some(before) if *before <= after => return Ok(Page::empty()),
        Some(before) => Bound::Excluded((number, *before)),
        None => Bound::Included((number, i64::MAX)),
    };
    let index = tx.open_table(INDEX).map_err(convert)?;
    let entries = tx.open_table(ENTRIES).map_err(convert)?;
    let range = index.range::<(u64, i64)>((Bound::Excluded((number, after)), above));
    let found = range.map_err(convert)?.filter_map(|row| {
        let (key, version) = match row {
            Ok(row) => row,
            Err(e) => return Some(Err(convert(e))),
        };
        if !read.versions().contains(&version.value()) {
            return None;
        }
        let record = record_at(&entries, key.value().1);
        let wanted = |record: &Record<i64>| {
            let key = record.entry.order_key.as_deref();
            read.order_key().is_none_or(|wanted| key == Some(wanted))
        };
        match record {
            Ok(record) if !wanted(&record) => None,
            found => Some(found),
        }
    });
    let size = |record: &Record<i64>| record.entry.size();
    let (records, end) = if read.is_descending() {
        take(found.rev(), read.limit(), size)
    } else {
        take(found, read.limit(), size)
    }?;
    Ok(Page::new(records, end))
}

fn record_at(entries: &impl ReadableTable<i64, &'static [u8]>, id: i64) -> Result<Record<i64>> {
    let row = entries.get(id).map_err(convert)?;
    let row = row.ok_or_else(|| corrupt("an index without its entry"))?;
    Ok(record::decode(id, row.value())?.1)
}

pub(crate) fn page_of_all(tx: &ReadTransaction, read: &ReadAll) -> Result<StorePage<i64>> {
    let meta = meta(tx)?;
    let direction = read.direction();
    let mut cursor = match read.after() {
        Some(cursor) => PositionCursor::of(cursor, meta.store, direction)?,
        None => PositionCursor {
            store: meta.store,
            direction,
            position: if read.is_descending() {
                meta.last_id
            } else {
                0
            },
        },
    };
    cursor.check_head(meta.last_id)?;

    let entries = tx.open_table(ENTRIES).map_err(convert)?;
    let names = tx.open_table(NAMES).map_err(convert)?;
    let mut known: HashMap<u64, StreamName> = HashMap::new();
    let mut named = |number: u64| -> Result<StreamName> {
        match known.entry(number) {
            Slot::Occupied(slot) => Ok(slot.get().clone()),
            Slot::Vacant(slot) => {
                let row = names.get(number).map_err(convert)?;
                let row = row.ok_or_else(|| corrupt("a stream without its name"))?;
                Ok(slot.insert(StreamName::new(row.value())?).clone())
            }
        }
    };
    // A descending read without a cursor starts at the end, inclusive.
    let range = match (read.is_descending(), read.after()) {
        (false, _) => (Bound::Excluded(cursor.position), Bound::Unbounded),
        (true, None) => (Bound::Unbounded, Bound::Unbounded),
        (true, Some(_)) => (Bound::Unbounded, Bound::Excluded(cursor.position)),
    };
    let found = entries.range::<i64>(range).map_err(convert)?.map(|row| {
        let (id, bytes) = row.map_err(convert)?;
        let (number, record) = record::decode(id.value(), bytes.value())?;
        Ok(StoreRecord::new(named(number)?, record))
    });
    let size = |found: &StoreRecord<i64>| found.record.entry.size();
    let (records, end) = if read.is_descending() {
        take(found.rev(), read.limit(), size)
    } else {
        take(found, read.limit(), size)
    }?;
    if let Some(last) = records.last() {
        cursor.position = last.record.id;
    }
    Ok(StorePage::new(records, cursor.encode(), end))
}

pub(crate) fn stat(tx: &ReadTransaction, name: &StreamName) -> Result<Option<StreamStat<i64>>> {
    let Some((number, last_version)) = stream(tx, name)? else {
        return Ok(None);
    };
    let index = tx.open_table(INDEX).map_err(convert)?;
    let mut range = index
        .range((number, 0)..=(number, i64::MAX))
        .map_err(convert)?;
    let Some(first) = range.next().transpose().map_err(convert)? else {
        return Ok(Some(StreamStat::new(None, None, last_version, 0)));
    };
    let (first, version) = (first.0.value().1, first.1.value());
    let last = range.next_back().transpose().map_err(convert)?;
    let last = last.map_or(first, |(key, _)| key.value().1);
    // Versions have no gaps, and a trim takes the oldest: so this many are left.
    let retained = last_version - version + 1;
    Ok(Some(StreamStat::new(
        Some(first),
        Some(last),
        last_version,
        retained,
    )))
}

pub(crate) fn list(tx: &ReadTransaction, list: &ListStreams) -> Result<Page<StreamName>> {
    let streams = tx.open_table(STREAMS).map_err(convert)?;
    let from = list
        .after()
        .map_or(Bound::Unbounded, |name| Bound::Excluded(name.as_str()));
    let range = streams.range::<&str>((from, Bound::Unbounded));
    let names = range
        .map_err(convert)?
        .map(|row| StreamName::new(row.map_err(convert)?.0.value()));
    let (names, end) = take(names, list.limit(), |_| 0)?;
    Ok(Page::new(names, end))
}

/// Takes a page: at most `limit` items, and no more once their sizes reach the
/// page's bytes; always at least one, if there is one.
fn take<T>(
    items: impl Iterator<Item = Result<T>>,
    limit: usize,
    size: impl Fn(&T) -> usize,
) -> Result<(Vec<T>, PageEnd)> {
    let mut page = Vec::new();
    let mut bytes = 0;
    for item in items {
        if page.len() == limit {
            return Ok((page, PageEnd::More));
        }
        let item = item?;
        bytes += size(&item) as u64;
        if bytes > Limits::TABLE.page_bytes && !page.is_empty() {
            return Ok((page, PageEnd::More));
        }
        page.push(item);
    }
    Ok((page, PageEnd::CaughtUp))
}
