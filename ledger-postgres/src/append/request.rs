//! One append: what is sent, and what the answers mean.

use std::collections::HashMap;

use ledger_core::backend::{Original, plan, plan_expecting};
use ledger_core::{Batch, Error, Expected, Kind, RawEntry, Receipts, Result, StreamName};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row};

use super::sql::EXISTS;
use crate::error::{bad_row, corrupt};
use crate::statement::Statement;

/// A batch on its way. Entries whose key an earlier one of the batch carries
/// are not sent: they repeat that one.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) stream: StreamName,
    pub(crate) batch: Batch,
    /// The indexes of the entries that are sent.
    sent: Vec<usize>,
    /// For the entries that are not: which sent one they repeat.
    repeats: HashMap<usize, usize>,
    metadata: Vec<Option<String>>,
    /// Whether any entry carries a dedup key.
    pub(crate) keyed: bool,
    /// Whether the batch repeats a key of its own with other content, which is
    /// not allowed: only a look is needed, to tell which entry is wrong.
    pub(super) contradicts: bool,
}

/// What a look at the stream found.
pub(super) struct Seen {
    /// The last version; `None` if the stream has no row.
    pub(super) head: Option<u64>,
    /// `synchronous_commit` of the session.
    pub(super) setting: String,
    originals: Vec<Option<Original<i64>>>,
}

impl Request {
    pub(crate) fn new(stream: StreamName, batch: Batch) -> Result<Self> {
        let verify = batch.verifies_duplicates();
        let inside = plan_expecting::<i64>(&batch, Expected::Any, 0, |_, _| Ok(None));
        let contradicts = inside.is_err();
        let batch = batch.with_verified_duplicates(false);
        let sent = match inside {
            Ok(plan) => plan.fresh,
            Err(_) => plan_expecting::<i64>(&batch, Expected::Any, 0, |_, _| Ok(None))?.fresh,
        };
        let batch = batch.with_verified_duplicates(verify);
        let repeats = repeats(batch.entries(), &sent);
        let json = |e: serde_json::Error| Error::new(Kind::Internal, "metadata").caused_by(e);
        let metadata = sent.iter().map(|&index| {
            let metadata = &batch.entries()[index].metadata;
            match metadata.is_empty() {
                true => Ok(None),
                false => serde_json::to_string(metadata).map(Some).map_err(json),
            }
        });
        Ok(Self {
            metadata: metadata.collect::<Result<_>>()?,
            keyed: batch.entries().iter().any(|e| e.dedup_key.is_some()),
            stream,
            batch,
            sent,
            repeats,
            contradicts,
        })
    }

    /// Whether the append waits for a stream that has to be there already.
    pub(super) fn expects_something(&self) -> bool {
        !self.batch.expected().holds_at(0)
    }

    /// The metadata of an entry of the batch, as JSON.
    pub(crate) fn metadata(&self, index: usize) -> Option<&str> {
        let nth = self.sent.binary_search(&index).ok()?;
        self.metadata[nth].as_deref()
    }

    /// What the entries count towards the bytes of a group.
    pub(crate) fn size(&self) -> usize {
        self.batch.entries().iter().map(RawEntry::size).sum()
    }

    fn entries(&self) -> impl Iterator<Item = &RawEntry> {
        self.sent.iter().map(|&index| &self.batch.entries()[index])
    }

    fn keys(&self) -> Vec<Option<&str>> {
        self.entries().map(|e| e.dedup_key.as_deref()).collect()
    }

    fn payloads(&self) -> Vec<&[u8]> {
        self.entries().map(|e| &*e.payload).collect()
    }

    fn content_types(&self) -> Vec<&str> {
        self.entries().map(|e| e.content_type.as_str()).collect()
    }

    fn schema_versions(&self) -> Vec<i32> {
        // The limits keep it within i32.
        let version = |e: &RawEntry| i32::try_from(e.schema_version).unwrap_or(i32::MAX);
        self.entries().map(version).collect()
    }

