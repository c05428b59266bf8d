//! Where appends wait for each other.
//!
//! A small append joins the queue of its stream's lane. One task at a time
//! drains a lane, a group after the other, so that many callers share a commit.
//! A large append has a commit's worth of work of its own and goes at once.
//!
//! What runs in this process at the same time never writes the same stream
//! twice: a group and a large append take the locks of their streams first.
//! The transactions would be safe without, but all but one would have worked
//! for nothing, and a large one might lose for ever against a busy lane.

use std::collections::VecDeque;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledger_core::StreamName;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard, oneshot};
use tokio::time::timeout_at;

use super::group::{self, Pending};
use super::originals::Originals;
use super::request::{Outcome, Request};
use crate::handle::Inner;

const LANES: usize = 4;
const TURNS: usize = 256;

/// A group takes no more than this, so that one transaction stays small.
const GROUP_ENTRIES: usize = 1_000;
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// From here on an append is large.
const LARGE_ENTRIES: usize = 50;
const LARGE_BYTES: usize = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Lanes {
    queues: [Mutex<Queue>; LANES],
    turns: [Arc<Turn<()>>; TURNS],
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Pending>,
    /// Whether a task drains it.
    drained: bool,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            queues: std::array::from_fn(|_| Mutex::default()),
            turns: std::array::from_fn(|_| Arc::default()),
        }
    }
}

impl Lanes {
    fn queue(&self, lane: usize) -> MutexGuard<'_, Queue> {
        let queue = &self.queues[lane % LANES];
        queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else of this process writes the streams.
    async fn turns(&self, group: &[Pending]) -> Vec<OwnedMutexGuard<()>> {
        let places = group.iter().map(|p| place(&p.request.stream) % TURNS);
        let mut places: Vec<_> = places.collect();
        // In one order, so that nobody waits in a circle.
        places.sort_unstable();
        places.dedup();
        let mut turns = Vec::with_capacity(places.len());
        for place in places {
            turns.push(self.turns[place].clone().lock_owned().await);
        }
        turns
    }
}

fn place(stream: &StreamName) -> usize {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    // Any part of a hash is as good as another.
    usize::try_from(hasher.hash_one(stream.as_str()) >> 33).unwrap_or_default()
}

/// Takes part in a group, and waits for what comes of it.
pub(super) async fn submit(
    inner: &Arc<Inner>,
    request: Arc<Request>,
    originals: Originals,
) -> Outcome {
    let (answer, answered) = oneshot::channel();
    let pending = Pending {
        request: request.clone(),
        originals,
        answer,
    };
    if request.entries().len() >= LARGE_ENTRIES || request.bytes >= LARGE_BYTES {
        let inner = inner.clone();
        tokio::spawn(async move {
            let group = vec![pending];
            let _turns = inner.lanes.turns(&group).await;
            group::run(&inner, group).await;
        });
    } else {
        let lane = place(&request.stream) / TURNS % LANES;
        let start = {
            let mut queue = inner.lanes.queue(lane);
            queue.waiting.push_back(pending);
            !std::mem::replace(&mut queue.drained, true)
        };
        if start {
            let drain = Drain {
                inner: inner.clone(),
                lane,
                over: false,
            };
            tokio::spawn(drain.run());
        }
    }
    match timeout_at(request.deadline, answered).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Outcome::Failed(request.gone()),
        Err(_) => Outcome::Failed(request.give_up()),
    }
}

/// The task that drains a lane.
struct Drain {
    inner: Arc<Inner>,
    lane: usize,
    /// The lane was found empty; it may be another task's by now.
    over: bool,
}

impl Drain {
    async fn run(mut self) {
        while let Some(group) = self.next() {
            let _turns = self.inner.lanes.turns(&group).await;
            group::run(&self.inner, group).await;
        }
    }

    /// The next group; `None` if nobody waits, and then the task is over.
    fn next(&mut self) -> Option<Vec<Pending>> {
        let mut queue = self.inner.lanes.queue(self.lane);
        let (mut entries, mut bytes) = (0, 0);
        let mut group = Vec::new();
        while let Some(next) = queue.waiting.front() {
            entries += next.request.entries().len();
            bytes += next.request.bytes;
            if !group.is_empty() && (entries > GROUP_ENTRIES || bytes > GROUP_BYTES) {
                break;
            }
            group.extend(queue.waiting.pop_front());
        }
        self.over = group.is_empty();
        queue.drained = !self.over;
        (!self.over).then_some(group)
    }
}

impl Drop for Drain {
    /// The runtime may end before the lane is empty, and another one may go on
    /// with the same store. Whoever waited is told that nobody works for it.
    fn drop(&mut self) {
        if !self.over {
            let mut queue = self.inner.lanes.queue(self.lane);
            queue.drained = false;
            queue.waiting.clear();
        }
    }
}
