//! Entries that can be told apart.

use ledger_core::{ContentType, RawEntry};
use serde::{Deserialize, Serialize};

/// An entry of a history. Its payload carries a number that no other entry
/// has, so that it is recognised wherever it turns up.
///
/// Appending the same entries again is a retry: the number stays. Only entries
/// that all have keys may be retried after an unknown outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Numbered {
    /// The number.
    pub number: u64,
    /// The dedup key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Numbered {
    /// An entry without a key.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self { number, key: None }
    }

    /// Sets the dedup key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The entry as a store gets it.
    #[must_use]
    pub fn raw(&self) -> RawEntry {
        let entry = RawEntry::new(ContentType::JSON, 1, payload(self.number));
        match &self.key {
            Some(key) => entry.with_dedup_key(key),
            None => entry,
        }
    }

    /// The number of a stored entry; `None` if its payload is not one of a
    /// history, byte for byte.
    #[must_use]
    pub fn number_of(entry: &RawEntry) -> Option<u64> {
        let text = std::str::from_utf8(&entry.payload).ok()?;
        let digits = text.strip_prefix(HEAD)?;
        let end = digits.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = digits[..end].parse().ok()?;
        let padded = digits[end..].strip_prefix(MIDDLE)?.strip_suffix(TAIL)?;
        let right = padded.len() == pad(number) && padded.bytes().all(|b| b == b'.');
        // "007" is another text of the same number.
        let canonical = number == 0 || !digits.starts_with('0');
        (right && canonical).then_some(number)
    }
}

const HEAD: &str = "{\"entry\":";
const MIDDLE: &str = ",\"pad\":\"";
const TAIL: &str = "\"}";

/// Payloads are of varied length, so that pages are.
fn pad(number: u64) -> usize {
    usize::try_from(number.wrapping_mul(0x9E37_79B9) >> 7 & 63).unwrap_or(0)
}

fn payload(number: u64) -> String {
    let pad = pad(number);
    format!("{HEAD}{number}{MIDDLE}{:.<pad$}{TAIL}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_comes_back_and_a_mangled_payload_has_none() {
        for number in [0, 1, 99, 12_345, u64::MAX] {
            let mut raw = Numbered::new(number).raw();
            assert_eq!(Numbered::number_of(&raw), Some(number));
            let mut bytes = raw.payload.to_vec();
            bytes.push(b' ');
            raw.payload = bytes.into();
            assert_eq!(Numbered::number_of(&raw), None);
        }
        for other in [
            "",
            "{}",
            "{\"entry\":",
            "{\"entry\":1",
            "{\"entry\":01,\"pad\":\"\"}",
        ] {
            let raw = RawEntry::new(ContentType::JSON, 1, other);
            assert_eq!(Numbered::number_of(&raw), None, "{other}");
        }
    }
}
