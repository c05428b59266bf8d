//! What can go wrong, as data: the kind, whether the operation was applied,
//! and what a retry would have to repeat.

mod kind;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;

pub use kind::{Kind, Rule};

use crate::Expected;

/// The result of every fallible operation of the ledger.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whether the operation that failed has changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Applied {
    /// Nothing was changed, and nothing will be.
    No,
    /// The outcome is unknown: the operation was applied once or not at all.
    ///
    /// Only a dedup key makes it safe to repeat such an append.
    Unknown,
}

/// What has to be repeated for a retry to have a chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The same call will fail the same way.
    No,
    /// The call can be repeated as it is.
    Call,
    /// The caller's transaction has to be rolled back and repeated as a whole.
    Transaction,
    /// The call can be repeated if every entry carries a dedup key; without
    /// keys a repeat may store the entries twice.
    WithDedupKey,
}

/// The error of every operation of the ledger.
///
/// `Display` speaks of this layer only; the cause, where there is one, is the
/// [`source`](StdError::source). Neither contains payloads or secrets.
///
/// ```
/// use ledger_core::{Applied, Error, Expected, Kind};
///
/// let error = Error::conflict(Expected::Exactly(3), 5);
/// assert!(error.is_conflict());
/// assert_eq!(error.applied(), Applied::No);
/// if let Kind::Conflict { actual, .. } = error.kind() {
///     assert_eq!(*actual, 5);
/// }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: Cow<'static, str>,
    applied: Applied,
    retry: Retry,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// What happened, with the facts a program can act on.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// Whether the failed operation has changed anything.
    #[must_use]
    pub fn applied(&self) -> Applied {
        self.0.applied
    }

    /// What would have to be repeated.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// A fact attached to this error, such as `"stream"`, `"id"` or
    /// `"version"`, as text.
    #[must_use]
    pub fn context(&self, key: &str) -> Option<&str> {
        let found = self.0.context.iter().find(|(k, _)| *k == key);
        found.map(|(_, value)| value.as_str())
    }

    /// The fact attached under `key`, parsed; `None` if it is absent or not of
    /// that form.
    ///
    /// A reader that wants to go on behind an entry it cannot decode takes the
    /// id from the error: `query.after(error.context_as::<i64>("id")?)`.
    #[must_use]
    pub fn context_as<V: FromStr>(&self, key: &str) -> Option<V> {
        self.context(key)?.parse().ok()
    }

    /// Whether an expected version did not hold.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.0.kind, Kind::Conflict { .. })
    }

    /// Whether the error concerns one stored entry, so that reading can go on
    /// behind it. Such an error carries `stream`, `id` and `version`.
    #[must_use]
    pub fn is_entry(&self) -> bool {
        matches!(self.0.kind, Kind::Decode | Kind::NewerVersion { .. })
            && self.context("version").is_some()
    }
}

/// For codecs, schemas and authors of backends.
impl Error {
    /// An error of `kind`, not applied, with the retry advice that fits the
    /// kind by default.
    ///
    /// The message completes the kind's own words; it may be empty.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        let retry = kind.default_retry();
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            applied: Applied::No,
            retry,
            context: Vec::new(),
            source: None,
        }))
    }

    /// A value that the limits do not allow.
    #[must_use]
    pub fn invalid_input(field: &'static str, rule: Rule, limit: u64, actual: u64) -> Self {
        let kind = Kind::InvalidInput {
            field,
            rule,
            limit,
            actual,
        };
        Self::new(kind, "")
    }

    /// An expected version that does not hold.
    #[must_use]
    pub fn conflict(expected: Expected, actual: u64) -> Self {
        Self::new(Kind::Conflict { expected, actual }, "")
    }

    /// An operation that the store does not offer.
    #[must_use]
    pub fn unsupported(operation: &'static str) -> Self {
        Self::new(Kind::Unsupported { operation }, "")
    }

    /// The answer of every call after `close`.
    #[must_use]
    pub fn closed() -> Self {
        Self::new(Kind::Closed, "")
    }

    /// Marks the outcome as unknown; a retry then needs dedup keys.
    #[must_use]
    pub fn unknown_outcome(mut self) -> Self {
        self.0.applied = Applied::Unknown;
        self.0.retry = Retry::WithDedupKey;
        self
    }

    /// Replaces the retry advice.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Attaches a fact. The first value given for a key stays: it comes from
    /// the place that knew best.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        if self.context(key).is_none() {
            self.0.context.push((key, value.to_string()));
        }
        self
    }

    /// Keeps the cause. It must not carry payloads or secrets.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }
}

/// The same error for another caller; of the cause, the words.
#[must_use]
pub fn copy_of(error: &Error) -> Error {
    let inner = &*error.0;
    Error(Box::new(Inner {
        kind: inner.kind.clone(),
        message: inner.message.clone(),
        applied: inner.applied,
        retry: inner.retry,
        context: inner.context.clone(),
        source: inner
            .source
            .as_ref()
            .map(|source| source.to_string().into()),
    }))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            message,
            applied,
            context,
            ..
        } = &*self.0;
        write!(f, "{kind}")?;
        if !message.is_empty() {
            write!(f, ": {message}")?;
        }
        for (index, (key, value)) in context.iter().enumerate() {
            let lead = if index == 0 { " (" } else { ", " };
            write!(f, "{lead}{key}: {value}")?;
        }
        if !context.is_empty() {
            f.write_str(")")?;
        }
        match applied {
            Applied::No => Ok(()),
            Applied::Unknown => f.write_str("; outcome unknown"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            message,
            applied,
            retry,
            context,
            source,
        } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("message", message)
            .field("applied", applied)
            .field("retry", retry)
            .field("context", context)
            .field("source", source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn display_tells_kind_message_context_and_outcome_but_not_the_source() {
        let error = Error::new(Kind::Unavailable, "the server closed the connection")
            .with("stream", "orders")
            .with("stream", "a later layer")
            .caused_by("broken pipe")
            .unknown_outcome();
        assert_eq!(
            error.to_string(),
            "unavailable: the server closed the connection (stream: orders); outcome unknown"
        );
        assert_eq!(error.retry(), Retry::WithDedupKey);
        assert_eq!(
            error.source().map(ToString::to_string).as_deref(),
            Some("broken pipe")
        );
    }

    #[test]
    fn invalid_input_tells_field_rule_limit_and_actual() {
        let error = Error::invalid_input("stream name", Rule::AtMostBytes, 512, 513);
        assert_eq!(
            error.to_string(),
            "invalid input: stream name must be at most 512 bytes, is 513"
        );
    }
}
