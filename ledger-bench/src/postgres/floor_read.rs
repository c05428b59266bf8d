//! The floor of reads: the fastest way in which the server hands out rows,
//! received and not decoded.

use anyhow::{Result, ensure};
use futures_util::TryStreamExt;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};

use super::place::Place;
use crate::work::Work;

const COLUMNS: &str = "e.pos, e.seq, e.recorded_at, e.schema_version, e.content_type, \
                       e.order_key, e.dedup_key, e.metadata::text, e.payload, e.stream_id";

/// Copies rows out; tells how many bytes they are.
async fn copy(connection: &mut PgConnection, select: &str) -> Result<usize> {
    let sql = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
    let mut bytes = 0;
    let mut chunks = connection.copy_out_raw(&sql).await?;
    while let Some(chunk) = chunks.try_next().await? {
        bytes += std::hint::black_box(chunk).len();
    }
    Ok(bytes)
}

/// Reads the first stream page by page, again and again, by its versions.
pub(super) struct Pages {
    connection: PgConnection,
    /// Up to the version that it reads behind.
    select: String,
    limit: usize,
    /// In the stream.
    entries: usize,
    read: usize,
}

impl Pages {
    pub(super) async fn new(place: &Place, limit: usize, entries: usize) -> Result<Self> {
        let mut connection = place.connect().await?;
        let streams = place.table("ledger_streams");
        let sql = format!("SELECT id FROM {streams} WHERE name = 'orders-0000'");
        let id = sqlx::query(AssertSqlSafe(sql))
            .fetch_one(&mut connection)
            .await?;
        let id: i64 = id.try_get(0)?;
        let table = place.table("ledger_entries");
        Ok(Self {
            connection,
            select: format!("SELECT {COLUMNS} FROM {table} e WHERE e.stream_id = {id} AND e.seq >"),
            limit,
            entries,
            read: 0,
        })
    }
}

impl Work for Pages {
    type Input = String;

    fn prepare(&mut self) -> Result<String> {
        if self.read == self.entries {
            self.read = 0;
        }
        let Self {
            select,
            read,
            limit,
            ..
        } = self;
        Ok(format!("{select} {read} ORDER BY e.seq LIMIT {limit}"))
    }

    async fn run(&mut self, select: String) -> Result<usize> {
        let bytes = copy(&mut self.connection, &select).await?;
        let count = self.limit.min(self.entries - self.read);
        ensure!(bytes > count * 200, "rows are missing");
        self.read += count;
        Ok(count)
    }
}

/// Reads all entries of the store in their order, in one statement.
pub(super) struct Scan {
    connection: PgConnection,
    select: String,
    entries: usize,
}

impl Scan {
    pub(super) async fn new(place: &Place, entries: usize) -> Result<Self> {
        let table = place.table("ledger_entries");
        Ok(Self {
            connection: place.connect().await?,
            select: format!("SELECT {COLUMNS} FROM {table} e ORDER BY e.pos"),
            entries,
        })
    }
}

impl Work for Scan {
    type Input = ();

    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    async fn run(&mut self, (): ()) -> Result<usize> {
        let bytes = copy(&mut self.connection, &self.select).await?;
        ensure!(bytes > self.entries * 200, "rows are missing");
        Ok(self.entries)
    }
}
