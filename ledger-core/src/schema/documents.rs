//! A history whose old versions are documents.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::definition::{Older, Read, not_accepted};
use super::document::Document;
use super::error::SchemaError;
use super::fields::{FieldMapper, FieldPlan};
use super::history::{History, Versions, refused};
use crate::codec::{Codec, SelfDescribing};
use crate::error::Result;

type Change = Box<dyn for<'a> Fn(&mut Document<'a>) -> Result<()> + Send + Sync>;

enum Step {
    Fields(FieldMapper),
    Change(Change),
}

impl Step {
    fn apply<'a>(&'a self, document: &mut Document<'a>) -> Result<()> {
        match self {
            Self::Fields(mapper) => mapper.apply(document),
            Self::Change(change) => change(document).map_err(refused),
        }
    }
}

/// The versions of a schema that have no Rust type any more: the steps name
/// fields. [`read_as`](Self::read_as) says which type the last of them is.
///
/// A payload is parsed once and read into the type once, whatever the number
/// of steps; it must be an object. If all steps before the type are
/// [`fields`](Self::fields), they are applied while the type is being read.
/// A [`change`](Self::change) costs more: it opens a [`Document`].
///
/// The type must not be an externally tagged enum (serde's default for
/// enums), whose only field is the name of the variant; tag it inside with
/// `#[serde(tag = "…")]`, or keep the old types and use
/// [`Schema::typed`](crate::Schema::typed).
#[must_use = "a history does nothing until it is built"]
pub struct Documents<C> {
    codec: C,
    versions: Versions,
    /// Each with the version it starts from.
    steps: Vec<(u32, Step)>,
}

impl<C: SelfDescribing + Clone + 'static> Documents<C> {
    pub(super) fn start(codec: C, version: u32) -> Self {
        Self {
            codec,
            versions: Versions::start(version),
            steps: Vec::new(),
        }
    }

    /// The step to version `to` that renames, removes and fills in fields.
    pub fn fields(mut self, to: u32, mapper: FieldMapper) -> Self {
        if let Some((field, conflict)) = mapper.conflict() {
            let field = field.to_owned();
            self.versions.fail(SchemaError::Fields {
                version: to,
                field,
                conflict,
            });
        }
        self.step(to, Step::Fields(mapper))
    }

    /// The step to version `to` that does anything to the fields.
    ///
    /// Write the closure in place: bound to a variable first, its type is not
    /// general enough. What it refuses reaches the reader as a
    /// [`Decode`](crate::Kind::Decode) error, as in
    /// [`try_upcast`](History::try_upcast).
    pub fn change(
        self,
        to: u32,
        f: impl for<'a> Fn(&mut Document<'a>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.step(to, Step::Change(Box::new(f)))
    }

    /// Says that the version reached is read as `T`. Typed steps may follow.
    pub fn read_as<T: DeserializeOwned + 'static>(self) -> History<T, C>
    where
        C: Codec<T>,
    {
        let Self {
            codec,
            versions,
            steps,
        } = self;
        let (from, steps): (Vec<u32>, Vec<Step>) = steps.into_iter().unzip();
        let steps: Arc<[Step]> = steps.into();
        let older = from.into_iter().enumerate().map(|(first, version)| {
            let read = read_through(codec.clone(), Arc::clone(&steps), first);
            Older {
                version,
                jumped: false,
                read,
            }
        });
        let older = older.collect();
        History::resume(codec, versions, older)
    }

    fn step(mut self, to: u32, step: Step) -> Self {
        self.steps.push((self.versions.last, step));
        self.versions.ascend(to);
        self
    }
}

impl<C> fmt::Debug for Documents<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents")
            .field("versions", &self.versions)
            .finish_non_exhaustive()
    }
}

/// Chooses the engine for the steps from `first` on.
fn read_through<T, C>(codec: C, steps: Arc<[Step]>, first: usize) -> Read<T>
where
    T: DeserializeOwned + 'static,
    C: SelfDescribing + 'static,
{
    let mappers = steps[first..].iter().map(|step| match step {
        Step::Fields(mapper) => Some(mapper),
        Step::Change(_) => None,
    });
    if let Some(mappers) = mappers.collect::<Option<Vec<_>>>() {
        let plan = FieldPlan::new(&mappers);
        return Box::new(move |content_type, payload, out| {
            if !codec.knows(content_type) {
                return Err(not_accepted(content_type));
            }
            out(codec.read_mapped(content_type, payload, &plan)?)
        });
    }
    Box::new(move |content_type, payload, out| {
        if !codec.knows(content_type) {
            return Err(not_accepted(content_type));
        }
        let mut document = codec.open(content_type, payload)?;
        for step in &steps[first..] {
            step.apply(&mut document)?;
        }
        out(document.read()?)
    })
}
