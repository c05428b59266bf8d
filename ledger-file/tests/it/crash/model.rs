//! What a store was asked for, when it answered, and whether what is left of it
//! after a crash fits.

use std::collections::BTreeMap;

use ledger_core::backend::PositionCursor;
use ledger_core::{
    AllQuery, Batch, Limits, PageEnd, Query, RawEntry, Read, ReadAll, Record, Store, StoreRecord,
    StreamName,
};
use ledger_file::FileStore;

/// An append: what was stored of it, and between which operations of the disk
/// it began and was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Appended {
    pub(crate) began: usize,
    /// `None` if it never was.
    pub(crate) acked: Option<usize>,
    pub(crate) stream: StreamName,
    /// Ids, versions and entries of what was fresh.
    pub(crate) stored: Vec<(i64, u64, RawEntry)>,
}

/// A trim, up to this version.
#[derive(Clone, Debug)]
pub(crate) struct Trimmed {
    pub(crate) began: usize,
    pub(crate) acked: Option<usize>,
    pub(crate) stream: StreamName,
    pub(crate) through_version: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) appends: Vec<Appended>,
    pub(crate) trims: Vec<Trimmed>,
    /// Appends whose outcome is unknown.
    pub(crate) unknown: Vec<(StreamName, Batch)>,
}

/// What must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// What was acknowledged before.
    Acknowledged,
    /// Some prefix.
    Prefix,
}

pub(crate) async fn whole_stream(
    store: &FileStore,
    stream: &StreamName,
    query: &Query<i64>,
) -> Vec<Record<i64>> {
    let mut all: Vec<Record<i64>> = Vec::new();
    let mut query = query.clone();
    loop {
        let read = Read::new(query.clone(), &Limits::TABLE).unwrap();
        let page = store.read(stream, &read).await.unwrap();
        let last = page.records.last().map(|record| record.id);
        all.extend(page.records);
        match (page.end, last) {
            (PageEnd::CaughtUp, _) => return all,
            (_, Some(last)) if read.is_descending() => query = query.before(last),
            (_, Some(last)) => query = query.after(last),
            (_, None) => panic!("an empty page says that more follows"),
        }
    }
}

pub(crate) async fn whole_store(store: &FileStore, descending: bool) -> Vec<StoreRecord<i64>> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let mut query = AllQuery::new().limit(7);
        if descending {
            query = query.desc();
        }
        if let Some(after) = after {
            query = query.after(after);
        }
        let page = store
            .read_all(&ReadAll::new(query, &Limits::TABLE).unwrap())
            .await
            .unwrap();
        all.extend(page.records);
        if page.end == PageEnd::CaughtUp {
            return all;
        }
        after = Some(page.next);
    }
}

