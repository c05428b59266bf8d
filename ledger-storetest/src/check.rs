//! Checks that say what was expected and what was got.

use std::fmt::Debug;

use ledger_core::{Applied, Error, Kind, Result as CoreResult};

use crate::case::Failure;

/// `got` equals `expected`.
#[track_caller]
pub(crate) fn equal<T: PartialEq + Debug>(
    promise: &'static str,
    step: impl Into<String>,
    got: T,
    expected: T,
) -> Result<(), Failure> {
    if got == expected {
        return Ok(());
    }
    Err(Failure::new(
        promise,
        step,
        format!("{expected:?}"),
        format!("{got:?}"),
    ))
}

/// `holds`; otherwise the texts say why not.
#[track_caller]
pub(crate) fn that(
    promise: &'static str,
    step: impl Into<String>,
    holds: bool,
    expected: impl Into<String>,
    got: impl Debug,
) -> Result<(), Failure> {
    if holds {
        return Ok(());
    }
    Err(Failure::new(promise, step, expected, format!("{got:?}")))
}

/// The call fails, with an error whose kind fits, and without having been
/// applied.
#[track_caller]
pub(crate) fn refused<T: Debug>(
    promise: &'static str,
    step: impl Into<String>,
    call: CoreResult<T>,
    expected: &str,
    fits: impl FnOnce(&Kind) -> bool,
) -> Result<Error, Failure> {
    match call {
        Err(e) if fits(e.kind()) && e.applied() == Applied::No => Ok(e),
        other => Err(Failure::new(
            promise,
            step,
            format!("{expected}, not applied"),
            format!("{other:?}"),
        )),
    }
}
