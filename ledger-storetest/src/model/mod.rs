//! The contract as a specification: one plain `Vec`, searched from end to end.
//!
//! It is written from the words of the contract and shares nothing with the
//! stores and the parts of backends, so that a mistake there is not repeated
//! here. It does not give out ids: it remembers those of the receipts, and
//! knows of them only that they compare.

mod compare;
mod pages;
mod step;
mod world;

use ledger_core::{Expected, RawEntry, StreamName, Timestamp};

pub(crate) use step::{Step, steps};
pub(crate) use world::World;

/// Everything that was ever appended, in the order of the commits.
pub(crate) struct Spec<I> {
    pub(crate) entries: Vec<Stored<I>>,
}

/// An entry that was appended.
#[derive(Clone, Debug)]
pub(crate) struct Stored<I> {
    pub(crate) stream: StreamName,
    pub(crate) version: u64,
    pub(crate) id: I,
    pub(crate) entry: RawEntry,
    /// As it was first read.
    pub(crate) recorded_at: Option<Timestamp>,
    pub(crate) trimmed: bool,
}

/// What an append has to say of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is stored, at this version.
    New(u64),
    /// It repeats the entry at this version.
    Repeat(u64),
}

/// Why an append has to store nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Mismatch { index: usize, original: Option<u64> },
    Conflict { actual: u64 },
}

/// Which entries of a stream are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Range<I> {
    pub(crate) after: Option<I>,
    pub(crate) before: Option<I>,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) order_key: Option<String>,
}

impl<I: Ord + Clone> Spec<I> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    fn ever<'a>(&'a self, stream: &StreamName) -> impl Iterator<Item = &'a Stored<I>> {
        self.entries.iter().filter(move |s| s.stream == *stream)
    }

    /// How many entries were ever appended to a stream.
    pub(crate) fn version(&self, stream: &StreamName) -> u64 {
        self.ever(stream).count() as u64
    }

    /// The entries of a stream that are there.
    pub(crate) fn retained(&self, stream: &StreamName) -> Vec<&Stored<I>> {
        self.ever(stream).filter(|s| !s.trimmed).collect::<Vec<_>>()
    }

    /// The n-th entry ever appended to a stream, counted round and round.
    pub(crate) fn nth(&self, stream: &StreamName, n: usize) -> Option<&Stored<I>> {
        let ever: Vec<_> = self.ever(stream).collect();
        ever.get(n.checked_rem(ever.len())?).copied()
    }

    /// The streams that exist, in byte order.
    pub(crate) fn streams(&self) -> Vec<StreamName> {
        let mut names: Vec<_> = self.entries.iter().map(|s| s.stream.clone()).collect();
        names.sort_by(|a, b| a.as_str().as_bytes().cmp(b.as_str().as_bytes()));
        names.dedup();
        names
    }

    /// What an append has to answer.
    pub(crate) fn decide(
        &self,
        stream: &StreamName,
        batch: &[RawEntry],
        expected: Expected,
        verify: bool,
    ) -> Result<Vec<Answer>, Refused> {
        let version = self.version(stream);
        let mut answers: Vec<Answer> = Vec::new();
        let mut next = version + 1;
        for (index, entry) in batch.iter().enumerate() {
            // No key is carried by nothing.
            let same_key = |e: &RawEntry| e.dedup_key.is_some() && e.dedup_key == entry.dedup_key;
            let differs = |e: &RawEntry| {
                (&e.payload, &e.content_type, e.schema_version)
                    != (&entry.payload, &entry.content_type, entry.schema_version)
            };
            let stored = self
                .retained(stream)
                .into_iter()
                .find(|s| same_key(&s.entry));
            if let Some(original) = stored {
                if verify && differs(&original.entry) {
                    let original = Some(original.version);
                    return Err(Refused::Mismatch { index, original });
                }
                answers.push(Answer::Repeat(original.version));
            } else if let Some(earlier) = batch[..index].iter().position(same_key) {
                if verify && differs(&batch[earlier]) {
                    let original = None;
                    return Err(Refused::Mismatch { index, original });
                }
                let (Answer::New(at) | Answer::Repeat(at)) = answers[earlier];
                answers.push(Answer::Repeat(at));
            } else {
                answers.push(Answer::New(next));
                next += 1;
            }
        }
        let fits = match expected {
            Expected::Any => true,
            Expected::NoStream => version == 0,
            Expected::StreamExists => version >= 1,
            Expected::Exactly(n) => version == n,
        };
        let stores = answers.iter().any(|a| matches!(a, Answer::New(_)));
        if stores && !fits {
            return Err(Refused::Conflict { actual: version });
        }
        Ok(answers)
    }

    /// All entries of a range, oldest first.
    pub(crate) fn range(&self, stream: &StreamName, range: &Range<I>) -> Vec<&Stored<I>> {
        let mut found = self.retained(stream);
        found.retain(|s| range.after.as_ref().is_none_or(|id| s.id > *id));
        found.retain(|s| range.before.as_ref().is_none_or(|id| s.id < *id));
        found.retain(|s| range.from <= s.version && s.version <= range.to);
        found.retain(|s| range.order_key.is_none() || s.entry.order_key == range.order_key);
        found
    }

    /// Removes the entries of a stream through an id, and counts them.
    pub(crate) fn trim(&mut self, stream: &StreamName, through: &I) -> u64 {
        let mut removed = 0;
        for s in &mut self.entries {
            if s.stream == *stream && s.id <= *through && !s.trimmed {
                s.trimmed = true;
                removed += 1;
            }
        }
        removed
    }
}
