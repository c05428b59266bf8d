//! Writing the flights into their streams.

use std::fmt;

use futures_util::stream::{FuturesUnordered, TryStreamExt};
use ledger_core::{Result, Store};

use crate::departure::{DepartureV1, departures_v1};
use crate::flights::by_stream;
use crate::report::{Progress, thousands};

/// Entries per append. A batch costs one commit, so larger ones are faster;
/// this one is also small enough to be shown as progress.
const BATCH: usize = 500;

/// What became of the entries that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ingested {
    /// Stored now.
    pub(crate) appended: usize,
    /// There before: told apart by their dedup key.
    pub(crate) duplicates: usize,
}

impl Ingested {
    pub(crate) fn sent(self) -> usize {
        self.appended + self.duplicates
    }
}

impl fmt::Display for Ingested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [appended, duplicates] = [self.appended, self.duplicates].map(thousands);
        write!(
            f,
            "{appended} entries appended, {duplicates} duplicates passed over"
        )
    }
}

/// Appends the flights, each to the stream of its carrier, the carriers
/// concurrently.
///
/// Safe to repeat after whatever error, and after a kill: what is there
/// already is not stored twice.
pub(crate) async fn ingest(store: &impl Store<i64>, flights: &[DepartureV1]) -> Result<Ingested> {
    let progress = Progress::of(flights.len());
    by_stream(flights)
        .into_iter()
        .map(|(stream, flights)| ingest_stream(store, stream, flights, &progress))
        .collect::<FuturesUnordered<_>>()
        .try_fold(Ingested::default(), async |all, one| {
            Ok(Ingested {
                appended: all.appended + one.appended,
                duplicates: all.duplicates + one.duplicates,
            })
        })
        .await
}

async fn ingest_stream(
    store: &impl Store<i64>,
    stream: String,
    flights: Vec<&DepartureV1>,
    progress: &Progress,
) -> Result<Ingested> {
    let stream = departures_v1(store, &stream);
    let mut ingested = Ingested::default();
    for batch in flights.chunks(BATCH) {
        // A flight that comes again with other facts is an error, not a
        // duplicate to be passed over.
        let receipts = stream
            .append_all(batch.iter().map(|flight| flight.to_entry()))
            .verify_duplicates()
            .await?;
        ingested.appended += receipts.appended();
        ingested.duplicates += receipts.duplicates();
        progress.add(batch.len());
    }
    Ok(ingested)
}

/// A store in memory that holds the checked-in day, and the day.
#[cfg(test)]
pub(crate) async fn ingested_day() -> (ledger_core::MemoryStore, Vec<DepartureV1>) {
    let store = ledger_core::MemoryStore::new();
    let flights = crate::flights::Source::day().read().unwrap();
    ingest(&store, &flights).await.unwrap();
    (store, flights)
}

#[cfg(test)]
mod tests {
    use ledger_core::Kind;
    use ledger_sqlite::SqliteStore;

    use super::*;
    use crate::flights::Source;
    use crate::totals::Totals;

    /// Catches a dedup key that does not survive the reopening, or that two
    /// flights share.
    #[tokio::test]
    async fn flights_ingested_twice_are_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("departures.db");
        let flights = Source::day().read().unwrap();

        let store = SqliteStore::open(&database).await.unwrap();
        let first = ingest(&store, &flights).await.unwrap();
        assert_eq!((first.appended, first.duplicates), (842, 0));
        store.close().await.unwrap();

        let store = SqliteStore::open(&database).await.unwrap();
        let again = ingest(&store, &flights).await.unwrap();
        assert_eq!((again.appended, again.duplicates), (0, 842));
        let totals = Totals::of_store(&store).await.unwrap();
        assert_eq!(totals, Totals::of_flights(&flights));
        assert_eq!(totals.to_string(), "842 entries in 14 streams");
        store.close().await.unwrap();
    }

    /// Catches a changed fact that is taken for a repeat and lost.
    #[tokio::test]
    async fn a_flight_with_other_facts_is_no_duplicate() {
        let (store, mut flights) = ingested_day().await;
        flights[0].dest = "ANC".into();
        let error = ingest(&store, &flights).await.unwrap_err();
        assert!(
            matches!(error.kind(), Kind::DedupMismatch { .. }),
            "{error}"
        );
        let totals = Totals::of_store(&store).await.unwrap();
        assert_eq!(totals, Totals::of_flights(&flights));
    }
}
