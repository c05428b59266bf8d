//! Small histories, half of them with something forged, and what the checker
//! says of them beside what a search of all orders says.

use std::collections::BTreeMap;

use fastrand::Rng;
use ledger_core::{Receipt, StoreOrder, StreamName};

use super::name;
use super::search::explained;
use crate::history::{
    AppendOp, End, Expect, History, Numbered, Observation, Op, Outcome, PageSeen, ReadOp, Refusal,
    Seen, StatOp, StatSeen, StoreSeen, StreamView, What, check,
};

const CLIENTS: usize = 3;

/// A store that does one operation at each tick.
#[derive(Default)]
struct Small {
    number: u64,
    versions: BTreeMap<StreamName, u64>,
    keys: BTreeMap<(StreamName, String), (i64, u64)>,
    store: Vec<StoreSeen<i64>>,
}

impl Small {
    fn log(&self, stream: &StreamName) -> Vec<Seen<i64>> {
        let here = self.store.iter().filter(|seen| seen.stream == *stream);
        here.map(|seen| seen.record.clone()).collect()
    }

    fn version(&self, stream: &StreamName) -> u64 {
        self.versions.get(stream).copied().unwrap_or(0)
    }

    fn append(&mut self, rng: &mut Rng, stream: StreamName) -> What<i64> {
        let count = rng.usize(1..3);
        let entries: Vec<Numbered> = (0..count)
            .map(|_| {
                self.number += 1;
                let entry = Numbered::new(self.number);
                match rng.u8(..3) {
                    0 => entry.with_key(["a", "b"][rng.usize(..2)].to_owned()),
                    _ => entry,
                }
            })
            .collect();
        let version = self.version(&stream);
        let expected = match rng.u8(..6) {
            0 => Expect::NoStream,
            1 => Expect::StreamExists,
            2 | 3 => Expect::Exactly((version + rng.u64(..2)).saturating_sub(rng.u64(..2))),
            _ => Expect::Any,
        };
        let known = |e: &Numbered| {
            let key = e.key.clone();
            key.is_some_and(|key| self.keys.contains_key(&(stream.clone(), key)))
        };
        let conflict = !expected.holds_at(version) && !entries.iter().all(known);
        let ending = rng.u8(..10);
        let outcome = if conflict {
            Outcome::NotApplied(Refusal::Conflict { actual: version })
        } else if ending == 0 {
            Outcome::NotApplied(Refusal::Other("busy".to_owned()))
        } else {
            let applied = ending > 2;
            let receipts = match applied {
                true => entries.iter().map(|e| self.store(&stream, e)).collect(),
                false => Vec::new(),
            };
            match ending {
                1 | 3 => Outcome::Unknown("lost".to_owned()),
                2 | 4 => Outcome::NeverReturned,
                _ => Outcome::Ok(receipts),
            }
        };
        What::Append(AppendOp {
            stream,
            expected,
            entries,
            outcome,
        })
    }

    fn store(&mut self, stream: &StreamName, entry: &Numbered) -> Receipt<i64> {
        let slot = entry.key.clone().map(|key| (stream.clone(), key));
        if let Some((id, version)) = slot.as_ref().and_then(|slot| self.keys.get(slot)) {
            return Receipt::duplicate(*id, *version);
        }
        let version = self.version(stream) + 1;
        let id = 10 * (self.store.len() as i64 + 1);
        self.versions.insert(stream.clone(), version);
        let number = Some(entry.number);
        self.store.push(StoreSeen {
            stream: stream.clone(),
            record: Seen {
                id,
                version,
                number,
            },
        });
        if let Some(slot) = slot {
            self.keys.insert(slot, (id, version));
        }
        Receipt::appended(id, version)
    }

    fn read(&self, stream: StreamName) -> What<i64> {
        let records = self.log(&stream);
        let end = End::CaughtUp;
        What::Read(ReadOp {
            stream,
            reader: None,
            after: None,
            before: None,
            limit: 100,
            desc: false,
            outcome: Outcome::Ok(PageSeen { records, end }),
        })
    }

    fn stat(&self, stream: StreamName) -> What<i64> {
        let version = self.version(&stream);
        let last = self.log(&stream).last().map(|seen| seen.id);
        What::Stat(StatOp {
            stream,
            outcome: Outcome::Ok(StatSeen {
                last_version: version,
                retained: version,
                last,
            }),
        })
    }
}

/// A history of a few operations that overlap as they like.
fn small(rng: &mut Rng) -> History<i64> {
    let mut store = Small::default();
    let mut free = [0_u64; CLIENTS];
    let mut ops: Vec<Op<i64>> = Vec::new();
    for nth in 1..=rng.u64(2..6) {
        let tick = nth * 100;
        let idle: Vec<usize> = (0..CLIENTS).filter(|client| free[*client] < tick).collect();
        let Some(client) = rng.choice(idle) else {
            continue;
        };
        let stream = name(rng.usize(..2) * rng.usize(..2));
        let what = match rng.u8(..6) {
            0 => store.read(stream),
            1 => store.stat(stream),
            _ => store.append(rng, stream),
        };
        let invoked = rng.u64(free[client] + 1..=tick);
        let returned = tick + rng.u64(1..350);
        let never = matches!(&what, What::Append(a) if a.outcome == Outcome::NeverReturned);
        free[client] = if never { tick } else { returned };
        ops.push(Op {
            client: client as u32,
            invoked,
            returned: (!never).then_some(returned),
            what,
        });
    }
    let mut streams: BTreeMap<StreamName, StreamView<i64>> = BTreeMap::new();
    for stream in [name(0), name(1)] {
        let log = store.log(&stream);
        let touched = ops.iter().any(|op| op.what.stream() == Some(&stream));
        if touched || !log.is_empty() {
            let last_version = log.len() as u64;
            streams.insert(stream, StreamView { last_version, log });
        }
    }
    History {
        ops,
        observed: Some(Observation {
            streams,
            store: Some(store.store),
            disagreements: Vec::new(),
        }),
    }
}

