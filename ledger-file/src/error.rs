//! The one conversion from errors of the file system to the ledger's.

use std::io;

use ledger_core::{Error, Kind, Retry};

/// Converts an error about a file; it is kept as the source. Not applied: only
/// the code that writes the log knows better.
pub(crate) fn convert(error: io::Error, file: &str) -> Error {
    let (kind, message) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (Kind::DiskFull, ""),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
            Kind::Misconfigured,
            "the folder of the store and its files have to be writable",
        ),
        _ => (Kind::Io, ""),
    };
    Error::new(kind, message)
        .with("file", file)
        .caused_by(error)
}

/// Damaged data: in which file, at which byte, and why it is held to be
/// damaged.
pub(crate) fn corrupt(file: &str, offset: u64, why: &'static str) -> Error {
    Error::new(Kind::Corrupt, why)
        .with("file", file)
        .with("offset", offset)
}

/// A file that was written by a newer release.
pub(crate) fn newer(file: &str, known: u32, found: u32) -> Error {
    Error::new(Kind::NewerFormat { known, found }, "").with("file", file)
}

/// An environment that does not allow what was asked for; `why` names the fix.
pub(crate) fn misconfigured(why: &'static str) -> Error {
    Error::new(Kind::Misconfigured, why)
}

/// The answer to every write after one that failed.
pub(crate) fn poisoned() -> Error {
    Error::new(
        Kind::Io,
        "an earlier write or flush failed; nothing is written until the store is opened again",
    )
    .with_retry(Retry::No)
}
