//! What the clients of R03 and R04 do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ledger_core::{Applied, EntryId, Error, Expected, Kind, Page, PageEnd, Result, StreamName};
use tokio::sync::Barrier;

use crate::history::{Client, Numbered};

/// Rounds in which all clients are held until all have begun.
pub(super) const ROUNDS: usize = 8;
/// Operations of each client in the free part, at most.
const OPS: usize = 1200;
/// What a slow store should do, if it can in three times the time.
const FEW: usize = 50;
/// How long the free part goes on; a slow store does fewer operations.
pub(super) const FREE: Duration = Duration::from_millis(900);
pub(super) const STREAMS: usize = 4;
/// Pages without a record in a row that say that more follows, at most.
const EMPTY: usize = 10_000;
/// Dedup keys in use at a time, for each stream.
const KEYS: u64 = 24;
/// After how many entries other keys come into use.
const EPOCH: u64 = 150;

/// A client that appends, reads, and trims if it may.
pub(super) struct Worker<I> {
    pub(super) client: Client<I>,
    pub(super) names: Arc<Vec<StreamName>>,
    pub(super) rng: fastrand::Rng,
    pub(super) number: usize,
    pub(super) trims: bool,
    /// Appends may end without a known outcome.
    pub(super) unsure: bool,
    /// Keyed batches that were acknowledged or may be there, to be retried.
    pub(super) batches: Vec<(usize, Vec<Numbered>, Expected)>,
}

