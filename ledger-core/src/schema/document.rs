//! A stored object whose fields can be taken and set.

mod read;

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::json;
use crate::error::{Error, Kind, Result};

/// The top-level fields of a stored object, on the way to a newer version:
/// what [`Documents::change`](crate::Documents::change) works on.
///
/// Only the names of the fields are parsed. A value stays the text it is
/// stored as until it is asked for, and what is not touched reaches the type
/// exactly as stored, in its old place: `u128`, `1e400`, nested objects. A
/// field that is set anew keeps its place if it was there and comes last if
/// it was not. Looking up a field takes time linear in the number of fields.
///
/// A name that occurs twice in the stored object is a
/// [`Decode`](Kind::Decode) error where it is asked for by [`get`](Self::get),
/// [`take`](Self::take) or [`set`](Self::set); left alone, both go on to the
/// type, which treats them as in a plain read.
///
/// ```
/// # use ledger_core::{ContentType, Json, SelfDescribing};
/// # let payload = br#"{"id":7,"amount":12.5,"note":null}"#;
/// let mut order = Json.open(&ContentType::JSON, payload)?;
/// let amount: f64 = order.take("amount")?.unwrap_or(0.0);
/// order.set("cents", &((amount * 100.0).round() as i64))?;
/// order.remove("note");
///
/// assert!(!order.has("amount"));
/// assert_eq!(order.get::<i64>("cents")?, Some(1250));
/// assert_eq!(order.get::<i64>("discount")?, None);
/// # Ok::<(), ledger_core::Error>(())
/// ```
pub struct Document<'a> {
    pub(super) fields: Vec<Field<'a>>,
}

/// A name and JSON text that is one value.
pub(super) struct Field<'a> {
    pub(super) name: Cow<'a, str>,
    json: Cow<'a, str>,
}

impl<'a> Field<'a> {
    pub(super) fn borrowed(name: &'a str, json: &'a str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            json: Cow::Borrowed(json),
        }
    }
}

impl<'a> Document<'a> {
    /// Whether there is such a field, `null` included.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    /// Reads a field and leaves it where it is; `None` if it is absent.
    ///
    /// What `null` means is for `U` to say: ask for an `Option` to allow it.
    ///
    /// # Errors
    ///
    /// [`Decode`](Kind::Decode), naming the field, if the value does not fit
    /// `U` or the field occurs twice.
    pub fn get<U: DeserializeOwned>(&self, name: &str) -> Result<Option<U>> {
        self.find(name)?.map(|at| self.read_field(at)).transpose()
    }

    /// Reads a field and takes it out; `None` if it is absent.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get); the field then stays.
    pub fn take<U: DeserializeOwned>(&mut self, name: &str) -> Result<Option<U>> {
        let Some(at) = self.find(name)? else {
            return Ok(None);
        };
        let value = self.read_field(at)?;
        self.fields.remove(at);
        Ok(Some(value))
    }

    /// Sets a field to a value.
    ///
    /// # Errors
    ///
    /// [`Decode`](Kind::Decode), naming the field, if the value is one that
    /// [`Json`](crate::Json) would not write, such as NaN, or if the field
    /// occurs twice.
    pub fn set<V: Serialize + ?Sized>(
        &mut self,
        name: impl Into<Cow<'a, str>>,
        value: &V,
    ) -> Result<()> {
        let name = name.into();
        let json = json::to_text(value).map_err(|e| {
            Error::new(Kind::Decode, "a step sets a value that cannot be written")
                .with("field", &name)
                .caused_by(e)
        })?;
        let json = Cow::Owned(json);
        match self.find(&name)? {
            Some(at) => self.fields[at].json = json,
            None => self.fields.push(Field { name, json }),
        }
        Ok(())
    }

    /// Leaves a field out, however often it occurs; whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.fields.len();
        self.fields.retain(|field| field.name != name);
        self.fields.len() < before
    }

    fn find(&self, name: &str) -> Result<Option<usize>> {
        let mut found = (0..self.fields.len()).filter(|at| self.fields[*at].name == name);
        match (found.next(), found.next()) {
            (at, None) => Ok(at),
            (_, Some(_)) => {
                Err(Error::new(Kind::Decode, "a field is there twice").with("field", name))
            }
        }
    }

    fn read_field<U: DeserializeOwned>(&self, at: usize) -> Result<U> {
        let Field { name, json } = &self.fields[at];
        serde_json::from_str(json).map_err(|_| {
            Error::new(
                Kind::Decode,
                "a field does not fit the type that a step asks for",
            )
            .with("field", name)
            .with("type", type_name::<U>())
        })
    }
}

/// Tells how many fields there are, not what is in them.
impl fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("fields", &self.fields.len())
            .finish_non_exhaustive()
    }
}

/// A rename that meets a field that has the name already.
#[cold]
pub(super) fn already_there(name: &str) -> Error {
    Error::new(
        Kind::Decode,
        "a field is renamed to one that is already there",
    )
    .with("field", name)
}
