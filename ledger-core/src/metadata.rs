//! Small facts about an entry, next to its payload.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Result;
use crate::limits::{Limits, check_len, check_number, check_text};

/// Pairs of text attached to an entry: unique keys, in byte order.
///
/// At most 64 pairs, keys of 1 to 128 bytes, values up to 8,192 bytes, 65,536
/// bytes together, none with U+0000. Setting a key again replaces its value.
///
/// ```
/// use ledger_core::Metadata;
///
/// let metadata: Metadata = [("source", "api"), ("by", "ann")].into_iter().collect();
/// assert_eq!(metadata.get("source"), Some("api"));
/// assert_eq!(metadata.iter().next(), Some(("by", "ann")));
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Metadata(Vec<(String, String)>);

impl Metadata {
    /// No pairs, no allocation.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sets `key`; the last value set wins.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let (key, value) = (key.into(), value.into());
        match self.position(&key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.position(key).ok().map(|at| self.0[at].1.as_str())
    }

    /// The pairs in byte order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no pairs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum()
    }

    pub(crate) fn check(&self, limits: &Limits) -> Result<()> {
        check_number(
            "metadata pairs",
            self.len() as u64,
            0,
            limits.metadata_pairs,
        )?;
        for (key, value) in &self.0 {
            check_text("metadata key", key, limits.metadata_key)?;
            if !value.is_empty() {
                check_text("metadata value", value, limits.metadata_value)?;
            }
        }
        check_len("metadata", self.size(), 0, limits.metadata_bytes)
    }

    fn position(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(k, _)| k.as_str().cmp(key))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Metadata {
    fn from_iter<It: IntoIterator<Item = (K, V)>>(pairs: It) -> Self {
        let mut metadata = Self::new();
        metadata.extend(pairs);
        metadata
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for Metadata {
    fn extend<It: IntoIterator<Item = (K, V)>>(&mut self, pairs: It) {
        for (key, value) in pairs {
            self.set(key, value);
        }
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Metadata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of text to text")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut metadata = Metadata::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    metadata.set(key, value);
                }
                Ok(metadata)
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_the_last_value_wins_and_order_is_by_bytes() {
        let metadata: Metadata = [("b", "1"), ("a.b", "2"), ("a", "3"), ("b", "4"), ("Z", "")]
            .into_iter()
            .collect();
        let pairs: Vec<_> = metadata.iter().collect();
        assert_eq!(pairs, [("Z", ""), ("a", "3"), ("a.b", "2"), ("b", "4")]);
        assert_eq!(metadata.size(), 9);
        let text = serde_json::to_string(&metadata).unwrap();
        assert_eq!(serde_json::from_str::<Metadata>(&text).unwrap(), metadata);
    }
}
