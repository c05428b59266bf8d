//! A history whose steps have Rust types.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::definition::{Older, Schema, decode};
use super::error::SchemaError;
use super::newer::NewerPolicy;
use crate::codec::Codec;
use crate::error::{Error, Kind, Result};
use crate::limits::Limits;

/// The versions of a schema up to the one whose type is `T`.
///
/// Each step leads from the version before it to a greater one; versions that
/// were never written can be left out. The first problem is kept and reported
/// by [`build`](Self::build).
///
/// The closures are shared by all threads that read, so they are `Fn + Send +
/// Sync`; they should depend on nothing but their argument, because they run
/// again on every read.
#[must_use = "a history does nothing until it is built"]
pub struct History<T: 'static, C> {
    codec: C,
    versions: Versions,
    older: Vec<Older<T>>,
    newer: NewerPolicy,
    current: PhantomData<fn() -> T>,
}

impl<T: 'static, C: Codec<T> + Clone + 'static> History<T, C> {
    pub(super) fn start(codec: C, version: u32) -> Self {
        Self::resume(codec, Versions::start(version), Vec::new())
    }

    pub(super) fn resume(codec: C, versions: Versions, older: Vec<Older<T>>) -> Self {
        Self {
            codec,
            versions,
            older,
            newer: NewerPolicy::default(),
            current: PhantomData,
        }
    }

    /// The step to version `to`, which cannot fail.
    pub fn upcast<N: 'static>(
        self,
        to: u32,
        f: impl Fn(T) -> N + Send + Sync + 'static,
    ) -> History<N, C>
    where
        C: Codec<N>,
    {
        self.step(to, move |value, out| out(f(value)))
    }

    /// The step to version `to`, which may refuse an entry.
    ///
    /// The refusal reaches the reader as a [`Decode`](Kind::Decode) error: as
    /// it is if it is one, else as the source of one. Keep payloads out of it.
    ///
    /// ```
    /// use ledger_core::{Error, Json, Kind, Schema};
    ///
    /// let schema = Schema::typed(Json, 1)
    ///     .try_upcast(2, |text: String| {
    ///         text.parse::<u64>().map_err(|_| Error::new(Kind::Decode, "not a number"))
    ///     })
    ///     .build()?;
    /// # let _: Schema<u64> = schema;
    /// # Ok::<(), ledger_core::SchemaError>(())
    /// ```
    pub fn try_upcast<N: 'static>(
        self,
        to: u32,
        f: impl Fn(T) -> Result<N> + Send + Sync + 'static,
    ) -> History<N, C>
    where
        C: Codec<N>,
    {
        self.step(to, move |value, out| out(f(value).map_err(refused)?))
    }

    /// The step to version `to` that makes any number of values of one, in
    /// the order of the iterator; none drops the entry.
    ///
    /// The parts share the stored entry's id and version, its keys, metadata
    /// and time; [`Entry::part`](crate::Entry::part) tells them apart. A
    /// cursor cannot fall between them: a reader acknowledges the id behind
    /// the last part. A dropped entry leaves a gap in the versions, and a page
    /// whose entries were all dropped still says where to go on
    /// ([`EntryPage::next`](crate::EntryPage::next)). Limits count stored
    /// entries.
    ///
    /// The parts are read one by one, so an error in a later step comes after
    /// the parts before it. A [`Stream`](crate::Stream) then shows none of
    /// them.
    ///
    /// ```
    /// use ledger_core::{Json, Schema};
    ///
    /// let schema = Schema::typed(Json, 1).split(2, |lines: Vec<String>| lines).build()?;
    /// # let _: Schema<String> = schema;
    /// # Ok::<(), ledger_core::SchemaError>(())
    /// ```
    pub fn split<N: 'static, It: IntoIterator<Item = N>>(
        self,
        to: u32,
        f: impl Fn(T) -> It + Send + Sync + 'static,
    ) -> History<N, C>
    where
        C: Codec<N>,
    {
        self.step(to, move |value, out| f(value).into_iter().try_for_each(out))
    }

    /// Reads version `from` as `Old` and brings it to the version that the
    /// history has reached, past the steps in between.
    ///
    /// For an old version whose steps would lose something that a direct way
    /// keeps, or cost too much. Other versions still take the steps.
    pub fn jump<Old: 'static>(
        mut self,
        from: u32,
        f: impl Fn(Old) -> T + Send + Sync + 'static,
    ) -> Self
    where
        C: Codec<Old>,
    {
        let Some(older) = self.older.iter_mut().find(|older| older.version == from) else {
            self.versions.fail(SchemaError::UnknownJump { from });
            return self;
        };
        if older.jumped {
            self.versions.fail(SchemaError::RepeatedJump { from });
            return self;
        }
        let codec = self.codec.clone();
        older.jumped = true;
        older.read = Box::new(move |content_type, payload, out| {
            out(f(decode::<Old>(&codec, content_type, payload)?))
        });
        self
    }

    /// What to do with entries of versions that this history does not know
    /// yet. [`Refuse`](NewerPolicy::Refuse) unless set; the last call counts.
    ///
    /// ```
    /// use ledger_core::{Json, NewerPolicy, Schema};
    ///
    /// let schema: Schema<u64> = Schema::typed(Json, 1).newer(NewerPolicy::Skip).build()?;
    /// assert!(schema.skips(2) && !schema.skips(1));
    /// # Ok::<(), ledger_core::SchemaError>(())
    /// ```
    pub fn newer(self, policy: NewerPolicy) -> Self {
        Self {
            newer: policy,
            ..self
        }
    }

    /// Checks the history and makes it a schema.
    ///
    /// # Errors
    ///
    /// The first thing that was wrong, in the order of the calls.
    pub fn build(self) -> Result<Schema<T>, SchemaError> {
        let version = self.versions.current()?;
        Ok(Schema::new(
            version,
            Box::new(self.codec),
            self.older,
            self.newer,
        ))
    }

    /// Extends the way up of every older version by one step.
    fn step<N: 'static>(
        self,
        to: u32,
        step: impl Fn(T, &mut dyn FnMut(N) -> Result<()>) -> Result<()> + Send + Sync + 'static,
    ) -> History<N, C>
    where
        C: Codec<N>,
    {
        let Self {
            codec,
            mut versions,
            older,
            newer,
            ..
        } = self;
        let step = Arc::new(step);
        let mut extended = Vec::with_capacity(older.len() + 1);
        for Older {
            version,
            jumped,
            read,
        } in older
        {
            let step = Arc::clone(&step);
            let read = Box::new(
                move |content_type: &_, payload: &_, out: &mut dyn FnMut(N) -> _| {
                    read(content_type, payload, &mut |value| step(value, out))
                },
            );
            extended.push(Older {
                version,
                jumped,
                read,
            });
        }
        let own = codec.clone();
        extended.push(Older {
            version: versions.last,
            jumped: false,
            read: Box::new(move |content_type, payload, out| {
                step(decode::<T>(&own, content_type, payload)?, out)
            }),
        });
        versions.ascend(to);
        History {
            newer,
            ..History::resume(codec, versions, extended)
        }
    }
}

