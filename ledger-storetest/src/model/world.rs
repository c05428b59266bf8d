//! A store and the specification, side by side.

use ledger_core::{
    AllQuery, Batch, EntryId, Expected, Kind, ListStreams, Page, PageEnd, Query, Read, ReadAll,
    Receipt, Record, StoreCursor, StoreOrder, StorePage, StreamName,
};

use super::step::{Bad, HANDLES, STREAMS, Step, Want, order_key};
use super::{Answer, Range, Refused, Spec, Stored};
use crate::case::Failure;
use crate::check;
use crate::lab::{Handle, Lab, unclaimed};
use crate::sample::name;

/// A store and the specification, side by side.
pub(crate) struct World<'a, I> {
    lab: &'a Lab<I>,
    pub(super) handles: Vec<Handle<I>>,
    pub(super) names: Vec<StreamName>,
    pub(super) spec: Spec<I>,
    cursors: Vec<Saved>,
    pub(super) order: StoreOrder,
}

/// A cursor of the store, and how many of all entries come before it.
struct Saved {
    cursor: StoreCursor,
    desc: bool,
    at: usize,
}

impl<'a, I: EntryId> World<'a, I> {
    /// Runs the steps at a new place, and compares everything after each.
    pub(crate) async fn run(lab: &'a Lab<I>, steps: &[Step]) -> Result<(), Failure> {
        let mut handles = Vec::new();
        for _ in 0..HANDLES {
            handles.push(lab.open().await?);
        }
        let mut world = Self {
            lab,
            handles,
            names: (0..STREAMS).map(|n| name(&format!("r01 {n}"))).collect(),
            spec: Spec::new(),
            cursors: Vec::new(),
            order: lab.capabilities().store_order,
        };
        for (nth, step) in steps.iter().enumerate() {
            world.take(step).await?;
            world.compare(nth % HANDLES).await?;
        }
        Ok(())
    }