impl<I: EntryId> Worker<I> {
    pub(super) async fn work(
        mut self,
        barrier: Arc<Barrier>,
        load: u32,
        free: Duration,
    ) -> Result<()> {
        for round in 0..ROUNDS {
            self.race(&barrier, round).await?;
        }
        let (started, load) = (Instant::now(), load.max(1));
        let ops = OPS.saturating_mul(load as usize);
        for op in 0..ops {
            let patience = if op < FEW { 3 * free } else { free };
            if started.elapsed() > patience * load {
                break;
            }
            self.anything().await?;
            // On one thread the clients would run one after the other.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// All clients read the version of the hot stream, then append behind it:
    /// one succeeds. Then all append the same key: one stores it. The barrier
    /// is inside of the operations, so that they are concurrent whatever the
    /// runtime.
    async fn race(&mut self, barrier: &Barrier, round: usize) -> Result<()> {
        let hot = self.names[0].clone();
        let version = self.version(&hot).await?;
        let gate = async {
            barrier.wait().await;
        };
        let mine = self.entries(None);
        let expected = match version {
            0 if self.number.is_multiple_of(2) => Expected::NoStream,
            version => Expected::Exactly(version),
        };
        let appended = self.client.append_after(gate, &hot, &mine, expected).await;
        self.goes_on(appended)?;

        let key = format!("race-{round}");
        let same = [self.client.recorder().entry().with_key(key)];
        let gate = async {
            barrier.wait().await;
        };
        let expected = [Expected::Any, Expected::StreamExists][self.rng.usize(..2)];
        self.goes_on(self.client.append_after(gate, &hot, &same, expected).await)?;
        barrier.wait().await;
        Ok(())
    }

    async fn anything(&mut self) -> Result<()> {
        // Half of all goes to the hot stream.
        let at = [0, self.rng.usize(..STREAMS)][self.rng.usize(..2)];
        let stream = self.names[at].clone();
        match self.rng.u8(..100) {
            0..45 => {
                let keys = self.rng.bool().then_some(at);
                let entries = self.entries(keys);
                let expected = match self.rng.u8(..10) {
                    0 => Expected::NoStream,
                    1 => Expected::StreamExists,
                    _ => Expected::Any,
                };
                self.append(at, entries, expected).await
            }
            45..67 => {
                let version = self.version(&stream).await?;
                let keys = (self.rng.u8(..4) == 0).then_some(at);
                let entries = self.entries(keys);
                self.append(at, entries, Expected::Exactly(version)).await
            }
            67..77 => match self.rng.choice(&self.batches).cloned() {
                // The expectation is stale by now, which must not matter.
                Some((at, entries, expected)) => {
                    let stream = &self.names[at];
                    self.goes_on(self.client.append(stream, &entries, expected).await)
                }
                None => Ok(()),
            },
            77..79 if self.trims => self.trim().await,
            77..83 => self.version(&stream).await.map(|_| ()),
            _ => {
                let limit = [1, 3, 10, 60][self.rng.usize(..4)];
                let newest = self.client.read(&stream, None, None, limit, true).await?;
                if let Some(last) = newest.records.last() {
                    let id = Some(last.id.clone());
                    if self.rng.bool() {
                        self.client.read(&stream, id, None, limit, false).await?;
                    } else {
                        self.client.read(&stream, None, id, limit, true).await?;
                    }
                }
                Ok(())
            }
        }
    }

    async fn append(
        &mut self,
        at: usize,
        entries: Vec<Numbered>,
        expected: Expected,
    ) -> Result<()> {
        let appended = self
            .client
            .append(&self.names[at], &entries, expected)
            .await;
        let keyed = entries.iter().all(|entry| entry.key.is_some());
        let there = match &appended {
            Ok(_) => true,
            Err(e) => e.applied() == Applied::Unknown,
        };
        if keyed && there && self.batches.len() < 50 {
            self.batches.push((at, entries, expected));
        }
        self.goes_on(appended)?;
        if self.rng.bool() {
            // Whatever is missing below the head shows as a gap.
            let stream = &self.names[at];
            self.client.read(stream, None, None, 12, true).await?;
        }
        Ok(())
    }

    /// The oldest half of the last stream goes.
    async fn trim(&mut self) -> Result<()> {
        let stream = &self.names[STREAMS - 1];
        let page = self.client.read(stream, None, None, 40, false).await?;
        if let Some(middle) = page.records.get(page.records.len() / 2) {
            self.client.trim(stream, &middle.id).await?;
        }
        Ok(())
    }

    /// A conflict is an answer. So is contention: nothing was applied. An
    /// unknown outcome is one where the line is unreliable.
    fn goes_on<T>(&self, result: Result<T>) -> Result<()> {
        let Err(e) = result else { return Ok(()) };
        let answer = match e.applied() {
            Applied::No => e.is_conflict() || e.retry() == ledger_core::Retry::Call,
            Applied::Unknown => self.unsure,
        };
        if answer { Ok(()) } else { Err(e) }
    }

    async fn version(&self, stream: &StreamName) -> Result<u64> {
        let stat = self.client.stat(stream).await?;
        Ok(stat.map_or(0, |stat| stat.last_version))
    }

    /// A batch of 1 to 20; with keys that others use too, if a stream is
    /// given.
    fn entries(&mut self, keys: Option<usize>) -> Vec<Numbered> {
        let most = [1, 1, 4, 20][self.rng.usize(..4)];
        let entry = |rng: &mut fastrand::Rng| {
            let entry = self.client.recorder().entry();
            match keys {
                Some(_) if rng.u8(..8) > 0 => {
                    // As time goes on, other keys.
                    let key = entry.number / EPOCH * KEYS + rng.u64(..KEYS);
                    entry.with_key(format!("key-{key}"))
                }
                _ => entry,
            }
        };
        let count = self.rng.usize(1..=most);
        (0..count).map(|_| entry(&mut self.rng)).collect()
    }
}

pub(super) async fn read_streams<I: EntryId>(
    client: Client<I>,
    names: Arc<Vec<StreamName>>,
    running: Arc<AtomicBool>,
    mut rng: fastrand::Rng,
) -> Result<()> {
    let mut tails: Vec<_> = names
        .iter()
        .map(|name| client.stream_tail(name, 1))
        .collect();
    loop {
        let last_turn = !running.load(Ordering::Acquire);
        for tail in &mut tails {
            tail.set_limit([1, 2, 7, 100, 1000][rng.usize(..5)]);
            // An empty page gets the reader nowhere: that is for the checker.
            while goes_on(&tail.next().await?) {}
        }
        if last_turn {
            return Ok(());
        }
        pause(&mut rng).await;
    }
}

pub(super) async fn read_store<I: EntryId>(
    client: Client<I>,
    running: Arc<AtomicBool>,
    mut rng: fastrand::Rng,
) -> Result<()> {
    let mut tail = client.tail(1);
    let mut empty = 0;
    loop {
        let last_turn = !running.load(Ordering::Acquire);
        loop {
            tail.set_limit([1, 2, 7, 100, 1000][rng.usize(..5)]);
            let page = tail.next().await?;
            empty = if page.records.is_empty() {
                empty + 1
            } else {
                0
            };
            match page.end {
                PageEnd::CaughtUp => break,
                // A cursor may have moved without a record, but not for ever.
                PageEnd::More if empty > EMPTY => return Err(nowhere()),
                PageEnd::More => {}
                PageEnd::Undecided => pause(&mut rng).await,
            }
        }
        if last_turn {
            return Ok(());
        }
        pause(&mut rng).await;
    }
}

fn nowhere() -> Error {
    Error::new(
        Kind::Internal,
        "the whole store is read page after page, all empty, and more is said to follow",
    )
}

fn goes_on<R>(page: &Page<R>) -> bool {
    page.end != PageEnd::CaughtUp && !page.records.is_empty()
}

/// Readers that never rest would only measure how fast a page is.
async fn pause(rng: &mut fastrand::Rng) {
    if rng.u8(..4) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    } else {
        tokio::task::yield_now().await;
    }
}
