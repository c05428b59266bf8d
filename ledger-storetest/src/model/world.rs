//! A store and the specification, side by side.

use ledger_core::{
    AllQuery, Batch, EntryId, Expected, Kind, ListStreams, PageEnd, Query, Read, ReadAll, Receipt,
    StoreCursor, StoreOrder, StreamName,
};

use super::step::{Bad, HANDLES, STREAMS, Step, Want};
use super::{Answer, Refused, Spec, Stored};
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
    pub(super) cursors: Vec<Saved>,
    pub(super) order: StoreOrder,
}

/// A cursor of the store, and how many of all entries come before it.
pub(super) struct Saved {
    pub(super) cursor: StoreCursor,
    pub(super) desc: bool,
    pub(super) at: usize,
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
                let (promise, kind) = match refused {
                    Refused::Mismatch { index, original } => {
                        ("P9", Kind::DedupMismatch { index, original })
                    }
                    Refused::Conflict { actual } => ("P8", Kind::Conflict { expected, actual }),
                };
                let text = format!("{kind:?}");
                check::refused(promise, format!("{step:?}"), got, &text, |k| *k == kind)?;
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

    pub(super) fn keep(&mut self, cursor: StoreCursor, desc: bool, at: usize) {
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
