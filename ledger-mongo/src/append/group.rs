//! Many requests in one transaction.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ledger_core::backend::{Plan, copy_of, event};
use ledger_core::{Error, Kind, RawEntry, Receipts, Result, StreamName};
use mongodb::ClientSession;
use mongodb::bson::RawDocumentBuf;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::originals::{Found, Originals, carriers};
use super::register::register;
use super::request::{Outcome, Request};
use super::transaction::{self, Commit, Fault, Locked};
use crate::BACKEND;
use crate::document::document;
use crate::error::During;
use crate::handle::{Inner, back_off, patiently};
use crate::id::MongoId;

/// A request and who waits for it.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) request: Arc<Request>,
    pub(super) originals: Originals,
    pub(super) answer: oneshot::Sender<Outcome>,
}

impl Pending {
    fn answer(self, outcome: Outcome) {
        // Nobody waits any more if the caller's future was dropped.
        let _ = self.answer.send(outcome);
    }
}

/// What a transaction would do for one request.
#[derive(Debug)]
enum Decision {
    /// Nothing: look at the stream outside of it.
    Look,
    /// These receipts, once it is committed.
    Write(Receipts<MongoId>),
    /// These receipts, whatever becomes of it.
    Repeat(Receipts<MongoId>),
}

/// A transaction that only wants its commit. Without a session there is nothing
/// to write.
struct Prepared {
    session: Option<ClientSession>,
    decisions: Vec<Decision>,
    /// How far each stream comes.
    heads: Vec<(StreamName, u32, u64)>,
}

/// Runs the group until every request has its answer.
pub(super) async fn run(inner: &Inner, mut group: Vec<Pending>) {
    let (mut attempt, mut at_once) = (0, true);
    loop {
        group.retain(|pending| !pending.request.is_given_up());
        let Some(deadline) = group.iter().map(|p| p.request.deadline).max() else {
            return;
        };
        if Instant::now() >= deadline {
            for pending in group {
                let late = pending.request.give_up();
                pending.answer(Outcome::Failed(late));
            }
            return;
        }
        attempt += 1;
        let prepared = patiently(attempt, deadline, prepare(inner, &group, at_once)).await;
        let fault = match prepared.map_err(Fault::from).and_then(|prepared| prepared) {
            Ok(prepared) => match finish(inner, group, prepared, deadline).await {
                Finished::All => return,
                Finished::NotApplied(rest, error) => {
                    group = rest;
                    match error {
                        Some(error) => Fault::Again(error),
                        // A caller gave up; without it all is as before.
                        None => continue,
                    }
                }
            },
            Err(fault) => fault,
        };
        match fault {
            Fault::Again(error) => {
                event::retrying(BACKEND, "append", attempt, &error);
                back_off(attempt, deadline).await;
            }
            Fault::Repeated(nth) => group = resolve(inner, group, nth).await,
            Fault::Refused(nth, error) => group.remove(nth).answer(Outcome::Failed(error)),
            Fault::Uneven => at_once = false,
            Fault::Hopeless(error) => {
                fail(group, error);
                return;
            }
        }
    }
}

/// Answers all with an error; one of them with the error itself.
fn fail(group: impl IntoIterator<Item = Pending>, error: Error) {
    let mut group = group.into_iter();
    let first = group.next();
    for pending in group {
        pending.answer(Outcome::Failed(copy_of(&error)));
    }
    if let Some(first) = first {
        first.answer(Outcome::Failed(error));
    }
}

enum Finished {
    All,
    NotApplied(Vec<Pending>, Option<Error>),
}

