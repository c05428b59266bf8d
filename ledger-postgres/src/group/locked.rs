//! A group as a transaction that decides under the locks of its streams.
//!
//! The look for repeats is a statement of its own, behind the one that locks:
//! its snapshot sees all that was committed before the locks were taken.

use std::collections::HashMap;

use ledger_core::backend::Original;
use ledger_core::{Error, Kind, Receipts, Result};
use sqlx::PgConnection;

use super::draft::{Columns, Draft, Places, Spot, placed};
use super::fast::lock_timeout;
use super::queue::Member;
use super::sql::GroupSql;
use crate::call::Call;
use crate::config::Durability;
use crate::error::{During, convert, weak_commit};
use crate::row::{get, unsigned};

/// By request and index of the entry.
type Originals = HashMap<(usize, usize), Original<i64>>;

/// The rows of the streams, locked.
struct Locked {
    ids: Vec<i64>,
    setting: String,
}

/// Decides and writes a group. Each request gets its own answer, right only
/// because this returns after the commit.
///
/// # Errors
///
/// Of the whole group. Nothing was applied, unless it says that the outcome is
/// unknown.
pub(super) async fn write(
    connection: &mut PgConnection,
    sql: &GroupSql,
    durability: Durability,
    group: &[Member],
    call: &Call,
) -> Result<Vec<Result<Receipts<i64>>>> {
    // Nothing is applied before the COMMIT is sent.
    let failed = |e: sqlx::Error| convert(&e, During::Read);
    let mut draft = Draft::of(group);
    let begun = call
        .begin(connection, lock_timeout(draft.parts.len()))
        .await;
    let mut transaction = begun.map_err(failed)?;
    let locked = lock(&mut transaction, sql, &mut draft).await?;
    let originals = originals(&mut transaction, sql, &draft, &locked, group).await?;

    let weak = !durability.accepts(&locked.setting);
    let mut answers = Vec::with_capacity(group.len());
    for (nth, member) in group.iter().enumerate() {
        let fresh = draft.fresh.len();
        let stored = |index| originals.get(&(nth, index)).copied();
        let expected = member.request.batch.expected();
        let answer = draft.add(member, expected, stored);
        // Others may repeat what was added: they fail as well.
        answers.push(match draft.fresh.len() > fresh && weak {
            true => Err(weak_commit(&locked.setting)),
            false => answer,
        });
    }
    if draft.fresh.is_empty() || weak {
        transaction.rollback().await.map_err(failed)?;
        return Ok(answers
            .into_iter()
            .map(|answer| answer.and_then(|receipts| unplaced(&receipts, &locked.setting)))
            .collect());
    }
    let places = insert(&mut transaction, sql, &draft, &locked).await?;
    let committed = call.writing(transaction.commit()).await;
    committed.map_err(|e| convert(&e, During::Write))?;
    Ok(answers
        .into_iter()
        .map(|answer| answer.map(|receipts| placed(&receipts, &places)))
        .collect())
}

/// Receipts where nothing was written.
fn unplaced(receipts: &Receipts<Spot>, setting: &str) -> Result<Receipts<i64>> {
    let fresh = |spot: Spot| matches!(spot, Spot::Fresh(_));
    match receipts.iter().any(|receipt| fresh(receipt.id)) {
        true => Err(weak_commit(setting)),
        false => Ok(placed(receipts, &Places::new())),
    }
}

async fn lock(
    connection: &mut PgConnection,
    sql: &GroupSql,
    draft: &mut Draft<'_>,
) -> Result<Locked> {
    let query = sql.lock.query().bind(draft.names());
    let rows = query.fetch_all(connection).await;
    let rows = rows.map_err(|e| convert(&e, During::Read))?;
    let mut ids = vec![0; draft.parts.len()];
    let mut setting = String::new();
    for row in &rows {
        let name: &str = get(row, 0)?;
        let part = draft
            .parts
            .binary_search_by(|part| part.name.as_str().cmp(name))
            .map_err(|_| odd())?;
        ids[part] = get(row, 1)?;
        draft.parts[part].head = unsigned(get(row, 2)?)?;
        setting = get(row, 3)?;
    }
    match rows.len() == ids.len() {
        true => Ok(Locked { ids, setting }),
        false => Err(odd()),
    }
}

