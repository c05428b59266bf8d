//! The transaction of a group: heads, entries, commit.

use std::collections::HashMap;
use std::ops::ControlFlow;

use ledger_core::{Error, Kind, Result, StreamName};
use mongodb::ClientSession;
use mongodb::bson::{DateTime, Document, RawDocumentBuf, doc};
use mongodb::error::{ErrorKind, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{FindOptions, ReturnDocument, TransactionOptions};
use tokio::time::Instant;

use crate::error::{During, convert, corrupt, is_transient};
use crate::handle::{Inner, back_off, patiently, session};
use crate::heads::{Head, name};
use crate::query;
use crate::schema::{DEDUP_INDEX, DUPLICATE_KEY};

/// Why a transaction came to nothing. Nothing of it was applied.
#[derive(Debug)]
pub(super) enum Fault {
    /// Somebody or something was in the way.
    Again(Error),
    /// A dedup key is there already. The place of the entry in the insert, then
    /// of its request in the group.
    Repeated(usize),
    /// The server refuses an entry. Its place as above.
    Refused(usize, Error),
    /// The head was moved by more entries than there were to store after all.
    Uneven,
    /// Repeating does not help.
    Hopeless(Error),
}

impl Fault {
    /// Names the request instead of the entry.
    pub(super) fn of(self, owners: &[usize]) -> Self {
        let owner = |place: usize| owners.get(place).copied().unwrap_or_default();
        match self {
            Self::Repeated(place) => Self::Repeated(owner(place)),
            Self::Refused(place, error) => Self::Refused(owner(place), error),
            other => other,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error.kind() {
            Kind::Unavailable | Kind::Contention | Kind::Timeout => Self::Again(error),
            _ => Self::Hopeless(error),
        }
    }
}

/// The head of a stream as the transaction sees it, and the time of an append
/// now: that of the server, and never before the last one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Locked {
    pub(crate) head: Head,
    pub(crate) time: DateTime,
}

/// How a commit ended.
#[derive(Debug)]
pub(super) enum Commit {
    Applied,
    NotApplied(Error),
    Unknown(Error),
}

/// The options of a transaction whose appends keep the promises.
pub fn options() -> TransactionOptions {
    use mongodb::options::{
        Acknowledgment, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern,
    };

    let mut confirmed = WriteConcern::default();
    confirmed.w = Some(Acknowledgment::Majority);
    confirmed.journal = Some(true);
    TransactionOptions::builder()
        .read_concern(ReadConcern::snapshot())
        .write_concern(confirmed)
        .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
        .build()
}

pub(super) async fn begin(inner: &Inner) -> Result<ClientSession> {
    // Not causal: the locks on the heads order what matters, and waiting for an
    // earlier time would only cost.
    let mut session = session(&inner.client, false).await?;
    let begun = session.start_transaction().with_options(options()).await;
    begun.map_err(|e| convert(&e, During::Read))?;
    Ok(session)
}

/// Reads the heads of streams inside a transaction. Those that are not there
/// are missing in the answer.
pub(crate) async fn heads(
    inner: &Inner,
    session: &mut ClientSession,
    streams: &[&StreamName],
    during: During,
) -> Result<HashMap<StreamName, Locked>> {
    let names: Vec<_> = streams.iter().map(|name| name.as_str()).collect();
    let filter = doc! { "_id": { "$in": names } };
    let mut options = FindOptions::default();
    options.batch_size = u32::try_from(streams.len() + 1).ok();
    options.projection = Some(doc! { "no": 1, "head": 1, "t": { "$max": ["$t", "$$NOW"] } });
    let mut found = HashMap::with_capacity(streams.len());
    query::visit(
        &inner.streams,
        session,
        filter,
        options,
        during,
        |document| {
            let head = Head::parse(document)?;
            let time = document.get_datetime("t");
            let time = time.map_err(|_| corrupt("the time of a stream"))?;
            found.insert(name(document)?, Locked { head, time });
            Ok(ControlFlow::Continue(()))
        },
    )
    .await?;
    Ok(found)
}

/// Moves the head of one stream on by so many entries, and tells where it was:
/// one round trip instead of two. `None` if it is not there.
pub(super) async fn advance(
    inner: &Inner,
    session: &mut ClientSession,
    stream: &StreamName,
    count: u64,
) -> Result<Option<Locked>, Fault> {
    let added = i64::try_from(count).unwrap_or(i64::MAX);
    let moved = doc! {
        "head": { "$add": ["$head", added] },
        "t": { "$max": ["$t", "$$NOW"] },
    };
    let moved = inner
        .streams
        .find_one_and_update(
            doc! { "_id": stream.as_str() },
            vec![doc! { "$set": moved }],
        )
        .projection(doc! { "no": 1, "head": 1, "t": 1 })
        .return_document(ReturnDocument::After)
        .session(session)
        .await
        .map_err(|e| fault(&e))?;
    let Some(moved) = moved else {
        return Ok(None);
    };
    let time = moved.get_datetime("t");
    let time = time.map_err(|_| corrupt("the time of a stream"))?;
    // Beyond the last version the sum is no integer any more.
    let mut head = Head::parse(&moved).map_err(|_| Fault::Uneven)?;
    head.version = head.version.checked_sub(count).ok_or(Fault::Uneven)?;
    Ok(Some(Locked { head, time }))
}

/// Moves heads on by so many entries; whether all were moved. A head that
/// another transaction has moved since this one began is a write conflict.
pub(crate) async fn move_heads(
    inner: &Inner,
    session: &mut ClientSession,
    moves: &[(&StreamName, Locked, u64)],
) -> Result<bool, mongodb::error::Error> {
    let command = doc! { "update": &inner.names.streams, "updates": updates(moves) };
    let done = inner.database.run_command(command).session(session).await?;
    let moved = done.get_i32("n").ok().and_then(|n| usize::try_from(n).ok());
    Ok(moved == Some(moves.len()))
}

fn updates(moves: &[(&StreamName, Locked, u64)]) -> Vec<Document> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let update = |(stream, locked, count): &(&StreamName, Locked, u64)| {
        let from = locked.head.version;
        let to = doc! { "head": number(from + count), "t": locked.time };
        doc! {
            "q": { "_id": stream.as_str(), "head": number(from) },
            "u": { "$set": to },
        }
    };
    moves.iter().map(update).collect()
}

