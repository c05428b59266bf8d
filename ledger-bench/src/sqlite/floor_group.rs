//! The floor of appends by many tasks: a thread that owns the connection and
//! commits whatever waits in its queue as one transaction, then answers. Each
//! append in it is done as by the floor for one task.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use ledger_core::{RawEntry, StreamName};
use tokio::sync::{mpsc, oneshot};

use super::floor::Writer;
use crate::work::Work;
use crate::workload::{Entries, streams};

/// As in ours.
const QUEUED: usize = 1024;

pub(super) struct Request {
    stream: StreamName,
    entry: RawEntry,
    reply: oneshot::Sender<i64>,
}

/// The queue of the thread, which ends with the last appender.
pub(super) struct Group(mpsc::Sender<Request>);

impl Group {
    pub(super) fn start(path: &Path) -> Result<Self> {
        let writer = Writer::create(path)?;
        let (queue, requests) = mpsc::channel(QUEUED);
        // An error drops the requests, and with them the appenders fail.
        std::thread::spawn(move || write(writer, requests));
        Ok(Self(queue))
    }

    pub(super) fn appender(&self, entries: Entries, count: usize) -> Result<Appender> {
        Ok(Appender {
            queue: self.0.clone(),
            entries,
            streams: streams(count)?,
        })
    }
}

fn write(mut writer: Writer, mut requests: mpsc::Receiver<Request>) -> Result<()> {
    let mut group = Vec::new();
    while requests.blocking_recv_many(&mut group, QUEUED) > 0 {
        let mut answers = Vec::with_capacity(group.len());
        writer.begin()?;
        for Request {
            stream,
            entry,
            reply,
        } in group.drain(..)
        {
            answers.push((reply, writer.add(&stream, &[entry])?));
        }
        writer.commit()?;
        for (reply, version) in answers {
            let _ = reply.send(version);
        }
    }
    Ok(())
}

/// A task that appends single entries.
pub(super) struct Appender {
    queue: mpsc::Sender<Request>,
    entries: Entries,
    streams: Arc<[StreamName]>,
}

impl Work for Appender {
    type Input = (Request, oneshot::Receiver<i64>);

    fn prepare(&mut self) -> Result<Self::Input> {
        let (reply, answer) = oneshot::channel();
        let stream = self.entries.below(self.streams.len());
        let request = Request {
            stream: self.streams[stream].clone(),
            entry: self.entries.one(),
            reply,
        };
        Ok((request, answer))
    }

    async fn run(&mut self, (request, answer): Self::Input) -> Result<usize> {
        let ended = "the writer has ended";
        self.queue.send(request).await.ok().context(ended)?;
        answer.await.context(ended)?;
        Ok(1)
    }
}
