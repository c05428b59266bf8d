//! A first look at `ledger`: the flights that left New York in 2013, one event
//! for each departure, one stream for each carrier, in one SQLite file.
//!
//! The program ingests the flights twice (nothing doubles), changes the type
//! of its events and reads the old ones as the new type, pages through a
//! stream, follows one aircraft, and finds everything again after reopening
//! the database. Each step checks what it finds against the source and fails
//! if anything is amiss.
//!
//! Read on in `departure.rs`, the events and their two versions, then in
//! `ingest.rs`, `evolve.rs`, `page.rs` and `follow.rs`.

mod args;
mod departure;
mod evolve;
mod flights;
mod follow;
mod ingest;
mod page;
mod report;
mod totals;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use ledger_core::Store;
use ledger_sqlite::SqliteStore;

use crate::args::{Args, USAGE};
use crate::departure::{DepartureV1, stream_name};
use crate::evolve::{append_today, read_upcast};
use crate::flights::Source;
use crate::follow::{Busiest, follow};
use crate::ingest::ingest;
use crate::page::page_through;
use crate::report::{Step, detail, thousands, usage};
use crate::totals::Totals;

/// Entries of a page where the program pages by hand.
const PAGE: usize = 50;

#[tokio::main]
async fn main() -> Result<()> {
    let Some(args) = Args::parse(std::env::args_os().skip(1))? else {
        usage(USAGE);
        return Ok(());
    };
    match args.database {
        Some(database) => run(&args.source, &database).await,
        None => {
            let folder = tempfile::tempdir()?;
            run(&args.source, &folder.path().join("departures.db")).await
        }
    }
}

async fn run(source: &Source, database: &Path) -> Result<()> {
    let step = Step::begin("read");
    let flights = source.read()?;
    let flown = Totals::of_flights(&flights);
    let busiest = Busiest::of(&flights).context("no flight has a tail number")?;
    step.done(format_args!("{source}: {flown}"));

    let step = Step::begin("open");
    let store = SqliteStore::open(database).await?;
    step.done(database.display());

    write_twice(&store, &flights).await?;
    evolve(&store, &flights, &busiest).await?;
    read_in_pages(&store, &stream_name(busiest.carrier)).await?;
    follow_aircraft(&store, &busiest).await?;

    let step = Step::begin("reopen");
    store.close().await?;
    let store = SqliteStore::open(database).await?;
    let found = Totals::of_store(&store).await?;
    let expected = flown.plus_one(&stream_name(busiest.carrier));
    ensure!(
        found == expected,
        "{found} after reopening, not {expected}; does the database hold other flights?"
    );
    store.close().await?;
    step.done(format_args!("{found}, all accounted for"));
    Ok(())
}

/// Ingests the flights, and all of them again. The second time stands for
/// every retry and restart: whatever was sent before is a duplicate.
async fn write_twice(store: &impl Store<i64>, flights: &[DepartureV1]) -> Result<()> {
    for name in ["ingest", "again"] {
        let before = Totals::of_store(store).await?;
        let step = Step::begin(name);
        let ingested = ingest(store, flights).await?;
        let rate = step.rate(flights.len());
        step.done(format_args!("{ingested}, {rate}"));

        let after = Totals::of_store(store).await?;
        ensure!(
            ingested.sent() == flights.len()
                && after.entries() == before.entries() + ingested.appended as u64,
            "{before} before, {after} now: that is not {ingested}"
        );
        if name == "again" {
            ensure!(after == before, "{before} became {after}");
        }
    }
    Ok(())
}

/// From here on the program knows departures as version 2 only.
async fn evolve(
    store: &impl Store<i64>,
    flights: &[DepartureV1],
    busiest: &Busiest<'_>,
) -> Result<()> {
    let step = Step::begin("upcast");
    let read = read_upcast(store, flights).await?;
    step.done(format_args!(
        "entries of version 1 read as version 2: {read}"
    ));

    let step = Step::begin("append");
    let receipt = append_today(store, busiest).await?;
    step.done(format_args!(
        "one entry of version 2 beside them: {}, place {}",
        stream_name(busiest.carrier),
        thousands(receipt.version),
    ));
    Ok(())
}

async fn read_in_pages(store: &impl Store<i64>, stream: &str) -> Result<()> {
    let expected = Totals::of_store(store).await?.of_stream(stream);
    let step = Step::begin("page");
    let paged = page_through(store, stream, PAGE).await?;
    step.done(format_args!("{stream}: {paged} of at most {PAGE}"));
    ensure!(paged.entries == expected, "{stream} has {expected} entries");
    Ok(())
}

async fn follow_aircraft(store: &impl Store<i64>, busiest: &Busiest<'_>) -> Result<()> {
    /// So many are shown, the newest.
    const SHOWN: usize = 5;

    let step = Step::begin("follow");
    let entries = follow(store, busiest).await?;
    step.done(format_args!(
        "{} has {} departures",
        busiest.aircraft,
        entries.len()
    ));
    for entry in &entries[entries.len().saturating_sub(SHOWN)..] {
        detail(format_args!(
            "{}, stored as version {}",
            entry.value, entry.schema_version
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a step that works on a new database only: the second run finds
    /// everything there already, the entry of version 2 too.
    #[tokio::test]
    async fn the_program_runs_and_runs_again_on_its_database() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("departures.db");
        run(&Source::day(), &database).await.unwrap();
        run(&Source::day(), &database).await.unwrap();
    }

    /// Catches totals that are told but not checked.
    #[tokio::test]
    async fn a_database_with_other_flights_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("departures.db");
        let edge_cases = concat!(env!("CARGO_MANIFEST_DIR"), "/data/edge-cases.csv");
        run(&Source::file(edge_cases.into()), &database)
            .await
            .unwrap();
        run(&Source::day(), &database).await.unwrap_err();
    }
}
