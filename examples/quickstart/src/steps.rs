//! What one does with streams: read through an upcaster, append beside, page,
//! follow a key. Each step checks what it finds.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, ensure};
use futures_util::TryStreamExt;
use ledger_core::{Entry, NewEntry, PageEnd, Query, Receipt, Store, Timestamp};

use crate::departure::{Delay, Departure, DepartureV1, departures, stream_name};
use crate::report::thousands;

/// How many departures were what.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Punctuality {
    pub(crate) cancelled: u64,
    pub(crate) early: u64,
    pub(crate) on_time: u64,
    pub(crate) late: u64,
}

impl Punctuality {
    fn count(&mut self, delay: Delay) {
        *match delay {
            Delay::Cancelled => &mut self.cancelled,
            Delay::Early(_) => &mut self.early,
            Delay::OnTime => &mut self.on_time,
            Delay::Late(_) => &mut self.late,
        } += 1;
    }
}

impl fmt::Display for Punctuality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [cancelled, early, on_time, late] =
            [self.cancelled, self.early, self.on_time, self.late].map(thousands);
        write!(
            f,
            "{early} early, {on_time} on time, {late} late, {cancelled} cancelled"
        )
    }
}

/// Reads every entry that was written as version 1, as version 2, and compares
/// it with the flight it was made from.
pub(crate) async fn read_upcast(
    store: &impl Store<i64>,
    flights: &[DepartureV1],
) -> Result<Punctuality> {
    let mut by_stream: BTreeMap<String, Vec<&DepartureV1>> = BTreeMap::new();
    for flight in flights {
        let stream = stream_name(&flight.carrier);
        by_stream.entry(stream).or_default().push(flight);
    }
    let mut punctuality = Punctuality::default();
    for (stream, flights) in by_stream {
        let mut flights = flights.into_iter();
        let mut entries = departures(store, &stream).entries(Query::new());
        while let Some(entry) = entries.try_next().await? {
            // The version an entry was *stored* with; its value is version 2.
            if entry.schema_version == 1 {
                let written = flights.next().cloned().map(Departure::from_v1);
                ensure!(
                    written.as_ref() == Some(&entry.value),
                    "entry {} of {stream} is not the flight that was written: {:?}; does the \
                     database hold other flights?",
                    entry.version,
                    entry.value,
                );
                punctuality.count(entry.value.delay);
            }
        }
        ensure!(
            flights.len() == 0,
            "{stream} lacks {} flights",
            flights.len()
        );
    }
    Ok(punctuality)
}

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

/// Appends a departure of the next year, as version 2, beside the old ones.
pub(crate) async fn append_today(
    store: &impl Store<i64>,
    busiest: &Busiest<'_>,
) -> Result<Receipt<i64>> {
    let scheduled: Timestamp = "2014-01-01T14:00:00Z".parse()?;
    let Busiest {
        carrier, aircraft, ..
    } = *busiest;
    let departure = Departure {
        scheduled,
        carrier: carrier.to_owned(),
        flight: 1,
        aircraft: Some(aircraft.to_owned()),
        origin: "JFK".to_owned(),
        destination: "SFO".to_owned(),
        delay: Delay::Early(3),
    };
    let entry = NewEntry::new(departure)
        .order_key(aircraft)
        .dedup_key(format!("{scheduled}/{carrier}/1"));
    let stream = departures(store, &stream_name(carrier));
    Ok(stream.append(entry).await?)
}

/// A stream read page by page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Paged {
    pub(crate) pages: u64,
    pub(crate) entries: u64,
}

impl fmt::Display for Paged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [pages, entries] = [self.pages, self.entries].map(thousands);
        write!(f, "{entries} entries in {pages} pages")
    }
}

/// Reads a stream from its beginning to its end. Between two pages nothing
/// but an id is kept: it could be stored, and reading go on behind it tomorrow.
pub(crate) async fn page_through(
    store: &impl Store<i64>,
    stream: &str,
    page_size: usize,
) -> Result<Paged> {
    let stream = departures(store, stream);
    let mut paged = Paged::default();
    let mut query = Query::new().limit(page_size);
    loop {
        let page = stream.read(query.clone()).await?;
        for entry in &page {
            paged.entries += 1;
            ensure!(
                entry.version == paged.entries,
                "a gap before {}",
                entry.version
            );
        }
        paged.pages += 1;
        match page.next {
            Some(id) if page.end == PageEnd::More => query = query.after(id),
            _ => return Ok(paged),
        }
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
    use ledger_core::MemoryStore;

    use super::*;
    use crate::flights::Source;
    use crate::ingest::ingest;

    async fn day() -> (MemoryStore, Vec<DepartureV1>) {
        let store = MemoryStore::new();
        let flights = Source::day().read().unwrap();
        ingest(&store, &flights).await.unwrap();
        (store, flights)
    }

    #[tokio::test]
    async fn old_entries_read_as_the_flights_they_were_made_from() {
        let (store, mut flights) = day().await;
        let punctuality = read_upcast(&store, &flights).await.unwrap();
        let expected = Punctuality {
            cancelled: 4,
            early: 427,
            on_time: 59,
            late: 352,
        };
        assert_eq!(punctuality, expected);

        // Catches a check that compares nothing.
        flights[7].minute += 1;
        assert!(read_upcast(&store, &flights).await.is_err());
        flights[7].minute -= 1;
        flights.push(flights[7].clone());
        assert!(read_upcast(&store, &flights).await.is_err());
    }

    /// Catches a cursor that repeats or skips an entry, also where the last
    /// page is full or the only one.
    #[tokio::test]
    async fn pages_of_any_size_cover_the_stream() {
        let (store, _) = day().await;
        for size in [1, 50, 164, 165, 166] {
            let paged = page_through(&store, "departures-UA", size).await.unwrap();
            assert_eq!(paged.entries, 165, "pages of {size}");
        }
        let none = page_through(&store, "departures-ZZ", 50).await.unwrap();
        assert_eq!(
            none,
            Paged {
                pages: 1,
                entries: 0
            }
        );
    }

    #[tokio::test]
    async fn an_aircraft_is_followed_across_versions() {
        let (store, flights) = day().await;
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
