//! Compression around another codec.

mod context;
mod dictionary;

use ::zstd::zstd_safe;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use self::dictionary::Dictionaries;
use super::{Codec, Encoded, SelfDescribing};
use crate::content_type::ContentType;
use crate::error::{Error, Kind, Result};
use crate::limits::Limits;
use crate::schema::{Document, FieldPlan};

/// Compresses what another codec writes, with Zstandard (RFC 8878); the
/// content type is the other one's with `+zstd` behind it, such as
/// `application/json+zstd`. Feature `zstd`, which brings the C library along.
///
/// A payload that would not become smaller is left alone and keeps the inner
/// content type; so is one of less than 64 bytes, unless there is a
/// dictionary. Both kinds are read, so that a stream can take up compression
/// at any time: `Zstd::new(Json)` reads everything that `Json` wrote.
///
/// One entry at a time is little to learn from. Where entries are small and
/// alike, a [dictionary](Self::dictionary) trained on some of them makes the
/// difference.
///
/// **A payload that claims to become greater than the limit of payloads (8
/// MiB) is refused** before anything is unpacked, so a small entry cannot
/// exhaust the memory. What is greater is not compressed either; where a
/// store allows more, raise the limit by [`at_most`](Self::at_most).
///
/// ```
/// use ledger_core::{Codec, Json, Zstd};
///
/// let codec = Zstd::new(Json);
/// let order = vec!["the same again".to_owned(); 100];
/// let written = codec.encode(&order)?;
/// assert_eq!(written.content_type.as_str(), "application/json+zstd");
/// assert!(written.payload.len() < 100);
/// let read: Vec<String> = codec.decode(&written.content_type, &written.payload)?;
/// assert_eq!(read, order);
///
/// let small = codec.encode(&vec!["once".to_owned()])?;
/// assert_eq!(small.content_type.as_str(), "application/json");
/// # Ok::<(), ledger_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Zstd<C> {
    inner: C,
    level: i32,
    most: u64,
    dictionaries: Dictionaries,
}

/// What compression says when nothing else is asked for; the library's own.
const LEVEL: i32 = 3;

/// A frame costs about twelve bytes, and less than this hardly repeats itself.
const LEAST: usize = 64;

const SUFFIX: &str = "+zstd";

impl<C> Zstd<C> {
    /// Compresses at level 3, without a dictionary.
    #[must_use]
    pub fn new(inner: C) -> Self {
        Self {
            inner,
            level: LEVEL,
            most: Limits::TABLE.payload,
            dictionaries: Dictionaries::default(),
        }
    }

    /// Another level: from 1, the fastest of the usual ones, to 22, which
    /// takes a lot of time and memory; negative ones are faster still. What
    /// lies beyond is taken as the nearest. Reading does not depend on it.
    #[must_use]
    pub fn level(mut self, level: i32) -> Self {
        self.level = level.clamp(zstd_safe::min_c_level(), zstd_safe::max_c_level());
        self.dictionaries.compress_at(self.level);
        self
    }

    /// Writes and reads with a dictionary, as `zstd --train` makes it from
    /// samples. Entries that were written without one are still read.
    ///
    /// Keep the dictionary as long as the entries: without it they cannot be
    /// read. Each entry carries the dictionary's id, and to change over, pass
    /// the former one to [`former_dictionary`](Self::former_dictionary).
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](Kind::Misconfigured) if it is no dictionary with an
    /// id: without one, a wrong dictionary could not be told from the right
    /// one.
    pub fn dictionary(mut self, bytes: &[u8]) -> Result<Self> {
        self.dictionaries.add_current(bytes, self.level)?;
        Ok(self)
    }

    /// Also reads what was written with a dictionary that is no longer
    /// written with.
    ///
    /// # Errors
    ///
    /// As for [`dictionary`](Self::dictionary).
    pub fn former_dictionary(mut self, bytes: &[u8]) -> Result<Self> {
        self.dictionaries.add_former(bytes)?;
        Ok(self)
    }

    /// Neither compresses nor reads what is greater than this many bytes
    /// before compression. 8 MiB unless set.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Self {
        self.most = bytes;
        self
    }

    /// The compressed form, if it is smaller.
    fn compress(&self, written: &Encoded) -> Option<Encoded> {
        let payload = &written.payload;
        let small = payload.len() < LEAST && !self.dictionaries.has_current();
        if small || payload.len() as u64 > self.most {
            return None;
        }
        let content_type = compressed(&written.content_type)?;
        let current = self.dictionaries.current();
        let packed = context::compress(payload, self.level, current)?;
        Some(Encoded::new(content_type, packed))
    }

    fn decompress(&self, payload: &[u8]) -> Result<Vec<u8>> {
        context::decompress(payload, self.most, &self.dictionaries)
    }
}

/// The content type of the compressed form; `None` if it would be too long.
fn compressed(inner: &ContentType) -> Option<ContentType> {
    ContentType::parse(&format!("{inner}{SUFFIX}")).ok()
}

/// The content type of what is inside, if this is the compressed form.
fn uncompressed(content_type: &ContentType) -> Option<ContentType> {
    let inner = content_type.as_str().strip_suffix(SUFFIX)?;
    ContentType::parse(inner).ok()
}

impl<T, C: Codec<T>> Codec<T> for Zstd<C> {
    fn encode(&self, value: &T) -> Result<Encoded> {
        let written = self.inner.encode(value)?;
        Ok(self.compress(&written).unwrap_or(written))
    }

    fn accepts(&self, content_type: &ContentType) -> bool {
        uncompressed(content_type).is_some_and(|inner| self.inner.accepts(&inner))
            || self.inner.accepts(content_type)
    }

    fn decode(&self, content_type: &ContentType, payload: &Bytes) -> Result<T> {
        match uncompressed(content_type) {
            Some(inner) if self.inner.accepts(&inner) => {
                let payload = Bytes::from(self.decompress(payload)?);
                self.inner.decode(&inner, &payload)
            }
            _ => self.inner.decode(content_type, payload),
        }
    }
}

impl<C: SelfDescribing> SelfDescribing for Zstd<C> {
    fn knows(&self, content_type: &ContentType) -> bool {
        uncompressed(content_type).is_some_and(|inner| self.inner.knows(&inner))
            || self.inner.knows(content_type)
    }

    fn open<'a>(&self, content_type: &ContentType, payload: &'a [u8]) -> Result<Document<'a>> {
        match uncompressed(content_type) {
            Some(inner) if self.inner.knows(&inner) => {
                let payload = self.decompress(payload)?;
                Ok(self.inner.open(&inner, &payload)?.into_owned())
            }
            _ => self.inner.open(content_type, payload),
        }
    }

    fn read_mapped<T: DeserializeOwned>(
        &self,
        content_type: &ContentType,
        payload: &[u8],
        plan: &FieldPlan,
    ) -> Result<T> {
        match uncompressed(content_type) {
            Some(inner) if self.inner.knows(&inner) => {
                let payload = self.decompress(payload)?;
                self.inner.read_mapped(&inner, &payload, plan)
            }
            _ => self.inner.read_mapped(content_type, payload, plan),
        }
    }
}

#[cold]
fn broken(message: &'static str) -> Error {
    Error::new(Kind::Decode, message)
}
