//! What happens, through `tracing`: the same events from every backend, under
//! the target `ledger`. They never carry payloads, keys or secrets.
//!
//! | event | level | fields |
//! |---|---|---|
//! | `opened` | info | `backend`, `store` |
//! | `migrated` | info | `backend`, `from`, `to` |
//! | `retrying` | debug | `backend`, `operation`, `attempt`, `why` |
//! | `conflict` | debug | `backend`, `stream`, `expected`, `actual` |
//! | `trimmed` | info | `backend`, `stream`, `removed` |
//! | `closed` | info | `backend`, `store` |

use super::StoreId;
use crate::error::{Error, Kind};
use crate::name::StreamName;

/// A store was opened.
pub fn opened(backend: &'static str, store: StoreId) {
    tracing::info!(target: "ledger", backend, %store, "opened");
}

/// Tables or files were created (`from` is 0) or brought up to a format.
pub fn migrated(backend: &'static str, from: u32, to: u32) {
    tracing::info!(target: "ledger", backend, from, to, "migrated");
}

/// Something that was not applied is tried again.
pub fn retrying(backend: &'static str, operation: &'static str, attempt: u32, why: &Error) {
    tracing::debug!(target: "ledger", backend, operation, attempt, %why, "retrying");
}

/// An append was refused; says something only about a `Conflict`.
pub fn refused(backend: &'static str, stream: &StreamName, error: &Error) {
    if let Kind::Conflict { expected, actual } = error.kind() {
        tracing::debug!(target: "ledger", backend, %stream, %expected, actual, "conflict");
    }
}

/// Entries were removed.
pub fn trimmed(backend: &'static str, stream: &StreamName, removed: u64) {
    tracing::info!(target: "ledger", backend, %stream, removed, "trimmed");
}

/// A store was closed.
pub fn closed(backend: &'static str, store: StoreId) {
    tracing::info!(target: "ledger", backend, %store, "closed");
}
