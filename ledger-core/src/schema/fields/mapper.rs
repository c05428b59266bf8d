//! One step that renames, removes and fills in fields.

use std::borrow::Cow;

use serde::Serialize;

use crate::codec::json::to_text;
use crate::error::Result;
use crate::schema::document::{Document, Field, Key, already_there};
use crate::schema::error::FieldConflict;

type Name = Cow<'static, str>;

/// Renames, removes and fills in top-level fields: one step of a history of
/// [documents](crate::Documents).
///
/// The order is fixed, whatever the order of the calls:
///
/// 1. **removes**;
/// 2. **renames**, all at once and by the names the fields came with, so that
///    two fields can swap their names and renames do not feed each other;
/// 3. **defaults**, for fields that are absent by then. A field that is
///    present with the value `null` is not absent.
///
/// A field keeps its place when it is renamed; defaults come last, in the
/// order they were given. A field that is not there is neither renamed nor
/// removed, which is no error. A rename that meets a field which already has
/// the new name is a [`Decode`](crate::Kind::Decode) error that names it
/// (context `"field"`): one of the two values would be lost. Remove the other
/// one, or rename it too, if that is meant.
///
/// So is a stored object in which the renamed field occurs twice. Fields that
/// occur twice and are not renamed are left to the type, as in a plain read.
///
/// Operations that contradict each other (see
/// [`FieldConflict`](crate::FieldConflict)) are refused when the schema is
/// built. Only the fields of the object itself can be named; for what lies
/// inside them there is [`Documents::change`](crate::Documents::change).
///
/// ```
/// use ledger_core::FieldMapper;
///
/// let mapper = FieldMapper::new()
///     .rename("cust", "customer")
///     .remove("legacy")
///     .default_value("currency", "EUR");
/// # let _ = mapper;
/// ```
#[derive(Clone, Debug, Default)]
pub struct FieldMapper {
    removes: Vec<Name>,
    renames: Vec<(Name, Name)>,
    /// The value is JSON text, `None` if it cannot be written as such.
    defaults: Vec<(Name, Option<String>)>,
}

impl FieldMapper {
    /// A mapper that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a field another name.
    #[must_use]
    pub fn rename(mut self, from: impl Into<Name>, to: impl Into<Name>) -> Self {
        self.renames.push((from.into(), to.into()));
        self
    }

    /// Leaves a field out.
    #[must_use]
    pub fn remove(mut self, name: impl Into<Name>) -> Self {
        self.removes.push(name.into());
        self
    }

    /// Gives a field a value where it is absent.
    ///
    /// The value is kept as JSON text whatever the codec is, so that integers
    /// of any size stay exact; one that [`Json`](crate::Json) would not write
    /// is refused when the schema is built.
    #[must_use]
    pub fn default_value(mut self, name: impl Into<Name>, value: impl Serialize) -> Self {
        self.defaults.push((name.into(), to_text(&value).ok()));
        self
    }

    /// The first contradiction, and the field it is about.
    pub(in crate::schema) fn conflict(&self) -> Option<(&str, FieldConflict)> {
        let repeated = |count: usize, conflict| (count > 1).then_some(conflict);
        for (from, to) in &self.renames {
            let conflict = if from == to {
                Some(FieldConflict::RenamedToItself)
            } else if self.removes(from) {
                Some(FieldConflict::RenamedAndRemoved)
            } else {
                let count = self
                    .renames
                    .iter()
                    .filter(|(other, _)| other == from)
                    .count();
                repeated(count, FieldConflict::RenamedTwice)
            };
            if let Some(conflict) = conflict {
                return Some((from, conflict));
            }
            if self.renames.iter().filter(|(_, other)| other == to).count() > 1 {
                return Some((to, FieldConflict::RenamedToTwice));
            }
        }
        for name in &self.removes {
            if self.removes.iter().filter(|other| *other == name).count() > 1 {
                return Some((name, FieldConflict::RemovedTwice));
            }
        }
        for (name, value) in &self.defaults {
            if value.is_none() {
                return Some((name, FieldConflict::UnwritableDefault));
            }
            if self
                .defaults
                .iter()
                .filter(|(other, _)| other == name)
                .count()
                > 1
            {
                return Some((name, FieldConflict::DefaultTwice));
            }
        }
        None
    }

    /// What a field is called after this step; `None` if it is removed.
    pub(super) fn name_after<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        if self.removes(name) {
            None
        } else {
            Some(self.renamed(name).unwrap_or(name))
        }
    }

    /// Every name that is mentioned.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let renames = self.renames.iter().flat_map(|(from, to)| [from, to]);
        let defaults = self.defaults.iter().map(|(name, _)| name);
        self.removes
            .iter()
            .chain(renames)
            .chain(defaults)
            .map(AsRef::as_ref)
    }

    /// The defaults, with their values as JSON text.
    pub(super) fn defaults(&self) -> impl Iterator<Item = (&str, &str)> {
        self.defaults
            .iter()
            .filter_map(|(name, value)| Some((name.as_ref(), value.as_deref()?)))
    }

    /// Changes a document. The mapper lends it the new names and values.
    pub(in crate::schema) fn apply<'a>(&'a self, document: &mut Document<'a>) -> Result<()> {
        let fields = &mut document.fields;
        if !self.removes.is_empty() {
            fields.retain(|field| !field.name().is_some_and(|name| self.removes(name)));
        }
        for (from, to) in &self.renames {
            let found = fields.iter().filter(|field| field.is(from)).count();
            let met = fields.iter().any(|field| field.is(to)) && self.renamed(to).is_none();
            if found > 1 || (found == 1 && met) {
                return Err(already_there(to));
            }
        }
        if !self.renames.is_empty() {
            for field in fields.iter_mut() {
                if let Some(to) = field.name().and_then(|name| self.renamed(name)) {
                    field.key = Key::Text(Cow::Borrowed(to));
                }
            }
        }
        for (name, json) in self.defaults() {
            if !document.has(name) {
                document.fields.push(Field::json(name, json));
            }
        }
        Ok(())
    }

    fn removes(&self, name: &str) -> bool {
        self.removes.iter().any(|removed| removed == name)
    }

    fn renamed(&self, name: &str) -> Option<&str> {
        let rename = self.renames.iter().find(|(from, _)| from == name);
        rename.map(|(_, to)| to.as_ref())
    }
}