impl<T: 'static, C> fmt::Debug for History<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("versions", &self.versions)
            .finish_non_exhaustive()
    }
}

/// The version a history has reached, and the first thing that was wrong.
#[derive(Debug)]
pub(super) struct Versions {
    pub(super) last: u32,
    fault: Option<SchemaError>,
}

impl Versions {
    pub(super) fn start(version: u32) -> Self {
        let mut versions = Self {
            last: 0,
            fault: None,
        };
        versions.ascend(version);
        versions
    }

    pub(super) fn ascend(&mut self, version: u32) {
        if version == 0 || u64::from(version) > Limits::TABLE.schema_version {
            self.fail(SchemaError::VersionOutOfRange { version });
        } else if version <= self.last {
            self.fail(SchemaError::NotAscending {
                after: self.last,
                version,
            });
        }
        self.last = version;
    }

    pub(super) fn fail(&mut self, fault: SchemaError) {
        self.fault.get_or_insert(fault);
    }

    fn current(self) -> Result<u32, SchemaError> {
        self.fault.map_or(Ok(self.last), Err)
    }
}

/// What a step of the user's refuses, as an error of the entry.
pub(super) fn refused(error: Error) -> Error {
    match error.kind() {
        Kind::Decode => error,
        _ => Error::new(Kind::Decode, "a step of the schema failed").caused_by(error),
    }
}
