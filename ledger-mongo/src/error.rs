//! From what the driver and the server say to the errors of the ledger.

use std::fmt;

use ledger_core::{Error, Kind, Retry};
use mongodb::error::{ErrorKind, TRANSIENT_TRANSACTION_ERROR, WriteFailure};

/// What the server said, without what may quote stored data.
#[derive(Debug)]
struct ServerError {
    code: i32,
    message: String,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MongoDB error {}", self.code)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ServerError {}

/// Whether the failed call could have changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum During {
    /// Connecting, reading, and all of our own transaction before its commit:
    /// it changed nothing.
    Read,
    /// An operation that writes on its own, or a commit.
    Write,
    /// An operation inside the caller's transaction, which is fit for abort
    /// only after any error.
    Session,
}

/// A command was refused, and with which code.
pub(crate) fn code_of(error: &mongodb::error::Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(e) => Some(e.code),
        ErrorKind::Write(WriteFailure::WriteError(e)) => Some(e.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(e)) => Some(e.code),
        ErrorKind::InsertMany(e) => match (&e.write_errors, &e.write_concern_error) {
            (Some(errors), _) if !errors.is_empty() => Some(errors[0].code),
            (_, Some(e)) => Some(e.code),
            _ => None,
        },
        _ => None,
    }
}

/// Whether the server refused an operation of a transaction in such a way that
/// the whole transaction is gone and may be repeated.
pub(crate) fn is_transient(error: &mongodb::error::Error) -> bool {
    error.contains_label(TRANSIENT_TRANSACTION_ERROR)
}

/// The server took the write and could not confirm it.
fn is_unconfirmed(error: &mongodb::error::Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
        ErrorKind::InsertMany(e) => e.write_concern_error.is_some(),
        _ => false,
    }
}

/// The one conversion.
pub(crate) fn convert(error: &mongodb::error::Error, during: During) -> Error {
    let (found, maybe_applied) = match error.kind.as_ref() {
        ErrorKind::Io(e) => {
            let io = std::io::Error::from(e.kind());
            let lost = Error::new(Kind::Unavailable, "the connection to the server is lost");
            (lost.caused_by(io), true)
        }
        ErrorKind::ConnectionPoolCleared { .. } => (
            Error::new(Kind::Unavailable, "the connection to the server is lost"),
            true,
        ),
        ErrorKind::ServerSelection { .. } => (
            Error::new(
                Kind::Unavailable,
                "no primary of the replica set can be reached",
            ),
            false,
        ),
        ErrorKind::DnsResolve { .. } => (
            Error::new(Kind::Unavailable, "the name of the server is not found"),
            false,
        ),
        ErrorKind::Shutdown => (
            Error::new(Kind::Unavailable, "the client was shut down"),
            false,
        ),
        ErrorKind::Authentication { .. } => (
            Error::new(
                Kind::Misconfigured,
                "the server refuses the user or the password",
            ),
            false,
        ),
        // The texts of these may quote the URL, and so a password.
        ErrorKind::InvalidArgument { .. } | ErrorKind::InvalidTlsConfig { .. } => (
            Error::new(
                Kind::Misconfigured,
                "the URL, the options of the client or an argument are wrong",
            ),
            false,
        ),
        ErrorKind::IncompatibleServer { .. } | ErrorKind::SessionsNotSupported => (
            Error::new(
                Kind::Misconfigured,
                "the server is too old for the driver, or has no sessions",
            ),
            false,
        ),
        ErrorKind::Transaction { .. } => (
            Error::new(
                Kind::Unavailable,
                "the transaction is not in a state for this operation",
            ),
            false,
        ),
        ErrorKind::Command(e) => (
            from_server(e.code, &e.message),
            broke_off(e.code) || (during == During::Write && e.code == 50),
        ),
        ErrorKind::Write(WriteFailure::WriteError(e)) => (from_server(e.code, &e.message), false),
        ErrorKind::Write(WriteFailure::WriteConcernError(e)) => {
            (from_server(e.code, &e.message), true)
        }
        ErrorKind::InsertMany(e) => match (&e.write_errors, &e.write_concern_error) {
            (Some(errors), _) if !errors.is_empty() => {
                (from_server(errors[0].code, &errors[0].message), false)
            }
            (_, Some(e)) => (from_server(e.code, &e.message), true),
            _ => (Error::new(Kind::Internal, "an insert failed"), true),
        },
        _ => (
            Error::new(
                Kind::Internal,
                "an answer that the ledger does not understand",
            ),
            true,
        ),
    };
    match during {
        During::Write if maybe_applied || is_unconfirmed(error) => found.unknown_outcome(),
        During::Session => found.with_retry(Retry::Transaction),
        During::Read | During::Write => found,
    }
}

/// The server ended the operation in the middle, because it steps down or
/// stops: whether it was applied cannot be told from this.
fn broke_off(code: i32) -> bool {
    matches!(code, 91 | 11600 | 11602 | 189 | 10107 | 13435 | 13436 | 262)
}

fn from_server(code: i32, message: &str) -> Error {
    let (kind, text): (Kind, &'static str) = match code {
        112 | 251 | 24 | 46 | 225 => (Kind::Contention, "another transaction was in the way"),
        50 | 89 => (
            Kind::Timeout,
            "the server ended the operation at its time limit",
        ),
        64 | 79 | 100 => (
            Kind::Unavailable,
            "the write could not be confirmed by a majority of the replica set",
        ),
        6 | 7 | 43 | 91 | 134 | 189 | 262 | 9001 | 10107 | 11600 | 11602 | 13435 | 13436 => (
            Kind::Unavailable,
            "the server is not, or no longer, the primary",
        ),
        // Only a cursor brings a time that the server has not come to.
        72 if message.contains("afterClusterTime") => {
            (Kind::InvalidCursor, "a cursor ahead of the store")
        }
        14031 => (Kind::DiskFull, "the server has no space left"),
        13 => (
            Kind::Misconfigured,
            "the user lacks a privilege; readWrite on the database is enough",
        ),
        18 => (
            Kind::Misconfigured,
            "the server refuses the user or the password",
        ),
        20 => (
            Kind::Misconfigured,
            "the server is not part of a replica set; start it with --replSet",
        ),
        26 => (
            Kind::Misconfigured,
            "the collections are not there; open the store once with MongoStore::open",
        ),
        11000 => (
            Kind::Corrupt,
            "the collections refuse a document that belongs there: they were changed by hand, or \
             an index is damaged",
        ),
        _ => (
            Kind::Internal,
            "the server refuses an operation of the ledger",
        ),
    };
    // Of these the server's words quote what is stored.
    let quotes = matches!(code, 11000 | 2 | 22 | 121 | 10334);
    let message = if quotes {
        String::new()
    } else {
        message.to_owned()
    };
    Error::new(kind, text).caused_by(ServerError { code, message })
}

/// Something stored that is not what the ledger stores.
pub(crate) fn corrupt(what: &'static str) -> Error {
    Error::new(Kind::Corrupt, what)
}

/// A call that was not over by its deadline, and has changed nothing.
pub(crate) fn late() -> Error {
    Error::new(Kind::Timeout, "the deadline of the call has passed")
}
