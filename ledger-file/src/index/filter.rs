//! A filter in memory that says of most absent keys that they are absent, so
//! that looking for them costs no reading.
//!
//! A Bloom filter in blocks of 64 bytes, one cache line: a hash picks a block
//! and six bits in it. With 16 bits a key about one absent key in 300 passes.

const BLOCK: usize = 64;
const BITS_PER_KEY: usize = 16;
const PROBES: u32 = 6;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    bytes: Vec<u8>,
}

impl Filter {
    /// An empty filter for so many keys.
    pub(crate) fn for_keys(keys: usize) -> Self {
        let blocks = (keys * BITS_PER_KEY).div_ceil(BLOCK * 8).max(1);
        Self {
            bytes: vec![0; blocks * BLOCK],
        }
    }

    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn add(&mut self, hash: u64) {
        let block = self.block(hash);
        for bit in bits(hash) {
            self.bytes[block + bit / 8] |= 1 << (bit % 8);
        }
    }

    pub(crate) fn may_have(&self, hash: u64) -> bool {
        if self.bytes.len() < BLOCK {
            return true;
        }
        let block = self.block(hash);
        bits(hash).all(|bit| self.bytes[block + bit / 8] & (1 << (bit % 8)) != 0)
    }

    fn block(&self, hash: u64) -> usize {
        let blocks = (self.bytes.len() / BLOCK) as u128;
        // The upper bits pick the block, the lower ones the bits.
        ((u128::from(hash) * blocks) >> 64) as usize * BLOCK
    }
}

fn bits(hash: u64) -> impl Iterator<Item = usize> {
    let spread = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (0..PROBES).map(move |n| (spread >> (64 - 9 * (n + 1)) & 511) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_added_is_denied_and_little_else_passes() {
        let mut rng = fastrand::Rng::with_seed(7);
        let there: Vec<u64> = (0..10_000).map(|_| rng.u64(..)).collect();
        let mut filter = Filter::for_keys(there.len());
        for hash in &there {
            filter.add(*hash);
        }
        assert!(there.iter().all(|hash| filter.may_have(*hash)));
        let passed = (0..100_000)
            .filter(|_| filter.may_have(rng.u64(..)))
            .count();
        assert!(passed < 1_000, "{passed} of 100,000 absent ones passed");
    }
}
