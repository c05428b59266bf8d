//! Which fields were there.

/// A set of field numbers that allocates only beyond 64.
#[derive(Debug, Default)]
pub(super) struct Seen {
    first: u64,
    more: Vec<u64>,
}

impl Seen {
    #[inline]
    pub(super) fn insert(&mut self, field: usize) {
        let bit = 1 << (field % 64);
        match (field / 64).checked_sub(1) {
            None => self.first |= bit,
            Some(word) => {
                if self.more.len() <= word {
                    self.more.resize(word + 1, 0);
                }
                self.more[word] |= bit;
            }
        }
    }

    #[inline]
    pub(super) fn has(&self, field: usize) -> bool {
        let word = match (field / 64).checked_sub(1) {
            None => self.first,
            Some(word) => self.more.get(word).copied().unwrap_or(0),
        };
        word >> (field % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_its_own() {
        let mut seen = Seen::default();
        for field in [0, 63, 64, 127, 128, 1000] {
            assert!(!seen.has(field));
            seen.insert(field);
            assert!(seen.has(field) && !seen.has(field + 1));
        }
    }
}