/// Changes a fact or two.
fn forge(history: &mut History<i64>, rng: &mut Rng) {
    if history.ops.is_empty() {
        return;
    }
    match rng.u8(..8) {
        0 | 1 => observe_otherwise(history, rng),
        2 => {
            // Later or earlier, by as much as one likes, if the client can.
            let at = rng.usize(..history.ops.len());
            let op = &mut history.ops[at];
            let by = rng.u64(..400);
            op.client += CLIENTS as u32;
            op.invoked = (op.invoked + by).saturating_sub(200);
            op.returned = op.returned.map(|at| (at + by).saturating_sub(200));
        }
        _ => {
            let at = rng.usize(..history.ops.len());
            match &mut history.ops[at].what {
                What::Append(append) => append_otherwise(append, rng),
                What::Read(ReadOp {
                    outcome: Outcome::Ok(page),
                    ..
                }) => match rng.u8(..3) {
                    0 => drop(page.records.pop()),
                    1 if !page.records.is_empty() => drop(page.records.remove(0)),
                    _ => {
                        if let Some(seen) = page.records.last_mut() {
                            seen.number = Some(rng.u64(1..8));
                        }
                    }
                },
                What::Stat(StatOp {
                    outcome: Outcome::Ok(seen),
                    ..
                }) => {
                    let version = rng.u64(..4);
                    seen.last_version = version;
                    seen.retained = version;
                }
                _ => {}
            }
        }
    }
}

fn append_otherwise(append: &mut AppendOp<i64>, rng: &mut Rng) {
    match (&mut append.outcome, rng.u8(..6)) {
        (outcome, 0) => *outcome = Outcome::Unknown("forged".to_owned()),
        (outcome, 1) => *outcome = Outcome::NotApplied(Refusal::Other("forged".to_owned())),
        (outcome, 2) => {
            let actual = rng.u64(..4);
            *outcome = Outcome::NotApplied(Refusal::Conflict { actual });
        }
        (_, 3) => append.expected = Expect::Exactly(rng.u64(..4)),
        (Outcome::Ok(receipts), _) => {
            if let Some(receipt) = receipts.last_mut() {
                let version = rng.u64(1..4);
                *receipt = match rng.bool() {
                    true => Receipt::appended(receipt.id, version),
                    false => Receipt::duplicate(receipt.id, receipt.version),
                };
            }
        }
        (Outcome::NotApplied(Refusal::Conflict { actual }), _) => *actual = rng.u64(..4),
        _ => {}
    }
}

/// What was observed in the end, and in both ways of reading the same.
fn observe_otherwise(history: &mut History<i64>, rng: &mut Rng) {
    let Some(observed) = &mut history.observed else {
        return;
    };
    let Some(store) = &mut observed.store else {
        return;
    };
    if store.is_empty() {
        return;
    }
    let at = rng.usize(..store.len());
    match rng.u8(..3) {
        // The newest of its stream is not there.
        0 => drop(store.pop()),
        // Two neighbours have changed places.
        1 if at > 0 => {
            let (one, two) = (store[at - 1].clone(), store[at].clone());
            if one.stream == two.stream {
                store[at - 1].record.number = two.record.number;
                store[at].record.number = one.record.number;
            }
        }
        _ => store[at].record.number = Some(rng.u64(1..8)),
    }
    for (stream, view) in &mut observed.streams {
        let here = store.iter().filter(|seen| seen.stream == *stream);
        view.log = here.map(|seen| seen.record.clone()).collect();
        view.last_version = view.log.len() as u64;
    }
}

/// Ten thousand in the gate, half a million with `LEDGER_LONG`. Catches a rule
/// that rejects what could have happened, and a gap between the rules.
#[test]
fn the_checker_agrees_with_a_search_of_all_orders() {
    let (count, seed) = match std::env::var_os("LEDGER_LONG") {
        Some(_) => (500_000, fastrand::u64(..)),
        None => (10_000, 4),
    };
    let mut rng = Rng::with_seed(seed);
    let (mut hold, mut broken) = (0, 0);
    for nth in 0..count {
        let mut history = small(&mut rng);
        if nth % 4 > 0 {
            forge(&mut history, &mut rng);
        }
        // No end and no beginning at the same moment: their order is not known.
        for op in &mut history.ops {
            op.invoked *= 2;
            op.returned = op.returned.map(|at| 2 * at + 1);
        }
        let searched = explained(&history);
        let checked = check(&history, StoreOrder::Total);
        match (searched, &checked) {
            (true, Ok(_)) => hold += 1,
            (false, Err(_)) => broken += 1,
            (true, Err(violation)) => {
                panic!("seed {seed}, history {nth} could have happened: {violation}\n{history:?}")
            }
            (false, Ok(_)) => panic!("seed {seed}, history {nth} has no order\n{history:?}"),
        }
        assert!(
            nth % 4 > 0 || searched,
            "seed {seed}, history {nth} is not forged"
        );
    }
    assert!(
        hold > count / 4 && broken > count / 5,
        "{hold} hold, {broken} do not"
    );
}
