//! Reads all there is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ledger_core::{
    AllQuery, EntryId, Error, Kind, ListStreams, PageEnd, Query, Read, ReadAll, Result, Store,
    StoreOrder, StreamName,
};

use super::op::{Observation, Seen, StoreSeen, StreamView};

/// The page sizes that everything is read by.
const SIZES: [usize; 2] = [997, 13];
/// Pages of the whole store without a record in a row, at most.
const EMPTY: usize = 10_000;
/// How long to wait for places to be settled when all clients have ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads the streams named, those that the store lists, and the whole store,
/// by several page sizes and both ways.
///
/// All clients have to have ended, and whatever they left behind.
///
/// # Errors
///
/// Those of the store; `Timeout` if the end of the store is not settled after
/// 30 seconds. That two readings are not the same is no error here but a
/// finding of the check.
pub async fn observe<I: EntryId>(
    store: &dyn Store<I>,
    streams: impl IntoIterator<Item = StreamName>,
) -> Result<Observation<I>> {
    let mut names: BTreeSet<StreamName> = streams.into_iter().collect();
    let can = store.capabilities();
    if can.list {
        names.extend(listed(store).await?);
    }
    let mut disagreements = Vec::new();
    let mut views = BTreeMap::new();
    for name in names {
        let last_version = store.stat(&name).await?.map_or(0, |s| s.last_version);
        let mut log = None;
        for (size, desc) in SIZES.into_iter().flat_map(|s| [(s, false), (s, true)]) {
            let mut found = whole(store, &name, size, desc).await?;
            if desc {
                found.reverse();
            }
            let first = log.get_or_insert_with(|| found.clone());
            if *first != found {
                let difference = difference(first, &found);
                disagreements.push(format!(
                    "stream {name:?} by pages of {size}, descending {desc}: {difference}"
                ));
            }
        }
        let log = log.unwrap_or_default();
        views.insert(name, StreamView { last_version, log });
    }
    let store = match can.store_order {
        StoreOrder::None => None,
        order => Some(whole_store(store, order, &mut disagreements).await?),
    };
    Ok(Observation {
        streams: views,
        store,
        disagreements,
    })
}

async fn whole_store<I: EntryId>(
    store: &dyn Store<I>,
    order: StoreOrder,
    disagreements: &mut Vec<String>,
) -> Result<Vec<StoreSeen<I>>> {
    let first = everything(store, SIZES[0], false).await?;
    // Where streams are interleaved freely each reading may do it its own way.
    let comparable = |mut all: Vec<StoreSeen<I>>| {
        if order != StoreOrder::Total {
            all.sort_by(|a, b| a.stream.cmp(&b.stream));
        }
        all
    };
    let expected = comparable(first.clone());
    let mut others = vec![(SIZES[1], false)];
    if order == StoreOrder::Total {
        others.extend(SIZES.map(|size| (size, true)));
    }
    for (size, desc) in others {
        let mut found = everything(store, size, desc).await?;
        if desc {
            found.reverse();
        }
        let found = comparable(found);
        if found != expected {
            let difference = difference(&expected, &found);
            disagreements.push(format!(
                "the store by pages of {size}, descending {desc}: {difference}"
            ));
        }
    }
    Ok(first)
}

fn difference<R: PartialEq + std::fmt::Debug>(first: &[R], found: &[R]) -> String {
    let at = first.iter().zip(found).take_while(|(a, b)| a == b).count();
    let (was, is) = (first.get(at), found.get(at));
    format!(
        "{} records instead of {}, at index {at} {is:?} instead of {was:?}",
        found.len(),
        first.len()
    )
}

async fn listed<I: EntryId>(store: &dyn Store<I>) -> Result<Vec<StreamName>> {
    let mut names: Vec<StreamName> = Vec::new();
    loop {
        let list = ListStreams::new(names.last().cloned(), 1000, store.limits())?;
        let page = store.list(&list).await?;
        names.extend(page.records);
        if page.end == PageEnd::CaughtUp {
            return Ok(names);
        }
    }
}

async fn whole<I: EntryId>(
    store: &dyn Store<I>,
    stream: &StreamName,
    size: usize,
    desc: bool,
) -> Result<Vec<Seen<I>>> {
    let mut all: Vec<Seen<I>> = Vec::new();
    loop {
        let mut query = Query::new().limit(size);
        if desc {
            query = query.desc();
        }
        if let Some(last) = all.last() {
            let last = last.id.clone();
            query = if desc {
                query.before(last)
            } else {
                query.after(last)
            };
        }
        let read = Read::new(query, store.limits())?;
        let page = store.read(stream, &read).await?;
        all.extend(page.records.iter().map(Seen::of));
        // Without a record the next page would be the same one again.
        if page.end == PageEnd::CaughtUp || page.records.is_empty() {
            return Ok(all);
        }
    }
}

async fn everything<I: EntryId>(
    store: &dyn Store<I>,
    size: usize,
    desc: bool,
) -> Result<Vec<StoreSeen<I>>> {
    let mut all = Vec::new();
    let (mut after, mut empty) = (None, 0);
    let started = Instant::now();
    loop {
        let mut query = AllQuery::new().limit(size);
        if desc {
            query = query.desc();
        }
        if let Some(cursor) = after {
            query = query.after(cursor);
        }
        let read = ReadAll::new(query, store.limits())?;
        let page = store.read_all(&read).await?;
        all.extend(page.records.iter().map(StoreSeen::of));
        empty = if page.records.is_empty() {
            empty + 1
        } else {
            0
        };
        after = Some(page.next);
        match page.end {
            PageEnd::CaughtUp => return Ok(all),
            PageEnd::More if empty > EMPTY => return Ok(all),
            PageEnd::More => {}
            PageEnd::Undecided if started.elapsed() > PATIENCE => {
                return Err(Error::new(
                    Kind::Timeout,
                    "all clients have ended, and the end of the store is not settled",
                ));
            }
            PageEnd::Undecided => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}
