//! From the queue to the answers.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt;
use ledger_core::backend::{copy_of, event};
use ledger_core::{Applied, Error, Kind, Receipts, Result, StreamName};
use sqlx::PgConnection;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::PATIENCE;
use super::fast::{Fast, Wrote};
use super::locked;
use super::queue::Member;
use super::stats::count;
use super::ticket::{Late, TakeBack, Ticket};
use crate::BACKEND;
use crate::append::{self, Request, Within};
use crate::call::{self, Call};
use crate::error::During;
use crate::store::Inner;

/// After a repeat, so many groups with keys go as a transaction at once.
const REPEATS: u32 = 32;

/// Appends through the queue.
pub(crate) async fn append(inner: &Arc<Inner>, request: Request) -> Result<Receipts<i64>> {
    let running = inner.gate.enter()?;
    let deadline = Instant::now() + inner.config.deadline;
    let ticket = Arc::new(Ticket::default());
    let _take_back = TakeBack(ticket.clone());
    let (reply, answer) = oneshot::channel();
    let member = Member {
        request,
        deadline,
        ticket: ticket.clone(),
        reply,
        _running: running,
    };
    if let Some(group) = inner.groups.push(member) {
        start(inner, group, true);
    }
    wait(answer, &ticket, deadline).await
}

/// Waits for the answer, until the deadline.
async fn wait(
    mut answer: oneshot::Receiver<Result<Receipts<i64>>>,
    ticket: &Ticket,
    deadline: Instant,
) -> Result<Receipts<i64>> {
    let ended = match timeout_at(deadline, &mut answer).await {
        Ok(ended) => ended,
        Err(_) => match ticket.take_back() {
            // Its worker ends by the same deadline, and knows more.
            Late::Alone => answer.await,
            late => return Err(late.error()),
        },
    };
    ended.unwrap_or_else(|_| {
        let gone = Error::new(Kind::Internal, "the task of an append ended early");
        Err(match ticket.take_back() {
            Late::TakenBack { .. } => gone,
            Late::Alone | Late::Grouped => gone.unknown_outcome(),
        })
    })
}

/// What a worker holds, given back also if it panics or its runtime ends.
struct Held {
    inner: Arc<Inner>,
    streams: Vec<StreamName>,
    /// Whether it is one of those that may run at a time.
    turn: bool,
}

impl Held {
    fn begin(&mut self, group: &[Member]) {
        let streams: HashSet<&StreamName> = group.iter().map(|m| &m.request.stream).collect();
        self.streams = streams.into_iter().cloned().collect();
    }

    /// Lets another worker run in its place.
    fn give_turn(&mut self) {
        if std::mem::take(&mut self.turn)
            && let Some(group) = self.inner.groups.give_turn()
        {
            start(&self.inner, group, true);
        }
    }

    /// Goes on in a task of its own.
    fn split(&mut self, part: Vec<Member>) {
        if let Some(first) = part.first() {
            self.streams
                .retain(|stream| *stream != first.request.stream);
            start(&self.inner, part, false);
        }
    }

    fn next(&mut self) -> Option<Vec<Member>> {
        let next = self.inner.groups.next(&self.streams, self.turn);
        self.streams.clear();
        self.turn = next.is_some();
        next
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.inner.groups.abandon(&self.streams, self.turn);
    }
}

fn start(inner: &Arc<Inner>, group: Vec<Member>, turn: bool) {
    let held = Held {
        inner: inner.clone(),
        streams: Vec::new(),
        turn,
    };
    tokio::spawn(work(held, group).boxed());
}

/// A worker: group after group, until nothing waits.
///
/// Somebody may hold the lock of a stream for long, such as a transaction of
/// the application. That is no reason to let other streams wait: a group gives
/// up after a while and is split by its streams, and what is busy with one
/// stream gives its turn to another worker.
async fn work(mut held: Held, first: Vec<Member>) {
    let inner = held.inner.clone();
    let mut next = Some(first);
    while let Some(group) = next {
        held.begin(&group);
        let parts = {
            let mut writing = pin!(write(&inner, group));
            match held.streams.len() {
                1 => match timeout(PATIENCE, &mut writing).await {
                    Ok(parts) => parts,
                    Err(_) => {
                        held.give_turn();
                        writing.await
                    }
                },
                _ => writing.await,
            }
        };
        for part in parts {
            held.split(part);
        }
        next = held.next();
    }
}

/// What became of an attempt to write a group.
enum Outcome {
    /// Answers to those that are decided; the others are not applied.
    Answered(Vec<Option<Result<Receipts<i64>>>>),
    /// Nothing is applied. Under the locks it will be clear why.
    Repeat,
    /// Nothing is applied.
    Failed(Error),
    Unknown(Error),
}

/// Writes a group. What comes back is left over: parts of it, each about one
/// stream, that had better not wait for each other.
async fn write(inner: &Arc<Inner>, mut group: Vec<Member>) -> Vec<Vec<Member>> {
    let (mut attempt, mut lock) = (0, false);
    loop {
        give_up(&mut group);
        if group.len() < 2 {
            if let Some(member) = group.pop() {
                alone(inner, member).await;
            }
            return Vec::new();
        }
        attempt += 1;
        match together(inner, &mut group, lock).await {
            Outcome::Answered(answers) => {
                let mut left = Vec::new();
                for (member, answer) in group.into_iter().zip(answers) {
                    match answer {
                        Some(answer) => member.answer(answer),
                        None => left.push(member),
                    }
                }
                group = left;
                lock = true;
            }
            Outcome::Repeat => lock = true,
            Outcome::Unknown(why) => {
                count(&inner.groups.counters.unknown, 1);
                refuse(group, &why);
                return Vec::new();
            }
            Outcome::Failed(why) => {
                event::retrying(BACKEND, "append of a group", attempt, &why);
                release(inner, &group);
                match fate(&why) {
                    Fate::Again => {
                        let mut parts = by_stream(group);
                        if parts.len() != 1 {
                            return parts;
                        }
                        group = parts.remove(0);
                        lock = true;
                        tokio::time::sleep(call::pause(attempt)).await;
                        continue;
                    }
                    Fate::Shared => refuse(group, &why),
                    Fate::OneByOne => {
                        for member in group {
                            alone(inner, member).await;
                        }
                    }
                }
                return Vec::new();
            }
        }
        release(inner, &group);
    }
}

