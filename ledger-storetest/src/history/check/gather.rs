//! Puts the facts together, in O(n log n).

use std::collections::{BTreeMap, HashMap};

use ledger_core::{StoreOrder, StreamName};

use super::super::op::{History, Outcome, Refusal, What};
use super::facts::{
    Content, Facts, Known, NEVER, Origin, Place, StreamFacts, appends, reads, tails,
};

type Told = (u64, u64, usize);

impl<'h, I: Ord> Facts<'h, I> {
    pub(super) fn gather(history: &'h History<I>, order: StoreOrder, stale_reads: bool) -> Self {
        let ops = history.ops.as_slice();
        let mut facts = Self {
            ops,
            order,
            stale_reads,
            streams: BTreeMap::new(),
            origins: HashMap::new(),
            began: HashMap::new(),
            store: None,
        };
        if let Some(observed) = &history.observed {
            facts.store = observed.store.as_deref();
            for name in observed.streams.keys() {
                facts.streams.insert(name, StreamFacts::new());
            }
        }
        for op in ops {
            if let Some(name) = op.what.stream() {
                facts.streams.entry(name).or_insert_with(StreamFacts::new);
            }
        }
        for (name, stream) in &mut facts.streams {
            let observed = history.observed.as_ref();
            stream.see(observed.and_then(|o| o.streams.get(*name)));
        }
        facts.origins(ops);
        facts.places();
        facts.writers_of_places();
        facts.acknowledgements();
        facts.trims();
        facts
    }

    fn origins(&mut self, ops: &'h [super::super::op::Op<I>]) {
        for (op, _, append) in appends(ops) {
            for (index, entry) in append.entries.iter().enumerate() {
                let origin = self.origins.entry(entry.number).or_insert_with(|| Origin {
                    stream: &append.stream,
                    index,
                    key: entry.key.as_deref(),
                    attempts: Vec::new(),
                });
                origin.attempts.push(op);
            }
        }
    }

    /// From what there was in the end, then from receipts, then from reads:
    /// the first to tell of a place counts, and the rules compare the others.
    fn places(&mut self) {
        for (_, _, append, receipts) in self.acknowledged() {
            let Some(stream) = self.streams.get_mut(&append.stream) else {
                continue;
            };
            for (entry, receipt) in append.entries.iter().zip(receipts) {
                if !receipt.is_duplicate() {
                    let content = Content::Number(entry.number);
                    stream.place(receipt.version, &receipt.id, content);
                }
            }
        }
        for fact in reads(self.ops) {
            if let Some(stream) = self.streams.get_mut(&fact.read.stream) {
                for seen in &fact.page.records {
                    stream.place(seen.version, &seen.id, Content::of(seen.number));
                }
            }
        }
        for seen in tails(self.ops).flat_map(|fact| &fact.page.records) {
            if let Some(stream) = self.streams.get_mut(&seen.stream) {
                let record = &seen.record;
                stream.place(record.version, &record.id, Content::of(record.number));
            }
        }
        // What only a duplicate names was trimmed before anybody saw it.
        for (_, _, append, receipts) in self.acknowledged() {
            if let Some(stream) = self.streams.get_mut(&append.stream) {
                let first = stream.first;
                for receipt in receipts.iter().filter(|r| r.version < first) {
                    stream.place(receipt.version, &receipt.id, Content::Unseen);
                }
            }
        }
        for stream in self.streams.values_mut() {
            stream.by_id = stream.places.iter().map(|(v, p)| (p.id, *v)).collect();
            stream.by_id.sort();
        }
    }

    fn writers_of_places(&mut self) {
        let mut streams = std::mem::take(&mut self.streams);
        for stream in streams.values_mut() {
            for (version, place) in &mut stream.places {
                let Content::Number(number) = place.content else {
                    continue;
                };
                place.writer = self.writer(number, *version);
                if let Some(op) = place.writer {
                    place.invoked = self.ops[op].invoked;
                    self.began.entry(op).or_insert(*version);
                }
            }
            let mut latest = (0, None);
            for (version, place) in &stream.places {
                if place.invoked > latest.0 {
                    latest = (place.invoked, place.writer);
                }
                stream.asked.push((*version, latest.0, latest.1));
            }
        }
        self.streams = streams;
    }

    /// The one that was told this version, or else the first that may have.
    fn writer(&self, number: u64, version: u64) -> Option<usize> {
        let index = self.origins.get(&number)?.index;
        let says_so = |op: &usize| {
            let What::Append(append) = &self.ops[*op].what else {
                return false;
            };
            let receipt = append.outcome.ok().and_then(|receipts| receipts.get(index));
            receipt.is_some_and(|r| r.version == version)
        };
        let sure = self.writers(number).find(says_so);
        sure.or_else(|| self.writers(number).min_by_key(|op| self.ops[*op].invoked))
    }

