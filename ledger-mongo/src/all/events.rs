//! What the change stream says: which entries were committed, and in which
//! order.

use std::time::Duration;

use ledger_core::{Error, Kind, Result};
use mongodb::ClientSession;
use mongodb::bson::{Bson, RawDocumentBuf, doc, serialize_to_bson};
use mongodb::change_stream::event::ResumeToken;
use mongodb::change_stream::session::SessionChangeStream;

use crate::error::{During, code_of, convert, corrupt};
use crate::handle::Inner;
use crate::id::MongoId;
use crate::time::ClusterTime;

/// The oplog does not reach back to the place any more.
const HISTORY_LOST: i32 = 286;

/// How long the server waits for events before it says how far it has looked.
const PATIENCE: Duration = Duration::from_millis(5);

/// An entry was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: MongoId,
    pub(super) time: ClusterTime,
}

#[derive(Debug)]
pub(super) enum Next {
    Event(Event),
    /// There is none, and all before this time have been looked at. If the
    /// server was asked for more since the last event, also those at the time.
    Looked {
        time: ClusterTime,
        asked: bool,
    },
}

pub(super) struct Events {
    stream: SessionChangeStream<RawDocumentBuf>,
    /// Whether the last answer was empty. The first one always may be: it then
    /// tells where the stream starts, and nothing has been looked at.
    empty: bool,
}

/// Why there are no events.
pub(super) enum Lost {
    History,
    Error(Error),
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

fn lost(e: &mongodb::error::Error) -> Lost {
    match code_of(e) {
        Some(HISTORY_LOST) => Lost::History,
        _ => Lost::Error(convert(e, During::Read)),
    }
}

impl Events {
    /// The events from this time on, inclusive, so many in one answer.
    pub(super) async fn from(
        inner: &Inner,
        session: &mut ClientSession,
        time: ClusterTime,
        at_once: usize,
    ) -> Result<Self, Lost> {
        let inserts = doc! { "$match": { "operationType": "insert" } };
        // Not the document: it is read from the collection, and an event of
        // more than 16 MiB would end the stream for good.
        let fields = doc! { "operationType": 1, "ns": 1, "documentKey": 1, "clusterTime": 1 };
        let stream = inner
            .entries
            .watch()
            .pipeline([inserts, doc! { "$project": fields }])
            .start_at_operation_time(time.timestamp())
            .max_await_time(PATIENCE)
            .batch_size(u32::try_from(at_once).unwrap_or(u32::MAX))
            .session(session)
            .await;
        let stream = stream.map_err(|e| lost(&e))?;
        Ok(Self {
            stream: stream.with_type(),
            empty: false,
        })
    }

    pub(super) async fn next(&mut self, session: &mut ClientSession) -> Result<Next, Lost> {
        loop {
            let found = self.stream.next_if_any(session).await;
            if let Some(event) = found.map_err(|e| lost(&e))? {
                let time = event.get_timestamp("clusterTime");
                let id = event.get_document("documentKey");
                let id = id.and_then(|key| key.get_object_id("_id"));
                let (Ok(time), Ok(id)) = (time, id) else {
                    return Err(corrupt("an event of the change stream").into());
                };
                self.empty = false;
                return Ok(Next::Event(Event {
                    id: MongoId::from_object_id(id),
                    time: time.into(),
                }));
            }
            if !self.stream.is_alive() {
                let gone = "the collection of the entries was dropped or renamed";
                return Err(Error::new(Kind::Misconfigured, gone).into());
            }
            if let Some(token) = self.stream.resume_token() {
                return Ok(Next::Looked {
                    time: time_of(&token)?,
                    asked: std::mem::replace(&mut self.empty, true),
                });
            }
        }
    }
}

/// The cluster time in a resume token. Its `_data` is hexadecimal digits: the
/// byte `82`, which says that a timestamp follows, then the timestamp.
fn time_of(token: &ResumeToken) -> Result<ClusterTime> {
    let token = serialize_to_bson(token).ok();
    let data = match &token {
        Some(Bson::Document(token)) => token.get_str("_data").ok(),
        _ => None,
    };
    let time = data.and_then(|data| data.strip_prefix("82")?.get(..16));
    let time = time.and_then(|hex| u64::from_str_radix(hex, 16).ok());
    let unknown = "the server's resume tokens are not those that the ledger knows";
    time.map(ClusterTime)
        .ok_or_else(|| Error::new(Kind::Internal, unknown))
}
