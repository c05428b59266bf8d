//! Deciding a group of appends, before anything is written.

use std::collections::HashMap;

use ledger_core::backend::{Original, plan};
use ledger_core::{Batch, Error, Kind, RawEntry, Receipts, Result, StreamName, Timestamp};

use super::appender::Request;
use super::{Log, State};
use crate::format::entry::{batch_header_len, entry_len};
use crate::format::frame::frame_len;

/// A batch that is to become a frame.
#[derive(Debug)]
pub(super) struct Frame<'r> {
    pub(super) stream: u32,
    /// Of a new stream.
    pub(super) name: Option<&'r StreamName>,
    pub(super) first_id: i64,
    pub(super) first_version: u64,
    pub(super) at: Timestamp,
    /// Which entries of the batch are stored.
    pub(super) fresh: Vec<usize>,
    batch: &'r Batch,
}

impl<'r> Frame<'r> {
    pub(super) fn entries(&self) -> impl Iterator<Item = &'r RawEntry> {
        let entries = self.batch.entries();
        self.fresh.iter().map(move |index| &entries[*index])
    }

    fn len(&self) -> u64 {
        let entries: usize = self.entries().map(entry_len).sum();
        frame_len((batch_header_len(self.name) + entries) as u64)
    }
}

/// What a group is to store, and the answers once it is stored.
#[derive(Debug)]
pub(super) struct Draft<'r> {
    pub(super) frames: Vec<Frame<'r>>,
    pub(super) answers: Vec<Result<Receipts<i64>>>,
}

/// What the group has decided so far, on top of what is stored.
struct Decided<'r> {
    next_id: i64,
    streams: HashMap<&'r StreamName, u32>,
    next_stream: usize,
    heads: HashMap<u32, (u64, Timestamp)>,
    keys: HashMap<(u32, &'r str), (i64, u64, &'r RawEntry)>,
}

impl<'r> Draft<'r> {
    /// Decides the requests one after the other, each as if those before it
    /// were stored already.
    pub(super) fn of(log: &Log, requests: &[Request<'r>]) -> Result<Self> {
        let mut decided = {
            let state = log.read();
            Decided {
                next_id: state.facts.next_id,
                streams: HashMap::new(),
                next_stream: state.facts.stream_count(),
                heads: HashMap::new(),
                keys: HashMap::new(),
            }
        };
        let mut draft = Self {
            frames: Vec::new(),
            answers: Vec::new(),
        };
        for request in requests {
            let answer = decided.decide(log, request, &mut draft.frames);
            draft.answers.push(answer);
        }
        Ok(draft)
    }

    /// The bytes that its frames take.
    pub(super) fn len(&self) -> u64 {
        self.frames.iter().map(Frame::len).sum()
    }
}

impl<'r> Decided<'r> {
    fn decide(
        &mut self,
        log: &Log,
        request: &Request<'r>,
        frames: &mut Vec<Frame<'r>>,
    ) -> Result<Receipts<i64>> {
        let Request {
            stream: name,
            batch,
            clock,
        } = *request;
        let (number, head) = self.head(&log.read(), name);
        let version = head.map_or(0, |(version, _)| version);
        let plan = plan(batch, version, |_, entry| match number {
            Some(stream) => self.original(log, stream, entry),
            None => Ok(None),
        })?;
        let full = || Error::new(Kind::LimitReached, "the store has reached its last id");
        let count = plan.fresh.len() as u64;
        let next_id = self.next_id.checked_add_unsigned(count).ok_or_else(full)?;
        let (first_id, first_version) = (self.next_id, version + 1);
        let receipts = plan.receipts(|nth| (first_id + nth as i64, first_version + nth as u64));
        if plan.fresh.is_empty() {
            return Ok(receipts);
        }
        let stream = match number {
            Some(stream) => stream,
            None => {
                let number = u32::try_from(self.next_stream);
                number.map_err(|_| Error::new(Kind::LimitReached, "too many streams"))?
            }
        };
        if number.is_none() {
            self.next_stream += 1;
            self.streams.insert(name, stream);
        }
        let now = clock.now();
        let at = head.map_or(now, |(_, last)| last.max(now));
        let frame = Frame {
            stream,
            name: number.is_none().then_some(name),
            first_id,
            first_version,
            at,
            fresh: plan.fresh,
            batch,
        };
        for (nth, entry) in frame.entries().enumerate() {
            if let Some(key) = entry.dedup_key.as_deref() {
                let place = (first_id + nth as i64, first_version + nth as u64, entry);
                self.keys.insert((stream, key), place);
            }
        }
        self.heads.insert(stream, (version + count, at));
        self.next_id = next_id;
        frames.push(frame);
        Ok(receipts)
    }

    fn head(&self, state: &State, name: &StreamName) -> (Option<u32>, Option<(u64, Timestamp)>) {
        let number = state.facts.number_of(name);
        let Some(number) = number.or_else(|| self.streams.get(name).copied()) else {
            return (None, None);
        };
        let stored = || {
            state
                .facts
                .head(number)
                .map(|head| (head.version, head.last_at))
        };
        (
            Some(number),
            self.heads.get(&number).copied().or_else(stored),
        )
    }

    fn original(&self, log: &Log, stream: u32, entry: &RawEntry) -> Result<Option<Original<i64>>> {
        let key = entry.dedup_key.as_deref().unwrap_or_default();
        if let Some((id, version, earlier)) = self.keys.get(&(stream, key)) {
            return Ok(Some(Original {
                id: *id,
                version: *version,
                same_content: entry.same_content(earlier),
            }));
        }
        let found = log.original(stream, key)?;
        Ok(found.map(|record| Original {
            id: record.id,
            version: record.version,
            same_content: entry.same_content(&record.entry),
        }))
    }
}
