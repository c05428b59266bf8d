//! What was found.

use std::fmt;

use super::super::op::{Op, Outcome, What};

/// A rule of the check. Each is one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// 0: The history makes sense, and everything was read the same way by
    /// every page size and direction.
    WellFormed,
    /// 1: What was acknowledged is there, where it was said to be.
    NoLostAck,
    /// 2: What is there was asked for, and not refused.
    NoPhantom,
    /// 3: An entry, and a dedup key, is there once.
    NoDuplicate,
    /// 4: A batch is there whole, in its order, for every reader.
    WholeBatches,
    /// 5: Versions have no gaps, ids grow, and none is given twice.
    Contiguity,
    /// 6: What was acknowledged before something else was asked for comes
    /// before it.
    RealTime,
    /// 7: Expected versions were checked, and conflicts tell the truth.
    ExpectedVersion,
    /// 8: All answers for a dedup key name one entry.
    Dedup,
    /// 9: A read sees all it has to, nothing else, and no gaps.
    Reads,
    /// 10: A reader that goes on for ever gets each entry once, in order.
    Readers,
    /// 11: What was read once is there for ever, and what was trimmed is gone.
    NothingVanishes,
}

impl Rule {
    /// All rules, by number.
    pub const ALL: [Self; 12] = [
        Self::WellFormed,
        Self::NoLostAck,
        Self::NoPhantom,
        Self::NoDuplicate,
        Self::WholeBatches,
        Self::Contiguity,
        Self::RealTime,
        Self::ExpectedVersion,
        Self::Dedup,
        Self::Reads,
        Self::Readers,
        Self::NothingVanishes,
    ];

    /// Its number, 0 to 11.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// What a rule finds: before the operations around it are looked up.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(super) rule: Rule,
    pub(super) promise: &'static str,
    pub(super) reason: String,
    /// The indexes of the operations that contradict each other.
    pub(super) ops: Vec<usize>,
}

impl Broken {
    pub(super) fn new(
        promise: &'static str,
        ops: impl IntoIterator<Item = usize>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            rule: Rule::WellFormed,
            promise,
            reason: reason.into(),
            ops: ops.into_iter().collect(),
        }
    }

    pub(super) fn by(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }
}

/// A broken promise.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The promise of the contract, such as `P3`.
    pub promise: &'static str,
    /// The rule that found it.
    pub rule: Rule,
    /// What is wrong, in one line.
    pub reason: String,
    /// The operations that show it, and those nearest in time: at most ten,
    /// in the order they were asked.
    pub around: Vec<String>,
}

const MOST: usize = 10;

impl Violation {
    pub(super) fn new<I: fmt::Debug>(broken: Broken, ops: &[Op<I>]) -> Self {
        let Broken {
            rule,
            promise,
            reason,
            ops: culprits,
        } = broken;
        let mut shown: Vec<usize> = Vec::new();
        for culprit in culprits {
            if culprit < ops.len() && !shown.contains(&culprit) && shown.len() < MOST {
                shown.push(culprit);
            }
        }
        let marked = shown.clone();
        if let Some(&first) = shown.first() {
            let at = ops[first].invoked;
            let mut near: Vec<usize> = (0..ops.len())
                .filter(|i| !shown.contains(i) && ops[*i].shares_stream(&ops[first]))
                .collect();
            near.sort_by_key(|i| ops[*i].invoked.abs_diff(at));
            shown.extend(near.into_iter().take(MOST - shown.len()));
        }
        shown.sort_by_key(|i| ops[*i].invoked);
        let line = |i: usize| {
            let mark = if marked.contains(&i) { ">" } else { " " };
            format!("{mark} {}", ops[i])
        };
        Self {
            promise,
            rule,
            reason,
            around: shown.into_iter().map(line).collect(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            promise,
            rule,
            reason,
            around,
        } = self;
        write!(f, "{promise}: {reason} (rule {}, {rule:?})", rule.number())?;
        around.iter().try_for_each(|op| write!(f, "\n  {op}"))
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Violation {}

impl<I> Op<I> {
    fn shares_stream(&self, other: &Self) -> bool {
        match (self.what.stream(), other.what.stream()) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        }
    }
}

/// One line: when, who, what, and what came out.
impl<I: fmt::Debug> fmt::Display for Op<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} ns, ", self.invoked)?;
        match self.returned {
            Some(returned) => write!(f, "{returned} ns]")?,
            None => f.write_str("never]")?,
        }
        write!(f, " client {} ", self.client)?;
        let text = match &self.what {
            What::Append(op) => {
                let entries: Vec<String> = op
                    .entries
                    .iter()
                    .map(|e| match &e.key {
                        Some(key) => format!("#{} {key:?}", e.number),
                        None => format!("#{}", e.number),
                    })
                    .collect();
                let (stream, expected) = (&op.stream, op.expected);
                let told = told(&op.outcome, |receipts| {
                    let receipt = |r: &ledger_core::Receipt<I>| {
                        let sign = if r.is_duplicate() { "=" } else { "+" };
                        format!("{sign}v{} {:?}", r.version, r.id)
                    };
                    list(receipts.iter().map(receipt))
                });
                let entries = list(entries.into_iter());
                format!("append to {stream:?} at {expected:?} {entries}: {told}")
            }
            What::Read(op) => {
                let (stream, after, before) = (&op.stream, &op.after, &op.before);
                let (limit, desc) = (op.limit, op.desc);
                let told = told(&op.outcome, |page| {
                    let records = page.records.iter();
                    let seen =
                        records.map(|r| format!("v{} {:?} #{:?}", r.version, r.id, r.number));
                    format!("{} {:?}", list(seen), page.end)
                });
                format!(
                    "read {stream:?} after {after:?} before {before:?} limit {limit} desc {desc}: \
                     {told}"
                )
            }
            What::Tail(op) => {
                let told = told(&op.outcome, |page| {
                    let records = page.records.iter();
                    let seen = records.map(|r| format!("{:?} v{}", r.stream, r.record.version));
                    format!("{} {:?}", list(seen), page.end)
                });
                format!("store reader {} limit {}: {told}", op.reader, op.limit)
            }
            What::Stat(op) => {
                let told = told(&op.outcome, |stat| format!("{stat:?}"));
                format!("stat {:?}: {told}", op.stream)
            }
            What::Trim(op) => {
                let told = told(&op.outcome, |removed| format!("{removed} removed"));
                format!("trim {:?} through {:?}: {told}", op.stream, op.through)
            }
        };
        f.write_str(&text)
    }
}

fn told<T>(outcome: &Outcome<T>, ok: impl FnOnce(&T) -> String) -> String {
    match outcome {
        Outcome::Ok(value) => ok(value),
        Outcome::NotApplied(refusal) => format!("not applied, {refusal:?}"),
        Outcome::Unknown(error) => format!("outcome unknown, {error}"),
        Outcome::NeverReturned => "never returned".to_owned(),
    }
}

/// The first and the last few.
fn list(items: impl ExactSizeIterator<Item = String>) -> String {
    let count = items.len();
    let shown: Vec<String> = items
        .enumerate()
        .filter(|(i, _)| count <= 8 || *i < 4 || *i >= count - 4)
        .map(|(i, item)| {
            if count > 8 && i == count - 4 {
                format!("… {item}")
            } else {
                item
            }
        })
        .collect();
    format!("[{}] ({count})", shown.join(", "))
}
