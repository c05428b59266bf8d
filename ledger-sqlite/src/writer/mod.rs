//! The one writer of a handle: a task that owns the write side, takes whatever
//! is queued and commits it as a group.
//!
//! One transaction a group instead of one an append is what makes many
//! concurrent appends cheap: they share the flush. Since the task belongs to
//! nobody's future, dropping an append never stops a transaction half-way;
//! callers only wait for an answer.

mod append;
mod attempt;
mod connection;
mod queue;
mod trim;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ledger_core::backend::Clock;
use tokio::sync::{mpsc, watch};

pub(crate) use self::append::Append;
pub(crate) use self::connection::{Own, Source};
pub(crate) use self::queue::{Queue, Stage, Ticket, wait};
pub(crate) use self::trim::Trim;

use crate::options::Durability;
use crate::sql::Sql;

/// Requests that may wait in the queue; more wait in front of it.
const QUEUED: usize = 1024;
/// A group takes no more requests once it holds this many entries or bytes.
const GROUP_ENTRIES: usize = 10_000;
const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// What the writer is asked for.
#[derive(Debug)]
pub(crate) enum Job {
    Append(Append),
    Trim(Trim),
    /// Finish what is queued and end.
    Close,
}

/// The writer's state.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) sql: Arc<Sql>,
    pub(crate) source: Source,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) durability: Durability,
    stage: Arc<Stage>,
    /// Trims that are not finished; one step of one of them a turn, so that
    /// appends go on meanwhile.
    trims: VecDeque<Trim>,
}

impl Writer {
    /// Starts the task. It ends after `Close`, or when all handles are gone
    /// and everything accepted is done.
    pub(crate) fn start(
        sql: Arc<Sql>,
        source: Source,
        clock: Arc<dyn Clock>,
        durability: Durability,
    ) -> Queue {
        let (jobs, queue) = mpsc::channel(QUEUED);
        let (running, ended) = watch::channel(());
        let stage = Arc::new(Stage::default());
        let writer = Self {
            sql,
            source,
            clock,
            durability,
            stage: stage.clone(),
            trims: VecDeque::new(),
        };
        tokio::spawn(async move {
            writer.run(queue).await;
            drop(running);
        });
        Queue::new(jobs, ended, stage)
    }

    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut group = Vec::new();
        loop {
            let first = match self.trims.is_empty() {
                true => queue.recv().await,
                false => queue.try_recv().ok(),
            };
            if first.is_none() && self.trims.is_empty() {
                break;
            }
            self.gather(first, &mut queue, &mut group);
            self.append_group(std::mem::take(&mut group)).await;
            self.trim_step().await;
            self.stage.set(Stage::WORKING);
        }
        self.source.close().await;
    }

    /// Takes what is queued, up to the size of a group.
    fn gather(
        &mut self,
        first: Option<Job>,
        queue: &mut mpsc::Receiver<Job>,
        group: &mut Vec<Append>,
    ) {
        let (mut entries, mut bytes) = (0, 0);
        let mut next = first;
        while let Some(job) = next {
            match job {
                Job::Append(append) => {
                    entries += append.batch.entries().len();
                    bytes += append.size();
                    group.push(append);
                }
                Job::Trim(trim) => self.trims.push_back(trim),
                // What was sent before this is still received.
                Job::Close => queue.close(),
            }
            if entries >= GROUP_ENTRIES || bytes >= GROUP_BYTES {
                break;
            }
            next = queue.try_recv().ok();
        }
    }
}

/// How long to wait before the next attempt to get the write lock: longer and
/// longer up to 50 ms, and never the same as another process.
pub(crate) fn backoff(attempt: u32) -> Duration {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let most = 1000u64 << attempt.min(6);
    let random = RandomState::new().build_hasher().finish();
    Duration::from_micros((most / 2 + random % (most / 2)).min(50_000))
}
