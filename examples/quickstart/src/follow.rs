//! Following one aircraft: the entries of a stream that share an order key.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use futures_util::TryStreamExt;
use ledger_core::{Entry, Query, Store};

use crate::departure::{Departure, DepartureV1, departures, stream_name};

/// An aircraft, and how often it departed for one carrier.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Busiest<'a> {
    pub(crate) carrier: &'a str,
    pub(crate) aircraft: &'a str,
    pub(crate) departures: usize,
}

impl<'a> Busiest<'a> {
    /// The busiest of these flights; the first by name where several are.
    pub(crate) fn of(flights: &'a [DepartureV1]) -> Option<Self> {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for flight in flights {
            if let Some(aircraft) = &flight.tailnum {
                *counts.entry((&flight.carrier, aircraft)).or_default() += 1;
            }
        }
        // Of equal ones `max_by_key` takes the last.
        let ((carrier, aircraft), departures) =
            counts.into_iter().rev().max_by_key(|(_, count)| *count)?;
        Some(Self {
            carrier,
            aircraft,
            departures,
        })
    }
}

/// The entries of one aircraft, oldest first, both versions side by side.
pub(crate) async fn follow(
    store: &impl Store<i64>,
    busiest: &Busiest<'_>,
) -> Result<Vec<Entry<i64, Departure>>> {
    let stream = departures(store, &stream_name(busiest.carrier));
    let of_aircraft = Query::new().order_key(busiest.aircraft);
    let entries: Vec<_> = stream.entries(of_aircraft).try_collect().await?;
    let old = entries.iter().filter(|entry| entry.schema_version == 1);
    ensure!(
        old.count() == busiest.departures,
        "{} departed {} times, not as the stream has it",
        busiest.aircraft,
        busiest.departures,
    );
    let today = entries.last().context("the aircraft has no entries")?;
    ensure!(
        today.schema_version == 2,
        "the newest entry is not the last"
    );
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evolve::append_today;
    use crate::ingest::ingested_day;

    #[tokio::test]
    async fn an_aircraft_is_followed_across_versions() {
        let (store, flights) = ingested_day().await;
        let busiest = Busiest::of(&flights).unwrap();
        assert_eq!(busiest.departures, 4);
        for again in [false, true] {
            let receipt = append_today(&store, &busiest).await.unwrap();
            assert_eq!(receipt.is_duplicate(), again);
        }
        let entries = follow(&store, &busiest).await.unwrap();
        let versions: Vec<_> = entries.iter().map(|e| e.schema_version).collect();
        assert_eq!(versions, [1, 1, 1, 1, 2]);
        assert!(entries.is_sorted_by_key(|entry| entry.value.scheduled));
    }
}
