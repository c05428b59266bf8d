//! A case, and how it ends.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;

use ledger_core::Error;

use crate::lab::Lab;

/// One case of the suite.
pub struct Case<I> {
    /// Its name, such as `a01_append_one_roundtrip`.
    pub name: &'static str,
    /// The promises of the contract that it is about, such as `P1 P16`.
    pub promises: &'static str,
    pub(crate) run: for<'a> fn(&'a Lab<I>) -> Running<'a>,
}

pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

impl<I> fmt::Debug for Case<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("promises", &self.promises)
            .finish()
    }
}

/// How a case ended.
pub type Verdict = Result<Ran, Failure>;

/// What ran of a case that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// All of it.
    Whole,
    /// The store does not claim the capability, and refuses the operation as
    /// it should.
    Refusal(&'static str),
    /// Nothing, for this reason.
    Not(&'static str),
}

/// A broken promise.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// Which promise of the contract.
    pub promise: &'static str,
    /// What was being done.
    pub step: String,
    /// What should have come out.
    pub expected: String,
    /// What came out.
    pub got: String,
    /// Where the case checked it.
    pub at: String,
}

impl Failure {
    #[track_caller]
    pub(crate) fn new(
        promise: &'static str,
        step: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Self {
        let at = Location::caller();
        Self {
            promise,
            step: step.into(),
            expected: shorten(expected.into()),
            got: shorten(got.into()),
            at: format!("{}:{}", at.file(), at.line()),
        }
    }
}

/// Keeps reports readable: large values are cut in the middle.
fn shorten(text: String) -> String {
    const MOST: usize = 2000;
    if text.len() <= MOST {
        return text;
    }
    let head = text.floor_char_boundary(MOST / 2);
    let tail = text.ceil_char_boundary(text.len() - MOST / 2);
    format!(
        "{} … [{} bytes] … {}",
        &text[..head],
        tail - head,
        &text[tail..]
    )
}

/// A call that has to succeed did not.
impl From<Error> for Failure {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(
            "P20",
            "a call that has to succeed",
            "Ok",
            format!("{error} ({error:?})"),
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            promise,
            step,
            expected,
            got,
            at,
        } = self;
        write!(
            f,
            "{promise}: {step}\n  expected: {expected}\n  got:      {got}\n  at {at}"
        )
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
