//! From what sqlx and the server say to the errors of the ledger.

use std::fmt;

use ledger_core::{Error, Kind, Retry};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// What the server said, without the parts that quote stored data: detail,
/// hint and the statement.
#[derive(Debug)]
struct ServerError {
    code: String,
    message: String,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SQLSTATE {}", self.code)?;
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
    /// Connecting, reading: it changed nothing.
    Read,
    /// A statement that writes and commits.
    Write,
    /// A statement inside the caller's transaction, which is fit for rollback
    /// only after any error.
    Transaction,
}

/// Whether two entries carry one dedup key: the unique index of that name was
/// hit. Any other unique index is none of the append's business, and an error.
pub(crate) fn is_duplicate(error: &sqlx::Error, dedup_index: &str) -> bool {
    error.as_database_error().is_some_and(|e| {
        e.code().as_deref() == Some("23505") && e.constraint() == Some(dedup_index)
    })
}

/// The one conversion.
pub(crate) fn convert(error: &sqlx::Error, during: During) -> Error {
    let (found, maybe_applied) = match error {
        sqlx::Error::Database(e) => match e.try_downcast_ref::<PgDatabaseError>() {
            Some(e) => (from_server(e), is_fatal(e)),
            None => (
                Error::new(Kind::Internal, "an error of another database"),
                true,
            ),
        },
        sqlx::Error::Io(e) => {
            let io = std::io::Error::from(e.kind());
            let message = match e.kind() {
                // What rustls says of a certificate comes as this.
                std::io::ErrorKind::InvalidData => {
                    "no TLS connection to the server: its certificate is not of an authority \
                     that is trusted, or is for another name"
                }
                _ => "the connection to the server is lost",
            };
            (Error::new(Kind::Unavailable, message).caused_by(io), true)
        }
        sqlx::Error::Tls(_) => (
            Error::new(Kind::Unavailable, "no TLS connection to the server"),
            false,
        ),
        sqlx::Error::PoolTimedOut => (
            Error::new(
                Kind::Unavailable,
                "no connection became free, or the server is away",
            ),
            false,
        ),
        sqlx::Error::PoolClosed => (
            Error::new(Kind::Unavailable, "the pool of connections was closed"),
            false,
        ),
        // Its text may quote the URL, and so a password.
        sqlx::Error::Configuration(_) => (
            Error::new(
                Kind::Misconfigured,
                "the URL or the options of the connection are wrong",
            ),
            false,
        ),
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => (
            Error::new(
                Kind::Unavailable,
                "the conversation with the server broke off",
            ),
            true,
        ),
        _ => (
            Error::new(
                Kind::Internal,
                "an answer that the ledger does not understand",
            ),
            true,
        ),
    };
    match during {
        During::Write if maybe_applied => found.unknown_outcome(),
        During::Transaction => found.with_retry(Retry::Transaction),
        During::Read | During::Write => found,
    }
}

/// After such an error the server closes the connection; whether the statement
/// was committed first cannot be told from it.
fn is_fatal(e: &PgDatabaseError) -> bool {
    matches!(e.severity(), PgSeverity::Fatal | PgSeverity::Panic)
}

fn from_server(e: &PgDatabaseError) -> Error {
    let code = e.code();
    let (kind, message): (Kind, &'static str) = match code {
        "40001" | "40P01" | "55P03" => (Kind::Contention, "another transaction was in the way"),
        "25P02" => (
            Kind::Contention,
            "the transaction was aborted by an earlier error",
        ),
        // A plan or a catalog changed under a prepared statement.
        "0A000" | "26000" => (Kind::Contention, "the schema changed under the statement"),
        "57014" => (Kind::Timeout, "the server cancelled the statement"),
        "25006" => (Kind::Unavailable, "the server is read-only"),
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => {
            (Kind::Unavailable, "the server ended the session")
        }
        "53100" => (Kind::DiskFull, "the server has no space left"),
        "22003" | "2200H" => (Kind::LimitReached, "ids or versions have reached their end"),
        "42501" => (
            Kind::Misconfigured,
            "the role lacks a privilege; see the grants in the docs of ledger-postgres",
        ),
        "42P01" | "3F000" => (
            Kind::Misconfigured,
            "the tables are not there; run PostgresStore::migrate",
        ),
        "42703" => (
            Kind::Misconfigured,
            "the tables are not those of this format; run PostgresStore::migrate",
        ),
        "3D000" => (
            Kind::Misconfigured,
            "the database does not exist; create it",
        ),
        "23505" | "23502" | "23514" | "23503" => (
            Kind::Corrupt,
            "the tables refuse a row that belongs there: they were changed by hand, or an index is damaged",
        ),
        "XX001" | "XX002" => (Kind::Corrupt, "the server found damaged data"),
        _ => match &code[..2.min(code.len())] {
            "08" | "53" | "57" | "58" => (Kind::Unavailable, "the server cannot work"),
            "28" => (
                Kind::Misconfigured,
                "the server refuses the user or the password",
            ),
            _ => (
                Kind::Internal,
                "the server refuses a statement of the ledger",
            ),
        },
    };
    // Of these two the server's words may quote stored data.
    let quotes = matches!(&code[..2.min(code.len())], "22" | "23");
    let source = ServerError {
        code: code.to_owned(),
        message: if quotes {
            String::new()
        } else {
            e.message().to_owned()
        },
    };
    let mut error = Error::new(kind, message).caused_by(source);
    if let Some(index) = e.constraint() {
        error = error.with("constraint", index);
    }
    error
}

/// A row that is not what the statement asks for.
pub(crate) fn bad_row(error: &sqlx::Error) -> Error {
    match error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            Error::new(Kind::Corrupt, "a stored value is not of its type")
        }
        other => convert(other, During::Read),
    }
}

/// What could not be decoded of a row.
pub(crate) fn corrupt(what: &'static str) -> Error {
    Error::new(Kind::Corrupt, what)
}

/// The session commits more loosely than was asked for. Nothing was written.
pub(crate) fn weak_commit(setting: &str) -> Error {
    Error::new(
        Kind::Misconfigured,
        "synchronous_commit is weaker than asked for; set it to on for this role, database or \
         transaction, or ask for less with Config::with_durability",
    )
    .with("synchronous_commit", setting)
}
