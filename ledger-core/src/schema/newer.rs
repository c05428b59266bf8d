//! What to do with entries that a newer release wrote.

/// What a reader does with an entry whose schema version is newer than the
/// one it knows.
///
/// Set by [`History::newer`](crate::History::newer). Only a version above the
/// current one is meant: an older version that the history does not declare
/// is a [`Decode`](crate::Kind::Decode) error under any policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NewerPolicy {
    /// A [`NewerVersion`](crate::Kind::NewerVersion) error, because what the
    /// entry means is not known here. The default.
    #[default]
    Refuse,
    /// The entry is left out and counted: in
    /// [`EntryPage::skipped`](crate::EntryPage::skipped) and by
    /// [`Entries::skipped`](crate::Entries::skipped).
    ///
    /// For readers that may miss what they do not know, such as a metric. One
    /// that keeps its place must know that what it skipped does not come
    /// again once it has been updated.
    Skip,
    /// The entry is read as if it were of the current version.
    ///
    /// For writers that promise to only ever add fields, and formats that let
    /// a type ignore the fields it does not know. Where the promise was broken
    /// the entry is a [`Decode`](crate::Kind::Decode) error at best, and at
    /// worst a value that means something else.
    ReadAsCurrent,
}
