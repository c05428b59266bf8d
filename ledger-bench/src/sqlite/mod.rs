//! SQLite: ours against rusqlite on the same tables, the same SQLite, the
//! same settings.

mod floor;
mod floor_group;
mod floor_read;

use std::path::Path;

use anyhow::Result;
use ledger_sqlite::SqliteStore;
use tempfile::TempDir;

use crate::args::Args;
use crate::disk;
use crate::ours;
use crate::table::{Table, Target, progress};
use crate::workload::{Entries, fill};

/// Streams that the 64 appenders write to, and that lie in the store that is
/// read.
const STREAMS: usize = 100;

const READS: [&str; 6] = [
    "page of 100, a stream",
    "page of 1,000, a stream",
    "page of 100, an order key",
    "page of 100, whole store",
    "page of 1,000, whole store",
    "scan of the whole store",
];

pub(crate) async fn run(args: &Args) -> Result<()> {
    appends(args).await?;
    if !disk::is_slow() {
        reads(args).await?;
    }
    Ok(())
}

async fn appends(args: &Args) -> Result<()> {
    let flush = match disk::is_slow() {
        true => "each flush 1 ms longer",
        false => "the disk as it is",
    };
    let keys = if args.dedup { "unique" } else { "no" };
    let mut table = Table::new(
        args,
        format!("SQLite: appends, {flush}"),
        format!(
            "WAL, synchronous=FULL, {keys} dedup keys. Floor: rusqlite, prepared statements; \
             for several appenders a writer thread with group commit."
        ),
    );
    let entries = Entries::new(args)?;
    let name = "64 appenders, singles, 100 streams";
    if args.wants(name) {
        let place = Place::fresh().await?;
        let group = floor_group::Group::start(&place.floor())?;
        let floor = (0..64).map(|n| group.appender(entries.seeded(n), STREAMS));
        let floor = floor.collect::<Result<_>>()?;
        let ours = ours::appenders(&place.store, &entries, 64, 1, STREAMS)?;
        table.race(name, Target::AtLeast(0.8), floor, ours).await?;
    }
    for (name, batch, target) in [
        ("lone appender, singles", 1, 0.7),
        ("lone appender, batches of 100", 100, 0.8),
        ("lone appender, batches of 1,000", 1_000, 0.95),
    ] {
        if args.wants(name) {
            let place = Place::fresh().await?;
            let floor = floor::Appender::open(&place.floor(), entries.seeded(1), batch)?;
            let ours = place.appender(&entries, 2, batch, 1)?;
            table
                .race(name, Target::AtLeast(target), vec![floor], vec![ours])
                .await?;
        }
    }
    table.end();
    Ok(())
}

async fn reads(args: &Args) -> Result<()> {
    if !READS.iter().any(|name| args.wants(name)) {
        return Ok(());
    }
    let mut table = Table::new(
        args,
        "SQLite: reads",
        format!(
            "{} entries, half of them in one stream, the rest in {} others; one reader. \
             Floor: rusqlite, prepared, on a connection of its own, decoding into the same \
             owned records.",
            args.rows,
            STREAMS - 1
        ),
    );
    let place = Place::filled(args).await?;
    let path = place.ours();
    let [small, large, by_key, small_of_all, large_of_all, scan] = READS;
    let key = "customer-0007".to_owned();
    let target = Target::AtLeast(0.75);
    for (name, limit, key) in [
        (small, 100, None),
        (large, 1_000, None),
        (by_key, 100, Some(key)),
    ] {
        if args.wants(name) {
            let floor = floor_read::StreamPages::open(&path, limit, key.clone())?;
            let ours = ours::StreamPages::new(&place.store, limit, key)?;
            table.race(name, target, vec![floor], vec![ours]).await?;
        }
    }
    for (name, limit) in [(small_of_all, 100), (large_of_all, 1_000)] {
        if args.wants(name) {
            let floor = floor_read::StorePages::open(&path, limit)?;
            let ours = ours::StorePages::new(&place.store, limit);
            table.race(name, target, vec![floor], vec![ours]).await?;
        }
    }
    if args.wants(scan) {
        let floor = floor_read::Scan::open(&path)?;
        let ours = ours::Scan::new(&place.store);
        let target = Target::AtLeast(0.7);
        table.race(scan, target, vec![floor], vec![ours]).await?;
    }
    table.end();
    Ok(())
}

/// A directory with a database for each side.
struct Place {
    dir: TempDir,
    store: SqliteStore,
}

impl Place {
    async fn fresh() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let store = SqliteStore::open(dir.path().join("ours.db")).await?;
        Ok(Self { dir, store })
    }

    /// With `rows` entries in one database, which both sides read.
    async fn filled(args: &Args) -> Result<Self> {
        progress("filling the store");
        let place = Self::fresh().await?;
        fill(&place.store, args, STREAMS, 10).await?;
        Ok(place)
    }

    fn ours(&self) -> std::path::PathBuf {
        self.dir.path().join("ours.db")
    }

    fn floor(&self) -> std::path::PathBuf {
        self.dir.path().join("floor.db")
    }

    fn appender(
        &self,
        entries: &Entries,
        seed: u64,
        batch: usize,
        streams: usize,
    ) -> Result<ours::Appender<i64, SqliteStore>> {
        ours::Appender::new(&self.store, entries.seeded(seed), batch, streams)
    }
}

/// A connection with the settings of ours.
fn connect(path: &Path) -> Result<rusqlite::Connection> {
    let connection = rusqlite::Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(100);
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; \
         PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864; \
         PRAGMA busy_timeout = 5000;",
    )?;
    Ok(connection)
}
