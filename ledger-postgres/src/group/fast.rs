//! A group as one statement.
//!
//! What it does not see decides the database: a dedup key that is stored makes
//! the unique index refuse the whole statement, and a stream that is not at the
//! version that its *first* request expects is left out. So what is written
//! was decided rightly, and what was not is decided under the locks.

use std::collections::HashSet;
use std::time::Duration;

use ledger_core::{Error, Expected, Kind, Receipts, Result};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::PATIENCE;
use super::draft::{Columns, Draft, Places, Spot, placed};
use super::queue::Member;
use super::sql::GroupSql;
use crate::call::Call;
use crate::error::{During, convert, is_duplicate};
use crate::row::{get, unsigned};

/// A group that one statement can decide.
pub(super) struct Fast<'g> {
    draft: Draft<'g>,
    /// What the first request of each stream expects.
    expected: Vec<Option<i64>>,
    receipts: Vec<Receipts<Spot>>,
}

/// What came of it.
pub(super) enum Wrote {
    /// The receipts of each request; nothing for those whose stream was left
    /// out.
    Streams(Vec<Option<Receipts<i64>>>),
    /// Nothing: a dedup key is stored.
    Repeat,
}

impl<'g> Fast<'g> {
    /// `None` if a version is expected behind another request of the group,
    /// or a repeat is refused: that needs versions.
    pub(super) fn plan(group: &'g [Member]) -> Option<Self> {
        let mut draft = Draft::of(group);
        let mut expected = vec![None; draft.parts.len()];
        let mut seen = HashSet::new();
        let mut receipts = Vec::with_capacity(group.len());
        for member in group {
            let part = draft.part_of(member).ok()?;
            let version = member.request.expected_version();
            match seen.insert(part) {
                true => expected[part] = version,
                false if version.is_some() => return None,
                false => {}
            }
            receipts.push(draft.add(member, Expected::Any, |_| None).ok()?);
        }
        Some(Self {
            draft,
            expected,
            receipts,
        })
    }

    /// # Errors
    ///
    /// What the statement says.
    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        sql: &GroupSql,
        dedup_index: &str,
        call: &Call,
    ) -> Result<Wrote> {
        let Draft { parts, fresh, .. } = &self.draft;
        let expecting = self.expected.iter().any(Option::is_some);
        let statement = if expecting { &sql.expecting } else { &sql.any };
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let number = |n: usize| i32::try_from(n + 1).unwrap_or(i32::MAX);
        let columns = Columns::of(fresh);
        let mut query = statement
            .query()
            .bind(self.draft.names())
            .bind(parts.iter().map(|p| signed(p.added)).collect::<Vec<_>>())
            .bind(fresh.iter().map(|f| number(f.part)).collect::<Vec<_>>())
            .bind(fresh.iter().map(|f| signed(f.nth)).collect::<Vec<_>>())
            .bind(columns.payload)
            .bind(columns.order_key)
            .bind(columns.dedup_key)
            .bind(columns.schema_version)
            .bind(columns.metadata)
            .bind(columns.content_type)
            .bind(lock_timeout(parts.len()).map(|wait| wait.as_millis().to_string()));
        if expecting {
            query = query.bind(&self.expected);
        }
        match call.writing(call.fetch_alone(connection, query)).await {
            Ok(rows) => self.answers(&rows).map(Wrote::Streams),
            Err(e) if is_duplicate(&e, dedup_index) => Ok(Wrote::Repeat),
            Err(e) => Err(convert(&e, During::Write)),
        }
    }

    fn answers(&self, rows: &[PgRow]) -> Result<Vec<Option<Receipts<i64>>>> {
        let fresh = &self.draft.fresh;
        // By stream, and there by place: rows come in any order.
        let mut found: Vec<Vec<(u64, (i64, u64))>> = vec![Vec::new(); self.draft.parts.len()];
        for row in rows {
            let part = usize::try_from(get::<i64>(row, 0)? - 1).ok();
            let nth = unsigned(get(row, 1)?)?;
            let version = unsigned(get(row, 2)?)?;
            let of_part = part.and_then(|part| found.get_mut(part)).ok_or_else(odd)?;
            of_part.push((nth, (get(row, 3)?, version)));
        }
        for (of_part, part) in found.iter_mut().zip(&self.draft.parts) {
            of_part.sort_unstable();
            if !of_part.is_empty() && of_part.len() as u64 != part.added {
                return Err(odd());
            }
        }
        let place = |nth: usize| {
            let one = &fresh[nth];
            let index = usize::try_from(one.nth - 1).ok()?;
            found[one.part].get(index).map(|(_, place)| *place)
        };
        let places: Places = (0..fresh.len())
            .map(|nth| place(nth).unwrap_or_default())
            .collect();
        let written = |receipts: &Receipts<Spot>| {
            receipts.iter().all(|receipt| match receipt.id {
                Spot::Fresh(nth) => !found[fresh[nth].part].is_empty(),
                Spot::Stored(_) => true,
            })
        };
        let answer =
            |receipts: &Receipts<Spot>| written(receipts).then(|| placed(receipts, &places));
        Ok(self.receipts.iter().map(answer).collect())
    }
}

/// How long a group of several streams waits for the lock of one.
pub(super) fn lock_timeout(streams: usize) -> Option<Duration> {
    (streams > 1).then_some(PATIENCE)
}

/// Something was written, so the outcome of the requests is not known.
fn odd() -> Error {
    Error::new(Kind::Internal, "the server answered for other entries").unknown_outcome()
}
