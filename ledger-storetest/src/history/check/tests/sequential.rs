//! Histories that hold.

use std::collections::BTreeMap;

use fastrand::Rng;
use ledger_core::Receipt;

use super::name;
use crate::history::{
    AppendOp, End, Expect, History, Numbered, Observation, Op, Outcome, PageSeen, ReadOp, Refusal,
    Seen, StatOp, StatSeen, StoreSeen, StreamView, TailOp, What,
};

/// A store that does one operation at each tick. Around its tick each
/// operation takes a random time, so that they overlap.
pub(super) struct Sequential {
    rng: Rng,
    tick: u64,
    next_id: i64,
    number: u64,
    logs: BTreeMap<usize, Vec<Seen<i64>>>,
    keys: BTreeMap<(usize, String), (i64, u64)>,
    store: Vec<StoreSeen<i64>>,
    /// How far each reader of the store is, and when its last page was there.
    readers: [(usize, u64); 2],
    ops: Vec<Op<i64>>,
}

impl Sequential {
    pub(super) fn run(seed: u64, count: usize) -> History<i64> {
        let mut all = Self {
            rng: Rng::with_seed(seed),
            tick: 1000,
            next_id: 1,
            number: 0,
            logs: BTreeMap::new(),
            keys: BTreeMap::new(),
            store: Vec::new(),
            readers: [(0, 0); 2],
            ops: Vec::new(),
        };
        for _ in 0..count {
            all.tick += 100;
            match all.rng.u8(..10) {
                0..6 => all.append(),
                6..8 => all.read(),
                8 => all.tail(),
                _ => all.stat(),
            }
        }
        let view = |(n, log): (usize, Vec<Seen<i64>>)| {
            let last_version = log.len() as u64;
            (name(n), StreamView { last_version, log })
        };
        let observed = Observation {
            streams: all.logs.into_iter().map(view).collect(),
            store: Some(all.store),
            disagreements: Vec::new(),
        };
        History {
            ops: all.ops,
            observed: Some(observed),
        }
    }

    fn note(&mut self, what: What<i64>, not_before: u64) -> u64 {
        let invoked = (self.tick - self.rng.u64(1..900)).max(not_before);
        let returned = self.tick + self.rng.u64(1..900);
        let never = matches!(
            &what,
            What::Append(AppendOp {
                outcome: Outcome::NeverReturned,
                ..
            })
        );
        self.ops.push(Op {
            client: self.rng.u32(..5),
            invoked,
            returned: (!never).then_some(returned),
            what,
        });
        returned
    }

    fn append(&mut self) {
        let n = self.rng.usize(..3);
        let mut entries = Vec::new();
        for _ in 0..self.rng.usize(1..4) {
            self.number += 1;
            let entry = Numbered::new(self.number);
            let keyed = self.rng.u8(..3) == 0;
            let key = format!("k{}", self.rng.u8(..20));
            entries.push(if keyed { entry.with_key(key) } else { entry });
        }
        let version = self.logs.entry(n).or_default().len() as u64;
        let expected = match self.rng.u8(..5) {
            0 => Expect::Exactly((version + self.rng.u64(..2)).saturating_sub(self.rng.u64(..2))),
            1 => Expect::NoStream,
            2 => Expect::StreamExists,
            _ => Expect::Any,
        };
        let repeat = |e: &Numbered| {
            let key = e.key.clone();
            key.is_some_and(|key| self.keys.contains_key(&(n, key)))
        };
        let applied = self.rng.u8(..12) > 0;
        let outcome = if !expected.holds_at(version) && !entries.iter().all(repeat) {
            Outcome::NotApplied(Refusal::Conflict { actual: version })
        } else if applied {
            let receipts = entries.iter().map(|e| self.store(n, e)).collect();
            match self.rng.u8(..10) {
                0 => Outcome::Unknown("lost".to_owned()),
                1 => Outcome::NeverReturned,
                _ => Outcome::Ok(receipts),
            }
        } else {
            match self.rng.u8(..3) {
                0 => Outcome::Unknown("lost".to_owned()),
                1 => Outcome::NeverReturned,
                _ => Outcome::NotApplied(Refusal::Other("busy".to_owned())),
            }
        };
        let stream = name(n);
        let append = AppendOp {
            stream,
            expected,
            entries,
            outcome,
        };
        self.note(What::Append(append), 0);
    }

    fn store(&mut self, n: usize, entry: &Numbered) -> Receipt<i64> {
        let slot = entry.key.clone().map(|key| (n, key));
        if let Some((id, version)) = slot.as_ref().and_then(|slot| self.keys.get(slot)) {
            return Receipt::duplicate(*id, *version);
        }
        self.next_id += self.rng.i64(1..5);
        let log = self.logs.entry(n).or_default();
        let record = Seen {
            id: self.next_id,
            version: log.len() as u64 + 1,
            number: Some(entry.number),
        };
        log.push(record.clone());
        let receipt = Receipt::appended(record.id, record.version);
        if let Some(slot) = slot {
            self.keys.insert(slot, (record.id, record.version));
        }
        let stream = name(n);
        self.store.push(StoreSeen { stream, record });
        receipt
    }

    fn read(&mut self) {
        let n = self.rng.usize(..3);
        let log = self.logs.entry(n).or_default().clone();
        let (desc, limit) = (self.rng.bool(), self.rng.usize(1..20));
        let from = (!log.is_empty() && self.rng.bool()).then(|| self.rng.usize(..log.len()));
        let bound = from.map(|at| log[at].id);
        let mut range: Vec<Seen<i64>> = match (from, desc) {
            (Some(at), false) => log[at + 1..].to_vec(),
            (Some(at), true) => log[..at].to_vec(),
            (None, _) => log,
        };
        if desc {
            range.reverse();
        }
        let end = if range.len() > limit {
            End::More
        } else {
            End::CaughtUp
        };
        range.truncate(limit);
        let read = ReadOp {
            stream: name(n),
            reader: None,
            after: bound.filter(|_| !desc),
            before: bound.filter(|_| desc),
            limit,
            desc,
            outcome: Outcome::Ok(PageSeen {
                records: range,
                end,
            }),
        };
        self.note(What::Read(read), 0);
    }

    fn tail(&mut self) {
        let reader = self.rng.usize(..2);
        let (from, free) = self.readers[reader];
        if free >= self.tick {
            return;
        }
        let limit = self.rng.usize(1..30);
        let records: Vec<_> = self.store[from..].iter().take(limit).cloned().collect();
        let to = from + records.len();
        let end = if to == self.store.len() {
            End::CaughtUp
        } else {
            End::More
        };
        let tail = TailOp {
            reader: u32::try_from(reader).unwrap(),
            limit,
            outcome: Outcome::Ok(PageSeen { records, end }),
        };
        let free = self.note(What::Tail(tail), free);
        self.readers[reader] = (to, free + 1);
    }

    fn stat(&mut self) {
        let n = self.rng.usize(..3);
        let log = self.logs.entry(n).or_default();
        let last_version = log.len() as u64;
        let stat = StatOp {
            stream: name(n),
            outcome: Outcome::Ok(StatSeen {
                last_version,
                retained: last_version,
                last: log.last().map(|seen| seen.id),
            }),
        };
        self.note(What::Stat(stat), 0);
    }
}
