//! What an append requires of its stream.

use std::fmt;

/// The version that an append requires its stream to be at, checked
/// atomically with the write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Expected {
    /// Whatever it is.
    #[default]
    Any,
    /// Nothing was ever appended. The same as `Exactly(0)`.
    NoStream,
    /// Something was appended before, even if it was trimmed since.
    StreamExists,
    /// The last version is this one: so many entries were ever appended.
    Exactly(u64),
}

impl Expected {
    /// Whether a stream whose last version is `version` fits.
    #[must_use]
    pub const fn holds_at(self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => version == 0,
            Self::StreamExists => version > 0,
            Self::Exactly(n) => version == n,
        }
    }
}

impl From<u64> for Expected {
    fn from(version: u64) -> Self {
        Self::Exactly(version)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::NoStream => f.write_str("no stream"),
            Self::StreamExists => f.write_str("an existing stream"),
            Self::Exactly(version) => write!(f, "version {version}"),
        }
    }
}