fn by_stream(group: Vec<Member>) -> Vec<Vec<Member>> {
    let mut parts: HashMap<StreamName, Vec<Member>> = HashMap::new();
    for member in group {
        let part = parts.entry(member.request.stream.clone()).or_default();
        part.push(member);
    }
    parts.into_values().collect()
}

fn release(inner: &Inner, group: &[Member]) {
    if !group.is_empty() {
        count(&inner.groups.counters.repeated, 1);
    }
    for member in group {
        member.ticket.release();
    }
}

/// What an error that applied nothing means for the members of a group.
enum Fate {
    Again,
    /// The server or the connection: no better for one than for all.
    Shared,
    /// One of them may be the reason.
    OneByOne,
}

fn fate(why: &Error) -> Fate {
    match why.kind() {
        Kind::Contention => Fate::Again,
        Kind::Unavailable | Kind::Timeout | Kind::Closed => Fate::Shared,
        _ => Fate::OneByOne,
    }
}

/// Removes the requests that nobody waits for, and those whose time is over.
fn give_up(group: &mut Vec<Member>) {
    let now = Instant::now();
    let over = |member: &mut Member| !member.ticket.is_wanted() || member.deadline <= now;
    for member in group.extract_if(.., over) {
        let late = member.ticket.take_back();
        member.answer(Err(late.error()));
    }
}

fn refuse(group: Vec<Member>, why: &Error) {
    for member in group {
        member.answer(Err(copy_of(why)));
    }
}

/// One request, as a single statement.
async fn alone(inner: &Arc<Inner>, member: Member) {
    count(&inner.groups.counters.alone, 1);
    member.ticket.connecting();
    let call = inner.call(member.deadline);
    let asked = (inner.clone(), member);
    let done = call::once(
        &inner.pool,
        &call,
        During::Write,
        &asked,
        &|(inner, member): &(Arc<Inner>, Member), connection: &mut PgConnection, call: &Call| {
            if !member.ticket.claim_alone() {
                let nobody = Error::new(Kind::Timeout, "nobody waits for the answer");
                return std::future::ready(Err(nobody)).boxed();
            }
            let Member { request, .. } = member;
            append::append(connection, &inner.append, request, call, Within::Autocommit).boxed()
        },
    );
    let done = done.await;
    asked.1.answer(done);
}

/// One attempt with all of a group. Those that were taken back meanwhile are
/// removed from it.
async fn together(inner: &Arc<Inner>, group: &mut Vec<Member>, lock: bool) -> Outcome {
    let Some(deadline) = group.iter().map(|member| member.deadline).max() else {
        return Outcome::Answered(Vec::new());
    };
    for member in &*group {
        member.ticket.connecting();
    }
    let call = inner.call(deadline);
    let mut connection = match call::connect(&inner.pool, &call).await {
        Ok(connection) => connection,
        Err(why) => return Outcome::Failed(why),
    };
    group.retain(|member| member.ticket.claim_grouped());
    count(&inner.groups.counters.grouped, group.len());
    let written = timeout_at(
        deadline,
        attempt(inner, &mut connection, group, lock, &call),
    );
    let outcome = written.await.unwrap_or_else(|_| of(call.timeout()));
    if let Outcome::Failed(why) | Outcome::Unknown(why) = &outcome
        && (why.applied() == Applied::Unknown || call::spoils(why) || *why.kind() == Kind::Timeout)
    {
        // What waits for its statement is the connection, not the pool.
        connection.close_on_drop();
    }
    outcome
}

async fn attempt(
    inner: &Inner,
    connection: &mut PgConnection,
    group: &[Member],
    lock: bool,
    call: &Call,
) -> Outcome {
    let groups = &inner.groups;
    let keyed = group.iter().any(|member| member.request.keyed);
    let lock = lock || (keyed && expects_repeats(&groups.repeats));
    if let Some(fast) = (!lock).then(|| Fast::plan(group)).flatten() {
        count(&groups.counters.statements, 1);
        let dedup_index = &inner.append.dedup_index;
        let wrote = fast.write(connection, &inner.group, dedup_index, call);
        return match wrote.await {
            Ok(Wrote::Streams(receipts)) => {
                Outcome::Answered(receipts.into_iter().map(|r| r.map(Ok)).collect())
            }
            Ok(Wrote::Repeat) => {
                groups.repeats.store(REPEATS, Ordering::Relaxed);
                Outcome::Repeat
            }
            Err(why) => of(why),
        };
    }
    count(&groups.counters.transactions, 1);
    let durability = inner.config.durability;
    match locked::write(connection, &inner.group, durability, group, call).await {
        Ok(answers) => Outcome::Answered(answers.into_iter().map(Some).collect()),
        Err(why) => of(why),
    }
}

fn of(why: Error) -> Outcome {
    match why.applied() {
        Applied::No => Outcome::Failed(why),
        Applied::Unknown => Outcome::Unknown(why),
    }
}

/// Counts down.
fn expects_repeats(repeats: &AtomicU32) -> bool {
    let less = |n: u32| n.checked_sub(1);
    let order = Ordering::Relaxed;
    repeats.fetch_update(order, order, less).is_ok()
}
