//! Who holds a request: whoever changes its ticket decides.

use std::sync::atomic::{AtomicU8, Ordering};

use ledger_core::{Error, Kind};

/// The caller takes its request back at its deadline, or when its future is
/// dropped: then it was not applied, and never will be. A worker claims it
/// right before the first statement that could; then the answer is the
/// worker's.
#[derive(Debug, Default)]
pub(super) struct Ticket(AtomicU8);

const QUEUED: u8 = 0;
/// A worker has it, but no connection yet.
const CONNECTING: u8 = 1;
/// Claimed by a worker that has only this one, and ends by its deadline.
const ALONE: u8 = 2;
/// Claimed by a worker that has a group, and ends by the last deadline in it.
const GROUPED: u8 = 3;
const TAKEN_BACK: u8 = 4;

/// What a caller finds at its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    TakenBack { connecting: bool },
    Alone,
    Grouped,
}

impl Ticket {
    pub(super) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Acquire) != TAKEN_BACK
    }

    pub(super) fn connecting(&self) {
        self.pass(QUEUED, CONNECTING);
    }

    pub(super) fn claim_alone(&self) -> bool {
        self.pass(QUEUED, ALONE) || self.pass(CONNECTING, ALONE)
    }

    pub(super) fn claim_grouped(&self) -> bool {
        self.pass(QUEUED, GROUPED) || self.pass(CONNECTING, GROUPED)
    }

    /// The worker has applied nothing of it, and will try again.
    pub(super) fn release(&self) {
        self.pass(GROUPED, QUEUED);
    }

    pub(super) fn take_back(&self) -> Late {
        if self.pass(QUEUED, TAKEN_BACK) {
            return Late::TakenBack { connecting: false };
        }
        if self.pass(CONNECTING, TAKEN_BACK) {
            return Late::TakenBack { connecting: true };
        }
        match self.0.load(Ordering::Acquire) {
            ALONE => Late::Alone,
            GROUPED => Late::Grouped,
            // It was released in between, or taken back before.
            _ if self.pass(QUEUED, TAKEN_BACK) || !self.is_wanted() => {
                Late::TakenBack { connecting: false }
            }
            _ => Late::Grouped,
        }
    }

    fn pass(&self, from: u8, to: u8) -> bool {
        self.0
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

impl Late {
    /// The error of a call whose deadline has passed.
    pub(super) fn error(self) -> Error {
        match self {
            Self::TakenBack { connecting: true } => {
                Error::new(Kind::Unavailable, "no connection within the deadline")
                    .with("pool", "no connection")
            }
            Self::TakenBack { connecting: false } => {
                Error::new(Kind::Timeout, "waiting for earlier appends")
            }
            Self::Alone | Self::Grouped => {
                Error::new(Kind::Timeout, "the server has not answered").unknown_outcome()
            }
        }
    }
}

/// Takes a request back when its caller goes away.
pub(super) struct TakeBack(pub(super) std::sync::Arc<Ticket>);

impl Drop for TakeBack {
    fn drop(&mut self) {
        self.0.take_back();
    }
}
