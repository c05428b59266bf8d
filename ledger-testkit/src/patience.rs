//! Waiting for a rare state, without hoping for it.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// A minute, in which a test has to reach the state that it is about. No test
/// hopes to reach it within a time that it measures.
#[derive(Debug)]
pub struct Patience(Instant);

impl Default for Patience {
    fn default() -> Self {
        Self::new()
    }
}

impl Patience {
    /// The minute begins.
    #[must_use]
    pub fn new() -> Self {
        Self(Instant::now() + Duration::from_secs(60))
    }

    /// # Panics
    ///
    /// With what was reached, once the minute is over.
    pub fn check(&self, reached: impl Debug) {
        assert!(Instant::now() < self.0, "after a minute: {reached:?}");
    }
}

/// Whether the tests are to take their time: `LEDGER_LONG` is set.
#[must_use]
pub fn long() -> bool {
    std::env::var_os("LEDGER_LONG").is_some()
}
