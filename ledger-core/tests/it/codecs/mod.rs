//! The codecs behind features: what each promises, tried on all of them.

mod bombs;
mod compose;
mod exact;
mod fields;
mod foreign;
mod hostile;
mod laws;
mod mixed;
mod refused;
mod value;
mod zstd;

use std::fmt::Debug;

use bytes::Bytes;
use ledger_core::{Codec, ContentType, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The content type that a codec writes.
fn content_type<T>(codec: &impl Codec<T>, value: &T) -> ContentType {
    codec.encode(value).unwrap().content_type
}

/// Reads a payload as what `codec` writes.
fn read<T, C>(codec: &C, content_type: &ContentType, payload: &[u8]) -> Result<T>
where
    C: Codec<T>,
{
    codec.decode(content_type, &Bytes::copy_from_slice(payload))
}

#[track_caller]
fn comes_back<T>(codec: &impl Codec<T>, value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let written = codec.encode(value).unwrap();
    let read = read(codec, &written.content_type, &written.payload);
    assert_eq!(&read.unwrap(), value);
}

/// A document around any value, for the format that knows only those.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct In<T> {
    v: T,
}
