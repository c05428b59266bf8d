//! A pattern in bytes that come in pieces.

/// Finds one pattern, also where it lies across two pieces.
#[derive(Debug)]
pub(super) struct Search {
    pattern: Vec<u8>,
    /// The end of what was seen, shorter than the pattern.
    seen: Vec<u8>,
}

impl Search {
    pub(super) fn new(pattern: &[u8]) -> Self {
        Self {
            pattern: pattern.to_vec(),
            seen: Vec::new(),
        }
    }

    /// Whether the pattern ends in this piece. An empty one always does.
    pub(super) fn feed(&mut self, piece: &[u8]) -> bool {
        self.seen.extend_from_slice(piece);
        let found = self.pattern.is_empty()
            || self
                .seen
                .windows(self.pattern.len())
                .any(|window| window == self.pattern);
        let keep = self.pattern.len().saturating_sub(1);
        let gone = self.seen.len().saturating_sub(keep);
        self.seen.drain(..gone);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a search that looks at each piece alone, and one that finds the
    /// same match again in the next piece.
    #[test]
    fn a_pattern_is_found_once_wherever_it_is_torn() {
        let text = b"xx COMMIT yy COMMI";
        for size in 1..=text.len() {
            let mut search = Search::new(b"COMMIT");
            let found = text.chunks(size).filter(|piece| search.feed(piece));
            assert_eq!(found.count(), 1, "pieces of {size}");
            assert!(search.feed(b"T"), "pieces of {size}");
        }
        assert!(Search::new(b"").feed(b"x"));
    }
}
