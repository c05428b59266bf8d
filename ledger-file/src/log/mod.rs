//! The log: owns the segments, what is known of the streams, and the only locks.
//!
//! [`Log`] is what readers share: a state that changes only after what it says
//! is on disk. [`Appender`] is the one way to write.

mod appender;
mod commit;
mod draft;
mod facts;
mod files;
mod health;
mod keeper;
mod lookup;
mod mark;
mod open;
mod replay;
mod roll;
#[cfg(feature = "sim")]
mod seed;
mod trim;
mod verify;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ledger_core::backend::StoreId;

pub(crate) use appender::{Appender, Request};
pub(crate) use files::Files;
pub(crate) use keeper::Background;
pub(crate) use open::{Settings, open};
pub(crate) use replay::indexed;
pub use verify::Verified;

use self::facts::Facts;
use crate::fs::Fs;
use crate::index::{Hash, MemoryIndex};
use crate::segment::{Segment, SegmentFile};

/// What all parts of an open log need.
#[derive(Debug)]
pub(crate) struct Env {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) files: Arc<Files>,
    pub(crate) store: StoreId,
    pub(crate) hash: Hash,
}

/// The end of a log that the last crash left unfinished, and that was left out:
/// part of a group of appends that was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// The file.
    pub file: String,
    /// The byte of the file from which on it does not count.
    pub offset: u64,
    /// How many bytes were there.
    pub bytes: u64,
}

/// What readers see.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) env: Arc<Env>,
    pub(crate) cut: Option<Cut>,
    state: RwLock<State>,
    /// A write or flush has failed: nothing is written any more.
    poisoned: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) facts: Facts,
    /// Ascending.
    pub(crate) sealed: Arc<Vec<Arc<Segment>>>,
    pub(crate) active: SegmentFile,
    /// Of the active segment.
    pub(crate) index: MemoryIndex,
    /// Where the frames of the active segment end.
    pub(crate) end: u64,
}

impl Log {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        // A panic between two changes that belong together would be a bug;
        // readers are then better served by what is there than by none.
        self.state
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    fn poison(&self) {
        self.poisoned.store(true, Ordering::Release);
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
