//! Several encodings in one stream.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{Codec, Encoded, SelfDescribing};
use crate::content_type::ContentType;
use crate::error::Result;
use crate::schema::{Document, FieldPlan};

/// Writes with the first codec and reads with whichever accepts the entry's
/// content type, the first one asked first.
///
/// This is how a stream changes its encoding: old entries stay as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Or<A, B>(pub A, pub B);

impl<T, A: Codec<T>, B: Codec<T>> Codec<T> for Or<A, B> {
    fn encode(&self, value: &T) -> Result<Encoded> {
        self.0.encode(value)
    }

    fn accepts(&self, content_type: &ContentType) -> bool {
        self.0.accepts(content_type) || self.1.accepts(content_type)
    }

    fn decode(&self, content_type: &ContentType, payload: &Bytes) -> Result<T> {
        if self.0.accepts(content_type) {
            self.0.decode(content_type, payload)
        } else {
            self.1.decode(content_type, payload)
        }
    }
}

impl<A: SelfDescribing, B: SelfDescribing> SelfDescribing for Or<A, B> {
    fn knows(&self, content_type: &ContentType) -> bool {
        self.0.knows(content_type) || self.1.knows(content_type)
    }

    fn open<'a>(&self, content_type: &ContentType, payload: &'a [u8]) -> Result<Document<'a>> {
        if self.0.knows(content_type) {
            self.0.open(content_type, payload)
        } else {
            self.1.open(content_type, payload)
        }
    }

    fn read_mapped<T: DeserializeOwned>(
        &self,
        content_type: &ContentType,
        payload: &[u8],
        plan: &FieldPlan,
    ) -> Result<T> {
        if self.0.knows(content_type) {
            self.0.read_mapped(content_type, payload, plan)
        } else {
            self.1.read_mapped(content_type, payload, plan)
        }
    }
}