    async fn take(&mut self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Append { .. } => self.append(step).await,
            Step::Read { .. } => self.read(step).await,
            Step::ReadAll { .. } | Step::Head { .. } if self.order == StoreOrder::None => {
                unclaimed("store_head", self.handles[0].store_head().await).map(|_| ())
            }
            Step::ReadAll {
                on,
                from,
                limit,
                desc,
                seen,
            } => self.read_all(*on, *from, *limit, *desc, *seen).await,
            Step::Head { on } => {
                let cursor = self.handles[*on].store_head().await?;
                self.keep(cursor, false, self.spec.entries.len());
                Ok(())
            }
            Step::Trim {
                on,
                stream,
                through,
            } => self.trim(*on, *stream, *through).await,
            Step::List { on, after, limit } => self.list(*on, *after, *limit).await,
            Step::Reopen { on } => {
                self.handles[*on].close().await?;
                let closed = self.handles[*on].stat(&self.names[0]).await;
                let fits = |kind: &Kind| matches!(kind, Kind::Closed);
                check::refused("P22", "stat after close", closed, "Closed", fits)?;
                self.handles[*on] = self.lab.open().await?;
                Ok(())
            }
            Step::Refused { on, stream, what } => self.refused(*on, *stream, *what).await,
        }
    }

    async fn append(&mut self, step: &Step) -> Result<(), Failure> {
        let Step::Append {
            on,
            stream,
            expected,
            entries,
            verify,
        } = step
        else {
            return Ok(());
        };
        let (store, stream) = (&self.handles[*on], &self.names[*stream]);
        let version = self.spec.version(stream);
        let expected = match expected {
            Want::Any => Expected::Any,
            Want::NoStream => Expected::NoStream,
            Want::Exists => Expected::StreamExists,
            Want::Near(by) => Expected::Exactly(version.saturating_add_signed(*by)),
        };
        let entries: Vec<_> = entries.iter().map(|draft| draft.entry()).collect();
        let batch = Batch::new(entries.clone(), store.limits())?
            .with_expected(expected)
            .with_verified_duplicates(*verify);
        let got = store.append(stream, batch).await;
        let answers = match self.spec.decide(stream, &entries, expected, *verify) {
            Ok(answers) => answers,
            Err(refused) => {
                let kind = match refused {
                    Refused::Mismatch { index, original } => {
                        Kind::DedupMismatch { index, original }
                    }
                    Refused::Conflict { actual } => Kind::Conflict { expected, actual },
                };
                let text = format!("{kind:?}");
                check::refused("P8", format!("{step:?}"), got, &text, |k| *k == kind)?;
                return Ok(());
            }
        };
        let receipts = got?;
        let told = receipts.iter().map(|r| match r.is_duplicate() {
            true => Answer::Repeat(r.version),
            false => Answer::New(r.version),
        });
        check::equal(
            "P9",
            format!("receipts of {step:?}"),
            told.collect(),
            answers,
        )?;
        let stream = stream.clone();
        for (entry, receipt) in entries.into_iter().zip(&receipts) {
            self.store(&stream, entry, receipt)?;
        }
        Ok(())
    }

    fn store(
        &mut self,
        stream: &StreamName,
        entry: ledger_core::RawEntry,
        receipt: &Receipt<I>,
    ) -> Result<(), Failure> {
        let spec = &mut self.spec;
        if receipt.is_duplicate() {
            let original = spec
                .entries
                .iter()
                .find(|s| s.stream == *stream && s.version == receipt.version);
            let id = original.map(|s| &s.id);
            return check::equal("P9", "the id of a duplicate", Some(&receipt.id), id);
        }
        let ever = spec.entries.iter().filter(|s| s.stream == *stream);
        let last = ever.map(|s| &s.id).next_back();
        check::that(
            "P2",
            "the id of a new entry",
            last.is_none_or(|last| receipt.id > *last),
            format!("greater than {last:?}"),
            &receipt.id,
        )?;
        spec.entries.push(Stored {
            stream: stream.clone(),
            version: receipt.version,
            id: receipt.id.clone(),
            entry,
            recorded_at: None,
            trimmed: false,
        });
        Ok(())
    }

    async fn read(&mut self, step: &Step) -> Result<(), Failure> {
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

    async fn read_all(
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

    fn keep(&mut self, cursor: StoreCursor, desc: bool, at: usize) {
        self.cursors.push(Saved { cursor, desc, at });
    }

    async fn trim(&mut self, on: usize, stream: usize, through: usize) -> Result<(), Failure> {
        let (store, stream) = (&self.handles[on], &self.names[stream]);
        // Of a stream that does not exist nothing can be named.
        let Some(through) = self.spec.nth(stream, through).map(|s| s.id.clone()) else {
            return Ok(());
        };
        let removed = store.trim(stream, &through).await;
        if !self.lab.capabilities().trim {
            return unclaimed("trim", removed).map(|_| ());
        }
        let step = format!("trim through {through}");
        check::equal("P19", step, removed?, self.spec.trim(stream, &through))
    }

    async fn list(&self, on: usize, after: Option<usize>, limit: usize) -> Result<(), Failure> {
        let store = &self.handles[on];
        let after = after.map(|n| self.names[n].clone());
        let list = ListStreams::new(after.clone(), limit, store.limits())?;
        let page = store.list(&list).await;
        if !self.lab.capabilities().list {
            return unclaimed("list", page).map(|_| ());
        }
        let page = page?;
        let mut expected = self.spec.streams();
        expected.retain(|name| after.as_ref().is_none_or(|after| name > after));
        let got = page.records.len();
        let ends = page.end != PageEnd::CaughtUp || got == expected.len();
        let step = format!(
            "list after {after:?}, limit {limit}: ends as {:?}",
            page.end
        );
        let fits = got <= limit && (got > 0 || expected.is_empty()) && ends;
        check::that("P16", &*step, fits, format!("{expected:?}"), &page.records)?;
        check::equal(
            "P16",
            step,
            &*page.records,
            &expected[..got.min(expected.len())],
        )
    }

    async fn refused(&self, on: usize, stream: usize, what: Bad) -> Result<(), Failure> {
        let (store, stream) = (&self.handles[on], &self.names[stream]);
        let limits = store.limits();
        let cursor = |kind: &Kind| matches!(kind, Kind::InvalidCursor);
        let input = |kind: &Kind| matches!(kind, Kind::InvalidInput { .. });
        match what {
            Bad::ImpossibleId => {
                for id in self.lab.impossible_ids() {
                    let read = Read::new(Query::new().after(id.clone()), limits)?;
                    let got = store.read(stream, &read).await;
                    check::refused("P18", "an impossible id", got, "InvalidInput", input)?;
                    if self.lab.capabilities().trim {
                        let got = store.trim(stream, &id).await;
                        check::refused("P18", "an impossible id", got, "InvalidInput", input)?;
                    }
                }
            }
            Bad::FutureId => {
                if let Some(id) = self.lab.future_id() {
                    let read = Read::new(Query::new().after(id), limits)?;
                    let got = store.read(stream, &read).await;
                    check::refused("P1", "an id of the future", got, "InvalidCursor", cursor)?;
                }
            }
            Bad::GarbageCursor if self.order != StoreOrder::None => {
                let garbage = StoreCursor::from_bytes(&b"garbage"[..]);
                let read = ReadAll::new(AllQuery::new().after(garbage), limits)?;
                let got = store.read_all(&read).await;
                check::refused("P3", "a cursor of garbage", got, "InvalidCursor", cursor)?;
            }
            Bad::OtherDirection if self.order == StoreOrder::Total => {
                if let Some(saved) = self.cursors.last() {
                    let query = AllQuery::new().after(saved.cursor.clone());
                    let query = if saved.desc { query } else { query.desc() };
                    let got = store.read_all(&ReadAll::new(query, limits)?).await;
                    let step = "a cursor of the other direction";
                    check::refused("P3", step, got, "InvalidCursor", cursor)?;
                }
            }
            Bad::GarbageCursor | Bad::OtherDirection => {}
        }
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
