//! Checks that say what was expected and what was got.

use std::fmt::Debug;

use ledger_core::{Applied, Error, Kind, Result as CoreResult, Rule};

use crate::case::Failure;

/// `got` equals `expected`.
#[track_caller]
#[expect(
    clippy::needless_pass_by_value,
    reason = "what is compared is mostly made for it"
)]
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

/// Two lists are equal; otherwise the first difference is told.
#[track_caller]
pub(crate) fn same_list<G, E>(
    promise: &'static str,
    step: impl Into<String>,
    got: &[G],
    expected: &[E],
) -> Result<(), Failure>
where
    G: PartialEq<E> + Debug,
    E: Debug,
{
    let differ = got.iter().zip(expected).position(|(g, e)| g != e);
    let at = match differ {
        Some(at) => at,
        None if got.len() == expected.len() => return Ok(()),
        None => got.len().min(expected.len()),
    };
    let tell = |len: usize, item: Option<&dyn Debug>| match item {
        Some(item) => format!("{len} items, number {at} being {item:?}"),
        None => format!("{len} items"),
    };
    Err(Failure::new(
        promise,
        step,
        tell(expected.len(), expected.get(at).map(|e| e as &dyn Debug)),
        tell(got.len(), got.get(at).map(|g| g as &dyn Debug)),
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

/// The call is refused as `InvalidInput` with exactly these facts.
#[track_caller]
pub(crate) fn invalid<T: Debug>(
    call: CoreResult<T>,
    field: &'static str,
    rule: Rule,
    limit: u64,
    actual: u64,
) -> Result<(), Failure> {
    let expected = Kind::InvalidInput {
        field,
        rule,
        limit,
        actual,
    };
    let step = format!("{field} of {actual}");
    let text = format!("{expected:?}");
    refused("P18", step, call, &text, |kind| *kind == expected)?;
    Ok(())
}
