//! The floor of appends: one INSERT of arrays, into the table of ours with
//! all its indexes and its sequence, on connections that the tasks hold.
//!
//! Left out: the row of the stream with its lock, so the versions come from
//! counters in this process and readers could skip entries; the expected
//! version; the answer to a repeated dedup key; the ids, which the statement
//! does not return; deadlines, and a task that outlives a dropped future.
//!
//! The arrays go through a materialized CTE, as in ours, so that the server
//! can keep the plan.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Result, ensure};
use ledger_core::RawEntry;
use sqlx::{AssertSqlSafe, PgConnection, SqlSafeStr, SqlStr};
use tokio::sync::Mutex;

use super::Appends;
use super::place::Place;
use crate::work::Work;
use crate::workload::Entries;

/// One task. Tasks share connections where there are fewer of them.
pub(super) struct Appender {
    connection: Arc<Mutex<PgConnection>>,
    sql: SqlStr,
    versions: Arc<[AtomicI64]>,
    entries: Entries,
    batch: usize,
}

pub(super) async fn appenders(
    place: &Place,
    row: &Appends,
    entries: &Entries,
) -> Result<Vec<Appender>> {
    let sql = AssertSqlSafe(format!(
        "WITH a AS MATERIALIZED (\
           SELECT $1::int8 AS s, $2::int8 AS base, $3::bytea[] AS p, $4::text[] AS ok, \
                  $5::text[] AS dk, $6::int4[] AS sv, $7::text[] AS meta, $8::text[] AS ct) \
         INSERT INTO {} (stream_id, seq, recorded_at, schema_version, content_type, \
                         order_key, dedup_key, metadata, payload) \
         SELECT a.s, a.base + x.ord, now(), x.sv, x.ct, x.ok, x.dk, x.meta::jsonb, x.p \
         FROM a, unnest(a.p, a.ok, a.dk, a.sv, a.meta, a.ct) \
              WITH ORDINALITY AS x(p, ok, dk, sv, meta, ct, ord)",
        place.table("floor_entries")
    ));
    let sql = sql.into_sql_str();
    let versions: Arc<[AtomicI64]> = (0..row.streams).map(|_| AtomicI64::new(0)).collect();
    let mut connections = Vec::new();
    for _ in 0..row.connections {
        connections.push(Arc::new(Mutex::new(place.connect().await?)));
    }
    let shared = connections.iter().cycle().cloned();
    let appender = |(n, connection)| Appender {
        connection,
        sql: sql.clone(),
        versions: versions.clone(),
        entries: entries.seeded(n),
        batch: row.batch,
    };
    Ok((0..u64::from(row.tasks))
        .zip(shared)
        .map(appender)
        .collect())
}

impl Work for Appender {
    type Input = (usize, Vec<RawEntry>);

    fn prepare(&mut self) -> Result<Self::Input> {
        let stream = self.entries.below(self.versions.len());
        Ok((stream, self.entries.many(self.batch)))
    }

    async fn run(&mut self, (stream, entries): Self::Input) -> Result<usize> {
        let count = i64::try_from(entries.len())?;
        let base = self.versions[stream].fetch_add(count, Ordering::Relaxed);
        let metadata: Result<Vec<String>, _> = entries
            .iter()
            .map(|entry| serde_json::to_string(&entry.metadata))
            .collect();
        let of =
            |text: fn(&RawEntry) -> Option<&str>| -> Vec<_> { entries.iter().map(text).collect() };
        let payloads: Vec<&[u8]> = entries.iter().map(|entry| &entry.payload[..]).collect();
        let schema_versions: Result<Vec<i32>, _> = entries
            .iter()
            .map(|entry| i32::try_from(entry.schema_version))
            .collect();
        let query = sqlx::query(self.sql.clone())
            .bind(i64::try_from(stream)?)
            .bind(base)
            .bind(payloads)
            .bind(of(|entry| {
                Some(entry.order_key.as_deref().unwrap_or_default())
            }))
            .bind(of(|entry| entry.dedup_key.as_deref()))
            .bind(schema_versions?)
            .bind(metadata?)
            .bind(of(|entry| Some(entry.content_type.as_str())));
        let done = query.execute(&mut *self.connection.lock().await).await?;
        ensure!(
            done.rows_affected() == entries.len() as u64,
            "rows are missing"
        );
        Ok(entries.len())
    }
}