/// Inserts the entries.
pub(crate) async fn insert(
    inner: &Inner,
    session: &mut ClientSession,
    documents: &[RawDocumentBuf],
) -> Result<(), mongodb::error::Error> {
    let insert = inner.entries.insert_many(documents);
    insert.ordered(true).session(session).await.map(drop)
}

/// What a failed operation of the transaction means for it.
pub(super) fn fault(error: &mongodb::error::Error) -> Fault {
    if is_transient(error) {
        let found = convert(error, During::Read);
        return Fault::Again(match found.kind() {
            Kind::Unavailable | Kind::Contention | Kind::Timeout => found,
            _ => {
                Error::new(Kind::Contention, "the server gave the transaction up").caused_by(found)
            }
        });
    }
    if let ErrorKind::InsertMany(e) = error.kind.as_ref()
        && let Some(e) = e.write_errors.as_ref().and_then(|errors| errors.first())
    {
        if e.code != DUPLICATE_KEY {
            return Fault::Refused(e.index, convert(error, During::Read));
        }
        // Which index it was is only in the words.
        if e.message.contains(DEDUP_INDEX) {
            return Fault::Repeated(e.index);
        }
        let taken = Error::new(
            Kind::Corrupt,
            "there is an entry beyond the head of its stream: the heads were set back",
        );
        return Fault::Refused(e.index, taken);
    }
    convert(error, During::Read).into()
}

/// Commits, and asks again and again while nobody knows whether it was
/// committed, until the deadline.
pub(super) async fn commit(session: &mut ClientSession, deadline: Instant) -> Commit {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let committing = session.commit_transaction().into_future();
        let unknown = match patiently(attempt, deadline, committing).await {
            Ok(Ok(())) => return Commit::Applied,
            Ok(Err(e)) => {
                let found = convert(&e, During::Write);
                let unknown = e.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT);
                if is_transient(&e) && !unknown {
                    return Commit::NotApplied(found);
                }
                let again = unknown
                    || matches!(
                        found.kind(),
                        Kind::Unavailable | Kind::Contention | Kind::Timeout
                    );
                if !again {
                    return Commit::Unknown(found.unknown_outcome());
                }
                found
            }
            Err(silent) => silent,
        };
        if Instant::now() >= deadline {
            return Commit::Unknown(unknown.unknown_outcome());
        }
        ledger_core::backend::event::retrying(crate::BACKEND, "commit", attempt, &unknown);
        back_off(attempt, deadline).await;
    }
}