/// Commits, and answers what is decided by it.
async fn finish(
    inner: &Inner,
    group: Vec<Pending>,
    prepared: Prepared,
    deadline: Instant,
) -> Finished {
    let mut writing = Vec::new();
    for (pending, decision) in group.into_iter().zip(prepared.decisions) {
        match decision {
            Decision::Look => pending.answer(Outcome::Look),
            Decision::Repeat(receipts) => pending.answer(Outcome::Done(receipts)),
            Decision::Write(receipts) => writing.push((pending, receipts)),
        }
    }
    let Some(mut session) = prepared.session else {
        return Finished::All;
    };
    let claimed = writing.iter().all(|(pending, _)| pending.request.claim());
    let commit = match claimed {
        true => transaction::commit(&mut session, deadline).await,
        false => {
            let _ = session.abort_transaction().await;
            let rest = writing.into_iter().map(|(pending, _)| {
                pending.request.release();
                pending
            });
            return Finished::NotApplied(rest.collect(), None);
        }
    };
    inner.saw(&session);
    match commit {
        Commit::Applied => {
            for (stream, number, version) in prepared.heads {
                inner.numbers.learn(&stream, number);
                inner.numbers.saw(number, version);
            }
            for (pending, receipts) in writing {
                pending.answer(Outcome::Done(receipts));
            }
            Finished::All
        }
        Commit::NotApplied(error) => {
            let rest = writing.into_iter().map(|(pending, _)| {
                pending.request.release();
                pending
            });
            Finished::NotApplied(rest.collect(), Some(error))
        }
        Commit::Unknown(error) => {
            fail(writing.into_iter().map(|(pending, _)| pending), error);
            Finished::All
        }
    }
}

/// A stream of the group, while it is decided.
struct Lane<'g> {
    name: &'g StreamName,
    locked: Locked,
    appended: u64,
    /// What the group itself stores, by key.
    keys: HashMap<&'g str, Found>,
}

/// Everything but the commit; `at_once` if the head of a single stream may be
/// moved before it is known what there is to store.
async fn prepare(inner: &Inner, group: &[Pending], at_once: bool) -> Result<Prepared, Fault> {
    let mut streams: Vec<_> = group.iter().map(|p| &p.request.stream).collect();
    streams.sort_unstable();
    streams.dedup();
    register(inner, streams.iter().copied()).await?;
    let mut session = transaction::begin(inner).await?;
    let moved = match streams.as_slice() {
        [_] if at_once => fresh(group),
        _ => None,
    };
    let mut heads = match moved {
        Some(count) => transaction::advance(inner, &mut session, streams[0], count)
            .await?
            .map(|locked| (streams[0].clone(), locked))
            .into_iter()
            .collect(),
        None => transaction::heads(inner, &mut session, &streams, During::Read).await?,
    };
    let mut lanes = Vec::with_capacity(streams.len());
    for name in &streams {
        let Some(locked) = heads.remove(*name) else {
            // It was there for a majority: it is new to this snapshot.
            inner.numbers.forget(name);
            return Err(Fault::Again(contention("the stream is new")));
        };
        lanes.push(Lane {
            name,
            locked,
            appended: 0,
            keys: HashMap::new(),
        });
    }
    let contents = group.iter().any(|p| p.request.verifies());
    let (mut documents, mut owners) = (Vec::new(), Vec::new());
    let mut decisions = Vec::with_capacity(group.len());
    for (index, pending) in group.iter().enumerate() {
        let stream = &pending.request.stream;
        let nth = streams.binary_search(&stream).unwrap_or_default();
        decisions.push(decide(&mut lanes[nth], pending, contents, &mut documents)?);
        owners.resize(documents.len(), index);
    }
    if moved.is_some_and(|count| lanes[0].appended != count) {
        let _ = session.abort_transaction().await;
        return Err(Fault::Uneven);
    }
    let moves = lanes.iter().filter(|lane| lane.appended > 0);
    let moves: Vec<_> = moves
        .map(|lane| (lane.name, lane.locked, lane.appended))
        .collect();
    if moves.is_empty() {
        let _ = session.abort_transaction().await;
        return Ok(Prepared {
            session: None,
            decisions,
            heads: Vec::new(),
        });
    }
    let failed = |e: mongodb::error::Error| transaction::fault(&e);
    if moved.is_none() {
        let moved = transaction::move_heads(inner, &mut session, &moves).await;
        if !moved.map_err(failed)? {
            return Err(Fault::Again(contention("a head has moved")));
        }
    }
    let inserted = transaction::insert(inner, &mut session, &documents).await;
    inserted.map_err(|e| failed(e).of(&owners))?;
    let heads = moves.iter().map(|(name, locked, count)| {
        let head = locked.head;
        ((*name).clone(), head.number, head.version + count)
    });
    Ok(Prepared {
        heads: heads.collect(),
        session: Some(session),
        decisions,
    })
}