/// Checks everything that can be read, and that what is written next is kept.
/// `crashed` is the number of operations that had begun.
pub(crate) async fn judge(store: &FileStore, model: &Model, crashed: usize, asks: Asks) {
    let head = PositionCursor::decode(&store.store_head().await.unwrap())
        .unwrap()
        .position;
    let mut expected: BTreeMap<i64, (StreamName, u64, RawEntry)> = BTreeMap::new();
    for append in &model.appends {
        let (Some(first), Some(last)) = (append.stored.first(), append.stored.last()) else {
            continue;
        };
        let there = last.0 <= head;
        assert!(
            there || first.0 > head,
            "P7: half of {append:?}, the last id is {head}"
        );
        assert!(
            !there || append.began < crashed,
            "from the future: {append:?}"
        );
        if asks == Asks::Acknowledged && append.acked.is_some_and(|acked| acked <= crashed) {
            assert!(
                there,
                "P12: {append:?} was acknowledged, the last id is {head}"
            );
        }
        if there {
            for (id, version, entry) in &append.stored {
                expected.insert(*id, (append.stream.clone(), *version, entry.clone()));
            }
        }
    }
    let known = expected.last_key_value().map_or(0, |(id, _)| *id);
    let more = whole_store(store, false).await;
    let more: Vec<_> = more
        .into_iter()
        .filter(|found| found.record.id > known)
        .collect();
    if model.unknown.is_empty() {
        assert_eq!(known, head, "ids that were never given");
    }
    assert!(
        are_whole(&more, &model.unknown),
        "P7, P10: neither {:?} as a whole nor nothing: {more:?}",
        model.unknown
    );
    for found in more {
        let Record {
            id, version, entry, ..
        } = found.record;
        expected.insert(id, (found.stream, version, entry));
    }

    let mut names: Vec<StreamName> = expected.values().map(|e| e.0.clone()).collect();
    names.sort();
    names.dedup();
    for name in &names {
        let stat = store
            .stat(name)
            .await
            .unwrap()
            .expect("a stream that has entries");
        let version = expected
            .values()
            .filter(|e| e.0 == *name)
            .map(|e| e.1)
            .max();
        assert_eq!(Some(stat.last_version), version, "P1: {name}");
        let trimmed = stat.last_version - stat.retained;
        let mut allowed = vec![0];
        let mut least = 0;
        for trim in model.trims.iter().filter(|trim| trim.stream == *name) {
            if trim.began < crashed {
                allowed.push(trim.through_version);
            }
            if asks == Asks::Acknowledged && trim.acked.is_some_and(|acked| acked <= crashed) {
                least = least.max(trim.through_version);
            }
        }
        assert!(
            allowed.contains(&trimmed) && trimmed >= least,
            "P5: {name} trimmed to {trimmed}"
        );
        expected.retain(|_, (stream, version, _)| stream != name || *version > trimmed);
        let first = expected
            .iter()
            .find(|(_, e)| e.0 == *name)
            .map(|(id, _)| *id);
        assert_eq!(stat.first, first, "{name}");

        let mine = |e: &(StreamName, u64, RawEntry)| e.0 == *name;
        let mine: Vec<_> = expected.iter().filter(|(_, e)| mine(e)).collect();
        same(
            &whole_stream(store, name, &Query::new().limit(5)).await,
            mine.iter().copied(),
        );
        let descending = Query::new().desc().limit(5);
        same(
            &whole_stream(store, name, &descending).await,
            mine.iter().rev().copied(),
        );
        for key in ["ann", "bob"] {
            let by_key = Query::new().order_key(key).limit(3);
            let wanted = mine
                .iter()
                .filter(|(_, e)| e.2.order_key.as_deref() == Some(key));
            same(&whole_stream(store, name, &by_key).await, wanted.copied());
        }
        for (id, (_, version, entry)) in mine.iter().rev().take(4) {
            if entry.dedup_key.is_some() {
                let again = Batch::new(vec![entry.clone()], &Limits::TABLE).unwrap();
                let receipts = store
                    .append(name, again.with_verified_duplicates(true))
                    .await;
                let receipt = receipts.unwrap()[0];
                assert!(receipt.is_duplicate(), "P9: {name} {version}");
                assert_eq!(
                    (receipt.id, receipt.version),
                    (**id, *version),
                    "P9: {name}"
                );
            }
        }
    }
    for descending in [false, true] {
        let all = whole_store(store, descending).await;
        let records: Vec<Record<i64>> = all.iter().map(|found| found.record.clone()).collect();
        match descending {
            false => same(&records, expected.iter()),
            true => same(&records, expected.iter().rev()),
        }
        for found in &all {
            assert_eq!(found.stream, expected[&found.record.id].0);
        }
    }
}

/// Whether the entries are those of some of the batches, each as a whole, but
/// for entries that repeat a key.
fn are_whole(found: &[StoreRecord<i64>], unknown: &[(StreamName, Batch)]) -> bool {
    let mut found = found.iter().peekable();
    for (stream, batch) in unknown {
        let mut begins = |entry: &&RawEntry| {
            found
                .peek()
                .is_some_and(|f| f.stream == *stream && f.record.entry == **entry)
        };
        // Entries with keys may be repeats; those without are there, or none is.
        let here = batch.entries().iter().any(|entry| begins(&entry));
        if !here {
            continue;
        }
        for entry in batch.entries() {
            let next = found.next_if(|f| f.stream == *stream && f.record.entry == *entry);
            if next.is_none() && entry.dedup_key.is_none() {
                return false;
            }
        }
    }
    found.next().is_none()
}

fn same<'e>(
    found: &[Record<i64>],
    expected: impl Iterator<Item = (&'e i64, &'e (StreamName, u64, RawEntry))>,
) {
    let expected: Vec<_> = expected
        .map(|(id, (_, version, entry))| (*id, *version, entry))
        .collect();
    let found: Vec<_> = found.iter().map(|r| (r.id, r.version, &r.entry)).collect();
    assert_eq!(found, expected, "P16");
}
