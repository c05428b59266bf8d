//! The embedded log: appends against a bare loop of writes and flushes with the
//! same grouping, the scan against reading the same files, and pages against
//! those of the SQLite backend.

mod floor;
mod floor_read;
pub(crate) mod memory;

use anyhow::Result;
use ledger_file::FileStore;
use ledger_sqlite::SqliteStore;
use tempfile::TempDir;

use crate::args::Args;
use crate::disk;
use crate::ours;
use crate::table::{Table, Target, progress};
use crate::workload::{Entries, fill};

/// Streams that many appenders write to.
const STREAMS: usize = 100;
/// Streams that lie in the store that is read.
const READ_STREAMS: usize = 1_000;

const READS: [&str; 5] = [
    "scan of the whole store",
    "page of 100, a stream of 1,000",
    "page of 1,000, a stream of 1,000",
    "page of 100, whole store",
    "page of 1,000, whole store",
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
        format!("Embedded log: appends, {flush}"),
        format!(
            "Every append flushed, {keys} dedup keys. Floor: a thread that writes what waits \
             in its queue into a file filled with zeros and flushes it; no index, no checksum, \
             no look for duplicates."
        ),
    );
    let entries = Entries::new(args)?;
    for (tasks, batch, target) in [
        (1, 1, 0.9),
        (16, 1, 0.9),
        (64, 1, 0.9),
        (256, 1, 0.9),
        (16, 100, 0.8),
    ] {
        let what = match batch {
            1 => "singles".to_owned(),
            _ => format!("batches of {batch}"),
        };
        let name = match tasks {
            1 => format!("lone appender, {what}"),
            _ => format!("{tasks} appenders, {what}, {STREAMS} streams"),
        };
        if !args.wants(&name) {
            continue;
        }
        let dir = tempfile::tempdir()?;
        let store = FileStore::open(dir.path().join("ours")).await?;
        let group = floor::Group::start(&dir.path().join("floor"))?;
        let streams = if tasks == 1 { 1 } else { STREAMS };
        let floor = (0..tasks).map(|n| group.appender(entries.seeded(n.into()), batch));
        let ours = ours::appenders(&store, &entries, tasks, batch, streams)?;
        table
            .race(&name, Target::AtLeast(target), floor.collect(), ours)
            .await?;
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
        "Embedded log: reads",
        format!(
            "{} entries, half of them in one stream, the rest in {} others; one reader. Floor \
             of the scan: reading the same files, block by block. Of pages: the SQLite backend.",
            args.rows,
            READ_STREAMS - 1
        ),
    );
    progress("filling the stores");
    let place = Place::filled(args).await?;
    let [scan, small, large, small_of_all, large_of_all] = READS;
    if args.wants(scan) {
        let floor = floor_read::Scan::open(&place.folder(), args.rows)?;
        let ours = ours::Scan::new(&place.file);
        let target = Target::AtLeast(0.5);
        table.race(scan, target, vec![floor], vec![ours]).await?;
    }
    let target = Target::AtLeast(1.5);
    for (name, limit) in [(small, 100), (large, 1_000)] {
        if args.wants(name) {
            let floor = ours::StreamPages::new(&place.sqlite, limit, None)?;
            let ours = ours::StreamPages::new(&place.file, limit, None)?;
            table.race(name, target, vec![floor], vec![ours]).await?;
        }
    }
    for (name, limit) in [(small_of_all, 100), (large_of_all, 1_000)] {
        if args.wants(name) {
            let floor = ours::StorePages::new(&place.sqlite, limit);
            let ours = ours::StorePages::new(&place.file, limit);
            table.race(name, target, vec![floor], vec![ours]).await?;
        }
    }
    table.end();
    Ok(())
}

/// The same entries in a store of each kind.
struct Place {
    dir: TempDir,
    file: FileStore,
    sqlite: SqliteStore,
}

impl Place {
    async fn filled(args: &Args) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let file = FileStore::open(dir.path().join("log")).await?;
        let sqlite = SqliteStore::open(dir.path().join("sqlite.db")).await?;
        fill(&file, args, READ_STREAMS, 10).await?;
        fill(&sqlite, args, READ_STREAMS, 10).await?;
        Ok(Self { dir, file, sqlite })
    }

    fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("log")
    }
}
