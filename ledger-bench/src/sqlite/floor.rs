//! The floor of appends by one task: a connection used in place, with no
//! queue, no task and no hand-over in between. In each transaction it reads
//! the last id and the head of the stream, inserts row by row, and writes head
//! and last id. It relies on the unique index for repeated dedup keys, checks
//! no limits and no expected version, and leaves everything to one statement
//! after the other, prepared once.

use std::path::Path;

use anyhow::Result;
use ledger_core::{Identifier, RawEntry, StreamName, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::connect;
use crate::work::Work;
use crate::workload::{Entries, streams};

/// A connection that writes.
pub(super) struct Writer {
    connection: Connection,
    last_id: i64,
}

impl Writer {
    /// Makes the tables of ours in a new file.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let connection = connect(path)?;
        connection.execute_batch(&ledger_sqlite::schema_sql(&Identifier::DEFAULT_PREFIX))?;
        Ok(Self {
            connection,
            last_id: 0,
        })
    }

    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        self.run("BEGIN IMMEDIATE")?;
        let sql = "SELECT last_id FROM ledger_meta";
        self.last_id = self
            .connection
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?;
        Ok(())
    }

    /// Adds entries to a stream and tells its version.
    pub(super) fn add(&mut self, stream: &StreamName, entries: &[RawEntry]) -> Result<i64> {
        let conn = &self.connection;
        let now = Timestamp::now().as_micros();
        let mut head =
            conn.prepare_cached("SELECT stream_id, version FROM ledger_streams WHERE name = ?1")?;
        let head = head
            .query_row([stream.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (id, mut version): (i64, i64) = match head {
            Some(head) => head,
            None => {
                conn.execute(
                    "INSERT INTO ledger_streams (name, version, last_id, last_at) \
                     VALUES (?1, 0, 0, 0)",
                    [stream.as_str()],
                )?;
                (conn.last_insert_rowid(), 0)
            }
        };
        let mut insert = conn.prepare_cached(
            "INSERT INTO ledger_entries (id, stream_id, version, schema_version, content_type, \
             recorded_at, order_key, dedup_key, metadata, payload) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        for entry in entries {
            self.last_id += 1;
            version += 1;
            insert.execute(params![
                self.last_id,
                id,
                version,
                entry.schema_version,
                entry.content_type.as_str(),
                now,
                entry.order_key,
                entry.dedup_key,
                serde_json::to_string(&entry.metadata)?,
                &entry.payload[..],
            ])?;
        }
        let mut update = conn.prepare_cached(
            "UPDATE ledger_streams SET version = ?2, last_id = ?3, last_at = ?4 \
             WHERE stream_id = ?1",
        )?;
        update.execute([id, version, self.last_id, now])?;
        Ok(version)
    }

    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        let sql = "UPDATE ledger_meta SET last_id = ?1";
        self.connection
            .prepare_cached(sql)?
            .execute([self.last_id])?;
        self.run("COMMIT")
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }
}

/// Appends batches to one stream.
pub(super) struct Appender {
    writer: Writer,
    entries: Entries,
    batch: usize,
    stream: StreamName,
}

impl Appender {
    pub(super) fn open(path: &Path, entries: Entries, batch: usize) -> Result<Self> {
        Ok(Self {
            writer: Writer::create(path)?,
            entries,
            batch,
            stream: streams(1)?[0].clone(),
        })
    }
}

impl Work for Appender {
    type Input = Vec<RawEntry>;

    fn prepare(&mut self) -> Result<Vec<RawEntry>> {
        Ok(self.entries.many(self.batch))
    }

    async fn run(&mut self, entries: Vec<RawEntry>) -> Result<usize> {
        self.writer.begin()?;
        self.writer.add(&self.stream, &entries)?;
        self.writer.commit()?;
        Ok(entries.len())
    }
}
