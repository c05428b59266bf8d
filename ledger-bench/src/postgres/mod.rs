//! PostgreSQL: ours against bare statements on the same tables and server.

mod floor;
mod floor_read;
mod place;

use anyhow::Result;
use ledger_testkit::Postgres;

use crate::args::Args;
use crate::ours;
use crate::table::{Table, Target, progress};
use crate::workload::{Entries, make_streams};
use place::Place;

/// A row of appends.
struct Appends {
    name: &'static str,
    batch: usize,
    streams: usize,
    tasks: u32,
    connections: u32,
    target: Target,
}

const APPENDS: [Appends; 5] = [
    Appends {
        name: "singles, 1,000 streams, 1 task",
        batch: 1,
        streams: 1_000,
        tasks: 1,
        connections: 1,
        target: Target::None,
    },
    Appends {
        name: "singles, 1,000 streams, 16 tasks, 16 connections",
        batch: 1,
        streams: 1_000,
        tasks: 16,
        connections: 16,
        target: Target::AtLeast(0.85),
    },
    Appends {
        name: "singles, 1,000 streams, 64 tasks, 16 connections",
        batch: 1,
        streams: 1_000,
        tasks: 64,
        connections: 16,
        target: Target::AtLeast(2.0),
    },
    Appends {
        name: "singles, one hot stream, 64 tasks, 64 connections",
        batch: 1,
        streams: 1,
        tasks: 64,
        connections: 64,
        target: Target::AtLeast(1.5),
    },
    Appends {
        name: "batches of 100, 1,000 streams, 16 tasks, 16 connections",
        batch: 100,
        streams: 1_000,
        tasks: 16,
        connections: 16,
        target: Target::AtLeast(1.0),
    },
];

const READS: [&str; 3] = [
    "page of 100, a stream",
    "page of 1,000, a stream",
    "scan of the whole store",
];

pub(crate) async fn run(args: &Args) -> Result<()> {
    if args.slow_flush {
        let server = Postgres::slow_flush().await?;
        return appends(args, server, "each flush 1 ms longer").await;
    }
    let server = Postgres::get().await?;
    appends(args, server, "the disk as it is").await?;
    reads(args, server).await
}

async fn appends(args: &Args, server: &Postgres, flush: &str) -> Result<()> {
    let keys = if args.dedup { "unique" } else { "no" };
    let mut table = Table::new(
        args,
        format!("PostgreSQL: appends, {flush}"),
        format!(
            "Server: {:?}; {keys} dedup keys. Floor: `INSERT … SELECT … FROM unnest(…)` into \
             the same table with versions that the caller makes up, no guarantees.",
            server.way()
        ),
    );
    for row in APPENDS.iter().filter(|row| args.wants(row.name)) {
        let entries = Entries::new(args)?;
        let place = Place::fresh(server, row.connections).await?;
        make_streams(&place.store, row.streams, &entries).await?;
        let floor = floor::appenders(&place, row, &entries).await?;
        let ours = ours::appenders(&place.store, &entries, row.tasks, row.batch, row.streams)?;
        table.race(row.name, row.target, floor, ours).await?;
    }
    table.end();
    Ok(())
}

async fn reads(args: &Args, server: &Postgres) -> Result<()> {
    if !READS.iter().any(|name| args.wants(name)) {
        return Ok(());
    }
    let mut table = Table::new(
        args,
        "PostgreSQL: reads",
        format!(
            "Server: {:?}; {} entries, half of them in one stream; one reader. Floor: \
             `COPY … TO STDOUT (FORMAT binary)` of the same rows and columns on a connection of \
             its own, the bytes only received.",
            server.way(),
            args.rows,
        ),
    );
    progress("filling the store");
    let place = Place::fresh(server, 4).await?;
    let in_stream = place.fill(args).await?;
    let [small, large, scan] = READS;
    for (name, limit, least) in [(small, 100, 0.9), (large, 1_000, 1.0)] {
        if args.wants(name) {
            let floor = floor_read::Pages::new(&place, limit, in_stream).await?;
            let ours = ours::StreamPages::new(&place.store, limit, None)?;
            let target = Target::AtLeast(least);
            table.race(name, target, vec![floor], vec![ours]).await?;
        }
    }
    if args.wants(scan) {
        let floor = floor_read::Scan::new(&place, args.rows).await?;
        let ours = ours::Scan::new(&place.store);
        let target = Target::AtLeast(0.8);
        table.race(scan, target, vec![floor], vec![ours]).await?;
    }
    table.end();
    Ok(())
}
