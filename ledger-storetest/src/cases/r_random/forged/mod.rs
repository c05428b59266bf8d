//! Histories that no store made: broken ones, each for a rule of the checker,
//! and odd ones that hold.

mod anomalies;
mod anomalies_read;
mod legal;

use std::ops::Range;

use ledger_core::{Receipt, StoreOrder};

use crate::history::{
    AppendOp, End, Expect, History, Numbered, Observation, Op, Outcome, PageSeen, ReadOp, Refusal,
    Rule, Seen, StatOp, StatSeen, StoreSeen, StreamView, TailOp, TrimOp, What,
};
use crate::sample::name;

/// A history and what the checker has to say of it.
pub(super) struct Forged {
    /// What it is about.
    pub(super) title: &'static str,
    /// What the store claims.
    pub(super) order: StoreOrder,
    /// The rule that rejects it; `None` if it holds.
    pub(super) rule: Option<Rule>,
    pub(super) history: History<i64>,
}

/// All of them.
pub(super) fn all() -> Vec<Forged> {
    let mut all = anomalies::all();
    all.extend(anomalies_read::all());
    all.extend(legal::all());
    all
}

/// Writes a history. The entry at version v has id 10 × v unless said
/// otherwise; times are small numbers.
struct Forge {
    ops: Vec<Op<i64>>,
    observed: Observation<i64>,
}

/// An entry without a key.
fn e(number: u64) -> Numbered {
    Numbered::new(number)
}

/// An entry with a key.
fn k(number: u64, key: &str) -> Numbered {
    Numbered::new(number).with_key(key)
}

const fn id(version: u64) -> i64 {
    10 * version.cast_signed()
}

/// The receipt of an entry stored at a version.
const fn new(version: u64) -> Receipt<i64> {
    Receipt::appended(id(version), version)
}

/// The receipt of a repeat of the entry at a version.
const fn dup(version: u64) -> Receipt<i64> {
    Receipt::duplicate(id(version), version)
}

fn unknown<T>() -> Outcome<T> {
    Outcome::Unknown("connection lost".to_owned())
}

fn refused<T>() -> Outcome<T> {
    Outcome::NotApplied(Refusal::Other("unavailable".to_owned()))
}

fn conflict<T>(actual: u64) -> Outcome<T> {
    Outcome::NotApplied(Refusal::Conflict { actual })
}

fn seen((version, number): (u64, u64)) -> Seen<i64> {
    Seen {
        id: id(version),
        version,
        number: Some(number),
    }
}

impl Forge {
    fn new() -> Self {
        let observed = Observation {
            streams: std::collections::BTreeMap::new(),
            store: Some(Vec::new()),
            disagreements: Vec::new(),
        };
        let ops = Vec::new();
        Self { ops, observed }
    }

    fn op(mut self, time: Range<u64>, what: What<i64>) -> Self {
        self.ops.push(Op {
            client: u32::try_from(self.ops.len()).unwrap_or(0),
            invoked: time.start,
            returned: (time.end != u64::MAX).then_some(time.end),
            what,
        });
        self
    }

    /// An append that stored its entries, or found them.
    fn ok<const N: usize>(
        self,
        stream: &str,
        time: Range<u64>,
        expected: Expect,
        entries: [(Numbered, Receipt<i64>); N],
    ) -> Self {
        let (entries, receipts): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        self.append(stream, time, expected, &entries, Outcome::Ok(receipts))
    }

    fn append(
        self,
        stream: &str,
        time: Range<u64>,
        expected: Expect,
        entries: &[Numbered],
        outcome: Outcome<Vec<Receipt<i64>>>,
    ) -> Self {
        let append = AppendOp {
            stream: name(stream),
            expected,
            entries: entries.to_vec(),
            outcome,
        };
        self.op(time, What::Append(append))
    }

    /// A page behind a version, ascending, with these versions and numbers.
    fn read<const N: usize>(
        self,
        stream: &str,
        time: Range<u64>,
        after: u64,
        records: [(u64, u64); N],
        end: End,
    ) -> Self {
        let read = ReadOp {
            stream: name(stream),
            reader: None,
            after: (after > 0).then_some(id(after)),
            before: None,
            limit: 100,
            desc: false,
            outcome: page(records, end),
        };
        self.op(time, What::Read(read))
    }

