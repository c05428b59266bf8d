//! The floor of appends: a thread that writes whatever waits in its queue at
//! once, flushes, and answers. The bytes of an entry are its texts and its
//! payload, nothing more.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};
use ledger_core::RawEntry;
use tokio::sync::{mpsc, oneshot};

use crate::work::Work;
use crate::workload::Entries;

const QUEUED: usize = 10_000;
/// The file is written from its beginning again once it is full: never longer,
/// and never a new one.
const LEN: u64 = 16 * 1024 * 1024;

pub(super) struct Request {
    bytes: Vec<u8>,
    reply: oneshot::Sender<()>,
}

/// The queue of the thread, which ends with the last appender.
pub(super) struct Group(mpsc::Sender<Request>);

impl Group {
    pub(super) fn start(path: &Path) -> Result<Self> {
        std::fs::write(path, vec![0; usize::try_from(LEN)?])?;
        let file = File::options().write(true).open(path)?;
        file.sync_all()?;
        let (queue, requests) = mpsc::channel(QUEUED);
        // An error drops the requests, and with them the appenders fail.
        std::thread::spawn(move || write(&file, requests));
        Ok(Self(queue))
    }

    pub(super) fn appender(&self, entries: Entries, batch: usize) -> Appender {
        Appender {
            queue: self.0.clone(),
            entries,
            batch,
        }
    }
}

fn write(file: &File, mut requests: mpsc::Receiver<Request>) -> Result<()> {
    let (mut group, mut bytes, mut at) = (Vec::new(), Vec::new(), 0);
    while requests.blocking_recv_many(&mut group, QUEUED) > 0 {
        bytes.clear();
        group.iter().for_each(|r| bytes.extend_from_slice(&r.bytes));
        if at + bytes.len() as u64 > LEN {
            at = 0;
        }
        file.write_all_at(&bytes, at)?;
        file.sync_data()?;
        at += bytes.len() as u64;
        for request in group.drain(..) {
            let _ = request.reply.send(());
        }
    }
    Ok(())
}

/// A task that appends batches.
pub(super) struct Appender {
    queue: mpsc::Sender<Request>,
    entries: Entries,
    batch: usize,
}

impl Work for Appender {
    type Input = Vec<RawEntry>;

    fn prepare(&mut self) -> Result<Self::Input> {
        Ok(self.entries.many(self.batch))
    }

    async fn run(&mut self, entries: Self::Input) -> Result<usize> {
        let mut bytes = Vec::new();
        for entry in &entries {
            for key in [&entry.order_key, &entry.dedup_key] {
                bytes.extend(key.as_deref().unwrap_or_default().as_bytes());
            }
            for (key, value) in entry.metadata.iter() {
                bytes.extend(key.as_bytes());
                bytes.extend(value.as_bytes());
            }
            bytes.extend_from_slice(&entry.payload);
        }
        let ended = "the writer has ended";
        let (reply, answer) = oneshot::channel();
        let request = Request { bytes, reply };
        self.queue.send(request).await.ok().context(ended)?;
        answer.await.context(ended)?;
        Ok(self.batch)
    }
}
