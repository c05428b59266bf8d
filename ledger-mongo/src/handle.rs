//! What all calls of a handle share, and how they run.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ledger_core::backend::{Gate, StoreId, event};
use ledger_core::{Applied, Error, Kind, Result};
use mongodb::bson::{Document, RawDocumentBuf};
use mongodb::options::SessionOptions;
use mongodb::{Client, ClientSession, Collection, Database};
use tokio::time::{Instant, timeout_at};

use crate::BACKEND;
use crate::append::Lanes;
use crate::config::Config;
use crate::error::{During, convert, late};
use crate::numbers::Numbers;
use crate::schema::Names;
use crate::time::{ClusterTime, Seen};

/// How long one operation may take before a silent server is given up, at the
/// first try; twice as long at each further one.
const PATIENCE: Duration = Duration::from_secs(8);

pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) own_client: bool,
    /// With the concerns that the promises need, whatever the client's are.
    pub(crate) database: Database,
    pub(crate) entries: Collection<RawDocumentBuf>,
    pub(crate) streams: Collection<RawDocumentBuf>,
    pub(crate) meta: Collection<Document>,
    pub(crate) names: Names,
    pub(crate) config: Config,
    pub(crate) id: StoreId,
    pub(crate) gate: Gate,
    pub(crate) seen: Seen,
    /// A time before anything that this handle did.
    pub(crate) opened_at: ClusterTime,
    pub(crate) numbers: Numbers,
    pub(crate) lanes: Lanes,
}

impl fmt::Debug for Inner {
    /// Never the URL: it has a password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoStore")
            .field("store", &self.id)
            .field("database", &self.database.name())
            .field("prefix", &self.config.prefix)
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.config.deadline
    }

    /// A session whose reads see all that this handle has ever seen.
    pub(crate) async fn session(&self) -> Result<ClientSession> {
        let mut session = session(&self.client, true).await?;
        let seen = self.seen.highest();
        if seen > ClusterTime(0) {
            session.advance_operation_time(seen.timestamp());
        }
        Ok(session)
    }

    /// Notes how far the server was when the session last heard of it.
    pub(crate) fn saw(&self, session: &ClientSession) -> ClusterTime {
        let time = ClusterTime::of(session);
        self.seen.note(time);
        time
    }

    /// Runs work that only reads, in a task that a dropped future does not cut,
    /// again until the deadline while no server can be reached.
    pub(crate) async fn read<T, F, W>(self: &Arc<Self>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(Arc<Self>) -> W + Send + Sync + 'static,
        W: Future<Output = Result<T>> + Send,
    {
        let entered = self.gate.enter()?;
        let deadline = self.deadline();
        let inner = self.clone();
        let task = tokio::spawn(async move {
            let _entered = entered;
            repeat(deadline, || work(inner.clone())).await
        });
        task.await.map_err(ended)?
    }

    /// Runs work that writes, once, in a task that a dropped future does not
    /// cut.
    pub(crate) async fn write<T, W>(self: &Arc<Self>, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        let entered = self.gate.enter()?;
        let deadline = self.deadline();
        let task = tokio::spawn(async move {
            let _entered = entered;
            let done = timeout_at(deadline, work).await;
            done.unwrap_or_else(|_| Err(late().unknown_outcome()))
        });
        task.await.map_err(|e| ended(e).unknown_outcome())?
    }
}

/// Repeats what only reads while that may help, until the deadline.
pub(crate) async fn repeat<T, W>(deadline: Instant, work: impl Fn() -> W) -> Result<T>
where
    W: Future<Output = Result<T>>,
{
    let (mut attempt, mut last) = (0, None);
    loop {
        attempt += 1;
        let error = match patiently(attempt, deadline, work()).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => error,
            // What stood in the way says more than that it did so too long.
            Err(late) if Instant::now() >= deadline => return Err(last.unwrap_or(late)),
            Err(late) => late,
        };
        let again = matches!(
            error.kind(),
            Kind::Unavailable | Kind::Contention | Kind::Timeout
        ) && error.applied() == Applied::No
            && Instant::now() < deadline;
        if !again {
            return Err(error);
        }
        event::retrying(BACKEND, "read", attempt, &error);
        last = Some(error);
        back_off(attempt, deadline).await;
    }
}

/// Waits for one try, but not until the deadline if a server is silent.
pub(crate) async fn patiently<T>(
    attempt: u32,
    deadline: Instant,
    work: impl Future<Output = T>,
) -> Result<T> {
    let patience = PATIENCE * (1 << (attempt - 1).min(12));
    let until = deadline.min(Instant::now() + patience);
    timeout_at(until, work).await.map_err(|_| late())
}

/// Waits a moment before another try: at random, so that writers that met do
/// not meet again, and never long, so that the loser is not left behind.
pub(crate) async fn back_off(attempt: u32, deadline: Instant) {
    let most = 1_000 << attempt.min(4);
    let wait = Duration::from_micros(fastrand::u64(200..=most));
    tokio::time::sleep_until(deadline.min(Instant::now() + wait)).await;
}

fn ended(e: tokio::task::JoinError) -> Error {
    Error::new(Kind::Internal, "the task of a call ended early").caused_by(e)
}

/// A session of the client.
pub(crate) async fn session(client: &Client, causal: bool) -> Result<ClientSession> {
    let options = SessionOptions::builder().causal_consistency(causal).build();
    let session = client.start_session().with_options(options).await;
    session.map_err(|e| convert(&e, During::Read))
}