async fn originals(
    connection: &mut PgConnection,
    sql: &GroupSql,
    draft: &Draft<'_>,
    locked: &Locked,
    group: &[Member],
) -> Result<Originals> {
    let mut asked = Vec::new();
    let (mut ids, mut keys) = (Vec::new(), Vec::new());
    let (mut payloads, mut types, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for (nth, member) in group.iter().enumerate() {
        let part = draft.part_of(member)?;
        let batch = &member.request.batch;
        for (index, entry) in batch.entries().iter().enumerate() {
            let Some(key) = entry.dedup_key.as_deref() else {
                continue;
            };
            asked.push((nth, index));
            ids.push(locked.ids[part]);
            keys.push(key);
            let content = batch.verifies_duplicates().then_some(entry);
            payloads.push(content.map(|e| &*e.payload));
            types.push(content.map(|e| e.content_type.as_str()));
            versions.push(content.and_then(|e| i32::try_from(e.schema_version).ok()));
        }
    }
    if asked.is_empty() {
        return Ok(Originals::new());
    }
    let query = sql
        .originals
        .query()
        .bind(ids)
        .bind(keys)
        .bind(payloads)
        .bind(types)
        .bind(versions);
    let rows = query.fetch_all(connection).await;
    let mut originals = Originals::new();
    for row in &rows.map_err(|e| convert(&e, During::Read))? {
        let nth = usize::try_from(get::<i64>(row, 0)? - 1).ok();
        let place = nth.and_then(|nth| asked.get(nth)).ok_or_else(odd)?;
        let original = Original {
            version: unsigned(get(row, 1)?)?,
            id: get(row, 2)?,
            same_content: get(row, 3)?,
        };
        originals.insert(*place, original);
    }
    Ok(originals)
}

async fn insert(
    connection: &mut PgConnection,
    sql: &GroupSql,
    draft: &Draft<'_>,
    locked: &Locked,
) -> Result<Places> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let changed: Vec<_> = draft
        .parts
        .iter()
        .zip(&locked.ids)
        .filter(|(part, _)| part.added > 0)
        .collect();
    let head = |(part, _): &(&super::draft::Part<'_>, &i64)| signed(part.head + part.added);
    let version = |fresh: &super::draft::Fresh<'_>| draft.parts[fresh.part].head + fresh.nth;
    let id = |fresh: &super::draft::Fresh<'_>| locked.ids[fresh.part];
    let columns = Columns::of(&draft.fresh);
    let query = sql
        .write
        .query()
        .bind(changed.iter().map(|(_, id)| **id).collect::<Vec<_>>())
        .bind(changed.iter().map(head).collect::<Vec<_>>())
        .bind(draft.fresh.iter().map(id).collect::<Vec<_>>())
        .bind(
            draft
                .fresh
                .iter()
                .map(|fresh| signed(version(fresh)))
                .collect::<Vec<_>>(),
        )
        .bind(columns.payload)
        .bind(columns.order_key)
        .bind(columns.dedup_key)
        .bind(columns.schema_version)
        .bind(columns.metadata)
        .bind(columns.content_type);
    let rows = query.fetch_all(connection).await;
    let mut found = HashMap::with_capacity(draft.fresh.len());
    for row in &rows.map_err(|e| convert(&e, During::Read))? {
        let place = (get::<i64>(row, 0)?, unsigned(get(row, 1)?)?);
        found.insert(place, get::<i64>(row, 2)?);
    }
    let place = |fresh| {
        let version = version(fresh);
        let id = found.get(&(id(fresh), version)).ok_or_else(odd)?;
        Ok((*id, version))
    };
    draft.fresh.iter().map(place).collect()
}

fn odd() -> Error {
    Error::new(Kind::Internal, "the server answered for other streams")
}
