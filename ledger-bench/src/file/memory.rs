//! What an open log costs: memory and time to open, by entries and by streams.
//!
//! Each store is filled by one process and opened by another, whose memory is
//! that of the store and little else.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ledger_core::{Batch, Limits, Query, RawEntry, Read, Store, StreamName};
use ledger_file::{Durability, FileOptions, FileStore};

use crate::args::Args;
use crate::table::{progress, thousands};
use crate::workload::Entries;

const FOLDER: &str = "LEDGER_BENCH_FOLDER";
/// Streams of the stores whose entries are counted.
const STREAMS: usize = 100;

/// Fills stores of a tenth of the rows, of the rows, and of a stream for each
/// of a tenth of them.
pub(crate) async fn run(args: &Args) -> Result<()> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return opened(&PathBuf::from(folder)).await;
    }
    head(args);
    for (entries, streams) in [
        (args.rows / 10, STREAMS),
        (args.rows, STREAMS),
        (args.rows / 10, args.rows / 10),
    ] {
        let dir = tempfile::tempdir()?;
        let folder = dir.path().join("log");
        progress(&format!("{entries} entries in {streams} streams"));
        filled(args, &folder, entries, streams).await?;
        let again = Command::new(std::env::current_exe()?)
            .arg("file-memory")
            .env(FOLDER, &folder)
            .output()?;
        ensure!(again.status.success(), "the other process has failed");
        let figures = String::from_utf8(again.stdout)?;
        row(&folder, entries, streams, figures.trim())?;
    }
    Ok(())
}

async fn filled(args: &Args, folder: &Path, count: usize, streams: usize) -> Result<()> {
    let options = FileOptions::new().with_durability(Durability::ProcessDeath);
    let store = FileStore::open_with(folder, options).await?;
    let mut entries = Entries::new(args)?;
    let mut stored = 0;
    let each = if streams == count { 1 } else { 100 };
    while stored < count {
        // Many at once, so that filling does not take for ever.
        let appends = (0..1_000.min(count.div_ceil(each))).map(|nth| {
            let stream = stream((stored / each + nth) % streams);
            let batch: Vec<RawEntry> = entries.many(each);
            let store = &store;
            async move {
                let batch = Batch::new(batch, &Limits::TABLE)?;
                store
                    .append(&stream?, batch)
                    .await
                    .map_err(anyhow::Error::from)
            }
        });
        let appends: Vec<_> = appends.collect();
        stored += each * appends.len();
        futures_util::future::try_join_all(appends).await?;
    }
    store.close().await?;
    Ok(())
}

fn stream(nth: usize) -> Result<StreamName> {
    Ok(StreamName::new(format!("orders-{nth:08}"))?)
}

/// What the other process tells: how long opening took, and what it holds then
/// and after it has used every index.
#[expect(clippy::print_stdout, reason = "the process that started it reads it")]
async fn opened(folder: &Path) -> Result<()> {
    let before = resident()?;
    let start = Instant::now();
    let store = FileStore::open_existing(folder).await?;
    let time = start.elapsed();
    let open = resident()? - before;
    // A key that is nowhere is looked for in every segment.
    let read = Read::new(Query::new().order_key("nowhere"), &Limits::TABLE)?;
    store.read(&stream(0)?, &read).await?;
    let used = resident()? - before;
    println!(
        "{:.3} s | {:.1} | {:.1}",
        time.as_secs_f64(),
        mib(open),
        mib(used)
    );
    store.close().await?;
    Ok(())
}

/// Bytes of memory that this process holds.
fn resident() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: f64 = kib
        .context("no VmRSS in /proc/self/status")?
        .trim()
        .parse()?;
    Ok(kib * 1024.0)
}

fn mib(bytes: f64) -> f64 {
    bytes / 1024.0 / 1024.0
}

#[expect(clippy::print_stdout, reason = "tables are what the program is for")]
fn head(args: &Args) {
    println!(
        "\n### Embedded log: what an open store costs\n\n`{}`\n",
        args.line
    );
    println!("| row | bytes an entry | of them index | opening | MiB open | MiB used |");
    println!("|---|---:|---:|---:|---:|---:|");
}

#[expect(clippy::print_stdout, reason = "tables are what the program is for")]
fn row(folder: &Path, entries: usize, streams: usize, figures: &str) -> Result<()> {
    let (mut all, mut index) = (0, 0);
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        let len = file.metadata()?.len();
        all += len;
        if file.path().extension().is_some_and(|kind| kind == "idx") {
            index += len;
        }
    }
    println!(
        "| {} entries in {} streams | {:.0} | {:.1} | {figures} |",
        thousands(entries as f64),
        thousands(streams as f64),
        all as f64 / entries as f64,
        index as f64 / entries as f64,
    );
    Ok(())
}
