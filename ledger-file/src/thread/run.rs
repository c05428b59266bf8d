//! What the writer's thread does.

use std::sync::Arc;
use std::time::Duration;

use ledger_core::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::queue::Taken;
use super::{Append, Job, Queue};
use crate::error::convert;
use crate::log::{Appender, Request};

/// How long after the last group a mark is flushed.
const IDLE: Duration = Duration::from_millis(50);
/// A group takes no more requests once it holds this many entries or bytes.
const GROUP_ENTRIES: usize = 10_000;
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// Starts the thread. It ends with the last handle, after all it was given.
pub(crate) fn start(queue: Arc<Queue>, appender: Appender) -> Result<()> {
    let named = std::thread::Builder::new().name("ledger-file-writer".into());
    let work = move || {
        let _ended = EndOnDrop(queue.clone());
        Writer {
            queue,
            appender,
            closing: Vec::new(),
        }
        .run();
    };
    named.spawn(work).map_err(|e| convert(e, "."))?;
    Ok(())
}

/// Also after a panic nobody waits for ever.
struct EndOnDrop(Arc<Queue>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

struct Writer {
    queue: Arc<Queue>,
    appender: Appender,
    /// Who waits for the end.
    closing: Vec<oneshot::Sender<Result<()>>>,
}

impl Writer {
    fn run(mut self) {
        loop {
            let most = self.appender.is_unmarked().then_some(IDLE);
            match self.queue.take(most) {
                Taken::Jobs(jobs) => self.jobs(jobs),
                Taken::Idle => {
                    // It is told by the next append.
                    let _ = self.appender.mark(false);
                }
                Taken::End => break,
            }
        }
        let closed = self.appender.close();
        self.queue.end();
        let mut closed = Some(closed);
        for reply in self.closing {
            // The first is told of an error; it concerns them all the same.
            let _ = reply.send(closed.take().unwrap_or(Ok(())));
        }
    }

    fn jobs(&mut self, jobs: Vec<(Job, OwnedSemaphorePermit)>) {
        let mut group = Vec::new();
        let (mut entries, mut bytes) = (0, 0);
        for (job, room) in jobs {
            match job {
                Job::Append(slot) => {
                    let Some(append) = slot.take() else {
                        continue;
                    };
                    entries += append.batch.entries().len();
                    bytes += Append::size(&append.batch);
                    group.push((append, room));
                    if entries >= GROUP_ENTRIES || bytes >= GROUP_BYTES {
                        self.append(std::mem::take(&mut group));
                        (entries, bytes) = (0, 0);
                    }
                }
                Job::Trim(slot) => {
                    self.append(std::mem::take(&mut group));
                    (entries, bytes) = (0, 0);
                    let Some(trim) = slot.take() else {
                        continue;
                    };
                    let trimmed = match trim.handle.is_sealed() {
                        true => Err(Error::closed()),
                        false => self.appender.trim(&trim.stream, trim.through),
                    };
                    // The caller may be gone; then nobody wants to know.
                    let _ = trim.reply.send(trimmed);
                }
                Job::Close(handle, reply) => {
                    self.append(std::mem::take(&mut group));
                    (entries, bytes) = (0, 0);
                    handle.seal();
                    self.closing.push(reply);
                }
            }
        }
        self.append(group);
        self.answer_closing();
    }

    /// Whoever closed a handle that is not the last one need not wait.
    fn answer_closing(&mut self) {
        if !self.closing.is_empty() && self.queue.has_handles() {
            for reply in self.closing.drain(..) {
                let _ = reply.send(Ok(()));
            }
        }
    }

    fn append(&mut self, group: Vec<(Append, OwnedSemaphorePermit)>) {
        let (late, group): (Vec<_>, Vec<_>) = group
            .into_iter()
            .partition(|(append, _)| append.handle.is_sealed());
        for (append, _) in late {
            let _ = append.reply.send(Err(Error::closed()));
        }
        if group.is_empty() {
            return;
        }
        let requests: Vec<Request<'_>> = group
            .iter()
            .map(|(append, _)| Request {
                stream: &append.stream,
                batch: &append.batch,
                clock: &*append.clock,
            })
            .collect();
        let answers = self.appender.append(&requests);
        for ((append, _room), answer) in group.into_iter().zip(answers) {
            let _ = append.reply.send(answer);
        }
    }
}
