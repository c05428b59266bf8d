//! The names of files.

/// Whoever has the lock of this file may write.
pub(crate) const LOCK: &str = "LOCK";
/// Which store this is, and marks.
pub(crate) const ANCHOR: &str = "STORE";
/// `STORE`, before it is whole.
pub(crate) const ANCHOR_TMP: &str = "STORE.tmp";
/// A segment, before it is whole.
pub(crate) const NEXT: &str = "next.tmp";
/// A segment filled with zeros, for later.
pub(crate) const SPARE: &str = "spare.tmp";

/// What a name in the folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Segment(u64),
    Index(u64),
    /// What a crash left behind half made.
    Unfinished,
    /// `LOCK` and `STORE`.
    Fixed,
    /// Not ours.
    Stray,
}

pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:020}.seg")
}

pub(crate) fn index_name(number: u64) -> String {
    format!("{number:020}.idx")
}

/// An index, before it is whole.
pub(crate) fn index_tmp(number: u64) -> String {
    format!("{number:020}.idx.tmp")
}

impl Name {
    pub(crate) fn of(name: &str) -> Self {
        match name {
            LOCK | ANCHOR => return Self::Fixed,
            ANCHOR_TMP | NEXT | SPARE => return Self::Unfinished,
            _ => {}
        }
        let Some((digits, kind)) = name.split_at_checked(20) else {
            return Self::Stray;
        };
        let number = digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse());
        match (number, kind) {
            (Some(Ok(number)), ".seg") => Self::Segment(number),
            (Some(Ok(number)), ".idx") => Self::Index(number),
            (Some(Ok(_)), ".idx.tmp") => Self::Unfinished,
            _ => Self::Stray,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        assert_eq!(Name::of(&segment_name(7)), Name::Segment(7));
        assert_eq!(Name::of(&index_name(u64::MAX)), Name::Index(u64::MAX));
        assert_eq!(Name::of(&index_tmp(7)), Name::Unfinished);
        for stray in [".DS_Store", "7.seg", "+0000000000000000007.seg", "é", ""] {
            assert_eq!(Name::of(stray), Name::Stray, "{stray}");
        }
    }
}
