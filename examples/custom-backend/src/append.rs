//! What changes tables. All of it runs inside one write transaction, of which
//! redb allows one at a time, over all handles and processes.

use ledger_core::backend::{Clock, Original, plan};
use ledger_core::{Batch, Error, Kind, Receipts, Result, StreamName, Timestamp};
use redb::{ReadableTable, WriteTransaction};

use crate::error::{convert, corrupt};
use crate::record;
use crate::tables::{DEDUP, ENTRIES, INDEX, META, Meta, NAMES, STREAMS};

/// How many entries one transaction removes.
pub(crate) const TRIM_STEP: u64 = 10_000;

/// Whether a transaction has changed anything, and so is to be committed.
pub(crate) enum Outcome<T> {
    Changed(T),
    Unchanged(T),
}

pub(crate) fn append(
    tx: &WriteTransaction,
    name: &StreamName,
    batch: &Batch,
    clock: &dyn Clock,
) -> Result<Outcome<Receipts<i64>>> {
    let mut streams = tx.open_table(STREAMS).map_err(convert)?;
    let mut entries = tx.open_table(ENTRIES).map_err(convert)?;
    let mut dedup = tx.open_table(DEDUP).map_err(convert)?;
    let mut metas = tx.open_table(META).map_err(convert)?;

    let found = streams.get(name.as_str()).map_err(convert)?;
    let found = found.map(|row| row.value());
    let mut version = found.map_or(0, |(_, version, _)| version);
    let plan = plan(batch, version, |_, entry| {
        let (Some((stream, ..)), Some(key)) = (found, entry.dedup_key.as_deref()) else {
            return Ok(None);
        };
        let id = dedup.get((stream, key)).map_err(convert)?;
        let Some(id) = id.map(|row| row.value()) else {
            return Ok(None);
        };
        let row = entries.get(id).map_err(convert)?;
        let row = row.ok_or_else(|| corrupt("a dedup key without its entry"))?;
        let (_, original) = record::decode(id, row.value())?;
        Ok(Some(Original {
            id,
            version: original.version,
            same_content: original.entry.same_content(entry),
        }))
    })?;

    let mut meta = Meta::load(&metas)?;
    let (first_id, first_version) = (meta.last_id.saturating_add(1), version + 1);
    let receipts = plan.receipts(|nth| (first_id + nth as i64, first_version + nth as u64));
    if plan.fresh.is_empty() {
        return Ok(Outcome::Unchanged(receipts));
    }
    let last_id = meta.last_id.checked_add_unsigned(plan.fresh.len() as u64);
    if last_id.is_none() {
        let why = "the store has reached its last id";
        return Err(Error::new(Kind::LimitReached, why));
    }

    let stream = if let Some((stream, ..)) = found {
        stream
    } else {
        meta.last_stream += 1;
        let mut names = tx.open_table(NAMES).map_err(convert)?;
        names
            .insert(meta.last_stream, name.as_str())
            .map_err(convert)?;
        meta.last_stream
    };
    let mut at = clock.now();
    if let Some((_, _, last_at)) = found {
        at = at.max(Timestamp::from_micros(last_at).unwrap_or(Timestamp::MIN));
    }
    let mut index = tx.open_table(INDEX).map_err(convert)?;
    for nth in &plan.fresh {
        let entry = &batch.entries()[*nth];
        (meta.last_id, version) = (meta.last_id + 1, version + 1);
        let bytes = record::encode(stream, version, at, entry)?;
        entries
            .insert(meta.last_id, bytes.as_slice())
            .map_err(convert)?;
        index
            .insert((stream, meta.last_id), version)
            .map_err(convert)?;
        if let Some(key) = entry.dedup_key.as_deref() {
            dedup.insert((stream, key), meta.last_id).map_err(convert)?;
        }
    }
    let row = (stream, version, at.as_micros());
    streams.insert(name.as_str(), row).map_err(convert)?;
    meta.save(&mut metas)?;
    Ok(Outcome::Changed(receipts))
}

/// Removes the oldest entries up to an id, at most a step of them.
pub(crate) fn trim(tx: &WriteTransaction, name: &StreamName, through: i64) -> Result<Outcome<u64>> {
    let streams = tx.open_table(STREAMS).map_err(convert)?;
    let found = streams.get(name.as_str()).map_err(convert)?;
    let Some((stream, ..)) = found.map(|row| row.value()) else {
        return Ok(Outcome::Unchanged(0));
    };
    let mut index = tx.open_table(INDEX).map_err(convert)?;
    let mut entries = tx.open_table(ENTRIES).map_err(convert)?;
    let mut dedup = tx.open_table(DEDUP).map_err(convert)?;
    let mut oldest = Vec::new();
    for row in index
        .range((stream, 0)..=(stream, through))
        .map_err(convert)?
    {
        let (_, id) = row.map_err(convert)?.0.value();
        oldest.push(id);
        if oldest.len() as u64 == TRIM_STEP {
            break;
        }
    }
    for id in &oldest {
        index.remove((stream, *id)).map_err(convert)?;
        let row = entries.remove(*id).map_err(convert)?;
        let row = row.ok_or_else(|| corrupt("an index without its entry"))?;
        let (_, removed) = record::decode(*id, row.value())?;
        if let Some(key) = removed.entry.dedup_key.as_deref() {
            dedup.remove((stream, key)).map_err(convert)?;
        }
    }
    match oldest.len() as u64 {
        0 => Ok(Outcome::Unchanged(0)),
        removed => Ok(Outcome::Changed(removed)),
    }
}
