//! Ways to be wrong, to prove that the tests would notice. Only with the feature
//! `mutants`, and then only the one that the environment names.

use std::sync::Arc;
use std::time::Duration;

use crate::fs::{File, write_all};

/// A wrong log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Acknowledges before the flush.
    NoFlush,
    /// Does not flush the folder after a new segment.
    NoFolderFlush,
    /// Takes a failed flush for a good one.
    FlushErrorIgnored,
    /// Goes on behind an end that was cut short, without leaving it out.
    TailNotCut,
    /// Does not check the headers of frames.
    HeadersUnchecked,
    /// Takes damage for the end of the log.
    DamageIsTheEnd,
    /// Believes an index, whatever it is of.
    IndexBelieved,
    /// Goes on writing after a write that failed in part.
    PartialWriteKept,
    /// Takes the hash of a dedup key for the key.
    HashIsDedupKey,
    /// Takes the hash of an order key for the key.
    HashIsOrderKey,
    /// Does not care whether the lock is free.
    NoLock,
    /// Acknowledges what is still in the memory of the process.
    Buffered,
}

impl Mutant {
    /// Whether it is the one that runs.
    #[cfg(not(feature = "mutants"))]
    pub(crate) const fn runs(self) -> bool {
        false
    }

    /// Whether it is the one that runs.
    #[cfg(feature = "mutants")]
    pub(crate) fn runs(self) -> bool {
        use std::sync::LazyLock;
        static RUNS: LazyLock<String> =
            LazyLock::new(|| std::env::var("LEDGER_FILE_MUTANT").unwrap_or_default());
        !RUNS.is_empty() && *RUNS == format!("{self:?}")
    }
}

/// What [`Mutant::Buffered`] does.
pub(crate) fn write_later(file: &Arc<dyn File>, bytes: Vec<u8>, at: u64) {
    let file = file.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        let _ = write_all(&*file, &bytes, at);
    });
}
