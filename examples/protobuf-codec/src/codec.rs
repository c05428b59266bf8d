//! The codec.

use ledger_core::{Codec, ContentType, Encoded, Error, Kind, Result};
use prost::Message;
use prost::bytes::Bytes;

/// Any message of `prost`, as `application/protobuf`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Protobuf;

impl Protobuf {
    /// What is stored with each entry.
    pub const CONTENT_TYPE: ContentType = ContentType::from_static("application/protobuf");
}

impl<M: Message + Default> Codec<M> for Protobuf {
    fn encode(&self, message: &M) -> Result<Encoded> {
        Ok(Encoded::new(Self::CONTENT_TYPE, message.encode_to_vec()))
    }

    fn accepts(&self, content_type: &ContentType) -> bool {
        *content_type == Self::CONTENT_TYPE
    }

    fn decode(&self, _: &ContentType, payload: &Bytes) -> Result<M> {
        // The error of prost names messages and fields, but no values, so it
        // may be kept as the source.
        M::decode(payload.as_ref())
            .map_err(|e| Error::new(Kind::Decode, "not such a message").caused_by(e))
    }
}
