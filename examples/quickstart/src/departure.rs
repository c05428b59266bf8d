//! The events: a departure as it was first written, and as it is read today.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use ledger_core::{Json, NewEntry, Schema, Store, Stream, Timestamp};
use serde::{Deserialize, Serialize};

/// Version 1 of the event: the columns of the source under their own names.
///
/// Nothing writes it any more once version 2 is there, but what it wrote stays
/// in the streams for ever. So the type stays too, as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DepartureV1 {
    /// The hour of the scheduled departure, UTC.
    pub(crate) time_hour: Timestamp,
    /// Minutes past that hour.
    pub(crate) minute: u8,
    pub(crate) carrier: String,
    pub(crate) flight: u16,
    /// The aircraft; some cancelled flights never got one.
    pub(crate) tailnum: Option<String>,
    pub(crate) origin: String,
    pub(crate) dest: String,
    /// Minutes behind schedule, negative if early; none if cancelled.
    pub(crate) dep_delay: Option<i32>,
}

impl DepartureV1 {
    pub(crate) fn scheduled(&self) -> Timestamp {
        let past_the_hour = Duration::from_secs(60 * u64::from(self.minute));
        self.time_hour.saturating_add(past_the_hour)
    }

    /// The event with its keys: ordered by aircraft, and stored once however
    /// often it is sent.
    ///
    /// The hour belongs into the dedup key. Carrier, flight number and date
    /// alone repeat 24 times in the year: one number flown twice a day, from
    /// different airports.
    pub(crate) fn to_entry(&self) -> NewEntry<Self> {
        let Self {
            time_hour,
            carrier,
            flight,
            ..
        } = self;
        let entry =
            NewEntry::new(self.clone()).dedup_key(format!("{time_hour}/{carrier}/{flight}"));
        match &self.tailnum {
            Some(aircraft) => entry.order_key(aircraft),
            None => entry,
        }
    }
}

/// The event today, version 2: names in full, one time instead of an hour and
/// its minute, and a delay that says what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Departure {
    pub(crate) scheduled: Timestamp,
    pub(crate) carrier: String,
    pub(crate) flight: u16,
    pub(crate) aircraft: Option<String>,
    pub(crate) origin: String,
    pub(crate) destination: String,
    pub(crate) delay: Delay,
}

impl Departure {
    /// The upcaster: how an entry of version 1 is read. What is stored stays
    /// as it was written.
    pub(crate) fn from_v1(v1: DepartureV1) -> Self {
        Self {
            scheduled: v1.scheduled(),
            carrier: v1.carrier,
            flight: v1.flight,
            aircraft: v1.tailnum,
            origin: v1.origin,
            destination: v1.dest,
            delay: v1.dep_delay.into(),
        }
    }
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheduled,
            carrier,
            flight,
            origin,
            destination,
            delay,
            ..
        } = self;
        write!(
            f,
            "{scheduled} {carrier} {flight} {origin}-{destination} {delay}"
        )
    }
}

/// How a departure kept to its schedule; in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Delay {
    Cancelled,
    Early(u32),
    OnTime,
    Late(u32),
}

impl From<Option<i32>> for Delay {
    fn from(minutes: Option<i32>) -> Self {
        match minutes {
            None => Self::Cancelled,
            Some(0) => Self::OnTime,
            Some(early @ ..0) => Self::Early(early.unsigned_abs()),
            Some(late) => Self::Late(late.unsigned_abs()),
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("cancelled"),
            Self::Early(minutes) => write!(f, "{minutes} min early"),
            Self::OnTime => f.write_str("on time"),
            Self::Late(minutes) => write!(f, "{minutes} min late"),
        }
    }
}

/// Writes version 2, reads both. Built once, since it is checked when built.
static DEPARTURES: LazyLock<Schema<Departure>> = LazyLock::new(|| {
    Schema::typed(Json, 1)
        .upcast(2, Departure::from_v1)
        .build()
        .expect("the versions ascend")
});

/// What the names of this program's streams begin with.
pub(crate) const STREAM_PREFIX: &str = "departures-";

/// One stream for each carrier, such as `departures-UA`.
pub(crate) fn stream_name(carrier: &str) -> String {
    format!("{STREAM_PREFIX}{carrier}")
}

