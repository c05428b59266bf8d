//! Living with an event that has changed: the old entries are read as the new
//! version, and new ones are appended beside them.

use std::fmt;

use anyhow::{Result, ensure};
use futures_util::TryStreamExt;
use ledger_core::{NewEntry, Query, Receipt, Store, Timestamp};

use crate::departure::{Delay, Departure, DepartureV1, departures, stream_name};
use crate::flights::by_stream;
use crate::follow::Busiest;
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
    let mut punctuality = Punctuality::default();
    for (stream, flights) in by_stream(flights) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::ingested_day;

    #[tokio::test]
    async fn old_entries_read_as_the_flights_they_were_made_from() {
        let (store, mut flights) = ingested_day().await;
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
}
