//! Hashes of keys.

use std::hash::Hasher;

use ledger_core::backend::StoreId;
use siphasher::sip::SipHasher13;

/// SipHash-1-3, keyed by the store's id, so that nobody outside can choose keys
/// that collide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash {
    key: (u64, u64),
    /// Which bits count; all, but for tests that want collisions.
    mask: u64,
}

const STREAM: u8 = 1;
const ORDER: u8 = 2;
const DEDUP: u8 = 3;

impl Hash {
    pub(crate) fn new(store: StoreId, mask: u64) -> Self {
        let number = u128::from_le_bytes(*store.as_bytes());
        Self {
            key: (number as u64, (number >> 64) as u64),
            mask,
        }
    }

    fn of(&self, kind: u8, stream: u32, key: &str) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        hasher.write(&[kind]);
        hasher.write(&stream.to_le_bytes());
        hasher.write(key.as_bytes());
        hasher.finish() & self.mask
    }

    pub(crate) fn stream(&self, stream: u32) -> u64 {
        self.of(STREAM, stream, "")
    }

    pub(crate) fn order(&self, stream: u32, key: &str) -> u64 {
        self.of(ORDER, stream, key)
    }

    pub(crate) fn dedup(&self, stream: u32, key: &str) -> u64 {
        self.of(DEDUP, stream, key)
    }
}
