//! Guarded sectors: the lowest layer of a segment.
//!
//! The last byte of each sector of 512 bytes is a guard that is not part of the
//! content. A disk that loses power writes a sector wholly, not at all, or its
//! beginning; space that was never written is zero. So a sector whose guard is
//! there has arrived, and one whose guard is zero has not. That is what tells an
//! unfinished write from damage, whatever bytes the content is made of.
//!
//! Everything above speaks of *logical* offsets, which leave out the header
//! sector of the file and the guards.

/// Bytes of a sector.
pub(crate) const SECTOR: u64 = 512;
/// Bytes of content in a sector.
const DATA: u64 = SECTOR - 1;
/// The byte at the end of a sector that was written.
pub(crate) const GUARD: u8 = 0xA5;

/// Where a logical offset is in the file.
pub(crate) const fn physical(logical: u64) -> u64 {
    SECTOR + logical / DATA * SECTOR + logical % DATA
}

/// How much content a file of this length holds.
pub(crate) const fn capacity(file_len: u64) -> u64 {
    (file_len / SECTOR).saturating_sub(1) * DATA
}

/// The length of a file that holds this much content.
pub(crate) const fn file_len(capacity: u64) -> u64 {
    SECTOR + capacity.div_ceil(DATA) * SECTOR
}

/// The logical end of the sector that an offset is in.
pub(crate) const fn sector_end(logical: u64) -> u64 {
    (logical / DATA + 1) * DATA
}

/// Content that starts at a logical offset as the bytes to write at
/// [`physical`] of it. The guard of the last sector comes with the byte that
/// completes it.
pub(crate) fn guarded(logical: u64, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + content.len() / DATA as usize + 2);
    let mut rest = content;
    let mut room = (sector_end(logical) - logical) as usize;
    while rest.len() >= room {
        let (sector, more) = rest.split_at(room);
        out.extend_from_slice(sector);
        out.push(GUARD);
        rest = more;
        room = DATA as usize;
    }
    out.extend_from_slice(rest);
    out
}

/// A guard that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadGuard {
    /// The logical end of its sector.
    pub(crate) end: u64,
    /// What is in its place.
    pub(crate) found: u8,
}

/// Takes the guards out of bytes that were read at [`physical`] of a logical
/// offset, in place, and tells of each that is not there.
pub(crate) fn unguard(logical: u64, bytes: &mut Vec<u8>, mut bad: impl FnMut(BadGuard)) {
    let len = bytes.len();
    let mut end = sector_end(logical);
    let mut from = 0;
    let mut to = 0;
    loop {
        let content = ((end - logical) as usize - to).min(len - from);
        if from != to {
            bytes.copy_within(from..from + content, to);
        }
        from += content;
        to += content;
        if from >= len {
            break;
        }
        if bytes[from] != GUARD {
            bad(BadGuard {
                end,
                found: bytes[from],
            });
        }
        from += 1;
        end += DATA;
    }
    bytes.truncate(to);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_comes_back_from_every_offset_at_every_length() {
        for logical in [0, 1, 509, 510, 511, 512, 1021, 1022, 1023] {
            for len in [0, 1, 2, 509, 510, 511, 512, 1022, 1023, 1600] {
                let content: Vec<u8> = (0..len).map(|n| n as u8).collect();
                let mut bytes = guarded(logical, &content);
                let end = physical(logical) + bytes.len() as u64;
                assert_eq!(end, physical(logical + len), "{logical} {len}");
                let mut bad = Vec::new();
                unguard(logical, &mut bytes, |guard| bad.push(guard));
                assert_eq!((bytes, bad), (content, vec![]), "{logical} {len}");
            }
        }
    }

    #[test]
    fn guards_are_where_they_are_looked_for() {
        let mut bytes = guarded(500, &[0; 1100]);
        let at = (physical(510) + 1 - physical(500)) as usize;
        assert_eq!(bytes[at], GUARD);
        bytes[at] = 0;
        let mut bad = Vec::new();
        unguard(500, &mut bytes, |guard| bad.push(guard));
        assert_eq!(bad, [BadGuard { end: 511, found: 0 }]);
        assert_eq!(bytes.len(), 1100);
    }

    #[test]
    fn lengths_and_capacities_agree() {
        for capacity_wanted in [1, 510, 511, 512, 5_000] {
            let len = file_len(capacity_wanted);
            assert!(capacity(len) >= capacity_wanted);
            assert!(capacity(len) < capacity_wanted + DATA);
            assert_eq!(physical(capacity(len)), len);
        }
    }
}