    fn acknowledgements(&mut self) {
        let mut told: BTreeMap<&StreamName, Vec<(Told, u32)>> = BTreeMap::new();
        let mut note = |stream, version, at, op, client| {
            if at != NEVER {
                told.entry(stream)
                    .or_default()
                    .push(((at, version, op), client));
            }
        };
        for (index, op, append, receipts) in self.acknowledged() {
            let at = op.returned.unwrap_or(NEVER);
            for receipt in receipts {
                note(&append.stream, receipt.version, at, index, op.client);
            }
        }
        for fact in reads(self.ops) {
            for seen in &fact.page.records {
                let stream = &fact.read.stream;
                note(stream, seen.version, fact.returned, fact.op, fact.client);
            }
        }
        for fact in tails(self.ops) {
            for seen in &fact.page.records {
                let version = seen.record.version;
                note(&seen.stream, version, fact.returned, fact.op, fact.client);
            }
        }
        for (index, op) in self.ops.iter().enumerate() {
            if let What::Stat(stat) = &op.what
                && let Some(seen) = stat.outcome.ok().filter(|seen| seen.last_version > 0)
            {
                let at = op.returned.unwrap_or(NEVER);
                note(&stat.stream, seen.last_version, at, index, op.client);
            }
        }
        let mut conflicts: BTreeMap<&StreamName, Vec<(Told, u32)>> = BTreeMap::new();
        for (index, op, append) in self.appends() {
            if let (Outcome::NotApplied(Refusal::Conflict { actual }), Some(at)) =
                (&append.outcome, op.returned)
            {
                let told = conflicts.entry(&append.stream).or_default();
                told.push(((at, *actual, index), op.client));
            }
        }
        for name in conflicts.keys() {
            told.entry(name).or_default();
        }
        for (name, told) in told {
            if let Some(stream) = self.streams.get_mut(name) {
                stream.acknowledge(told, conflicts.remove(name).unwrap_or_default());
            }
        }
    }

    fn trims(&mut self) {
        let mut trims: BTreeMap<&StreamName, (Vec<Told>, Vec<Told>)> = BTreeMap::new();
        for (index, op) in self.ops.iter().enumerate() {
            let What::Trim(trim) = &op.what else {
                continue;
            };
            let Some(stream) = self.streams.get(&trim.stream) else {
                continue;
            };
            if !trim.outcome.may_have_applied() {
                continue;
            }
            let (may, did) = trims.entry(&trim.stream).or_default();
            let count = stream.by_id.partition_point(|(id, _)| **id <= trim.through);
            let above = stream.by_id.get(count);
            let most = above.map_or(NEVER, |(_, v)| v.saturating_sub(1));
            may.push((op.invoked, most, index));
            if let (Some(_), Some(returned)) = (trim.outcome.ok(), op.returned) {
                let through = stream.version_at(&trim.through, true);
                let known = stream.known.before(op.invoked).map_or(0, |(v, _)| v);
                did.push((returned, through.min(known), index));
            }
        }
        for (name, (may, did)) in trims {
            if let Some(stream) = self.streams.get_mut(name) {
                stream.may_trim = Known::of(may);
                stream.did_trim = Known::of(did);
            }
        }
    }
}

impl<'h, I: Ord> StreamFacts<'h, I> {
    fn new() -> Self {
        Self {
            view: None,
            first: 1,
            places: BTreeMap::new(),
            by_id: Vec::new(),
            asked: Vec::new(),
            known: Known::default(),
            known_to: HashMap::new(),
            may_trim: Known::default(),
            did_trim: Known::default(),
        }
    }

    fn see(&mut self, view: Option<&'h super::super::op::StreamView<I>>) {
        let Some(view) = view else { return };
        self.view = Some(view);
        let first = view.log.first().map(|seen| seen.version);
        self.first = first.unwrap_or(view.last_version.saturating_add(1));
        for seen in &view.log {
            self.place(seen.version, &seen.id, Content::of(seen.number));
        }
    }

    fn place(&mut self, version: u64, id: &'h I, content: Content) {
        self.places.entry(version).or_insert(Place {
            id,
            content,
            invoked: 0,
            acked: NEVER,
            acked_by: None,
            writer: None,
        });
    }

    /// A conflict tells of a version as well as a page does, but not of what is
    /// there.
    fn acknowledge(&mut self, mut told: Vec<(Told, u32)>, conflicts: Vec<(Told, u32)>) {
        for ((at, version, op), _) in &told {
            if let Some(place) = self.places.get_mut(version)
                && *at < place.acked
            {
                place.acked = *at;
                place.acked_by = Some(*op);
            }
        }
        told.extend(conflicts);
        let mut by_client: HashMap<u32, Vec<Told>> = HashMap::new();
        for (told, client) in &told {
            by_client.entry(*client).or_default().push(*told);
        }
        self.known = Known::of(told.into_iter().map(|(told, _)| told).collect());
        let known = |(client, told)| (client, Known::of(told));
        self.known_to = by_client.into_iter().map(known).collect();
    }
}
