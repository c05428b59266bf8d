//! Pages on their way from the thread of a connection to the one that asked.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Buffers that are kept for the next pages.
const SPARE: usize = 8;
/// Larger ones are given back: one large page should not cost memory for ever.
const SPARE_BYTES: usize = 1 << 20;

/// The pages that the connections of a store have collected.
///
/// A page stays with the number of its connection until it is taken. If nobody
/// comes for it, since the read was dropped, the next page of the connection
/// takes its place. Buffers are used again: a fresh one for each page would
/// cost more, in pages of memory, than collecting it.
#[derive(Debug, Default)]
pub(crate) struct Collected(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    connections: i64,
    pages: HashMap<i64, Vec<u8>>,
    spare: Vec<Vec<u8>>,
}

impl Collected {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a new connection.
    pub(super) fn connection(&self) -> i64 {
        let mut state = self.state();
        state.connections += 1;
        state.connections
    }

    /// An empty buffer.
    pub(super) fn buffer(&self) -> Vec<u8> {
        self.state().spare.pop().unwrap_or_default()
    }

    /// Keeps the page of a connection until it is taken.
    pub(super) fn keep(&self, connection: i64, page: Vec<u8>) {
        let forgotten = self.state().pages.insert(connection, page);
        if let Some(buffer) = forgotten {
            self.give_back(buffer);
        }
    }

    /// The page of a connection.
    pub(super) fn take(&self, connection: i64) -> Option<Page<'_>> {
        let bytes = self.state().pages.remove(&connection)?;
        Some(Page { bytes, of: self })
    }

    /// Forgets a connection that was closed.
    pub(super) fn forget(&self, connection: i64) {
        self.state().pages.remove(&connection);
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        let mut state = self.state();
        if buffer.capacity() <= SPARE_BYTES && state.spare.len() < SPARE {
            buffer.clear();
            state.spare.push(buffer);
        }
    }
}

/// A page that was taken; its buffer goes back.
#[derive(Debug)]
pub(super) struct Page<'c> {
    bytes: Vec<u8>,
    of: &'c Collected,
}

impl Deref for Page<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        self.of.give_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_taken_once_and_one_that_was_left_makes_room() {
        let collected = Collected::default();
        let (one, two) = (collected.connection(), collected.connection());
        assert_ne!(one, two);
        collected.keep(one, vec![1]);
        collected.keep(two, vec![2]);
        collected.keep(one, vec![3]);
        assert_eq!(&*collected.take(one).unwrap(), [3]);
        assert!(collected.take(one).is_none());
        collected.forget(two);
        assert!(collected.take(two).is_none());
    }

    #[test]
    fn few_and_small_buffers_are_kept_and_come_back_empty() {
        let collected = Collected::default();
        collected.keep(1, vec![0; SPARE_BYTES + 1]);
        drop(collected.take(1));
        assert_eq!(collected.buffer().capacity(), 0);
        for _ in 0..2 * SPARE {
            collected.keep(1, vec![7; 100]);
            drop(collected.take(1));
        }
        assert!(collected.state().spare.len() <= SPARE);
        let buffer = collected.buffer();
        assert!(buffer.is_empty() && buffer.capacity() >= 100);
    }
}