    /// What the statements take for the expected version.
    pub(crate) fn expected_version(&self) -> Option<i64> {
        match self.batch.expected() {
            Expected::Any => None,
            Expected::NoStream => Some(0),
            Expected::StreamExists => Some(EXISTS),
            // No stream is ever at a version beyond i64::MAX, nor there: the
            // append that would lead there is refused.
            Expected::Exactly(n) => Some(i64::try_from(n).unwrap_or(i64::MAX)),
        }
    }

    fn bound(&self, statement: &Statement) -> Query<'_, Postgres, PgArguments> {
        let order_key = |e: &'_ RawEntry| e.order_key.clone().unwrap_or_default();
        statement
            .query()
            .bind(self.stream.as_str())
            .bind(self.payloads())
            .bind(self.entries().map(order_key).collect::<Vec<_>>())
            .bind(self.keys())
            .bind(self.schema_versions())
            .bind(&self.metadata)
            .bind(self.content_types())
    }

    pub(super) fn lean(
        &self,
        any: &Statement,
        expecting: &Statement,
    ) -> Query<'_, Postgres, PgArguments> {
        match self.expected_version() {
            None => self.bound(any),
            Some(version) => self.bound(expecting).bind(version),
        }
    }

    pub(super) fn one(&self, statement: &Statement) -> Query<'_, Postgres, PgArguments> {
        self.bound(statement)
            .bind(self.expected_version())
            .bind(self.batch.verifies_duplicates())
    }

    /// Contents go along only where they are compared.
    pub(super) fn look(&self, statement: &Statement) -> Query<'_, Postgres, PgArguments> {
        let verify = self.batch.verifies_duplicates();
        let keys = if self.keyed { self.keys() } else { Vec::new() };
        statement
            .query()
            .bind(self.stream.as_str())
            .bind(keys)
            .bind(if verify { self.payloads() } else { Vec::new() })
            .bind(if verify {
                self.content_types()
            } else {
                Vec::new()
            })
            .bind(if verify {
                self.schema_versions()
            } else {
                Vec::new()
            })
    }

    /// The receipts of the lean statement; `None` if it wrote nothing.
    pub(super) fn lean_receipts(&self, rows: &[PgRow]) -> Result<Option<Receipts<i64>>> {
        if rows.is_empty() {
            return Ok(None);
        }
        let mut places = Vec::with_capacity(rows.len());
        for row in rows {
            let seq: i64 = row.try_get(0).map_err(|e| bad_row(&e))?;
            let pos: i64 = row.try_get(1).map_err(|e| bad_row(&e))?;
            places.push((version(seq)?, pos));
        }
        places.sort_unstable();
        self.receipts(&vec![None; self.sent.len()], &places)
            .map(Some)
    }

    /// The receipts of the statement that looks for repeats; `None` if it
    /// wrote nothing though something was fresh.
    ///
    /// # Errors
    ///
    /// `DedupMismatch`: then nothing was written either.
    pub(super) fn one_receipts(&self, rows: &[PgRow]) -> Result<Option<Receipts<i64>>> {
        let mut originals = vec![None; self.sent.len()];
        let mut places = Vec::new();
        let (mut refused, mut mismatch) = (false, false);
        for row in rows {
            let get = |e: sqlx::Error| bad_row(&e);
            let nth = self.nth(row.try_get(0).map_err(get)?)?;
            let seq: Option<i64> = row.try_get(1).map_err(get)?;
            let pos: Option<i64> = row.try_get(2).map_err(get)?;
            let duplicate: bool = row.try_get(3).map_err(get)?;
            let same_content: bool = row.try_get(4).map_err(get)?;
            match seq.zip(pos) {
                None => refused = true,
                Some((seq, id)) if duplicate => {
                    mismatch |= !same_content;
                    let version = version(seq)?;
                    originals[nth] = Some(Original {
                        id,
                        version,
                        same_content,
                    });
                }
                Some((seq, id)) => places.push((version(seq)?, id)),
            }
        }
        if refused && !mismatch {
            return Ok(None);
        }
        places.sort_unstable();
        self.receipts(&originals, &places).map(Some)
    }

    pub(super) fn seen(&self, rows: &[PgRow]) -> Result<Seen> {
        let get = |e: sqlx::Error| bad_row(&e);
        let first = rows
            .first()
            .ok_or_else(|| corrupt("no answer about a stream"))?;
        let head: Option<i64> = first.try_get(0).map_err(get)?;
        let mut originals = vec![None; self.sent.len()];
        for row in rows {
            let Some(ord) = row.try_get(2).map_err(get)? else {
                continue;
            };
            let nth = self.nth(ord)?;
            let seq: i64 = row.try_get(3).map_err(get)?;
            let id: i64 = row.try_get(4).map_err(get)?;
            let same: Option<bool> = row.try_get(5).map_err(get)?;
            let version = version(seq)?;
            let same_content = same.unwrap_or(true);
            originals[nth] = Some(Original {
                id,
                version,
                same_content,
            });
        }
        Ok(Seen {
            head: head.map(version).transpose()?,
            setting: first.try_get(1).map_err(get)?,
            originals,
        })
    }

    /// Whether an entry repeats nothing that was seen.
    pub(super) fn has_fresh(&self, seen: &Seen) -> bool {
        seen.originals.iter().any(Option::is_none)
    }

    /// What follows from a look: the receipts if everything repeats something,
    /// `None` if the append may go on.
    ///
    /// # Errors
    ///
    /// `DedupMismatch`, `Conflict`, `LimitReached`: final, since keys and head
    /// were seen in one snapshot that was taken after the append began.
    pub(super) fn decide(&self, seen: &Seen) -> Result<Option<Receipts<i64>>> {
        let head = seen.head.unwrap_or(0);
        let plan = plan(&self.batch, head, |index, _| {
            Ok(self.original(&seen.originals, index))
        })?;
        Ok(plan.fresh.is_empty().then(|| plan.receipts(|_| (0, 0))))
    }

    fn receipts(
        &self,
        originals: &[Option<Original<i64>>],
        places: &[(u64, i64)],
    ) -> Result<Receipts<i64>> {
        let plan = plan_expecting(&self.batch, Expected::Any, 0, |index, _| {
            Ok(self.original(originals, index))
        })?;
        if plan.fresh.len() != places.len() {
            let lost = Error::new(Kind::Internal, "the server answered for other entries");
            return Err(lost.unknown_outcome());
        }
        Ok(plan.receipts(|nth| {
            let (version, id) = places[nth];
            (id, version)
        }))
    }

    fn original(&self, originals: &[Option<Original<i64>>], index: usize) -> Option<Original<i64>> {
        if let Ok(nth) = self.sent.binary_search(&index) {
            return originals.get(nth).copied().flatten();
        }
        let nth = *self.repeats.get(&index)?;
        let mut original = originals.get(nth).copied().flatten()?;
        // The server has compared the one that was sent.
        let entries = self.batch.entries();
        original.same_content &= entries[index].same_content(&entries[self.sent[nth]]);
        Some(original)
    }

    fn nth(&self, ord: i64) -> Result<usize> {
        usize::try_from(ord - 1)
            .ok()
            .filter(|nth| *nth < self.sent.len())
            .ok_or_else(|| corrupt("an answer for an entry that was not sent"))
    }
}

fn repeats(entries: &[RawEntry], sent: &[usize]) -> HashMap<usize, usize> {
    let mut repeats = HashMap::new();
    if sent.len() == entries.len() {
        return repeats;
    }
    let mut first_with = HashMap::new();
    let mut sent = sent.iter().enumerate().peekable();
    for (index, entry) in entries.iter().enumerate() {
        let Some(key) = entry.dedup_key.as_deref() else {
            sent.next_if(|(_, at)| **at == index);
            continue;
        };
        match sent.next_if(|(_, at)| **at == index) {
            Some((nth, _)) => {
                first_with.insert(key, nth);
            }
            None => {
                if let Some(nth) = first_with.get(key) {
                    repeats.insert(index, *nth);
                }
            }
        }
    }
    repeats
}

fn version(seq: i64) -> Result<u64> {
    u64::try_from(seq).map_err(|_| corrupt("a negative version"))
}
