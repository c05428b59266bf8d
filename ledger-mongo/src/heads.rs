//! The head of a stream: one document, locked by whoever appends.
//!
//! ```text
//! _id    string, the name of the stream
//! no     int64, its number: 1 to 2³²−1
//! head   int64, the last version that was appended; 0 if none ever was
//! floor  int64, the version through which a trim was asked for; 0 if none was
//! t      date, the time of the last append
//! ```

use ledger_core::{Result, StreamName};
use mongodb::ClientSession;
use mongodb::bson::{RawDocument, doc};
use mongodb::options::FindOptions;

use crate::error::{During, corrupt};
use crate::handle::Inner;
use crate::query;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) number: u32,
    pub(crate) version: u64,
}

impl Head {
    pub(crate) fn parse(document: &RawDocument) -> Result<Self> {
        let number = document.get_i64("no").ok();
        let number = number.and_then(|n| u32::try_from(n).ok());
        let version = document.get_i64("head").ok();
        let version = version.and_then(|n| u64::try_from(n).ok());
        match (number, version) {
            (Some(number @ 1..), Some(version)) => Ok(Self { number, version }),
            _ => Err(corrupt("the head of a stream")),
        }
    }
}

/// The name of the stream of a head.
pub(crate) fn name(document: &RawDocument) -> Result<StreamName> {
    let name = document.get_str("_id").map_err(|_| corrupt("a stream"))?;
    StreamName::new(name).map_err(|e| corrupt("a stream name").caused_by(e))
}

/// The head of a stream, as a majority has it; `None` if it has no number yet.
pub(crate) async fn head(
    inner: &Inner,
    session: &mut ClientSession,
    stream: &StreamName,
    during: During,
) -> Result<Option<Head>> {
    let filter = doc! { "_id": stream.as_str() };
    let options = query::bounded(1);
    let found = query::first(&inner.streams, session, filter, options, during).await?;
    let head = found.map(|document| Head::parse(&document)).transpose()?;
    if during == During::Read {
        inner.saw(session);
        if let Some(head) = head {
            inner.numbers.learn(stream, head.number);
            inner.numbers.saw(head.number, head.version);
        }
    }
    Ok(head)
}

/// What a query of heads brings.
pub(crate) fn projection(mut options: FindOptions) -> FindOptions {
    options.projection = Some(doc! { "no": 1, "head": 1 });
    options
}
