//! The power fails behind every operation of a random workload.

use ledger_core::backend::PositionCursor;
use ledger_core::{Batch, ContentType, Kind, Limits, RawEntry, Store, StreamName};
use ledger_file::sim::{Lie, Loss, SimDisk};
use ledger_file::{Durability, FileOptions};

use super::model::Asks;
use super::{Model, Plan, block_on, judge, open, run};

/// How many images were looked at, and of which kinds.
#[derive(Debug, Default)]
struct Seen {
    images: usize,
    cut: usize,
    /// Crashes of the opening after a crash.
    twice: usize,
}

fn options(durability: Durability, segment_bytes: u64) -> FileOptions {
    FileOptions::new()
        .with_durability(durability)
        .with_segment_bytes(segment_bytes)
}

/// Opens what is left, checks it, goes on, and opens it again.
async fn look(
    disk: &SimDisk,
    model: &Model,
    crashed: usize,
    asks: Asks,
    options: FileOptions,
) -> bool {
    let store = match open(disk, options.clone()).await {
        Ok(store) => store,
        Err(e) => panic!("what a crash leaves has to open: {e} {e:?}"),
    };
    let cut = store.cut().is_some();
    judge(&store, model, crashed, asks).await;
    let after = StreamName::from_static("after the crash");
    let entry = RawEntry::new(ContentType::BYTES, 1, vec![7; 300]);
    let batch = Batch::new(vec![entry; 2], &Limits::TABLE).unwrap();
    let receipts = store.append(&after, batch).await.unwrap();
    store.close().await.unwrap();
    let store = open(disk, options).await.unwrap();
    let stat = store.stat(&after).await.unwrap().unwrap();
    assert_eq!((stat.last, stat.retained), (receipts.last_id().copied(), 2));
    assert!(
        store.cut().is_none(),
        "it was cut once, and the log went on elsewhere"
    );
    store.close().await.unwrap();
    cut
}

async fn every_crash(plan: &Plan, seen: &mut Seen) {
    let disk = SimDisk::new();
    let (model, error) = run(&disk, plan).await;
    assert!(error.is_none(), "{error:?}");
    let all = disk.ops();
    for crashed in 0..=all {
        for (nth, loss) in Loss::ALL.into_iter().enumerate() {
            let seed = plan.seed ^ (crashed * 4 + nth) as u64;
            let image = disk.after_crash(crashed, loss, seed);
            let asks = match (plan.options.durability, loss) {
                (Durability::PowerLoss, _) | (_, Loss::Nothing) => Asks::Acknowledged,
                _ => Asks::Prefix,
            };
            // The power fails once more while the store is being opened.
            if crashed % 7 == nth {
                let before = image.ops();
                if let Ok(store) = open(&image, plan.options.clone()).await {
                    drop(store);
                }
                while image.is_locked() {
                    tokio::task::yield_now().await;
                }
                for again in before..=image.ops() {
                    let twice = image.after_crash(again, Loss::ALL[again % 4], seed);
                    seen.cut += usize::from(
                        look(&twice, &model, crashed, asks, plan.options.clone()).await,
                    );
                    seen.twice += 1;
                }
            }
            let cut = look(&image, &model, crashed, asks, plan.options.clone()).await;
            seen.cut += usize::from(cut);
            seen.images += 1;
        }
    }
}

fn explore(durability: Durability, seeds: std::ops::Range<u64>) {
    let mut seen = Seen::default();
    for seed in seeds {
        let plan = Plan {
            seed,
            steps: 25,
            options: options(durability, [4_096, 16_384][seed as usize % 2]),
            idles: seed % 3 == 0,
            closes: true,
        };
        block_on(every_crash(&plan, &mut seen));
    }
    println!("{durability:?}: {seen:?}");
    assert!(
        seen.images > 500 && seen.cut > 20 && seen.twice > 20,
        "too few of a kind: {seen:?}"
    );
}

fn more() -> u64 {
    std::env::var_os("LEDGER_LONG").map_or(1, |_| 20)
}

/// Catches an acknowledgement before the flush, a folder that is not flushed, a
/// tail that is appended to without being cut, an index that is believed, and a
/// recovery that refuses what a crash leaves.
#[test]
fn whatever_is_lost_what_was_acknowledged_is_there() {
    explore(Durability::PowerLoss, 0..2 * more());
}

/// Catches a weaker level that loses a middle, or does not open.
#[test]
fn without_flushes_a_prefix_is_left() {
    explore(Durability::ProcessDeath, 100..100 + 2 * more());
}

/// The proof has teeth: on a disk that only says that it flushes, losses are
/// found.
fn is_found(lie: Lie) {
    let plan = Plan {
        seed: 5,
        steps: 25,
        options: options(Durability::PowerLoss, 4_096),
        idles: false,
        closes: false,
    };
    let disk = SimDisk::new();
    let found = block_on(async {
        // The store itself is there for certain.
        open(&disk, plan.options.clone())
            .await
            .unwrap()
            .close()
            .await
            .unwrap();
        disk.lie(lie);
        let (model, error) = run(&disk, &plan).await;
        assert!(error.is_none(), "{error:?}");
        let ops = disk.ops();
        let image = disk.after_crash(ops, Loss::Everything, 0);
        match open(&image, plan.options.clone()).await {
            Ok(store) => {
                let head = store.store_head().await.unwrap();
                let head = PositionCursor::decode(&head).unwrap().position;
                let acked = model.appends.iter().filter_map(|a| a.stored.last());
                acked.map(|last| last.0).max() > Some(head)
            }
            Err(e) => *e.kind() == Kind::Corrupt,
        }
    });
    assert!(found, "{lie:?}: nothing was missed");
}

#[test]
fn a_disk_that_does_not_flush_files_is_found_out() {
    is_found(Lie::Files);
}

#[test]
fn a_disk_that_does_not_flush_names_is_found_out() {
    is_found(Lie::Folder);
}
