//! What tells one store from another.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::error::{Error, Kind, Result};

/// The identity of a store, drawn at random when the store is created and kept
/// with its data. Cursors carry it, so that one of another store is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreId(Uuid);

impl StoreId {
    /// A new identity.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The identity of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl FromStr for StoreId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = Uuid::parse_str(text);
        parsed
            .map(Self)
            .map_err(|e| Error::new(Kind::Corrupt, "not a store id").caused_by(e))
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreId({})", self.0)
    }
}
