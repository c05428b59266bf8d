//! Random steps, which mean something whatever came before them: a shorter
//! list of them is one too.

use ledger_core::{ContentType, Metadata, RawEntry};

pub(crate) const STREAMS: usize = 4;
pub(crate) const HANDLES: usize = 2;

/// One step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Append {
        on: usize,
        stream: usize,
        expected: Want,
        entries: Vec<Draft>,
        verify: bool,
    },
    /// A page. The bounds are the ids of the n-th entries of the stream.
    Read {
        on: usize,
        stream: usize,
        after: Option<usize>,
        before: Option<usize>,
        versions: Option<(u64, u64)>,
        at_version: Option<u64>,
        order_key: Option<u8>,
        limit: Option<usize>,
        desc: bool,
    },
    /// A page of the store; behind the n-th of the cursors got so far.
    ReadAll {
        on: usize,
        from: Option<usize>,
        limit: usize,
        desc: bool,
        /// Also take the cursor behind so many records.
        seen: usize,
    },
    Head {
        on: usize,
    },
    Trim {
        on: usize,
        stream: usize,
        through: usize,
    },
    List {
        on: usize,
        after: Option<usize>,
        limit: usize,
    },
    /// Closes a handle and opens another.
    Reopen {
        on: usize,
    },
    /// Something that has to be refused.
    Refused {
        on: usize,
        stream: usize,
        what: Bad,
    },
}

/// What an append expects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want {
    Any,
    NoStream,
    Exists,
    /// The version, or one beside it.
    Near(i64),
}

/// Something that has to be refused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bad {
    ImpossibleId,
    FutureId,
    GarbageCursor,
    OtherDirection,
}

/// An entry, in few numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft {
    body: u8,
    key: Option<u8>,
    order_key: Option<u8>,
}

impl Draft {
    pub(crate) fn entry(self) -> RawEntry {
        let content_type = match self.body % 2 {
            0 => ContentType::JSON,
            _ => ContentType::BYTES,
        };
        let payload = vec![self.body; usize::from(self.body) * 3];
        let version = 1 + u32::from(self.body / 2);
        let mut entry = RawEntry::new(content_type, version, payload);
        if let Some(key) = self.key {
            entry = entry.with_dedup_key(format!("key {key}"));
        }
        if let Some(key) = self.order_key {
            entry = entry.with_order_key(order_key(key));
        }
        let pairs = (0..self.body % 3).map(|n| (format!("m{n}"), format!("{self:?}")));
        entry.with_metadata(pairs.collect::<Metadata>())
    }
}

pub(crate) fn order_key(key: u8) -> String {
    ["ann", "Ann", "an", "ann "][usize::from(key % 4)].to_owned()
}

/// A random list of steps.
pub(crate) fn steps(rng: &mut fastrand::Rng, count: usize) -> Vec<Step> {
    (0..count).map(|_| step(rng)).collect()
}

fn step(rng: &mut fastrand::Rng) -> Step {
    let on = rng.usize(..HANDLES);
    // One stream has most of the entries, the last one few.
    let stream = rng.usize(..STREAMS) * rng.usize(..2);
    match rng.u8(..100) {
        0..50 => {
            let count = [0, 1, 1, 1, 2, 3, 5, 12][rng.usize(..8)];
            let verify = rng.u8(..4) == 0;
            Step::Append {
                on,
                stream,
                expected: want(rng),
                entries: (0..count).map(|_| draft(rng)).collect(),
                verify,
            }
        }
        50..75 => Step::Read {
            on,
            stream,
            after: maybe(rng, 3).then(|| rng.usize(..64)),
            before: maybe(rng, 3).then(|| rng.usize(..64)),
            versions: maybe(rng, 4).then(|| (rng.u64(..12), rng.u64(..40))),
            at_version: maybe(rng, 10).then(|| rng.u64(..20)),
            order_key: maybe(rng, 3).then(|| rng.u8(..4)),
            limit: maybe(rng, 2).then(|| [1, 2, 3, 7, 10_000][rng.usize(..5)]),
            desc: rng.bool(),
        },
        75..83 => Step::ReadAll {
            on,
            from: maybe(rng, 2).then(|| rng.usize(..16)),
            limit: [1, 2, 5, 1000][rng.usize(..4)],
            desc: rng.u8(..3) == 0,
            seen: rng.usize(..6),
        },
        83..85 => Step::Head { on },
        85..89 => {
            let through = rng.usize(..64);
            Step::Trim {
                on,
                stream,
                through,
            }
        }
        89..92 => Step::List {
            on,
            after: maybe(rng, 2).then(|| rng.usize(..STREAMS)),
            limit: 1 + rng.usize(..4),
        },
        92..96 => Step::Reopen { on },
        _ => Step::Refused {
            on,
            stream,
            what: [
                Bad::ImpossibleId,
                Bad::FutureId,
                Bad::GarbageCursor,
                Bad::OtherDirection,
            ][rng.usize(..4)],
        },
    }
}

fn maybe(rng: &mut fastrand::Rng, one_in: u8) -> bool {
    rng.u8(..one_in) == 0
}

fn want(rng: &mut fastrand::Rng) -> Want {
    match rng.u8(..12) {
        0 => Want::NoStream,
        1 => Want::Exists,
        2..5 => Want::Near(0),
        5 => Want::Near(-1),
        6 => Want::Near(1),
        _ => Want::Any,
    }
}

fn draft(rng: &mut fastrand::Rng) -> Draft {
    Draft {
        body: rng.u8(..6),
        key: rng.bool().then(|| rng.u8(..12)),
        order_key: rng.bool().then(|| rng.u8(..4)),
    }
}
