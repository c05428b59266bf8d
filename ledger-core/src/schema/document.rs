//! A stored object whose fields can be taken and set.

mod read;
mod value;

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use value::{Format, Value};

use crate::error::{Error, Kind, Result};

/// The top-level fields of a stored object, on the way to a newer version:
/// what [`Documents::change`](crate::Documents::change) works on.
///
/// Only the names of the fields are parsed. A value stays the text or the
/// bytes it is stored as until it is asked for, and what is not touched
/// reaches the type exactly as stored, in its old place: `u128`, `1e400`, byte
/// strings, nested objects. A field that is set anew is written in the
/// document's own encoding; it keeps its place if it was there and comes last
/// if it was not. Looking up a field takes time linear in the number of
/// fields.
///
/// In encodings whose maps have keys other than text, such as MessagePack and
/// CBOR, fields with such keys have no name: no step can ask for them, and
/// they go on to the type as they are.
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
    format: Format,
    pub(super) fields: Vec<Field<'a>>,
}

/// A name and one value.
pub(crate) struct Field<'a> {
    pub(super) key: Key<'a>,
    value: Value<'a>,
}

pub(crate) enum Key<'a> {
    Text(Cow<'a, str>),
    /// A number, say, where the format has such keys.
    #[cfg_attr(
        not(any(feature = "cbor", feature = "msgpack")),
        expect(dead_code, reason = "the keys of JSON and BSON are text")
    )]
    Other(Value<'a>),
}

impl<'a> Field<'a> {
    pub(crate) fn new(key: Key<'a>, value: Value<'a>) -> Self {
        Self { key, value }
    }

    /// A field with JSON text that is one value.
    pub(super) fn json(name: &'a str, json: &'a str) -> Self {
        Self::new(
            Key::Text(Cow::Borrowed(name)),
            Value::Json(Cow::Borrowed(json)),
        )
    }

    /// What the field is called.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.key {
            Key::Text(name) => Some(name),
            Key::Other(_) => None,
        }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name() == Some(name)
    }
}

impl<'a> Document<'a> {
    pub(crate) fn new(format: Format, fields: Vec<Field<'a>>) -> Self {
        Self { format, fields }
    }

    /// The same, borrowing nothing.
    #[cfg(feature = "zstd")]
    pub(crate) fn into_owned(self) -> Document<'static> {
        let owned = |field: Field<'a>| Field {
            key: match field.key {
                Key::Text(name) => Key::Text(Cow::Owned(name.into_owned())),
                Key::Other(value) => Key::Other(value.into_owned()),
            },
            value: field.value.into_owned(),
        };
        Document {
            format: self.format,
            fields: self.fields.into_iter().map(owned).collect(),
        }
    }

    /// Whether there is such a field, `null` included.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.is(name))
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
        self.find(name)?
            .map(|at| self.read_field(name, at))
            .transpose()
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
        let value = self.read_field(name, at)?;
        self.fields.remove(at);
        Ok(Some(value))
    }

    /// Sets a field to a value.
    ///
    /// # Errors
    ///
    /// [`Decode`](Kind::Decode), naming the field, if the value is one that the
    /// document's codec would not write, such as NaN in JSON, or if the field
    /// occurs twice.
    pub fn set<V: Serialize + ?Sized>(
        &mut self,
        name: impl Into<Cow<'a, str>>,
        value: &V,
    ) -> Result<()> {
        let name = name.into();
        let value = self.format.write(value).map_err(|e| {
            Error::new(Kind::Decode, "a step sets a value that cannot be written")
                .with("field", &name)
                .caused_by(e)
        })?;
        match self.find(&name)? {
            Some(at) => self.fields[at].value = value,
            None => self.fields.push(Field::new(Key::Text(name), value)),
        }
        Ok(())
    }

    /// Leaves a field out, however often it occurs; whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.fields.len();
        self.fields.retain(|field| !field.is(name));
        self.fields.len() < before
    }

    fn find(&self, name: &str) -> Result<Option<usize>> {
        let mut found = (0..self.fields.len()).filter(|at| self.fields[*at].is(name));
        match (found.next(), found.next()) {
            (at, None) => Ok(at),
            (_, Some(_)) => {
                Err(Error::new(Kind::Decode, "a field is there twice").with("field", name))
            }
        }
    }

    fn read_field<U: DeserializeOwned>(&self, name: &str, at: usize) -> Result<U> {
        let value = &self.fields[at].value;
        value.read(PhantomData::<U>).map_err(|_| {
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
