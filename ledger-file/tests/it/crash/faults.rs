//! Every call to the disk fails once.

use ledger_core::{Applied, Batch, ContentType, Kind, Limits, RawEntry, Store, StreamName};
use ledger_file::FileOptions;
use ledger_file::sim::{Fault, Loss, SimDisk};

use super::model::{Asks, whole_store};
use super::{Plan, block_on, judge, open, run};

fn plan(seed: u64) -> Plan {
    Plan {
        seed,
        steps: 16,
        options: FileOptions::new().with_segment_bytes(4_096),
        idles: false,
        closes: true,
    }
}

/// What was seen of the faults that struck.
#[derive(Debug, Default)]
struct Seen {
    struck: usize,
    refused: usize,
    unknown: usize,
    unnoticed: usize,
}

/// The `call`-th call fails. Whatever comes of it, the error says what is so,
/// and after opening again what was acknowledged is there: if only the process
/// ended, and also if the power failed as well.
async fn one(plan: &Plan, call: u64, fault: Fault, seen: &mut Seen) {
    let disk = SimDisk::new();
    disk.fail_at(call, fault);
    let (model, error) = run(&disk, plan).await;
    if disk.struck() == 0 {
        return;
    }
    seen.struck += 1;
    // What failed may be there, unless it says that it is not.
    match &error {
        None => seen.unnoticed += 1,
        Some(e) => {
            assert_ne!(*e.kind(), Kind::Corrupt, "call {call}, {fault:?}: {e:?}");
            assert_ne!(*e.kind(), Kind::Internal, "call {call}, {fault:?}: {e:?}");
            match e.applied() {
                Applied::No => seen.refused += 1,
                Applied::Unknown => seen.unknown += 1,
            }
        }
    }
    while disk.is_locked() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let ops = disk.ops();
    for loss in Loss::ALL {
        let image = disk.after_crash(ops, loss, call);
        let store = open(&image, plan.options.clone()).await;
        let store = store.unwrap_or_else(|e| panic!("call {call}, {fault:?}, {loss:?}: {e:?}"));
        judge(&store, &model, ops + 1, Asks::Acknowledged).await;
        store.close().await.unwrap();
    }
    opened_again(&disk, plan, call, fault).await;
}

/// Another process opens the store on the same machine, where a flush that
/// failed has left in memory what is not on disk. What it has read, and what it
/// appends, is there when the power fails next.
async fn opened_again(disk: &SimDisk, plan: &Plan, call: u64, fault: Fault) {
    let store = open(disk, plan.options.clone()).await;
    let store = store.unwrap_or_else(|e| panic!("call {call}, {fault:?}: {e:?}"));
    let read = whole_store(&store, false).await;
    let entry = RawEntry::new(ContentType::BYTES, 1, vec![3; 100]);
    let batch = Batch::new(vec![entry], &Limits::TABLE).unwrap();
    let stream = StreamName::from_static("again");
    let id = store.append(&stream, batch).await.unwrap()[0].id;
    let image = disk.after_crash(disk.ops(), Loss::Everything, call);
    let store = open(&image, plan.options.clone()).await;
    let store = store.unwrap_or_else(|e| panic!("call {call}, {fault:?}, again: {e:?}"));
    let mut left = whole_store(&store, false).await;
    assert_eq!(left.pop().map(|last| last.record.id), Some(id), "P12");
    assert_eq!(left, read, "P5: call {call}, {fault:?}");
}

fn every_call(fault: Fault, step: usize) {
    let mut seen = Seen::default();
    let plan = plan(fault as u64);
    let calls = {
        let disk = SimDisk::new();
        let (_, error) = block_on(run(&disk, &plan));
        assert!(error.is_none(), "{error:?}");
        disk.calls()
    };
    let step = if std::env::var_os("LEDGER_LONG").is_some() {
        1
    } else {
        step
    };
    for call in (0..calls).step_by(step) {
        block_on(one(&plan, call, fault, &mut seen));
    }
    println!("{fault:?}: {calls} calls, {seen:?}");
    assert!(seen.struck > 20, "too few: {seen:?}");
    assert!(
        seen.unknown > 0 && seen.refused > 0,
        "outcomes not seen: {seen:?}"
    );
}

/// Catches a flush that is repeated after it failed, and one whose failure is
/// not told.
#[test]
fn an_error_at_any_call_leaves_what_was_acknowledged() {
    every_call(Fault::Io, 1);
}

/// Catches a full disk that is told as applied, or that leaves half a frame
/// which is read later.
#[test]
fn a_full_disk_at_any_call_leaves_what_was_acknowledged() {
    every_call(Fault::Full, 1);
}

/// Catches half a write that is taken for a whole one.
#[test]
fn half_a_write_at_any_call_leaves_what_was_acknowledged() {
    every_call(Fault::Short, 1);
}
