//! The kinds of error and the rules that input can break.

use std::fmt;

use super::Retry;
use crate::Expected;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The expected version did not hold. Nothing was stored.
    Conflict {
        /// What the append required.
        expected: Expected,
        /// The stream's last version at some moment during the call;
        /// 0 if nothing was ever appended.
        actual: u64,
    },
    /// A repeated dedup key came with other content, and verification was
    /// asked for. Nothing was stored.
    DedupMismatch {
        /// Which entry of the batch.
        index: usize,
        /// The version of the stored original; `None` if the original is an
        /// earlier entry of the same batch.
        original: Option<u64>,
    },
    /// A value outside the limits. Decided before any I/O wherever possible.
    InvalidInput {
        /// Which value.
        field: &'static str,
        /// Which rule it breaks.
        rule: Rule,
        /// The rule's limit; 0 where it has none.
        limit: u64,
        /// What was given: a length, a count, or a number's absolute value;
        /// 0 where that makes no sense.
        actual: u64,
    },
    /// A cursor that this store did not give out, or that lies ahead of it.
    InvalidCursor,
    /// A value that the codec cannot write.
    Encode,
    /// A stored entry that the codec or the schema cannot read.
    Decode,
    /// A stored entry of a schema version newer than the reader knows.
    NewerVersion {
        /// The newest version the reader knows.
        known: u32,
        /// The version found.
        found: u32,
    },
    /// Tables or files written by a newer release.
    NewerFormat {
        /// The newest format this release knows.
        known: u32,
        /// The format found.
        found: u32,
    },
    /// Reading or writing failed.
    Io,
    /// The store does not offer this operation.
    Unsupported {
        /// Which operation.
        operation: &'static str,
    },
    /// Others were in the way until the deadline.
    Contention,
    /// The server or the file cannot be reached.
    Unavailable,
    /// The call's deadline has passed.
    Timeout,
    /// No space is left for the write.
    DiskFull,
    /// Stored data is damaged.
    Corrupt,
    /// The environment does not allow what was asked for; the message names
    /// the fix.
    Misconfigured,
    /// Ids or versions have reached their end.
    LimitReached,
    /// Another process has the store open for writing.
    Locked,
    /// The store was closed.
    Closed,
    /// A broken promise inside the ledger or a backend: a bug.
    Internal,
}

impl Kind {
    pub(super) fn default_retry(&self) -> Retry {
        match self {
            Self::Contention
            | Self::Unavailable
            | Self::Timeout
            | Self::DiskFull
            | Self::Locked
            | Self::Io => Retry::Call,
            _ => Retry::No,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { expected, actual } => {
                write!(
                    f,
                    "conflict: expected {expected}, the stream is at version {actual}"
                )
            }
            Self::DedupMismatch { index, original } => {
                write!(
                    f,
                    "dedup mismatch: entry {index} of the batch repeats the key of "
                )?;
                match original {
                    Some(version) => write!(f, "version {version} with other content"),
                    None => f.write_str("an earlier entry of the batch with other content"),
                }
            }
            Self::InvalidInput {
                field,
                rule,
                limit,
                actual,
            } => {
                write!(f, "invalid input: {field} ")?;
                rule.explain(f, *limit, *actual)
            }
            Self::InvalidCursor => f.write_str("invalid cursor"),
            Self::Encode => f.write_str("cannot encode"),
            Self::Decode => f.write_str("cannot decode"),
            Self::NewerVersion { known, found } => write!(
                f,
                "the entry has schema version {found}, this reader knows versions up to {known}"
            ),
            Self::NewerFormat { known, found } => write!(
                f,
                "the store has format {found}, this release knows formats up to {known}"
            ),
            Self::Io => f.write_str("i/o error"),
            Self::Unsupported { operation } => {
                write!(f, "unsupported: this store does not offer {operation}")
            }
            Self::Contention => f.write_str("contention"),
            Self::Unavailable => f.write_str("unavailable"),
            Self::Timeout => f.write_str("timed out"),
            Self::DiskFull => f.write_str("disk full"),
            Self::Corrupt => f.write_str("corrupt"),
            Self::Misconfigured => f.write_str("misconfigured"),
            Self::LimitReached => f.write_str("limit reached"),
            Self::Locked => f.write_str("locked by another process"),
            Self::Closed => f.write_str("the store is closed"),
            Self::Internal => f.write_str("internal error"),
        }
    }
}

/// The rule that a value breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// At least this number.
    AtLeast,
    /// At most this number.
    AtMost,
    /// At least this many bytes.
    AtLeastBytes,
    /// At most this many bytes.
    AtMostBytes,
    /// No U+0000.
    NoNul,
    /// Visible ASCII only (U+0021 to U+007E).
    VisibleAscii,
    /// `[a-z_][a-z0-9_]*`.
    Identifier,
    /// Not below zero.
    NotNegative,
}

impl Rule {
    fn explain(self, f: &mut fmt::Formatter<'_>, limit: u64, actual: u64) -> fmt::Result {
        match self {
            Self::AtLeast => write!(f, "must be at least {limit}, is {actual}"),
            Self::AtMost => write!(f, "must be at most {limit}, is {actual}"),
            Self::AtLeastBytes => write!(f, "must be at least {limit} bytes, is {actual}"),
            Self::AtMostBytes => write!(f, "must be at most {limit} bytes, is {actual}"),
            Self::NoNul => f.write_str("must not contain U+0000"),
            Self::VisibleAscii => f.write_str("must be visible ASCII"),
            Self::Identifier => f.write_str("must match [a-z_][a-z0-9_]*"),
            Self::NotNegative => write!(f, "must not be negative, is -{actual}"),
        }
    }
}
