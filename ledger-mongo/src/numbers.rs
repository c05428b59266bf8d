//! What this handle knows of streams: the number of each, and how far it has
//! seen it come. Both can only be behind, never wrong: a number is immutable
//! once a majority has it, and a version is never taken back.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ledger_core::StreamName;

/// Beyond this many streams the handle forgets, and asks again.
const MOST: usize = 1 << 17;

#[derive(Debug, Default)]
pub(crate) struct Numbers(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    numbers: HashMap<StreamName, u32>,
    heads: HashMap<u32, u64>,
}

impl Numbers {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a stream, for reading. What is written takes its number
    /// from the document that the transaction itself has locked.
    pub(crate) fn get(&self, stream: &StreamName) -> Option<u32> {
        self.known().numbers.get(stream).copied()
    }

    /// Notes the number of a stream, as a majority has it.
    pub(crate) fn learn(&self, stream: &StreamName, number: u32) {
        let mut known = self.known();
        if known.numbers.len() >= MOST {
            known.numbers.clear();
        }
        known.numbers.insert(stream.clone(), number);
    }

    /// Forgets a stream that turned out not to be there.
    pub(crate) fn forget(&self, stream: &StreamName) {
        self.known().numbers.remove(stream);
    }

    /// Notes a version that was given out.
    pub(crate) fn saw(&self, number: u32, version: u64) {
        let mut known = self.known();
        if known.heads.len() >= MOST {
            known.heads.clear();
        }
        let head = known.heads.entry(number).or_default();
        *head = version.max(*head);
    }

    /// The highest version known to have been given out; 0 if none is.
    pub(crate) fn reached(&self, number: u32) -> u64 {
        self.known().heads.get(&number).copied().unwrap_or(0)
    }
}
