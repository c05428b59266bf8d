//! What an entry id has to be.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The identity that a store assigns to an entry, and the cursor of its stream.
///
/// Implemented for every type with these bounds: `i64` (SQLite, PostgreSQL,
/// the file log, memory), a 12-byte id (MongoDB), or a custom backend's own,
/// `String` included.
///
/// Ids grow within a stream in commit order and compare by `Ord`. Their text
/// form (`Display`, `FromStr`) round-trips and is for logs and URLs: **do not
/// compare or sort it**, `"99"` is greater than `"100"`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an entry id",
    note = "an entry id is Clone + Ord + Hash + Debug + Display + FromStr + serde's Serialize and \
            DeserializeOwned + Send + Sync + Unpin + 'static, and the error of its FromStr is \
            an std::error::Error + Send + Sync + 'static"
)]
pub trait EntryId:
    Clone
    + Ord
    + Hash
    + Debug
    + Display
    + FromStr<Err: Error + Send + Sync + 'static>
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + Unpin
    + 'static
{
}

impl<T> EntryId for T where
    T: Clone
        + Ord
        + Hash
        + Debug
        + Display
        + FromStr<Err: Error + Send + Sync + 'static>
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + Unpin
        + 'static
{
}
