//! What a group writes, decided request by request, in order of arrival.

use std::collections::{BTreeMap, HashMap};

use ledger_core::backend::{Original, plan_expecting};
use ledger_core::{Error, Expected, Kind, RawEntry, Receipt, Receipts, Result, StreamName};

use super::queue::Member;

/// Where an entry is: stored before, or one that the group writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    Stored(i64),
    Fresh(usize),
}

/// A stream of the group.
#[derive(Debug)]
pub(super) struct Part<'g> {
    pub(super) name: &'g StreamName,
    /// Its last version before the group, where it is known.
    pub(super) head: u64,
    /// How many entries the group adds.
    pub(super) added: u64,
}

/// An entry that the group writes.
#[derive(Debug)]
pub(super) struct Fresh<'g> {
    /// The stream, as a number in the byte order of the names.
    pub(super) part: usize,
    /// Its version is that of the stream before the group plus this, from 1.
    pub(super) nth: u64,
    pub(super) entry: &'g RawEntry,
    pub(super) metadata: Option<&'g str>,
}

/// Where the fresh entries of a group are, once they are written: id and
/// version.
pub(super) type Places = Vec<(i64, u64)>;

#[derive(Debug)]
pub(super) struct Draft<'g> {
    /// In the byte order of their names.
    pub(super) parts: Vec<Part<'g>>,
    pub(super) fresh: Vec<Fresh<'g>>,
    /// By stream and dedup key, for the later requests of the group.
    by_key: HashMap<(usize, &'g str), usize>,
}

impl<'g> Draft<'g> {
    pub(super) fn of(group: &'g [Member]) -> Self {
        let names: BTreeMap<&str, &StreamName> = group
            .iter()
            .map(|m| (m.request.stream.as_str(), &m.request.stream))
            .collect();
        let part = |name| Part {
            name,
            head: 0,
            added: 0,
        };
        Self {
            parts: names.into_values().map(part).collect(),
            fresh: Vec::new(),
            by_key: HashMap::new(),
        }
    }

    /// The number of a stream of the group.
    pub(super) fn part_of(&self, member: &Member) -> Result<usize> {
        let stream = member.request.stream.as_str();
        let found = self
            .parts
            .binary_search_by(|part| part.name.as_str().cmp(stream));
        found.map_err(|_| Error::new(Kind::Internal, "a stream that is not of the group"))
    }

    pub(super) fn names(&self) -> Vec<&'g str> {
        self.parts.iter().map(|part| part.name.as_str()).collect()
    }

    /// Decides a request on top of the ones before it. `stored` tells of the
    /// originals outside of the group, by index. A refused request adds
    /// nothing.
    pub(super) fn add(
        &mut self,
        member: &'g Member,
        expected: Expected,
        mut stored: impl FnMut(usize) -> Option<Original<i64>>,
    ) -> Result<Receipts<Spot>> {
        let (nth_part, request) = (self.part_of(member)?, &member.request);
        let version = self.parts[nth_part].head + self.parts[nth_part].added;
        let plan = plan_expecting(&request.batch, expected, version, |index, entry| {
            let key = entry.dedup_key.as_deref();
            if let Some(nth) = key.and_then(|key| self.by_key.get(&(nth_part, key))) {
                let fresh = &self.fresh[*nth];
                return Ok(Some(Original {
                    id: Spot::Fresh(*nth),
                    version: self.parts[nth_part].head + fresh.nth,
                    same_content: fresh.entry.same_content(entry),
                }));
            }
            Ok(stored(index).map(|original| Original {
                id: Spot::Stored(original.id),
                version: original.version,
                same_content: original.same_content,
            }))
        })?;
        let first = self.fresh.len();
        for index in &plan.fresh {
            let entry = &request.batch.entries()[*index];
            if let Some(key) = entry.dedup_key.as_deref() {
                self.by_key.insert((nth_part, key), self.fresh.len());
            }
            self.parts[nth_part].added += 1;
            self.fresh.push(Fresh {
                part: nth_part,
                nth: self.parts[nth_part].added,
                entry,
                metadata: request.metadata(*index),
            });
        }
        Ok(plan.receipts(|nth| (Spot::Fresh(first + nth), 0)))
    }
}

/// Receipts with the ids and versions that came out.
pub(super) fn placed(receipts: &Receipts<Spot>, places: &Places) -> Receipts<i64> {
    let receipt = |receipt: &Receipt<Spot>| {
        let (id, version) = match receipt.id {
            Spot::Stored(id) => (id, receipt.version),
            Spot::Fresh(nth) => places[nth],
        };
        match receipt.is_duplicate() {
            true => Receipt::duplicate(id, version),
            false => Receipt::appended(id, version),
        }
    };
    receipts.iter().map(receipt).collect::<Vec<_>>().into()
}

/// The columns of the fresh entries, as the statements take them.
pub(super) struct Columns<'g> {
    pub(super) payload: Vec<&'g [u8]>,
    pub(super) order_key: Vec<&'g str>,
    pub(super) dedup_key: Vec<Option<&'g str>>,
    pub(super) schema_version: Vec<i32>,
    pub(super) metadata: Vec<Option<&'g str>>,
    pub(super) content_type: Vec<&'g str>,
}

impl<'g> Columns<'g> {
    pub(super) fn of(fresh: &[Fresh<'g>]) -> Self {
        let entries = || fresh.iter().map(|fresh| fresh.entry);
        Self {
            payload: entries().map(|e| &*e.payload).collect(),
            order_key: entries()
                .map(|e| e.order_key.as_deref().unwrap_or_default())
                .collect(),
            dedup_key: entries().map(|e| e.dedup_key.as_deref()).collect(),
            schema_version: entries()
                .map(|e| i32::try_from(e.schema_version).unwrap_or(i32::MAX))
                .collect(),
            metadata: fresh.iter().map(|fresh| fresh.metadata).collect(),
            content_type: entries().map(|e| e.content_type.as_str()).collect(),
        }
    }
}
