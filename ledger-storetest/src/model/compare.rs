//! Everything, compared.

use ledger_core::{EntryId, Record, StoreOrder, StreamStat};

use super::{Stored, World};
use crate::case::Failure;
use crate::check;
use crate::sample::{everything, whole};

impl<I: EntryId> World<'_, I> {
    /// Every stream and the whole store are as specified, and what was read
    /// before is as it was then.
    pub(super) async fn compare(&mut self, on: usize) -> Result<(), Failure> {
        let store = self.handles[on].clone();
        for stream in self.names.clone() {
            let records = whole(&store, &stream).await?;
            self.same(&format!("all of {stream}"), &stream, &records)?;
            let retained = self.spec.retained(&stream);
            let id = |s: Option<&&Stored<I>>| s.map(|s| s.id.clone());
            let version = self.spec.version(&stream);
            let expected = (version > 0).then(|| {
                let (first, last) = (id(retained.first()), id(retained.last()));
                StreamStat::new(first, last, version, retained.len() as u64)
            });
            let stat = store.stat(&stream).await?;
            check::equal("P1", format!("stat of {stream}"), stat, expected)?;
        }
        if self.order == StoreOrder::None {
            return Ok(());
        }
        let all = everything(&*store, 1000, false).await?;
        for stream in &self.names {
            let mine = all.iter().filter(|found| found.stream == *stream);
            let ids: Vec<&I> = mine.map(|found| &found.record.id).collect();
            let retained = self.spec.retained(stream);
            let expected = retained.iter().map(|s| &s.id).collect();
            check::equal("P3", format!("{stream} in the whole store"), ids, expected)?;
        }
        if self.order == StoreOrder::Total {
            let places = all.iter().map(|f| (&f.stream, &f.record.id)).collect();
            let retained = self.spec.entries.iter().filter(|s| !s.trimmed);
            let expected: Vec<_> = retained.map(|s| (&s.stream, &s.id)).collect();
            check::equal("P6", "the whole store", places, expected)?;
        }
        Ok(())
    }

    fn same(
        &mut self,
        step: &str,
        stream: &ledger_core::StreamName,
        records: &[Record<I>],
    ) -> Result<(), Failure> {
        let retained = self.spec.entries.iter_mut();
        let mut retained = retained.filter(|s| s.stream == *stream && !s.trimmed);
        let mut last_at = None;
        for record in records {
            let Some(stored) = retained.next() else {
                let got = format!("{record:?}");
                return Err(Failure::new("P10", step, "nothing more", got));
            };
            let at = *stored.recorded_at.get_or_insert(record.recorded_at);
            let (id, entry) = (stored.id.clone(), stored.entry.clone());
            let expected = Record::new(id, stored.version, at, entry);
            check::equal("P16", step, record, &expected)?;
            let grows = last_at.is_none_or(|last| last <= at);
            check::that("P17", step, grows, "a time not before the last", at)?;
            last_at = Some(at);
        }
        match retained.next() {
            Some(missing) => {
                let missing = format!("{missing:?}");
                Err(Failure::new("P4", step, missing, "nothing more"))
            }
            None => Ok(()),
        }
    }
}
