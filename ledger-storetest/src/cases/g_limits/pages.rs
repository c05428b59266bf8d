//! Odd requests and big pages.

use ledger_core::{AllQuery, ContentType, EntryId, PageEnd, Query, RawEntry, ReadAll, StoreOrder};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::sample::{append_one, batch, entries, given, name, page};

/// Requests that select nothing, more than there is, or one thing in an odd
/// way have their defined answer. Catches casts, swapped bounds and panics.
pub(crate) async fn g08_weird_cursors_and_ranges<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let (stream, sent) = (name("g08"), entries("g08", 7));
    let receipts = store.append(&stream, batch(sent.clone())).await?;
    let id = |n: usize| receipts[n - 1].id.clone();
    let q = Query::<I>::new;
    let wanted: Vec<(&str, Query<I>, Vec<u64>)> = vec![
        ("after = before", q().after(id(3)).before(id(3)), vec![]),
        ("after > before", q().after(id(5)).before(id(2)), vec![]),
        (
            "after and before side by side",
            q().after(id(3)).before(id(4)),
            vec![],
        ),
        ("one between", q().after(id(3)).before(id(5)), vec![4]),
        ("after the last", q().after(id(7)), vec![]),
        ("before the first", q().before(id(1)), vec![]),
        ("before the last", q().before(id(7)), vec![1, 2, 3, 4, 5, 6]),
        (
            "versions backwards",
            q().versions((std::ops::Bound::Included(5), std::ops::Bound::Excluded(3))),
            vec![],
        ),
        ("no version", q().versions(4..4), vec![]),
        ("version 0", q().at_version(0), vec![]),
        ("the version behind the last", q().at_version(8), vec![]),
        ("the greatest version", q().at_version(u64::MAX), vec![]),
        ("versions from 0", q().versions(0..=2), vec![1, 2]),
        (
            "versions to the greatest",
            q().versions(6..=u64::MAX),
            vec![6, 7],
        ),
        (
            "versions beyond i64",
            q().versions(i64::MAX as u64..),
            vec![],
        ),
        (
            "versions around i64",
            q().versions(7..=i64::MAX as u64 + 1),
            vec![7],
        ),
        (
            "at a version outside the range",
            q().versions(1..=3).at_version(4),
            vec![],
        ),
        (
            "at a version inside the range",
            q().versions(1..=3).at_version(2),
            vec![2],
        ),
        (
            "a version at the cursor",
            q().after(id(2)).at_version(2),
            vec![],
        ),
        ("the greatest page", q().limit(10_000), (1..=7).collect()),
    ];
    for (what, query, versions) in wanted {
        lab.step(what);
        let found = page(&*store, &stream, query.clone()).await?;
        let got: Vec<u64> = found.records.iter().map(|r| r.version).collect();
        check::equal("P18", what, got, versions.clone())?;
        let want: Vec<_> = versions.iter().map(|&v| &sent[v as usize - 1]).collect();
        check::equal("P18", what, given(&found.records), want)?;

        let found = page(&*store, &stream, query.desc()).await?;
        let mut got: Vec<u64> = found.records.iter().map(|r| r.version).collect();
        got.reverse();
        check::equal("P18", format!("{what}, descending"), got, versions)?;
    }
    if let Some(future) = lab.future_id() {
        let found = page(&*store, &stream, q().before(future.clone())).await?;
        check::equal("P18", "before an id of the future", found.records.len(), 7)?;
        let newest = q().before(future).desc().limit(1);
        let found = page(&*store, &stream, newest).await?;
        let got: Vec<u64> = found.records.iter().map(|r| r.version).collect();
        check::equal("P18", "the newest before an id of the future", got, vec![7])?;
    }
    Ok(Ran::Whole)
}

/// A page ends early at 32 MiB, says `More`, and is never empty for that
/// reason; its pages together are everything. Catches pages that grow without
/// bound and a byte limit that swallows an entry.
pub(crate) async fn g09_page_bytes<I: EntryId>(lab: &Lab<I>) -> Verdict {
    const ENTRIES: u64 = 9;
    let store = lab.open().await?;
    let most = usize::try_from(store.limits().page_bytes).unwrap_or(usize::MAX);
    let stream = name("g09");
    for n in 0..ENTRIES {
        // 8, 6, 4, 8, 6, 4, … MiB: 54 MiB, with a remainder on each page.
        let len = [8 << 20, 6 << 20, 4 << 20][n as usize % 3];
        let mut bytes = vec![0; len];
        bytes[len - 1] = n as u8 + 1;
        let sent = RawEntry::new(ContentType::BYTES, 1, bytes);
        append_one(&*store, &stream, sent).await?;
    }

    for desc in [false, true] {
        lab.step(if desc { "descending pages" } else { "pages" });
        let mut query = Query::new().limit(1000);
        let mut pages = Pages::new(most);
        loop {
            let asked = if desc {
                query.clone().desc()
            } else {
                query.clone()
            };
            let found = page(&*store, &stream, asked).await?;
            let marks = found.records.iter().map(|r| (r.version, r.entry.size()));
            pages.add(&marks.collect::<Vec<_>>(), found.end)?;
            if found.end == PageEnd::CaughtUp {
                break;
            }
            if let Some(last) = found.records.last() {
                let at = last.id.clone();
                query = if desc {
                    query.before(at)
                } else {
                    query.after(at)
                };
            }
        }
        pages.ends(ENTRIES, desc)?;
    }

    if lab.capabilities().store_order == StoreOrder::None {
        return Ok(Ran::Whole);
    }
    lab.step("pages of the whole store");
    let mut after = None;
    let mut pages = Pages::new(most);
    loop {
        let mut query = AllQuery::new().limit(1000);
        if let Some(cursor) = after {
            query = query.after(cursor);
        }
        let found = store
            .read_all(&ReadAll::new(query, store.limits())?)
            .await?;
        let marks = found.records.iter();
        let marks = marks.map(|r| (r.record.version, r.record.entry.size()));
        pages.add(&marks.collect::<Vec<_>>(), found.end)?;
        if found.end == PageEnd::CaughtUp {
            break;
        }
        after = Some(found.next);
    }
    pages.ends(ENTRIES, false)?;
    Ok(Ran::Whole)
}

/// The pages so far: versions and sizes.
struct Pages {
    most: usize,
    versions: Vec<u64>,
    count: u32,
}

impl Pages {
    fn new(most: usize) -> Self {
        Self {
            most,
            versions: Vec::new(),
            count: 0,
        }
    }

    fn add(&mut self, page: &[(u64, usize)], end: PageEnd) -> Result<(), Failure> {
        let bytes: usize = page.iter().map(|(_, size)| size).sum();
        let fits = bytes <= self.most || page.len() == 1;
        let most = self.most;
        check::that(
            "P18",
            "bytes of a page",
            fits,
            format!("at most {most}"),
            bytes,
        )?;
        let stuck = page.is_empty() && end == PageEnd::More;
        check::that("P18", "a page of big entries", !stuck, "an entry", page)?;
        self.versions
            .extend(page.iter().map(|(version, _)| version));
        self.count += 1;
        let endless = self.count > 100;
        check::that("P21", "reading by pages", !endless, "an end", self.count)
    }

    fn ends(&self, entries: u64, desc: bool) -> Result<(), Failure> {
        let mut wanted: Vec<u64> = (1..=entries).collect();
        if desc {
            wanted.reverse();
        }
        check::equal("P18", "all pages together", &self.versions, &wanted)
    }
}