/// A stream of departures as they were at version 1.
pub(crate) fn departures_v1<S: Store<i64>>(store: S, stream: &str) -> Stream<i64, DepartureV1, S> {
    Stream::new(store, stream)
}

/// A stream of departures as they are today, whenever they were written.
pub(crate) fn departures<S: Store<i64>>(store: S, stream: &str) -> Stream<i64, Departure, S> {
    Stream::with_schema(store, stream, &DEPARTURES)
}

#[cfg(test)]
mod tests {
    use ledger_core::{Kind, MemoryStore, Query};
    use serde_json::json;

    use super::*;

    fn v1() -> DepartureV1 {
        DepartureV1 {
            time_hour: "2013-01-01T10:00:00Z".parse().unwrap(),
            minute: 15,
            carrier: "UA".into(),
            flight: 1545,
            tailnum: Some("N14228".into()),
            origin: "EWR".into(),
            dest: "IAH".into(),
            dep_delay: Some(2),
        }
    }

    /// Catches a renamed field or variant: both versions are stored formats.
    #[test]
    fn what_is_stored_stays_as_it_is() {
        assert_eq!(
            serde_json::to_value(v1()).unwrap(),
            json!({
                "time_hour": "2013-01-01T10:00:00Z", "minute": 15, "carrier": "UA", "flight": 1545,
                "tailnum": "N14228", "origin": "EWR", "dest": "IAH", "dep_delay": 2
            })
        );
        assert_eq!(
            serde_json::to_value(Departure::from_v1(v1())).unwrap(),
            json!({
                "scheduled": "2013-01-01T10:15:00Z", "carrier": "UA", "flight": 1545,
                "aircraft": "N14228", "origin": "EWR", "destination": "IAH", "delay": {"late": 2}
            })
        );
        assert_eq!(serde_json::to_value(Delay::OnTime).unwrap(), "on_time");
        assert_eq!(serde_json::to_value(Delay::Cancelled).unwrap(), "cancelled");
        assert_eq!(
            serde_json::to_value(Delay::Early(4)).unwrap(),
            json!({"early": 4})
        );
    }

    /// Catches "no delay known" read as "no delay", and a sign lost or kept.
    #[test]
    fn a_delay_is_told_apart_by_sign_zero_and_absence() {
        assert_eq!(Delay::from(None), Delay::Cancelled);
        assert_eq!(Delay::from(Some(0)), Delay::OnTime);
        assert_eq!(Delay::from(Some(-43)), Delay::Early(43));
        assert_eq!(Delay::from(Some(1301)), Delay::Late(1301));
        assert_eq!(Delay::from(Some(i32::MIN)), Delay::Early(1 << 31));
    }

    /// Catches an upcaster that runs on new entries too, or not on old ones.
    #[tokio::test]
    async fn one_stream_holds_both_versions_and_reads_as_the_new_one() {
        let store = MemoryStore::new();
        let old = departures_v1(&store, "departures-UA");
        let new = departures(&store, "departures-UA");
        let written = Departure {
            flight: 1,
            delay: Delay::Early(5),
            ..Departure::from_v1(v1())
        };
        old.append(v1().to_entry()).await.unwrap();
        new.append(written.clone()).await.unwrap();

        let page = new.read(Query::new()).await.unwrap();
        let read: Vec<_> = page.iter().map(|e| (e.schema_version, &e.value)).collect();
        assert_eq!(read, [(1, &Departure::from_v1(v1())), (2, &written)]);

        // A program that was not brought up to date is told so.
        let error = old.read(Query::new().after(page[0].id)).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::NewerVersion { .. }), "{error}");
    }

    /// Catches an empty order key, which the store would refuse, and a key
    /// that two flights share.
    #[test]
    fn an_entry_carries_the_aircraft_if_there_is_one() {
        let no_aircraft = DepartureV1 {
            tailnum: None,
            ..v1()
        };
        let keyed = |departure: &DepartureV1| {
            NewEntry::new(departure.clone()).dedup_key("2013-01-01T10:00:00Z/UA/1545")
        };
        assert_eq!(v1().to_entry(), keyed(&v1()).order_key("N14228"));
        assert_eq!(no_aircraft.to_entry(), keyed(&no_aircraft));
    }
}
