//! Many clients at once, under the history checker.

use std::io::BufWriter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ledger_core::{EntryId, Result, StoreOrder};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::worker::{FREE, ROUNDS, STREAMS, Worker, read_store, read_streams};
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::history::{Client, History, Recorder, Summary, Violation, check as check_history};
use crate::lab::{Handle, Lab};
use crate::sample::name;
use crate::unsure::Unsure;

const CLIENTS: usize = 6;

/// Six clients, two readers of streams and two of the whole store work on two
/// handles at once; then everything is read, and the history has to hold.
/// Catches entries that appear below a place that a reader has passed, lost
/// and doubled ones, expected versions and keys checked outside the lock,
/// conflicts that tell a stale version, reads that lag behind.
pub(in crate::cases) async fn r03_history_checker_load<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let recorder = Recorder::new();
    load(lab, &handles, &recorder, FREE, false).await?;
    lab.step("reading all there is");
    let history = recorder.finish(&*handles[0]).await?;
    let order = lab.capabilities().store_order;
    let summary = judge(&history, order)?;
    covers(&summary, order)?;
    Ok(Ran::Whole)
}

/// The same over a line that loses requests and answers and is cut in the
/// middle of calls, with retries of what has an unknown outcome. Catches an
/// append that is half there, or twice, or without its key after it was cut,
/// and a lock that stays behind.
pub(in crate::cases) async fn r04_history_checker_faults<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let unsure = handles
        .clone()
        .map(|store| Arc::new(Unsure::new(store)) as Handle<I>);
    let recorder = Recorder::new();
    load(lab, &unsure, &recorder, FREE / 2, true).await?;
    lab.step("closing, which waits for what was cut");
    for handle in &handles {
        handle.close().await?;
    }
    lab.step("reading all there is");
    let history = recorder.finish(&*lab.open().await?).await?;
    let order = lab.capabilities().store_order;
    let summary = judge(&history, order)?;
    covers(&summary, order)?;
    let (there, absent) = (summary.unknown_present, summary.unknown_absent);
    check::that(
        "P10",
        "the run proves nothing without appends of unknown outcome",
        there > 0 && absent > 0 && summary.refused > 0,
        "some that are there, some that are not, and some that were not applied",
        &summary,
    )?;
    Ok(Ran::Whole)
}

/// Clients and readers at work on two handles, until all have ended.
async fn load<I: EntryId>(
    lab: &Lab<I>,
    handles: &[Handle<I>; 2],
    recorder: &Recorder<I>,
    free: Duration,
    unsure: bool,
) -> Result<(), Failure> {
    let can = lab.capabilities();
    let names: Arc<Vec<_>> = Arc::new((0..STREAMS).map(|n| name(&format!("r03-{n}"))).collect());
    let barrier = Arc::new(Barrier::new(CLIENTS));
    let running = Arc::new(AtomicBool::new(true));
    let mut rng = lab.rng();

    lab.step("clients at work");
    // Dropped with an error, a set aborts the others.
    let (mut writers, mut readers) = (JoinSet::new(), JoinSet::new());
    for n in 0..CLIENTS {
        let worker = Worker {
            client: Client::new(recorder, handles[n % 2].clone()),
            names: names.clone(),
            rng: rng.fork(),
            number: n,
            trims: can.trim && n == 0,
            unsure,
            batches: Vec::new(),
        };
        writers.spawn(worker.work(barrier.clone(), lab.load, free));
    }
    for handle in handles {
        let client = || Client::new(recorder, handle.clone());
        readers.spawn(read_streams(
            client(),
            names.clone(),
            running.clone(),
            rng.fork(),
        ));
        if can.store_order != StoreOrder::None {
            readers.spawn(read_store(client(), running.clone(), rng.fork()));
        }
    }
    all(&mut writers).await?;
    // The readers go on until they have got what the writers wrote last.
    running.store(false, Ordering::Release);
    all(&mut readers).await
}

async fn all(set: &mut JoinSet<Result<()>>) -> Result<(), Failure> {
    while let Some(ended) = set.join_next().await {
        match ended {
            Ok(result) => result?,
            Err(e) => return Err(Failure::new("P20", "a client", "no panic", e.to_string())),
        }
    }
    Ok(())
}

/// Checks a history; one that does not hold is kept in a file.
#[track_caller]
pub(in crate::cases) fn judge<I: EntryId>(
    history: &History<I>,
    order: StoreOrder,
) -> Result<Summary, Failure> {
    check_history(history, order).map_err(|violation| {
        let Violation { promise, .. } = violation;
        let file = keep(history);
        let got = format!("{violation}\n  the whole history: {file}");
        Failure::new(
            promise,
            "the history of all clients",
            "a history that holds",
            got,
        )
    })
}

/// Writes a history where the build keeps its files, or to the directory for
/// temporary ones, and tells where.
fn keep<I: EntryId>(history: &History<I>) -> String {
    let target = std::env::current_exe().ok().and_then(|exe| {
        let mut above = exe.ancestors();
        let found = above.find(|dir| dir.join("CACHEDIR.TAG").is_file());
        found.map(|dir| dir.join("ledger-storetest"))
    });
    let dir = target.unwrap_or_else(std::env::temp_dir);
    let write = || {
        std::fs::create_dir_all(&dir)?;
        let name = format!("history-{:016x}.jsonl", fastrand::u64(..));
        let path = dir.join(name);
        history.write_to(BufWriter::new(std::fs::File::create(&path)?))?;
        Ok::<_, std::io::Error>(path.display().to_string())
    };
    write().unwrap_or_else(|e| format!("not written: {e}"))
}

/// A run in which nothing rare occurred proves nothing.
fn covers(summary: &Summary, order: StoreOrder) -> Result<(), Failure> {
    let needed = [
        ("appends", summary.appended, CLIENTS),
        ("conflicts", summary.conflicts, ROUNDS),
        ("duplicates", summary.duplicates, ROUNDS),
        ("operations at the same time", summary.concurrency, 2),
        ("pages of streams", summary.reads, 1),
        (
            "pages of the store",
            summary.tail_pages,
            usize::from(order != StoreOrder::None),
        ),
    ];
    for (what, got, least) in needed {
        check::that(
            "P8",
            format!("the run proves nothing without {what}"),
            got >= least,
            format!("at least {least}"),
            summary,
        )?;
    }
    Ok(())
}
