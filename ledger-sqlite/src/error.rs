//! The one conversion from errors of sqlx and SQLite to the ledger's.

use ledger_core::{Error, Kind};
use sqlx::error::DatabaseError;

/// The primary result codes of SQLite that mean something here, see
/// <https://www.sqlite.org/rescode.html>.
mod code {
    pub(super) const ERROR: i32 = 1;
    pub(super) const PERM: i32 = 3;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const NOMEM: i32 = 7;
    pub(super) const READONLY: i32 = 8;
    pub(super) const INTERRUPT: i32 = 9;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const PROTOCOL: i32 = 15;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const AUTH: i32 = 23;
    pub(super) const NOTADB: i32 = 26;
    /// Extended: a checksum of the file did not fit.
    pub(super) const IOERR_DATA: i32 = IOERR | (32 << 8);
    /// Extended: the file system found itself corrupt.
    pub(super) const IOERR_CORRUPTFS: i32 = IOERR | (33 << 8);
}

/// Converts an error; it is kept as the source. Not applied: only the code
/// that commits knows better.
pub(crate) fn convert(error: sqlx::Error) -> Error {
    let (kind, message) = match &error {
        sqlx::Error::Database(error) => of_database(&**error),
        sqlx::Error::Io(_) => (Kind::Io, ""),
        sqlx::Error::PoolTimedOut => (
            Kind::Unavailable,
            "no connection of the pool came free; does the caller hold one while it waits?",
        ),
        sqlx::Error::PoolClosed => (Kind::Unavailable, "the connection pool is closed"),
        sqlx::Error::WorkerCrashed => (Kind::Unavailable, "the connection is gone"),
        sqlx::Error::Configuration(_) => (Kind::Misconfigured, ""),
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
            (Kind::Corrupt, "a stored value is not of its type")
        }
        _ => (Kind::Internal, ""),
    };
    Error::new(kind, message).caused_by(error)
}

fn of_database(error: &dyn DatabaseError) -> (Kind, &'static str) {
    let extended = extended_code(error);
    match extended {
        code::IOERR_DATA | code::IOERR_CORRUPTFS => return (Kind::Corrupt, "the file is damaged"),
        _ => {}
    }
    match extended & 0xff {
        code::BUSY | code::LOCKED | code::PROTOCOL => {
            (Kind::Contention, "the database is locked by someone else")
        }
        code::FULL => (Kind::DiskFull, "the disk or the database is full"),
        code::IOERR => (Kind::Io, ""),
        code::CORRUPT => (Kind::Corrupt, "the file is damaged"),
        code::NOTADB => (Kind::Corrupt, "the file is not a SQLite database"),
        code::CONSTRAINT => (Kind::Corrupt, "the tables contradict each other"),
        code::CANTOPEN => (Kind::Unavailable, "the file cannot be opened"),
        code::READONLY => (
            Kind::Misconfigured,
            "the database cannot be written; make the file and its directory writable",
        ),
        code::PERM | code::AUTH => (Kind::Misconfigured, "access is not permitted"),
        code::NOMEM | code::INTERRUPT => (Kind::Unavailable, ""),
        code::ERROR if error.message().starts_with("no such ") => {
            (Kind::Corrupt, "a table of the store is missing or altered")
        }
        _ => (Kind::Internal, ""),
    }
}

fn extended_code(error: &dyn DatabaseError) -> i32 {
    error.code().and_then(|c| c.parse().ok()).unwrap_or(0)
}

/// Whether a COMMIT that failed like this left nothing behind. SQLite undoes
/// it for a full disk, and a busy one is still open; after an I/O error the
/// commit record may or may not have reached the disk.
pub(crate) fn is_undone(error: &Error) -> bool {
    matches!(error.kind(), Kind::DiskFull | Kind::Contention)
}

/// Damaged data, and where.
pub(crate) fn corrupt(why: &'static str) -> Error {
    Error::new(Kind::Corrupt, why)
}

/// A setting, file or table that does not allow the store to work; `why` names
/// the fix.
pub(crate) fn misconfigured(why: &'static str) -> Error {
    Error::new(Kind::Misconfigured, why)
}