/// How many entries the group stores if nothing speaks against it; `None` if
/// that cannot be said before the stream is looked at, or if there are none.
fn fresh(group: &[Pending]) -> Option<u64> {
    let mut stored = HashSet::new();
    let mut count = 0;
    for pending in group {
        if !pending.request.expects_nothing() {
            return None;
        }
        for entry in pending.request.entries() {
            count += match entry.dedup_key.as_deref() {
                Some(key) => {
                    let known = pending.originals.get(key).is_some();
                    u64::from(!known && stored.insert(key))
                }
                None => 1,
            };
        }
    }
    (count > 0).then_some(count)
}

fn contention(why: &'static str) -> Error {
    Error::new(Kind::Contention, why)
}

/// What the transaction does for one request, on top of what it does for those
/// before it.
fn decide<'g>(
    lane: &mut Lane<'g>,
    pending: &'g Pending,
    contents: bool,
    documents: &mut Vec<RawDocumentBuf>,
) -> Result<Decision, Fault> {
    let request = &pending.request;
    let version = lane.locked.head.version + lane.appended;
    let mut leans = false;
    let plan = request.plan(version, |key| {
        let found = lane.keys.get(key);
        leans |= found.is_some();
        found.or_else(|| pending.originals.get(key)).cloned()
    });
    let Ok(plan) = plan else {
        return Ok(Decision::Look);
    };
    let number = lane.locked.head.number;
    let place = |nth: usize| {
        let version = version + 1 + nth as u64;
        (MongoId::new(number, version), version)
    };
    for (nth, &index) in plan.fresh.iter().enumerate() {
        let entry = &request.entries()[index];
        let (id, _) = place(nth);
        let time = lane.locked.time.timestamp_millis();
        let Some(document) = document(id, time, request.body(index)) else {
            let long = Error::new(Kind::Internal, "an entry has no document");
            return Err(Fault::Hopeless(long));
        };
        documents.push(document);
        if let Some(key) = entry.dedup_key.as_deref() {
            let content = contents.then(|| RawEntry::clone(entry));
            lane.keys.insert(key, Found { id, content });
        }
    }
    lane.appended += plan.fresh.len() as u64;
    let receipts = Plan::receipts(&plan, place);
    Ok(match plan.fresh.is_empty() && !leans {
        true => Decision::Repeat(receipts),
        false => Decision::Write(receipts),
    })
}

/// Finds the originals of all keys of the group at once. The request that met
/// one looks for itself if none is found: it may be an entry that a majority
/// does not have yet.
async fn resolve(inner: &Inner, mut group: Vec<Pending>, nth: usize) -> Vec<Pending> {
    let mut found: HashMap<String, HashMap<String, Found>> = HashMap::new();
    let looked = async {
        let mut session = inner.session().await?;
        let keyed = group.iter().filter(|pending| pending.request.is_keyed());
        let wanted: Vec<_> = keyed.map(|pending| pending.request.wanted()).collect();
        carriers(
            inner,
            &mut session,
            &wanted,
            During::Read,
            |stream, key, original| {
                let found = found.entry(stream.to_owned()).or_default();
                found.insert(key, original);
            },
        )
        .await?;
        inner.saw(&session);
        Ok::<_, Error>(())
    };
    // If it fails, so that nothing is found, each look of a request repeats it.
    let _ = patiently(1, group[nth].request.deadline, looked).await;
    let mut resolved = false;
    for (index, pending) in group.iter_mut().enumerate() {
        let request = pending.request.clone();
        let Some(found) = found.get(request.stream.as_str()) else {
            continue;
        };
        for key in request.keys() {
            if pending.originals.get(key).is_none()
                && let Some(original) = found.get(key)
            {
                resolved |= index == nth;
                pending.originals.insert(key.to_owned(), original.clone());
            }
        }
    }
    if !resolved {
        group.remove(nth).answer(Outcome::Look);
    }
    group
}
