//! What the plain store keeps.

use ledger_core::backend::Original;
use ledger_core::{RawEntry, StreamName};

use crate::plain::{Data, Meta, Row};

impl Data {
    pub(crate) fn version(&self, stream: &StreamName) -> u64 {
        self.streams.get(stream).map_or(0, |meta| meta.version)
    }

    pub(crate) fn meta(&mut self, stream: &StreamName) -> &mut Meta {
        let created = self.streams.len();
        self.streams.entry(stream.clone()).or_insert(Meta {
            created,
            ..Meta::default()
        })
    }

    /// The stored entry with a key; `anywhere` looks in all streams.
    pub(crate) fn original(
        &self,
        stream: &StreamName,
        key: &str,
        anywhere: bool,
    ) -> Option<(Original<i64>, &RawEntry)> {
        let here = self.keys.get(&(stream.clone(), key.to_owned()));
        let found = here.or_else(|| {
            let mut all = self.keys.iter().filter(|_| anywhere);
            all.find(|((_, k), _)| k == key).map(|(_, found)| found)
        });
        found.map(|(original, entry)| (*original, entry))
    }

    pub(crate) fn insert(&mut self, rows: Vec<Row>) {
        self.rows
            .extend(rows.into_iter().map(|row| (row.record.id, row)));
    }

    pub(crate) fn remove(&mut self, rows: &[Row]) {
        for row in rows {
            self.rows.remove(&row.record.id);
        }
    }
}
