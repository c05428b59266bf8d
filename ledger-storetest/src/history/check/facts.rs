//! What a history tells of each stream, put together for the rules.

use std::collections::{BTreeMap, HashMap};

use ledger_core::{Receipt, StoreOrder, StreamName};

use super::super::op::{AppendOp, Op, PageSeen, ReadOp, Seen, StoreSeen, StreamView, TailOp, What};

/// A time that never comes.
pub(super) const NEVER: u64 = u64::MAX;

/// Everything that the rules ask.
pub(super) struct Facts<'h, I> {
    pub(super) ops: &'h [Op<I>],
    pub(super) order: StoreOrder,
    pub(super) stale_reads: bool,
    pub(super) streams: BTreeMap<&'h StreamName, StreamFacts<'h, I>>,
    /// Where the entry with a number comes from.
    pub(super) origins: HashMap<u64, Origin<'h>>,
    /// The first version that an append wrote.
    pub(super) began: HashMap<usize, u64>,
    /// The whole store in its order.
    pub(super) store: Option<&'h [StoreSeen<I>]>,
}

/// The asking for an entry.
pub(super) struct Origin<'h> {
    pub(super) stream: &'h StreamName,
    /// Its index in the batch.
    pub(super) index: usize,
    pub(super) key: Option<&'h str>,
    /// The operations that asked, all with the same batch.
    pub(super) attempts: Vec<usize>,
}

/// What is known of a stream.
pub(super) struct StreamFacts<'h, I> {
    /// What there was in the end.
    pub(super) view: Option<&'h StreamView<I>>,
    /// The version of the first entry that was retained in the end, or the one
    /// after the last if none was.
    pub(super) first: u64,
    /// Every version whose id is known, also of entries that were trimmed.
    pub(super) places: BTreeMap<u64, Place<'h, I>>,
    /// The same by id: valid as far as rule 5 holds.
    pub(super) by_id: Vec<(&'h I, u64)>,
    /// For each place, the latest time at which any entry up to it was asked
    /// for, and by which append: nobody can have seen so far before.
    pub(super) asked: Vec<(u64, u64, Option<usize>)>,
    /// Up to where somebody was told that it reaches.
    pub(super) known: Known,
    /// The same for one client each: what it appended or read itself.
    pub(super) known_to: HashMap<u32, Known>,
    /// The greatest version that a trim may have removed, by when it was asked.
    pub(super) may_trim: Known,
    /// The greatest version that a trim must have removed, by when it returned.
    pub(super) did_trim: Known,
}

/// A place in a stream.
pub(super) struct Place<'h, I> {
    pub(super) id: &'h I,
    pub(super) content: Content,
    /// When the append that wrote it was asked for; 0 if that is not known.
    pub(super) invoked: u64,
    /// When somebody was first told that it is there.
    pub(super) acked: u64,
    pub(super) acked_by: Option<usize>,
    /// The append that wrote it, or may have.
    pub(super) writer: Option<usize>,
}

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The entry with this number.
    Number(u64),
    /// Something that no client asked for.
    Foreign,
    /// Trimmed before it was read.
    Unseen,
}

impl Content {
    pub(super) fn of(number: Option<u64>) -> Self {
        number.map_or(Self::Foreign, Self::Number)
    }
}

/// Up to which version something is known of a stream, as time goes on.
#[derive(Default)]
pub(super) struct Known {
    /// Times and versions, both growing.
    steps: Vec<(u64, u64, usize)>,
}

impl Known {
    pub(super) fn of(mut told: Vec<(u64, u64, usize)>) -> Self {
        told.sort_unstable();
        let mut steps: Vec<(u64, u64, usize)> = Vec::new();
        for (at, version, op) in told {
            if steps.last().is_none_or(|(_, most, _)| version > *most) {
                steps.push((at, version, op));
            }
        }
        Self { steps }
    }

    /// The greatest version of all that is known before a time, and by which
    /// operation.
    pub(super) fn before(&self, time: u64) -> Option<(u64, usize)> {
        let count = self.steps.partition_point(|(at, _, _)| *at < time);
        let (_, version, op) = self.steps.get(count.checked_sub(1)?)?;
        Some((*version, *op))
    }
}

impl<I> StreamFacts<'_, I> {
    /// The latest time at which any entry up to a version was asked for.
    pub(super) fn asked_up_to(&self, version: u64) -> Option<(u64, Option<usize>)> {
        let count = self.asked.partition_point(|(at, _, _)| *at <= version);
        let (_, time, op) = self.asked.get(count.checked_sub(1)?)?;
        Some((*time, *op))
    }
}

impl<I: Ord> StreamFacts<'_, I> {
    /// The last version that there was in the end.
    pub(super) fn last_version(&self) -> u64 {
        self.view.map_or(0, |view| view.last_version)
    }

    pub(super) fn log(&self) -> &[Seen<I>] {
        self.view.map_or(&[], |view| &view.log)
    }

    /// Whether a trim asked for before `time` may have removed a version.
    pub(super) fn maybe_trimmed(&self, version: u64, time: u64) -> bool {
        self.may_trim
            .before(time)
            .is_some_and(|(most, _)| most >= version)
    }

    /// The greatest version that trims acknowledged before `time` removed, and
    /// by which.
    pub(super) fn surely_trimmed(&self, time: u64) -> Option<(u64, usize)> {
        self.did_trim.before(time)
    }

    /// The greatest known version whose id is at most, or is less than, `id`;
    /// 0 if there is none.
    pub(super) fn version_at(&self, id: &I, inclusive: bool) -> u64 {
        let count = self.by_id.partition_point(
            |(known, _)| {
                if inclusive { *known <= id } else { *known < id }
            },
        );
        let found = count.checked_sub(1).and_then(|at| self.by_id.get(at));
        found.map_or(0, |(_, version)| *version)
    }
}

