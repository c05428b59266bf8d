//! What an encoding holds, and what is refused so that everything written can
//! be read again.

use std::cell::Cell;

use crate::error::{Error, Kind, Result};

/// How many arrays, objects and the like lie inside each other at most.
const MOST_NESTED: u8 = 127;

/// How many elements and fields a value has at most where they may take no
/// bytes at all: without a limit, ten bytes could ask for 2⁶⁴ of them.
const MOST_ELEMENTS: u32 = 1 << 24;

/// An encoding. Everything is decided while compiling.
pub(crate) trait Rules {
    /// Its name, for people.
    const NAME: &'static str;
    /// Floats must be finite.
    const FINITE: bool = false;
    /// Integers must fit into an `i64`.
    const SMALL_INTEGERS: bool = false;
    /// `Some` opens a level: a type may lie in itself by options alone.
    const OPTIONS_NEST: bool = true;
    /// A byte string opens a level, because it is written as an array.
    const BYTES_NEST: bool = false;
    /// `()` is written as `None`, because what the format has for it comes
    /// back as something else where the type does not ask for `()`.
    const UNITS_ARE_NULL: bool = false;
    /// Values are known by their place alone: none may be left out, and
    /// elements may take no bytes.
    const BY_PLACE: bool = false;
}

/// Why a value cannot be written, or a payload not be read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    NotFinite,
    TooGreat,
    TooDeep,
    TooMany,
    LeftOut,
}

impl Refusal {
    #[cold]
    fn report<R: Rules>(self, kind: Kind) -> Error {
        let format = R::NAME;
        Error::new(
            kind,
            match self {
                Self::NotFinite => {
                    format!("a float is NaN or infinite, which {format} cannot hold")
                }
                Self::TooGreat => {
                    format!("an integer does not fit into an i64, and {format} has no greater ones")
                }
                Self::TooDeep => {
                    format!("more than {MOST_NESTED} arrays and objects inside each other")
                }
                Self::TooMany => format!("more than {MOST_ELEMENTS} elements and fields"),
                Self::LeftOut => format!(
                    "a field is left out (`skip_serializing_if`), and {format} could not tell which"
                ),
            },
        )
    }
}

/// What was found while a value was written or read, whatever the type made
/// of the error.
#[derive(Debug)]
pub(crate) struct Note {
    refusal: Cell<Option<Refusal>>,
    elements: Cell<u32>,
}

impl Note {
    pub(super) fn new() -> Self {
        Self {
            refusal: Cell::new(None),
            elements: Cell::new(MOST_ELEMENTS),
        }
    }

    /// The refusal, if there was one, else the outcome.
    pub(super) fn settle<R: Rules, T>(&self, kind: Kind, outcome: Result<T>) -> Result<T> {
        match self.refusal.get() {
            None => outcome,
            Some(refusal) => Err(refusal.report::<R>(kind)),
        }
    }

    #[cold]
    pub(super) fn refuse(&self, refusal: Refusal) -> &'static str {
        self.refusal.set(Some(refusal));
        "refused"
    }

    /// The depth after opening `levels` more.
    #[inline]
    pub(super) fn deeper(&self, depth: u8, levels: u8) -> Result<u8, &'static str> {
        let depth = depth.saturating_add(levels);
        if depth > MOST_NESTED {
            Err(self.refuse(Refusal::TooDeep))
        } else {
            Ok(depth)
        }
    }

    /// One more element or field.
    #[inline]
    pub(super) fn count<R: Rules>(&self) -> Result<(), &'static str> {
        if !R::BY_PLACE {
            return Ok(());
        }
        match self.elements.get().checked_sub(1) {
            None => Err(self.refuse(Refusal::TooMany)),
            Some(left) => {
                self.elements.set(left);
                Ok(())
            }
        }
    }
}
