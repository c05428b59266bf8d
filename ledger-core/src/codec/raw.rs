//! Bytes as they are.

use bytes::Bytes;

use super::{Codec, Encoded};
use crate::content_type::ContentType;
use crate::error::Result;

/// The codec of bytes that the ledger does not interpret: written as
/// `application/octet-stream`, and reading every content type. Copies nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw;

impl Codec<Bytes> for Raw {
    fn encode(&self, value: &Bytes) -> Result<Encoded> {
        Ok(Encoded::new(ContentType::BYTES, value.clone()))
    }

    fn accepts(&self, _: &ContentType) -> bool {
        true
    }

    fn decode(&self, _: &ContentType, payload: &Bytes) -> Result<Bytes> {
        Ok(payload.clone())
    }
}