/// A page of a stream that was read.
pub(super) struct ReadFact<'h, I> {
    pub(super) op: usize,
    pub(super) client: u32,
    pub(super) invoked: u64,
    pub(super) returned: u64,
    pub(super) read: &'h ReadOp<I>,
    pub(super) page: &'h PageSeen<Seen<I>>,
}

/// A page of the whole store that was read.
pub(super) struct TailFact<'h, I> {
    pub(super) op: usize,
    pub(super) client: u32,
    pub(super) invoked: u64,
    pub(super) returned: u64,
    pub(super) tail: &'h TailOp<I>,
    pub(super) page: &'h PageSeen<StoreSeen<I>>,
}

/// An append that was acknowledged, and its receipts.
pub(super) type Acknowledged<'h, I> = (usize, &'h Op<I>, &'h AppendOp<I>, &'h [Receipt<I>]);

impl<'h, I: Ord> Facts<'h, I> {
    pub(super) fn appends(
        &self,
    ) -> impl Iterator<Item = (usize, &'h Op<I>, &'h AppendOp<I>)> + use<'h, I> {
        appends(self.ops)
    }

    /// The appends that were acknowledged, with their receipts.
    pub(super) fn acknowledged(&self) -> impl Iterator<Item = Acknowledged<'h, I>> + use<'h, I> {
        self.appends().filter_map(|(index, op, append)| {
            let receipts = append.outcome.ok()?;
            Some((index, op, append, receipts.as_slice()))
        })
    }

    pub(super) fn reads(&self) -> impl Iterator<Item = ReadFact<'h, I>> + use<'h, I> {
        reads(self.ops)
    }

    pub(super) fn tails(&self) -> impl Iterator<Item = TailFact<'h, I>> + use<'h, I> {
        tails(self.ops)
    }

    /// What a client has to know of a stream at a time.
    pub(super) fn known(
        &self,
        stream: &StreamFacts<'h, I>,
        client: u32,
        time: u64,
    ) -> Option<(u64, usize)> {
        if self.stale_reads {
            stream.known_to.get(&client)?.before(time)
        } else {
            stream.known.before(time)
        }
    }

    pub(super) fn key_of(&self, content: Content) -> Option<&'h str> {
        match content {
            Content::Number(number) => self.origins.get(&number)?.key,
            Content::Foreign | Content::Unseen => None,
        }
    }

    /// The appends that may have written an entry: acknowledged ones that say
    /// so, and those of unknown outcome.
    pub(super) fn writers(&self, number: u64) -> impl Iterator<Item = usize> {
        let origin = self.origins.get(&number);
        let index = origin.map_or(0, |o| o.index);
        let attempts = origin.map_or(&[][..], |o| &o.attempts);
        attempts.iter().copied().filter(move |op| {
            let Some(What::Append(append)) = self.ops.get(*op).map(|op| &op.what) else {
                return false;
            };
            match append.outcome.ok() {
                Some(receipts) => receipts.get(index).is_some_and(|r| !r.is_duplicate()),
                None => append.outcome.may_have_applied(),
            }
        })
    }

    /// Whether two places were written by one append: only if both are known.
    pub(super) fn one_append(a: Option<&Place<'h, I>>, b: Option<&Place<'h, I>>) -> Option<usize> {
        let (a, b) = (a?.writer?, b?.writer?);
        (a == b).then_some(a)
    }
}

pub(super) fn appends<I>(ops: &[Op<I>]) -> impl Iterator<Item = (usize, &Op<I>, &AppendOp<I>)> {
    ops.iter().enumerate().filter_map(|(index, op)| {
        let What::Append(append) = &op.what else {
            return None;
        };
        Some((index, op, append))
    })
}

pub(super) fn reads<I>(ops: &[Op<I>]) -> impl Iterator<Item = ReadFact<'_, I>> {
    ops.iter().enumerate().filter_map(|(index, op)| {
        let What::Read(read) = &op.what else {
            return None;
        };
        Some(ReadFact {
            op: index,
            client: op.client,
            invoked: op.invoked,
            returned: op.returned.unwrap_or(NEVER),
            read,
            page: read.outcome.ok()?,
        })
    })
}

pub(super) fn tails<I>(ops: &[Op<I>]) -> impl Iterator<Item = TailFact<'_, I>> {
    ops.iter().enumerate().filter_map(|(index, op)| {
        let What::Tail(tail) = &op.what else {
            return None;
        };
        Some(TailFact {
            op: index,
            client: op.client,
            invoked: op.invoked,
            returned: op.returned.unwrap_or(NEVER),
            tail,
            page: tail.outcome.ok()?,
        })
    })
}