    /// The newest entries below a version.
    fn newest<const N: usize>(
        self,
        stream: &str,
        time: Range<u64>,
        before: Option<u64>,
        records: [(u64, u64); N],
        end: End,
    ) -> Self {
        let read = ReadOp {
            stream: name(stream),
            reader: None,
            after: None,
            before: before.map(id),
            limit: 100,
            desc: true,
            outcome: page(records, end),
        };
        self.op(time, What::Read(read))
    }

    /// The next page of a reader of a stream.
    fn follow<const N: usize>(
        self,
        stream: &str,
        time: Range<u64>,
        after: u64,
        records: [(u64, u64); N],
    ) -> Self {
        let read = ReadOp {
            stream: name(stream),
            reader: Some(0),
            after: (after > 0).then_some(id(after)),
            before: None,
            limit: 100,
            desc: false,
            outcome: page(records, if N == 0 { End::CaughtUp } else { End::More }),
        };
        self.op(time, What::Read(read))
    }

    /// The next page of a reader of the store: streams, versions, numbers.
    fn tail<const N: usize>(
        self,
        time: Range<u64>,
        records: [(&str, u64, u64); N],
        end: End,
    ) -> Self {
        let records = records
            .into_iter()
            .map(|(stream, version, number)| StoreSeen {
                stream: name(stream),
                record: seen((version, number)),
            });
        let page = PageSeen {
            records: records.collect(),
            end,
        };
        let tail = TailOp {
            reader: 0,
            limit: 100,
            outcome: Outcome::Ok(page),
        };
        self.op(time, What::Tail(tail))
    }

    fn stat(self, stream: &str, time: Range<u64>, last_version: u64) -> Self {
        let stat = StatOp {
            stream: name(stream),
            outcome: Outcome::Ok(StatSeen {
                last_version,
                retained: last_version,
                last: (last_version > 0).then(|| id(last_version)),
            }),
        };
        self.op(time, What::Stat(stat))
    }

    fn trim(self, stream: &str, time: Range<u64>, through: u64, outcome: Outcome<u64>) -> Self {
        let trim = TrimOp {
            stream: name(stream),
            through: id(through),
            outcome,
        };
        self.op(time, What::Trim(trim))
    }

    /// What there is of a stream in the end: these numbers from this version
    /// on. The whole store has its streams in the order of these calls.
    fn log<const N: usize>(self, stream: &str, first: u64, numbers: [u64; N]) -> Self {
        let versions = first..;
        let log: Vec<_> = versions.zip(numbers).map(seen).collect();
        let last = first + log.len() as u64 - 1;
        self.view(stream, last, log)
    }

    fn view(mut self, stream: &str, last_version: u64, log: Vec<Seen<i64>>) -> Self {
        let name = name(stream);
        if let Some(store) = &mut self.observed.store {
            store.extend(log.iter().map(|record| StoreSeen {
                stream: name.clone(),
                record: record.clone(),
            }));
        }
        let view = StreamView { last_version, log };
        self.observed.streams.insert(name, view);
        self
    }

    /// Puts the whole store into the order of these indexes.
    fn order<const N: usize>(mut self, indexes: [usize; N]) -> Self {
        if let Some(store) = &mut self.observed.store {
            *store = indexes.map(|i| store[i].clone()).to_vec();
        }
        self
    }

    fn broken(self, title: &'static str, rule: Rule) -> Forged {
        self.forged(title, StoreOrder::Total, Some(rule))
    }

    fn holds(self, title: &'static str) -> Forged {
        self.forged(title, StoreOrder::Total, None)
    }

    fn forged(self, title: &'static str, order: StoreOrder, rule: Option<Rule>) -> Forged {
        Forged {
            title,
            order,
            rule,
            history: History {
                ops: self.ops,
                observed: Some(self.observed),
            },
        }
    }
}

fn page<const N: usize>(records: [(u64, u64); N], end: End) -> Outcome<PageSeen<Seen<i64>>> {
    Outcome::Ok(PageSeen {
        records: records.map(seen).to_vec(),
        end,
    })
}
