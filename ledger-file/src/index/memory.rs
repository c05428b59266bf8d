//! The index of a segment that is being written.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::{List, StreamRow};

#[derive(Debug, Default)]
pub(crate) struct MemoryIndex {
    pub(super) offsets: Vec<u32>,
    pub(super) streams: HashMap<u32, Row>,
    pub(super) order: HashMap<u64, Vec<u32>>,
    pub(super) dedup: HashMap<u64, Numbers>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) first_version: u64,
    pub(super) numbers: Vec<u32>,
}

/// Almost always one.
#[derive(Debug)]
pub(super) enum Numbers {
    One(u32),
    Many(Vec<u32>),
}

impl Numbers {
    fn push(&mut self, number: u32) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, number]),
            Self::Many(numbers) => numbers.push(number),
        }
    }

    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(number) => std::slice::from_ref(number),
            Self::Many(numbers) => numbers,
        }
    }
}

/// An entry, as an index sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Indexed {
    pub(crate) offset: u32,
    pub(crate) stream: u32,
    pub(crate) version: u64,
    pub(crate) order: Option<u64>,
    pub(crate) dedup: Option<u64>,
}

impl MemoryIndex {
    /// Adds the next entry.
    pub(crate) fn add(&mut self, entry: &Indexed) {
        let number = u32::try_from(self.offsets.len()).unwrap_or(u32::MAX);
        self.offsets.push(entry.offset);
        let row = self.streams.entry(entry.stream).or_insert_with(|| Row {
            first_version: entry.version,
            numbers: Vec::new(),
        });
        row.numbers.push(number);
        if let Some(hash) = entry.order {
            self.order.entry(hash).or_default().push(number);
        }
        if let Some(hash) = entry.dedup {
            match self.dedup.entry(hash) {
                Entry::Vacant(place) => drop(place.insert(Numbers::One(number))),
                Entry::Occupied(mut numbers) => numbers.get_mut().push(number),
            }
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.offsets.len() as u64
    }

    pub(crate) fn stream(&self, stream: u32) -> Option<StreamRow<'_>> {
        self.streams.get(&stream).map(|row| StreamRow {
            first_version: row.first_version,
            list: List::Memory(&row.numbers),
        })
    }

    pub(crate) fn order(&self, hash: u64) -> Option<List<'_>> {
        self.order.get(&hash).map(|numbers| List::Memory(numbers))
    }

    pub(crate) fn dedup(&self, hash: u64) -> &[u32] {
        self.dedup.get(&hash).map_or(&[], Numbers::as_slice)
    }

    pub(crate) fn offsets(&self, numbers: &[u32]) -> Vec<u32> {
        let offset = |n: &u32| self.offsets.get(*n as usize).copied();
        numbers.iter().filter_map(offset).collect()
    }
}
