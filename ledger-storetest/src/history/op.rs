//! What is noted of a run.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use ledger_core::{Applied, Error, Expected, Kind, PageEnd, Receipt, StreamName};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::numbered::Numbered;

/// Everything that clients did to a store, and what was there in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History<I> {
    /// The operations, in any order.
    pub ops: Vec<Op<I>>,
    /// What was read when all had ended. The checker needs it.
    pub observed: Option<Observation<I>>,
}

/// One operation of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op<I> {
    /// Who. A client does one thing after the other.
    pub client: u32,
    /// When it was asked: taken before the first poll, in nanoseconds of one
    /// monotonic clock.
    pub invoked: u64,
    /// When the result was there; `None` if it never was.
    pub returned: Option<u64>,
    /// What.
    pub what: What<I>,
}

/// What was asked, and what came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What<I> {
    /// An append.
    Append(AppendOp<I>),
    /// A page of a stream.
    Read(ReadOp<I>),
    /// A page of the whole store.
    Tail(TailOp<I>),
    /// The state of a stream.
    Stat(StatOp<I>),
    /// A trim.
    Trim(TrimOp<I>),
}

/// An append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendOp<I> {
    /// To this stream.
    pub stream: StreamName,
    /// What it required.
    pub expected: Expect,
    /// The batch.
    pub entries: Vec<Numbered>,
    /// The receipts.
    pub outcome: Outcome<Vec<Receipt<I>>>,
}

/// A page of a stream, without filters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOp<I> {
    /// Of this stream.
    pub stream: StreamName,
    /// If it is the next page of a reader that goes on for ever: which.
    pub reader: Option<u32>,
    /// Only greater ids.
    pub after: Option<I>,
    /// Only smaller ids.
    pub before: Option<I>,
    /// At most so many.
    pub limit: usize,
    /// Newest first.
    pub desc: bool,
    /// The page.
    pub outcome: Outcome<PageSeen<Seen<I>>>,
}

/// The next page of a reader of the whole store, which began at the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TailOp<I> {
    /// Which reader. Each page begins where its last one ended.
    pub reader: u32,
    /// At most so many.
    pub limit: usize,
    /// The page.
    pub outcome: Outcome<PageSeen<StoreSeen<I>>>,
}

/// The state of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatOp<I> {
    /// Of this stream.
    pub stream: StreamName,
    /// What it was.
    pub outcome: Outcome<StatSeen<I>>,
}

/// A trim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrimOp<I> {
    /// Of this stream.
    pub stream: StreamName,
    /// Through this id, inclusive.
    pub through: I,
    /// How many entries it removed.
    pub outcome: Outcome<u64>,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome<T> {
    /// As asked.
    Ok(T),
    /// It failed, and nothing was or will be changed.
    NotApplied(Refusal),
    /// It failed, and may have been done or not.
    Unknown(String),
    /// No result: dropped, aborted, killed. It may have been done or not, or
    /// be done later.
    NeverReturned,
}

impl<T> Outcome<T> {
    /// The result, if there is one.
    pub const fn ok(&self) -> Option<&T> {
        match self {
            Self::Ok(value) => Some(value),
            _ => None,
        }
    }

    /// Whether something may have been changed.
    pub const fn may_have_applied(&self) -> bool {
        !matches!(self, Self::NotApplied(_))
    }

    /// The outcome that a result tells.
    pub fn of<U>(result: &Result<U, Error>, value: impl FnOnce(&U) -> T) -> Self {
        match result {
            Ok(found) => Self::Ok(value(found)),
            Err(e) if e.applied() == Applied::Unknown => Self::Unknown(e.to_string()),
            Err(e) => Self::NotApplied(match e.kind() {
                Kind::Conflict { actual, .. } => Refusal::Conflict { actual: *actual },
                _ => Refusal::Other(e.to_string()),
            }),
        }
    }
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The expected version did not hold.
    Conflict {
        /// The version that the stream was said to be at.
        actual: u64,
    },
    /// Anything else.
    Other(String),
}

