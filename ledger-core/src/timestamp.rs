//! When an entry was recorded.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Kind, Result, Rule};

/// A moment in UTC, in microseconds since 1970-01-01, between the years 0000
/// and 9999. Its text form is RFC 3339.
///
/// ```
/// use ledger_core::Timestamp;
///
/// let at: Timestamp = "2013-01-01T05:15:00.000250Z".parse()?;
/// assert_eq!(at.as_micros(), 1_357_017_300_000_250);
/// assert_eq!(at.to_string(), "2013-01-01T05:15:00.00025Z");
/// # Ok::<(), ledger_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0000-01-01T00:00:00Z
    pub const MIN: Self = Self(-62_167_219_200_000_000);
    /// 9999-12-30T22:00:00Z, the last whole hour that every UTC offset can show.
    pub const MAX: Self = Self(253_402_207_200_000_000);
    /// 1970-01-01T00:00:00Z
    pub const EPOCH: Self = Self(0);

    /// The moment this many microseconds after 1970-01-01, UTC; `None` outside
    /// [`MIN`](Self::MIN) to [`MAX`](Self::MAX).
    #[must_use]
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 {
            None
        } else {
            Some(Self(micros))
        }
    }

    /// Microseconds since 1970-01-01, UTC.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The clock of this machine.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now().try_into().unwrap_or(Self::EPOCH)
    }

    /// This moment moved by `by`, kept within [`MIN`](Self::MIN) and
    /// [`MAX`](Self::MAX).
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(by).min(Self::MAX.0))
    }

    /// This moment moved back by `by`, kept within [`MIN`](Self::MIN) and
    /// [`MAX`](Self::MAX).
    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(by).max(Self::MIN.0))
    }

    fn civil(self) -> jiff::Timestamp {
        // Cannot fail: MIN and MAX lie within jiff's range.
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

fn out_of_range() -> Error {
    Error::invalid_input("timestamp (year)", Rule::AtMost, 9999, 0)
}

impl TryFrom<SystemTime> for Timestamp {
    type Error = Error;

    fn try_from(time: SystemTime) -> Result<Self> {
        let micros = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).ok(),
            Err(before) => i64::try_from(before.duration().as_micros())
                .ok()
                .map(|m| -m),
        };
        micros.and_then(Self::from_micros).ok_or_else(out_of_range)
    }
}

impl From<Timestamp> for SystemTime {
    fn from(at: Timestamp) -> Self {
        let magnitude = Duration::from_micros(at.0.unsigned_abs());
        if at.0 < 0 {
            Self::UNIX_EPOCH - magnitude
        } else {
            Self::UNIX_EPOCH + magnitude
        }
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed: jiff::Timestamp = text.parse().map_err(|e: jiff::Error| {
            Error::new(Kind::Decode, "not a timestamp of RFC 3339").caused_by(e)
        })?;
        Self::from_micros(parsed.as_microsecond()).ok_or_else(out_of_range)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.civil().fmt(f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// RFC 3339 in formats for people, microseconds in the others.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        } else {
            let micros = i64::deserialize(deserializer)?;
            Self::from_micros(micros).ok_or_else(|| D::Error::custom(out_of_range()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_range_have_a_text_form_that_parses_back() {
        for at in [Timestamp::MIN, Timestamp::EPOCH, Timestamp::MAX] {
            assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
        }
        assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T22:00:00Z");
        assert_eq!(Timestamp::from_micros(i64::MAX), None);
    }

    #[test]
    fn system_time_converts_both_ways_to_the_microsecond() {
        for micros in [-1, 0, 1, 1_357_017_300_000_250] {
            let at = Timestamp::from_micros(micros).unwrap();
            assert_eq!(Timestamp::try_from(SystemTime::from(at)).unwrap(), at);
        }
    }
}
