//! The one conversion from errors of redb to the ledger's.

use std::io::ErrorKind;

use ledger_core::{Error, Kind};

/// Converts an error; it is kept as the source. Not applied: only the code
/// that commits knows better.
pub(crate) fn convert(error: impl Into<redb::Error>) -> Error {
    use redb::Error as E;
    let error = error.into();
    let (kind, message) = match &error {
        E::Io(e) if e.kind() == ErrorKind::StorageFull => (Kind::DiskFull, ""),
        E::Io(_) => (Kind::Io, ""),
        E::PreviousIo | E::LockPoisoned(_) => (
            Kind::Unavailable,
            "an earlier write failed; close the store and open it again",
        ),
        E::DatabaseAlreadyOpen | E::LockProtocolMismatch => (
            Kind::Locked,
            "the file is open in a mode that does not share it",
        ),
        E::DatabaseClosed => (Kind::Closed, ""),
        E::UpgradeRequired(_) => (
            Kind::Misconfigured,
            "the file is of an older redb; upgrade it with the release that wrote it",
        ),
        E::Corrupted(_) => (Kind::Corrupt, "the file is damaged"),
        E::TableDoesNotExist(_)
        | E::TableTypeMismatch { .. }
        | E::TableIsMultimap(_)
        | E::TypeDefinitionChanged { .. } => (Kind::Corrupt, "a table is missing or altered"),
        _ => (Kind::Internal, ""),
    };
    Error::new(kind, message).caused_by(error)
}

/// Damaged data.
pub(crate) fn corrupt(why: &'static str) -> Error {
    Error::new(Kind::Corrupt, why)
}