/// What an append requires: [`Expected`] as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Nothing.
    Any,
    /// That nothing was ever appended.
    NoStream,
    /// That something was.
    StreamExists,
    /// This version.
    Exactly(u64),
}

impl Expect {
    /// Whether a stream at `version` fits. Written out here again: the checker
    /// shares no logic with what it checks.
    #[must_use]
    pub const fn holds_at(self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => version == 0,
            Self::StreamExists => version != 0,
            Self::Exactly(n) => version == n,
        }
    }
}

impl From<Expected> for Expect {
    fn from(expected: Expected) -> Self {
        match expected {
            Expected::Any => Self::Any,
            Expected::NoStream => Self::NoStream,
            Expected::StreamExists => Self::StreamExists,
            Expected::Exactly(n) => Self::Exactly(n),
        }
    }
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen<I> {
    /// Its id.
    pub id: I,
    /// Its version.
    pub version: u64,
    /// The number of its entry; `None` if it is not one of the history.
    pub number: Option<u64>,
}

/// A record that was read from the whole store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreSeen<I> {
    /// Its stream.
    pub stream: StreamName,
    /// The record.
    pub record: Seen<I>,
}

/// A page that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageSeen<R> {
    /// Its records.
    pub records: Vec<R>,
    /// How it ended.
    pub end: End,
}

/// How a page ended: [`PageEnd`] as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// More may follow at once.
    More,
    /// Nothing follows for now.
    CaughtUp,
    /// What follows is not settled yet.
    Undecided,
}

impl From<PageEnd> for End {
    fn from(end: PageEnd) -> Self {
        match end {
            PageEnd::More => Self::More,
            PageEnd::CaughtUp => Self::CaughtUp,
            PageEnd::Undecided => Self::Undecided,
        }
    }
}

/// The state of a stream that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatSeen<I> {
    /// The last version; 0 of a stream that does not exist.
    pub last_version: u64,
    /// How many entries were retained.
    pub retained: u64,
    /// The id of the newest one.
    pub last: Option<I>,
}

/// What there is in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "I: Serialize", deserialize = "I: DeserializeOwned"))]
pub struct Observation<I> {
    /// Each stream.
    pub streams: BTreeMap<StreamName, StreamView<I>>,
    /// The whole store in its order, if it has one.
    pub store: Option<Vec<StoreSeen<I>>>,
    /// What was not the same by different page sizes and directions.
    pub disagreements: Vec<String>,
}

/// What there is of a stream in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamView<I> {
    /// The last version, as `stat` tells.
    pub last_version: u64,
    /// The retained entries, oldest first.
    pub log: Vec<Seen<I>>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Written<'a, I> {
    Op(&'a Op<I>),
    Observed(&'a Observation<I>),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[serde(bound(deserialize = "I: DeserializeOwned"))]
enum Line<I> {
    Op(Op<I>),
    Observed(Observation<I>),
}

impl<I> History<I> {
    /// Writes it as JSON lines: one for each operation, and one for what there
    /// was in the end.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_to(&self, mut to: impl Write) -> io::Result<()>
    where
        I: Serialize,
    {
        let mut line = |written: Written<'_, I>| {
            serde_json::to_writer(&mut to, &written)?;
            to.write_all(b"\n")
        };
        for op in &self.ops {
            line(Written::Op(op))?;
        }
        if let Some(observed) = &self.observed {
            line(Written::Observed(observed))?;
        }
        to.flush()
    }

    /// Reads JSON lines, of several recorders in any order if they have one
    /// clock and numbers of their own.
    ///
    /// # Errors
    ///
    /// Those of the reader, and `InvalidData` for other lines.
    pub fn read_from(from: impl BufRead) -> io::Result<Self>
    where
        I: DeserializeOwned,
    {
        let (mut ops, mut observed) = (Vec::new(), None);
        for line in from.lines() {
            match serde_json::from_str(&line?)? {
                Line::Op(op) => ops.push(op),
                Line::Observed(found) => observed = Some(found),
            }
        }
        Ok(Self { ops, observed })
    }
}
