//! Histories without sense.

use std::collections::BTreeMap;

use fastrand::Rng;
use ledger_core::Receipt;

use super::name;
use crate::history::{
    AppendOp, End, Expect, History, Numbered, Observation, Op, Outcome, PageSeen, ReadOp, Refusal,
    Seen, StatOp, StatSeen, StoreSeen, StreamView, TailOp, TrimOp, What,
};

/// Any history at all: no sense is needed, only no panic.
pub(super) fn nonsense(rng: &mut Rng) -> History<i64> {
    let number = |rng: &mut Rng| match rng.u8(..4) {
        0 => u64::MAX - rng.u64(..3),
        _ => rng.u64(..6),
    };
    let seen = |rng: &mut Rng| Seen {
        id: rng.i64(..) >> rng.u32(..64),
        version: number(rng),
        number: rng.bool().then(|| number(rng)),
    };
    let mut ops = Vec::new();
    for _ in 0..rng.usize(..12) {
        let stream = name(rng.usize(..2));
        let end = [End::More, End::CaughtUp, End::Undecided][rng.usize(..3)];
        let records: Vec<_> = (0..rng.usize(..4)).map(|_| seen(rng)).collect();
        let what = match rng.u8(..5) {
            0 => What::Read(ReadOp {
                stream,
                reader: rng.bool().then_some(0),
                after: rng.bool().then(|| rng.i64(..)),
                before: rng.bool().then(|| rng.i64(..)),
                limit: rng.usize(..5),
                desc: rng.bool(),
                outcome: Outcome::Ok(PageSeen { records, end }),
            }),
            1 => What::Tail(TailOp {
                reader: 0,
                limit: 3,
                outcome: Outcome::Ok(PageSeen {
                    records: records
                        .into_iter()
                        .map(|record| StoreSeen {
                            stream: stream.clone(),
                            record,
                        })
                        .collect(),
                    end,
                }),
            }),
            2 => What::Trim(TrimOp {
                stream,
                through: rng.i64(..),
                outcome: [Outcome::Ok(3), Outcome::NeverReturned][rng.usize(..2)].clone(),
            }),
            3 => What::Stat(StatOp {
                stream,
                outcome: Outcome::Ok(StatSeen {
                    last_version: number(rng),
                    retained: number(rng),
                    last: rng.bool().then(|| rng.i64(..)),
                }),
            }),
            _ => What::Append(AppendOp {
                stream,
                expected: Expect::Exactly(number(rng)),
                entries: (0..rng.usize(..4))
                    .map(|_| Numbered::new(rng.u64(..200)).with_key(format!("{}", rng.u8(..3))))
                    .collect(),
                outcome: match rng.u8(..4) {
                    0 => Outcome::NotApplied(Refusal::Conflict {
                        actual: number(rng),
                    }),
                    1 => Outcome::Unknown(String::new()),
                    2 => Outcome::NeverReturned,
                    _ => Outcome::Ok(
                        (0..rng.usize(..4))
                            .map(|_| match rng.bool() {
                                true => Receipt::appended(rng.i64(..), number(rng)),
                                false => Receipt::duplicate(rng.i64(..), number(rng)),
                            })
                            .collect(),
                    ),
                },
            }),
        };
        let invoked = rng.u64(..50);
        ops.push(Op {
            client: rng.u32(..2),
            invoked,
            returned: rng.bool().then(|| invoked + rng.u64(..50)),
            what,
        });
    }
    let mut streams = BTreeMap::new();
    let mut store = Vec::new();
    for n in 0..rng.usize(..3) {
        let log: Vec<_> = (0..rng.usize(..4)).map(|_| seen(rng)).collect();
        store.extend(log.iter().map(|record| StoreSeen {
            stream: name(n),
            record: record.clone(),
        }));
        let last_version = number(rng);
        streams.insert(name(n), StreamView { last_version, log });
    }
    History {
        ops,
        observed: Some(Observation {
            streams,
            store: Some(store),
            disagreements: Vec::new(),
        }),
    }
}
