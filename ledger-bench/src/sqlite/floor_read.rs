//! The floor of reads: a prepared statement on a connection used in place, no
//! pool, no task, decoding into the same owned records. A page needs one
//! statement; the scan is a single one over the whole store, which an
//! application could not afford: it keeps a snapshot open as long as it runs.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;
use ledger_core::{ContentType, RawEntry, Record, StoreRecord, StreamName, Timestamp};
use rusqlite::{Connection, Row};

use super::connect;
use crate::work::Work;
use crate::workload::streams;

const COLUMNS: &str = "id, version, schema_version, content_type, recorded_at, \
                       order_key, dedup_key, metadata, payload, stream_id";

fn record(row: &Row<'_>) -> Result<Record<i64>> {
    let content_type = ContentType::parse(row.get_ref(3)?.as_str()?)?;
    let payload = Bytes::copy_from_slice(row.get_ref(8)?.as_blob()?);
    let mut entry = RawEntry::new(content_type, row.get(2)?, payload);
    entry.order_key = row.get(5)?;
    entry.dedup_key = row.get(6)?;
    if let Some(metadata) = row.get_ref(7)?.as_str_or_null()? {
        entry.metadata = serde_json::from_str(metadata)?;
    }
    let at = Timestamp::from_micros(row.get(4)?).context("a time")?;
    let version = u64::try_from(row.get::<_, i64>(1)?)?;
    Ok(Record::new(row.get(0)?, version, at, entry))
}

/// Reads the first stream page by page, again and again.
pub(super) struct StreamPages {
    connection: Connection,
    sql: String,
    stream: StreamName,
    limit: usize,
    key: Option<String>,
    after: i64,
}

impl StreamPages {
    pub(super) fn open(path: &Path, limit: usize, key: Option<String>) -> Result<Self> {
        let (index, by_key) = match key {
            Some(_) => ("order", "AND order_key = ?4"),
            None => ("stream", "AND ?4 IS NULL"),
        };
        Ok(Self {
            connection: connect(path)?,
            sql: format!(
                "SELECT {COLUMNS} FROM ledger_entries INDEXED BY ledger_entries_{index} \
                 WHERE stream_id = (SELECT stream_id FROM ledger_streams WHERE name = ?1) \
                 AND id > ?2 {by_key} ORDER BY id LIMIT ?3"
            ),
            stream: streams(1)?[0].clone(),
            limit,
            key,
            after: 0,
        })
    }
}

impl Work for StreamPages {
    type Input = ();

    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    async fn run(&mut self, (): ()) -> Result<usize> {
        let mut statement = self.connection.prepare_cached(&self.sql)?;
        let limit = i64::try_from(self.limit)?;
        let mut rows = statement.query((self.stream.as_str(), self.after, limit, &self.key))?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            page.push(record(row)?);
        }
        let full = page.len() == self.limit;
        let last = page.last().map_or(0, |last| last.id);
        self.after = if full { last } else { 0 };
        Ok(page.len())
    }
}

/// The names of the streams by their ids.
fn names(connection: &Connection) -> Result<HashMap<i64, StreamName>> {
    let mut statement = connection.prepare_cached("SELECT stream_id, name FROM ledger_streams")?;
    let mut rows = statement.query([])?;
    let mut names = HashMap::new();
    while let Some(row) = rows.next()? {
        names.insert(row.get(0)?, StreamName::new(row.get_ref(1)?.as_str()?)?);
    }
    Ok(names)
}

fn store_record(row: &Row<'_>, names: &HashMap<i64, StreamName>) -> Result<StoreRecord<i64>> {
    let name = names.get(&row.get(9)?).context("a stream")?;
    Ok(StoreRecord::new(name.clone(), record(row)?))
}

/// Reads the whole store page by page, again and again. It knows the names of
/// the streams beforehand.
pub(super) struct StorePages {
    connection: Connection,
    names: HashMap<i64, StreamName>,
    limit: usize,
    after: i64,
}

impl StorePages {
    pub(super) fn open(path: &Path, limit: usize) -> Result<Self> {
        let connection = connect(path)?;
        Ok(Self {
            names: names(&connection)?,
            connection,
            limit,
            after: 0,
        })
    }
}

impl Work for StorePages {
    type Input = ();

    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    async fn run(&mut self, (): ()) -> Result<usize> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM ledger_entries WHERE id > ?1 ORDER BY id LIMIT ?2"
        ))?;
        let mut rows = statement.query([self.after, i64::try_from(self.limit)?])?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            page.push(store_record(row, &self.names)?);
        }
        let full = page.len() == self.limit;
        let last = page.last().map_or(0, |last| last.record.id);
        self.after = if full { last } else { 0 };
        Ok(page.len())
    }
}

/// Reads all entries of the store.
pub(super) struct Scan(Connection);

impl Scan {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self(connect(path)?))
    }
}

impl Work for Scan {
    type Input = ();

    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    async fn run(&mut self, (): ()) -> Result<usize> {
        let names = names(&self.0)?;
        let mut statement = self
            .0
            .prepare_cached(&format!("SELECT {COLUMNS} FROM ledger_entries ORDER BY id"))?;
        let mut rows = statement.query([])?;
        let mut entries = 0;
        while let Some(row) = rows.next()? {
            std::hint::black_box(&store_record(row, &names)?);
            entries += 1;
        }
        Ok(entries)
    }
}
