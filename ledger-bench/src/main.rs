//! The speed of ledger, as a ratio to that of the same work without it.
//!
//! `cargo run --release -p ledger-bench -- all|sqlite|postgres|mongo|file|typed`
//! prints Markdown tables. In each row two sides do the same work: *ours*
//! through the library, and the *floor*, the least code that does it without.
//! They take turns within each round (floor, ours, ours, floor, …), so that what
//! else the machine does meets both; a ratio is that of one round, and the
//! table shows the median and the range of them. The absolute rates belong to
//! this machine and this hour; the ratios are what counts.
//!
//! `file-memory` is no race: it tells what an open log costs.
//!
//! What each floor does, and what it leaves out, is told in its module.

mod args;
mod disk;
mod file;
mod mongo;
mod ours;
mod postgres;
mod race;
mod sqlite;
mod stats;
mod table;
mod typed;
mod work;
mod workload;

use std::process::ExitCode;

use args::{Args, Group, USAGE};

#[expect(clippy::print_stderr, reason = "it tells what went wrong")]
fn main() -> ExitCode {
    let done = Args::parse(std::env::args().skip(1)).and_then(|args| match args {
        Some(args) => run(&args),
        None => usage(),
    });
    match done {
        Ok(code) => code,
        Err(e) => {
            eprintln!("ledger-bench: {e:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "it was asked for")]
fn usage() -> anyhow::Result<ExitCode> {
    println!("{USAGE}");
    Ok(ExitCode::SUCCESS)
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let flushes = matches!(args.group, Group::Sqlite | Group::File);
    if args.slow_flush && flushes && !disk::is_slow() {
        return disk::again_with_a_slow_flush();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match args.group {
            Group::All => {
                sqlite::run(args).await?;
                file::run(args).await?;
                typed::run(args).await?;
                postgres::run(args).await?;
                mongo::run(args).await
            }
            Group::Sqlite => sqlite::run(args).await,
            Group::Postgres => postgres::run(args).await,
            Group::Mongo => mongo::run(args).await,
            Group::File => file::run(args).await,
            Group::FileMemory => file::memory::run(args).await,
            Group::Typed => typed::run(args).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
