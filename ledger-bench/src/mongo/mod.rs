//! MongoDB: ours against the driver alone on the same server.

mod floor;
mod floor_read;
mod place;

use anyhow::Result;
use ledger_testkit::Mongo;

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
    target: Target,
}

const APPENDS: [Appends; 5] = [
    Appends {
        name: "singles, 1,000 streams, 1 task",
        batch: 1,
        streams: 1_000,
        tasks: 1,
        target: Target::None,
    },
    Appends {
        name: "singles, 1,000 streams, 16 tasks",
        batch: 1,
        streams: 1_000,
        tasks: 16,
        target: Target::None,
    },
    Appends {
        name: "singles, 1,000 streams, 64 tasks",
        batch: 1,
        streams: 1_000,
        tasks: 64,
        target: Target::AtLeast(1.5),
    },
    Appends {
        name: "singles, one hot stream, 64 tasks",
        batch: 1,
        streams: 1,
        tasks: 64,
        target: Target::AtLeast(3.0),
    },
    Appends {
        name: "batches of 100, 1,000 streams, 16 tasks",
        batch: 100,
        streams: 1_000,
        tasks: 16,
        target: Target::AtLeast(0.5),
    },
];

const READS: [&str; 3] = [
    "page of 100, a stream",
    "page of 1,000, a stream",
    "page of 1,000, whole store",
];

pub(crate) async fn run(args: &Args) -> Result<()> {
    let server = Mongo::get().await?;
    appends(args, server).await?;
    reads(args, server).await
}

async fn appends(args: &Args, server: &Mongo) -> Result<()> {
    let keys = if args.dedup { "unique" } else { "no" };
    let mut table = Table::new(
        args,
        "MongoDB: appends",
        format!(
            "Server: {:?}; {keys} dedup keys. Floor: `insert_many` of documents made before, into \
             a collection with no index but that of `_id`, majority and journaled, no guarantees.",
            server.way()
        ),
    );
    for row in APPENDS.iter().filter(|row| args.wants(row.name)) {
        let entries = Entries::new(args)?;
        let place = Place::fresh(server).await?;
        make_streams(&place.store, row.streams, &entries).await?;
        let floor = floor::appenders(&place, row, &entries)?;
        let ours = ours::appenders(&place.store, &entries, row.tasks, row.batch, row.streams)?;
        table.race(row.name, row.target, floor, ours).await?;
    }
    table.end();
    Ok(())
}

async fn reads(args: &Args, server: &Mongo) -> Result<()> {
    if !READS.iter().any(|name| args.wants(name)) {
        return Ok(());
    }
    let mut table = Table::new(
        args,
        "MongoDB: reads",
        format!(
            "Server: {:?}; {} entries, half of them in one stream; one reader. Floor: a cursor \
             of raw batches over the same range of `_id`, majority read concern, the documents \
             only counted.",
            server.way(),
            args.rows,
        ),
    );
    progress("filling the store");
    let place = Place::fresh(server).await?;
    place.fill(args).await?;
    let [small, large, whole] = READS;
    for (name, limit, target) in [
        (small, 100, Target::None),
        (large, 1_000, Target::AtLeast(0.75)),
    ] {
        if args.wants(name) {
            let floor = floor_read::Pages::of_first_stream(&place, limit).await?;
            let ours = ours::StreamPages::new(&place.store, limit, None)?;
            table.race(name, target, vec![floor], vec![ours]).await?;
        }
    }
    if args.wants(whole) {
        let floor = floor_read::Pages::of_all(&place, 1_000);
        let ours = ours::StorePages::new(&place.store, 1_000);
        let (floor, ours) = (vec![floor], vec![ours]);
        table.race(whole, Target::None, floor, ours).await?;
    }
    table.end();
    Ok(())
}
