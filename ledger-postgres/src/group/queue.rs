//! What waits, and what may begin.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledger_core::backend::Pass;
use ledger_core::{Receipts, Result, StreamName};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::stats::{Counters, GroupStats};
use super::ticket::Ticket;
use super::{GROUP_BYTES, GROUP_REQUESTS, SMALL_BYTES, SMALL_ENTRIES, WORKERS};
use crate::append::Request;

/// One append on its way.
pub(super) struct Member {
    pub(super) request: Request,
    pub(super) deadline: Instant,
    pub(super) ticket: Arc<Ticket>,
    pub(super) reply: oneshot::Sender<Result<Receipts<i64>>>,
    /// Keeps the store from being closed meanwhile.
    pub(super) _running: Pass,
}

impl Member {
    pub(super) fn answer(self, answer: Result<Receipts<i64>>) {
        // The caller may be gone; then nobody wants to know.
        let _ = self.reply.send(answer);
    }
}

/// The small appends of a handle.
#[derive(Debug)]
pub(crate) struct Groups {
    state: Mutex<State>,
    workers: u32,
    pub(super) counters: Counters,
    /// For so many groups with keys, repeats are expected.
    pub(super) repeats: AtomicU32,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Member>,
    /// The streams that somebody writes to.
    busy: HashSet<StreamName>,
    running: u32,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("waiting", &self.waiting.len())
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

impl Groups {
    /// For a pool of so many connections.
    pub(crate) fn new(connections: u32) -> Self {
        Self {
            state: Mutex::default(),
            workers: WORKERS.min(connections).max(1),
            counters: Counters::default(),
            repeats: AtomicU32::new(0),
        }
    }

    pub(crate) fn stats(&self) -> GroupStats {
        self.counters.stats()
    }

    /// Whether a request is one for the queue.
    pub(crate) fn takes(request: &Request) -> bool {
        request.batch.entries().len() <= SMALL_ENTRIES && request.size() <= SMALL_BYTES
    }

    /// Queues a request. If there is room for another worker, what it begins
    /// with.
    pub(super) fn push(&self, member: Member) -> Option<Vec<Member>> {
        let mut state = self.state();
        state.waiting.push_back(member);
        state.begin(self.workers)
    }

    /// Ends a group, and takes the next one, if the worker has a turn or there
    /// is one. `None` ends the worker.
    pub(super) fn next(&self, done: &[StreamName], turn: bool) -> Option<Vec<Member>> {
        let mut state = self.state();
        state.free(done);
        state.running -= u32::from(turn);
        state.begin(self.workers)
    }

    /// Gives a turn back while the group goes on; what another worker begins
    /// with.
    pub(super) fn give_turn(&self) -> Option<Vec<Member>> {
        let mut state = self.state();
        state.running -= 1;
        state.begin(self.workers)
    }

    /// Ends a worker, whether or not its group came to an end.
    pub(super) fn abandon(&self, done: &[StreamName], turn: bool) {
        let mut state = self.state();
        state.free(done);
        state.running -= u32::from(turn);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Begins a group, if there is a turn and something that may go.
    fn begin(&mut self, workers: u32) -> Option<Vec<Member>> {
        if self.running >= workers {
            return None;
        }
        let group = self.take();
        if group.is_empty() {
            return None;
        }
        self.running += 1;
        Some(group)
    }

    fn free(&mut self, streams: &[StreamName]) {
        for stream in streams {
            self.busy.remove(stream);
        }
    }

    /// Takes what may go now, in the order in which it came: requests to a
    /// stream that somebody writes to stay, and so they keep their order.
    fn take(&mut self) -> Vec<Member> {
        let mut group: Vec<Member> = Vec::new();
        let mut mine: HashSet<StreamName> = HashSet::new();
        let (mut bytes, mut kept) = (0, VecDeque::new());
        while let Some(member) = self.waiting.pop_front() {
            if !member.ticket.is_wanted() {
                continue;
            }
            let stream = &member.request.stream;
            if self.busy.contains(stream) && !mine.contains(stream) {
                kept.push_back(member);
                continue;
            }
            bytes += member.request.size();
            if !mine.contains(stream) {
                mine.insert(stream.clone());
                self.busy.insert(stream.clone());
            }
            group.push(member);
            if group.len() >= GROUP_REQUESTS || bytes >= GROUP_BYTES {
                break;
            }
        }
        kept.append(&mut self.waiting);
        self.waiting = kept;
        group
    }
}
