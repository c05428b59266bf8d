//! How many entries each stream has: in the source, and in the store.

use std::collections::BTreeMap;
use std::fmt;

use ledger_core::{ListStreams, PageEnd, Result, Store};

use crate::departure::{DepartureV1, STREAM_PREFIX};
use crate::flights::by_stream;
use crate::report::thousands;

/// Entries by stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals(BTreeMap<String, u64>);

impl Totals {
    /// What a store should hold that was given these flights.
    pub(crate) fn of_flights(flights: &[DepartureV1]) -> Self {
        let streams = by_stream(flights).into_iter();
        Self(
            streams
                .map(|(stream, flights)| (stream, flights.len() as u64))
                .collect(),
        )
    }

    /// What a store holds.
    pub(crate) async fn of_store(store: &impl Store<i64>) -> Result<Self> {
        let mut totals = BTreeMap::new();
        let mut after = None;
        loop {
            let page = store
                .list(&ListStreams::new(after, 1_000, store.limits())?)
                .await?;
            for stream in &page.records {
                if let Some(stat) = store.stat(stream).await?
                    && stream.as_str().starts_with(STREAM_PREFIX)
                {
                    totals.insert(stream.as_str().to_owned(), stat.retained);
                }
            }
            after = page.records.into_iter().last();
            if page.end != PageEnd::More {
                return Ok(Self(totals));
            }
        }
    }

    /// In all streams together.
    pub(crate) fn entries(&self) -> u64 {
        self.0.values().sum()
    }

    pub(crate) fn of_stream(&self, stream: &str) -> u64 {
        self.0.get(stream).copied().unwrap_or_default()
    }

    /// The same with one more entry in a stream.
    pub(crate) fn plus_one(mut self, stream: &str) -> Self {
        *self.0.entry(stream.to_owned()).or_default() += 1;
        self
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = thousands(self.entries());
        write!(f, "{entries} entries in {} streams", self.0.len())
    }
}
