//! The floor of appends: `insert_many` into a collection with no index but
//! that of `_id`, confirmed as ours are.
//!
//! Left out: the head of the stream with its lock, so the versions come from
//! counters in this process and readers could skip entries; the transaction;
//! the expected version; the look for a repeated dedup key, and the index that
//! finds it, and that of order keys; deadlines, and a task that outlives a
//! dropped future. The documents are made before the time runs: only their
//! `_id` changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};
use ledger_core::RawEntry;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::cstr;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{DateTime, RawArrayBuf, RawBinaryRef, RawDocumentBuf, rawdoc};

use super::Appends;
use super::place::Place;
use crate::work::Work;
use crate::workload::Entries;

/// Different documents; then they repeat, but for their `_id`.
const POOL: usize = 4_096;

/// Where the `_id` begins in a document that begins with it: behind the length,
/// the type and the name.
const ID_AT: usize = 4 + 1 + 4;

/// One task.
pub(super) struct Appender {
    collection: Collection<RawDocumentBuf>,
    pool: Arc<[Vec<u8>]>,
    versions: Arc<[AtomicU64]>,
    rng: fastrand::Rng,
    batch: usize,
}

pub(super) fn appenders(place: &Place, row: &Appends, entries: &Entries) -> Result<Vec<Appender>> {
    let pool = entries.seeded(1).many(POOL);
    let pool: Result<Arc<[_]>> = pool.iter().map(document).collect();
    let pool = pool?;
    let versions: Arc<[AtomicU64]> = (0..row.streams).map(|_| AtomicU64::new(0)).collect();
    let collection = place.collection("floor_entries");
    let appender = |n| Appender {
        collection: collection.clone(),
        pool: pool.clone(),
        versions: versions.clone(),
        rng: fastrand::Rng::with_seed(n),
        batch: row.batch,
    };
    Ok((0..u64::from(row.tasks)).map(appender).collect())
}

/// With the fields of ours.
fn document(entry: &RawEntry) -> Result<Vec<u8>> {
    let mut document = rawdoc! {
        "_id": ObjectId::from_bytes([0; 12]),
        "recorded_at": DateTime::now(),
        "stream": "orders-0000",
        "content_type": entry.content_type.as_str(),
        "schema_version": i32::try_from(entry.schema_version)?,
    };
    if let Some(key) = &entry.order_key {
        document.append(cstr!("order_key"), key.as_str());
    }
    if let Some(key) = &entry.dedup_key {
        document.append(cstr!("dedup_key"), key.as_str());
    }
    let mut pairs = RawArrayBuf::new();
    for (key, value) in entry.metadata.iter() {
        pairs.push(rawdoc! { "k": key, "v": value });
    }
    document.append(cstr!("metadata"), pairs);
    let payload = RawBinaryRef {
        subtype: BinarySubtype::Generic,
        bytes: &entry.payload,
    };
    document.append(cstr!("payload"), payload);
    Ok(document.into_bytes())
}

impl Work for Appender {
    type Input = Vec<RawDocumentBuf>;

    fn prepare(&mut self) -> Result<Self::Input> {
        let stream = self.rng.usize(..self.versions.len());
        let count = u64::try_from(self.batch)?;
        let base = self.versions[stream].fetch_add(count, Ordering::Relaxed);
        let number = u32::try_from(stream)?;
        let made = (base + 1..=base + count).map(|version| {
            let mut bytes = self.pool[self.rng.usize(..self.pool.len())].clone();
            bytes[ID_AT..][..4].copy_from_slice(&number.to_be_bytes());
            bytes[ID_AT + 4..][..8].copy_from_slice(&version.to_be_bytes());
            Ok(RawDocumentBuf::from_bytes(bytes)?)
        });
        made.collect()
    }

    async fn run(&mut self, documents: Self::Input) -> Result<usize> {
        let done = self.collection.insert_many(documents).await?;
        ensure!(
            done.inserted_ids.len() == self.batch,
            "documents are missing"
        );
        Ok(self.batch)
    }
}
