//! The source: flights of 2013 in CSV, `NA` where a value is missing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use ledger_core::Timestamp;
use serde::{Deserialize, Deserializer, de};

use crate::departure::{DepartureV1, stream_name};

/// A file of flights, and what is known of it before it is read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    csv: PathBuf,
    /// How many flights it has, of how many carriers.
    known: Option<(usize, usize)>,
    /// What to do if it is not there.
    advice: &'static str,
}

impl Source {
    /// 1 January 2013, checked in.
    pub(crate) fn day() -> Self {
        Self {
            known: Some((842, 14)),
            ..Self::file(data_file("flights-2013-01-01.csv"))
        }
    }

    /// All of 2013.
    pub(crate) fn year() -> Self {
        Self {
            known: Some((336_776, 16)),
            advice: "; fetch it with scripts/fetch-flights",
            ..Self::file(data_file("flights-2013.csv"))
        }
    }

    /// Any other file.
    pub(crate) fn file(csv: PathBuf) -> Self {
        Self {
            csv,
            known: None,
            advice: "",
        }
    }

    /// Reads the flights, in the order of their scheduled departure.
    ///
    /// The order of the file is no order of time: it goes from January on with
    /// October. A stream is read in the order it was written in, so the
    /// program writes in the order in which things happened.
    pub(crate) fn read(&self) -> Result<Vec<DepartureV1>> {
        let mut flights =
            parse(&self.csv).with_context(|| format!("cannot read {self}{}", self.advice))?;
        flights.sort_by_key(DepartureV1::scheduled);

        let found = (flights.len(), by_stream(&flights).len());
        ensure!(found.0 > 0, "{self} has no flights");
        if let Some(known) = self.known {
            ensure!(
                found == known,
                "{self} is not whole: (flights, carriers) are {found:?} instead of {known:?}"
            );
        }
        Ok(flights)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.csv.display().fmt(f)
    }
}

/// A file in this example's folder `data`.
fn data_file(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("data").join(name)
}

fn parse(path: &Path) -> Result<Vec<DepartureV1>> {
    let mut csv = csv::Reader::from_path(path)?;
    csv.deserialize().map(|row| departure(row?)).collect()
}

/// The columns that the events are made of.
#[derive(Deserialize)]
struct Row {
    #[serde(deserialize_with = "unless_na")]
    dep_time: Option<u16>,
    #[serde(deserialize_with = "unless_na")]
    dep_delay: Option<i32>,
    carrier: String,
    flight: u16,
    #[serde(deserialize_with = "unless_na")]
    tailnum: Option<String>,
    origin: String,
    dest: String,
    minute: u8,
    time_hour: Timestamp,
}

/// A cancelled flight has neither a time nor a delay. One without the other
/// would be read as cancelled or lose its time, so it is refused.
fn departure(row: Row) -> Result<DepartureV1> {
    ensure!(
        row.dep_time.is_some() == row.dep_delay.is_some(),
        "{} {} at {}: a departure time and a delay come together or not at all",
        row.carrier,
        row.flight,
        row.time_hour,
    );
    Ok(DepartureV1 {
        time_hour: row.time_hour,
        minute: row.minute,
        carrier: row.carrier,
        flight: row.flight,
        tailnum: row.tailnum,
        origin: row.origin,
        dest: row.dest,
        dep_delay: row.dep_delay,
    })
}

/// `NA` is nothing; anything else has to parse. (`csv::invalid_option` would
/// take a damaged number for a missing one.)
fn unless_na<'de, D, T>(field: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    match &*Cow::<'de, str>::deserialize(field)? {
        "NA" => Ok(None),
        text => text.parse().map(Some).map_err(de::Error::custom),
    }
}

/// The flights by the stream they belong in, one for each carrier.
pub(crate) fn by_stream(flights: &[DepartureV1]) -> BTreeMap<String, Vec<&DepartureV1>> {
    let mut streams: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for flight in flights {
        let stream = stream_name(&flight.carrier);
        streams.entry(stream).or_default().push(flight);
    }
    streams
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(csv: &str) -> Result<Vec<DepartureV1>> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(&file, csv)?;
        Source::file(file.path().into()).read()
    }

    #[test]
    fn the_day_has_842_flights_of_14_carriers() {
        let day = Source::day().read().unwrap();
        assert_eq!((day.len(), by_stream(&day).len()), (842, 14));
        assert_eq!(day.iter().filter(|d| d.dep_delay.is_none()).count(), 4);
        assert!(day.is_sorted_by_key(DepartureV1::scheduled));
    }

    /// Catches `NA` taken for a tail number, a dedup key without the hour, and
    /// "2400" refused as a time.
    #[test]
    fn missing_values_and_repeated_flight_numbers_are_told_apart() {
        let flights = Source::file(data_file("edge-cases.csv")).read().unwrap();
        let seen: Vec<_> = flights
            .iter()
            .map(|d| {
                let time = d.scheduled().to_string();
                (time, d.flight, d.tailnum.as_deref(), d.dep_delay)
            })
            .collect();
        let expected = [
            ("2013-01-01T21:30:00Z", 4308, Some("N18120"), None),
            ("2013-01-02T20:45:00Z", 133, None, None),
            ("2013-06-08T10:00:00Z", 2269, Some("N487WN"), Some(0)),
            ("2013-06-08T19:40:00Z", 2269, Some("N487WN"), Some(11)),
            ("2013-10-31T03:59:00Z", 839, Some("N661JB"), Some(1)),
        ]
        .map(|(time, flight, tail, delay)| (time.to_owned(), flight, tail, delay));
        assert_eq!(seen, expected);
        assert_ne!(flights[2].to_entry(), flights[3].to_entry());
    }

    /// Catches a count that is not checked: a file cut short at a line's end.
    #[test]
    fn a_file_that_is_not_whole_is_refused() {
        let cut = Source {
            known: Some((842, 14)),
            ..Source::file(data_file("edge-cases.csv"))
        };
        assert!(cut.read().unwrap_err().to_string().contains("not whole"));
    }

    /// Catches a parser that takes what it cannot read for missing.
    #[test]
    fn damaged_values_are_refused() {
        const HEAD: &str = "dep_time,dep_delay,carrier,flight,tailnum,origin,dest,minute,time_hour";
        let row = |time: &str, delay: &str| {
            read(&format!(
                "{HEAD}\n{time},{delay},UA,1,NA,EWR,IAH,5,2013-01-01T10:00:00Z\n"
            ))
        };
        assert!(row("517", "2").is_ok());
        assert!(row("517", "2x").is_err());
        assert!(row("517", "").is_err());
        assert!(row("517", "NA").is_err());
        assert!(row("NA", "2").is_err());
        assert!(read("carrier,flight\nUA,1\n").is_err());
    }
}
