//! Pages, compared.

use ledger_core::{
    AllQuery, EntryId, Page, PageEnd, Query, Read, ReadAll, Record, StoreOrder, StorePage,
    StreamName,
};

use super::step::{Step, order_key};
use super::{Range, Stored, World};
use crate::case::Failure;
use crate::check;
use crate::lab::Handle;

impl<I: EntryId> World<'_, I> {
    pub(super) async fn read(&mut self, step: &Step) -> Result<(), Failure> {
        let Step::Read {
            on,
            stream,
            after,
            before,
            versions,
            at_version,
            order_key: key,
            limit,
            desc,
        } = step
        else {
            return Ok(());
        };
        let (store, stream) = (&self.handles[*on], &self.names[*stream]);
        let id = |n: &Option<usize>| Some(self.spec.nth(stream, (*n)?)?.id.clone());
        let mut range = Range {
            after: id(after),
            before: id(before),
            from: 1,
            to: u64::MAX,
            order_key: key.map(order_key),
        };
        let mut query = Query::new();
        if let Some(id) = &range.after {
            query = query.after(id.clone());
        }
        if let Some(id) = &range.before {
            query = query.before(id.clone());
        }
        if let Some((from, to)) = *versions {
            query = query.versions(from..=to);
            (range.from, range.to) = (from, to);
        }
        if let Some(at) = *at_version {
            query = query.at_version(at);
            (range.from, range.to) = (range.from.max(at), range.to.min(at));
        }
        if let Some(key) = &range.order_key {
            query = query.order_key(key);
        }
        if let Some(limit) = *limit {
            query = query.limit(limit);
        }
        if *desc {
            query = query.desc();
        }
        let read = Read::new(query, store.limits())?;
        let page: Page<Record<I>> = store.read(stream, &read).await?;
        let mut expected = self.spec.range(stream, &range);
        if *desc {
            expected.reverse();
        }
        let limit = limit.unwrap_or(100);
        let step = format!("{step:?}");
        prefix(&step, &page.records, page.end, limit, &expected)
    }

    pub(super) async fn read_all(
        &mut self,
        on: usize,
        from: Option<usize>,
        limit: usize,
        desc: bool,
        seen: usize,
    ) -> Result<(), Failure> {
        if self.order != StoreOrder::Total {
            return Ok(()); // compared as a whole after each step
        }
        let store = self.handles[on].clone();
        let saved = from.and_then(|n| self.cursors.get(n.checked_rem(self.cursors.len())?));
        let saved = saved.filter(|saved| saved.desc == desc);
        let count = self.spec.entries.len();
        let at = saved.map_or(if desc { count } else { 0 }, |saved| saved.at);
        let mut query = AllQuery::new().limit(limit);
        if let Some(saved) = saved {
            query = query.after(saved.cursor.clone());
        }
        if desc {
            query = query.desc();
        }
        let step = format!("a page of the store behind place {at}, limit {limit}, desc {desc}");
        let read = ReadAll::new(query, store.limits())?;
        let page = decided(&store, &read).await?;
        let places = if desc { 0..at } else { at..count };
        let mut expected: Vec<(usize, &Stored<I>)> = places
            .map(|at| (at, &self.spec.entries[at]))
            .filter(|(_, s)| !s.trimmed)
            .collect();
        if desc {
            expected.reverse();
        }
        let names: Vec<&StreamName> = page.records.iter().map(|r| &r.stream).collect();
        let should: Vec<&StreamName> = expected.iter().map(|(_, s)| &s.stream).collect();
        check::equal(
            "P3",
            &*step,
            &*names,
            &should[..names.len().min(should.len())],
        )?;
        let records: Vec<_> = page.records.into_iter().map(|r| r.record).collect();
        let all: Vec<_> = expected.iter().map(|(_, s)| *s).collect();
        prefix(&step, &records, page.end, limit, &all)?;

        let place = |nth: usize| expected[nth].0 + usize::from(!desc);
        let behind = records.len().checked_sub(1).map_or(at, place);
        let seen = seen.min(records.len());
        let inside = seen.checked_sub(1).map(place);
        if let Some(inside) = inside {
            let seen = expected[..seen].iter();
            let seen: Vec<_> = seen
                .map(|(_, s)| (s.stream.clone(), s.id.clone()))
                .collect();
            let cursor = store.cursor_after(&read, &seen)?;
            self.keep(cursor, desc, inside);
        }
        self.keep(page.next, desc, behind);
        Ok(())
    }
}

/// A page that is settled: alone with the store it soon has to be.
async fn decided<I: EntryId>(store: &Handle<I>, read: &ReadAll) -> Result<StorePage<I>, Failure> {
    loop {
        let page = store.read_all(read).await?;
        if page.end != PageEnd::Undecided {
            return Ok(page);
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

/// The page is the beginning of what is expected, and says rightly whether
/// something follows.
fn prefix<I: EntryId>(
    step: &str,
    records: &[Record<I>],
    end: PageEnd,
    limit: usize,
    expected: &[&Stored<I>],
) -> Result<(), Failure> {
    let got = records.len();
    let place = |id: &I, version| (id.clone(), version);
    let places: Vec<_> = records.iter().map(|r| place(&r.id, r.version)).collect();
    let should: Vec<_> = expected.iter().map(|s| place(&s.id, s.version)).collect();
    check::equal("P3", step, &*places, &should[..got.min(should.len())])?;
    for (record, stored) in records.iter().zip(expected) {
        check::equal("P16", step, &record.entry, &stored.entry)?;
    }
    let whole = got == expected.len();
    let fits = got <= limit && (got > 0 || whole) && (end == PageEnd::More || whole);
    let step = format!("{step}: a page of {got} that ends as {end:?}");
    let expected = format!("at most {limit}, and CaughtUp with all {}", expected.len());
    check::that("P18", step, fits, expected, end)
}
