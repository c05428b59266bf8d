//! Entries to append and ways to read them back, used by all cases.

use std::collections::HashSet;

use ledger_core::{
    AllQuery, Batch, ContentType, EntryId, Limits, Metadata, Page, PageEnd, Query, RawEntry, Read,
    ReadAll, Receipts, Record, Result, Store, StoreRecord, StreamName,
};

use crate::case::Failure;
use crate::check;

/// A stream name that is known to be good.
#[track_caller]
pub(crate) fn name(text: &str) -> StreamName {
    match StreamName::new(text) {
        Ok(name) => name,
        Err(e) => panic!("the suite uses a bad stream name: {e}"),
    }
}

/// An entry that is like no other: payload, metadata and schema version tell
/// `tag` and `n`.
pub(crate) fn entry(tag: &str, n: u64) -> RawEntry {
    let payload = format!("{{\"tag\":{tag:?},\"n\":{n},\"pad\":\"\u{1F4D2}\"}}");
    let version = 1 + u32::try_from(n % 7).unwrap_or(0);
    RawEntry::new(ContentType::JSON, version, payload).with_metadata(
        [
            ("tag", tag.to_owned()),
            ("n", n.to_string()),
            ("empty", String::new()),
        ]
        .into_iter()
        .collect::<Metadata>(),
    )
}

/// The entries `tag` 0, 1, …, `count` - 1.
pub(crate) fn entries(tag: &str, count: u64) -> Vec<RawEntry> {
    (0..count).map(|n| entry(tag, n)).collect()
}

/// A batch within the limits.
pub(crate) fn batch(entries: impl Into<Vec<RawEntry>>) -> Batch {
    match Batch::new(entries.into(), &Limits::TABLE) {
        Ok(batch) => batch,
        Err(e) => panic!("the suite makes a bad batch: {e}"),
    }
}

/// Appends one entry.
pub(crate) async fn append_one<I: EntryId>(
    store: &dyn Store<I>,
    stream: &StreamName,
    entry: RawEntry,
) -> Result<Receipts<I>> {
    store.append(stream, batch([entry])).await
}

/// One page.
pub(crate) async fn page<I: EntryId>(
    store: &dyn Store<I>,
    stream: &StreamName,
    query: Query<I>,
) -> Result<Page<Record<I>>> {
    store.read(stream, &Read::new(query, store.limits())?).await
}

/// Every record that the query selects, by pages of `size`, going on behind
/// the last record until the store says that it has caught up.
pub(crate) async fn records<I: EntryId>(
    store: &dyn Store<I>,
    stream: &StreamName,
    mut query: Query<I>,
    size: usize,
    desc: bool,
) -> Result<Vec<Record<I>>, Failure> {
    let mut all: Vec<Record<I>> = Vec::new();
    loop {
        let asked = query.clone().limit(size);
        let asked = if desc { asked.desc() } else { asked };
        let found = page(store, stream, asked).await?;
        let before = all.last().map(|last| &last.id);
        let going_on = all
            .last()
            .into_iter()
            .chain(&found.records)
            .is_sorted_by(|a, b| if desc { a.id > b.id } else { a.id < b.id });
        check::that(
            "P3",
            "paging through a stream",
            going_on,
            format!("ids behind {before:?}, in order"),
            &found,
        )?;
        let stuck = found.records.is_empty() && found.end == PageEnd::More;
        check::that(
            "P3",
            "a page that says More",
            !stuck,
            "a record to go on behind",
            &found,
        )?;
        if let Some(last) = found.records.last() {
            let at = last.id.clone();
            query = if desc {
                query.before(at)
            } else {
                query.after(at)
            };
        }
        all.extend(found.records);
        if found.end == PageEnd::CaughtUp {
            return Ok(all);
        }
    }
}

/// The whole stream, oldest first.
pub(crate) async fn whole<I: EntryId>(
    store: &dyn Store<I>,
    stream: &StreamName,
) -> Result<Vec<Record<I>>, Failure> {
    records(store, stream, Query::new(), 1000, false).await
}

/// The whole store in the store's order, by pages of `size`, until the store
/// says that it has caught up.
pub(crate) async fn everything<I: EntryId>(
    store: &dyn Store<I>,
    size: usize,
    desc: bool,
) -> Result<Vec<StoreRecord<I>>, Failure> {
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    let mut after = None;
    loop {
        let mut query = AllQuery::new().limit(size);
        if desc {
            query = query.desc();
        }
        if let Some(cursor) = after {
            query = query.after(cursor);
        }
        let found = store
            .read_all(&ReadAll::new(query, store.limits())?)
            .await?;
        for found in found.records {
            let place = (found.stream.clone(), found.record.version);
            check::that(
                "P3",
                "paging through the store",
                seen.insert(place),
                "each entry once",
                &found,
            )?;
            all.push(found);
        }
        after = Some(found.next);
        match found.end {
            PageEnd::CaughtUp => return Ok(all),
            PageEnd::More => {}
            PageEnd::Undecided => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
}

/// The caller's part of records, to compare with what was appended.
pub(crate) fn given<I>(records: &[Record<I>]) -> Vec<&RawEntry> {
    records.iter().map(|record| &record.entry).collect()
}

/// A page holds the beginning of `expected`, at most `limit` records, and
/// tells truly whether more follows.
#[track_caller]
pub(crate) fn begins<I: EntryId>(
    page: &Page<Record<I>>,
    expected: &[Record<I>],
    limit: usize,
    step: &str,
) -> Result<(), Failure> {
    let got = &page.records;
    check::that(
        "P18",
        step,
        got.len() <= limit,
        format!("at most {limit} records"),
        got.len(),
    )?;
    let start = &expected[..got.len().min(expected.len())];
    check::same_list("P3", step, got, start)?;
    let (all, end) = (got.len() == expected.len(), page.end);
    let true_end = match end {
        PageEnd::CaughtUp => all,
        PageEnd::More => !got.is_empty(),
        PageEnd::Undecided => false,
    };
    check::that(
        "P3",
        format!("{step}: the end of the page"),
        true_end,
        format!("More, or CaughtUp if these are all {}", expected.len()),
        (got.len(), end),
    )
}
