//! Random work for a store.

use std::time::Duration;

use ledger_core::{
    Applied, Batch, ContentType, Error, Limits, RawEntry, Receipts, Result, Store, StreamName,
};
use ledger_file::sim::SimDisk;
use ledger_file::{FileOptions, FileStore};

use super::model::{Appended, Model, Trimmed};
use super::open;

/// How much of what.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) steps: usize,
    pub(crate) options: FileOptions,
    /// Whether it waits, so that marks are written in between.
    pub(crate) idles: bool,
    /// Whether it closes the store in between, and at its end.
    pub(crate) closes: bool,
}

/// Payloads that would fool a recovery that looks at zeros, guards or frames.
fn payload(rng: &mut fastrand::Rng) -> Vec<u8> {
    let len = *rng.choice(&[0, 1, 40, 300, 511, 512, 1_100]).unwrap_or(&0);
    match rng.u8(..4) {
        0 => vec![0; len],
        1 => vec![0xA5; len],
        2 => [0xE5, 0].repeat(len / 2),
        _ => std::iter::repeat_with(|| rng.u8(..)).take(len).collect(),
    }
}

fn entry(rng: &mut fastrand::Rng) -> RawEntry {
    let mut entry = RawEntry::new(ContentType::BYTES, 1, payload(rng));
    match rng.u8(..3) {
        0 => entry = entry.with_order_key("ann"),
        1 => entry = entry.with_order_key("bob"),
        _ => {}
    }
    match rng.bool() {
        true => entry.with_dedup_key(format!("key {}", rng.u16(..120))),
        false => entry,
    }
}

fn batch(rng: &mut fastrand::Rng) -> Batch {
    let most = if rng.u8(..8) == 0 { 12 } else { 3 };
    let entries = (0..rng.usize(1..=most)).map(|_| entry(rng)).collect();
    Batch::new(entries, &Limits::TABLE).unwrap()
}

/// Does the work, and tells what was asked and answered when. An error ends it.
pub(crate) async fn run(disk: &SimDisk, plan: &Plan) -> (Model, Option<Error>) {
    let mut model = Model::default();
    let error = steps(disk, plan, &mut model).await.err();
    (model, error)
}

async fn steps(disk: &SimDisk, plan: &Plan, model: &mut Model) -> Result<()> {
    let mut rng = fastrand::Rng::with_seed(plan.seed);
    let streams = ["a", "b", "c", "d"].map(StreamName::from_static);
    let mut store = open(disk, plan.options.clone()).await?;
    for _ in 0..plan.steps {
        let stream = &streams[rng.usize(..streams.len())];
        match rng.u8(..20) {
            0..=2 => {
                trim(disk, &store, stream, &mut rng, model).await?;
            }
            3 if plan.idles => tokio::time::sleep(Duration::from_millis(80)).await,
            4 if plan.closes => {
                store.close().await?;
                store = open(disk, plan.options.clone()).await?;
            }
            5..=9 => {
                // Together, so that they may share a group.
                let sent: Vec<_> = (0..rng.usize(2..5))
                    .map(|_| (&streams[rng.usize(..streams.len())], batch(&mut rng)))
                    .collect();
                let began = disk.ops();
                let appends = sent.iter().map(|(stream, batch)| async {
                    let receipts = store.append(stream, batch.clone()).await;
                    (receipts, disk.ops())
                });
                let answers = join_all(appends).await;
                let mut failed = None;
                for ((stream, batch), (receipts, acked)) in sent.iter().zip(answers) {
                    let noted = note(model, began, acked, stream, batch, receipts);
                    // An unknown outcome says more than a refusal.
                    if let Err(e) = noted
                        && (failed.is_none() || e.applied() == Applied::Unknown)
                    {
                        failed = Some(e);
                    }
                }
                if let Some(e) = failed {
                    return Err(e);
                }
            }
            _ => {
                let batch = batch(&mut rng);
                let began = disk.ops();
                let receipts = store.append(stream, batch.clone()).await;
                note(model, began, disk.ops(), stream, &batch, receipts)?;
            }
        }
    }
    if plan.closes {
        store.close().await?;
    }
    Ok(())
}

/// Notes what was answered to an append.
fn note(
    model: &mut Model,
    began: usize,
    acked: usize,
    stream: &StreamName,
    batch: &Batch,
    answer: Result<Receipts<i64>>,
) -> Result<()> {
    match answer {
        Ok(receipts) => {
            let fresh = receipts.iter().zip(batch.entries());
            let fresh = fresh.filter(|(receipt, _)| !receipt.is_duplicate());
            model.appends.push(Appended {
                began,
                acked: Some(acked),
                stream: stream.clone(),
                stored: fresh.map(|(r, e)| (r.id, r.version, e.clone())).collect(),
            });
            Ok(())
        }
        Err(e) => {
            if e.applied() == Applied::Unknown {
                model.unknown.push((stream.clone(), batch.clone()));
            }
            Err(e)
        }
    }
}

async fn trim(
    disk: &SimDisk,
    store: &FileStore,
    stream: &StreamName,
    rng: &mut fastrand::Rng,
    model: &mut Model,
) -> Result<()> {
    let ids: Vec<(i64, u64)> = model
        .appends
        .iter()
        .filter(|append| append.stream == *stream)
        .flat_map(|append| append.stored.iter().map(|(id, version, _)| (*id, *version)))
        .collect();
    let Some((through, version)) = rng.choice(&ids).copied() else {
        return Ok(());
    };
    let began = disk.ops();
    let mut trimmed = Trimmed {
        began,
        acked: None,
        stream: stream.clone(),
        through_version: version,
    };
    let done = store.trim(stream, &through).await;
    if done.is_ok() {
        trimmed.acked = Some(disk.ops());
    }
    model.trims.push(trimmed);
    done.map(|_| ())
}

/// All of some futures, polled together.
async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(cx)
            {
                *done = Some(value);
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}
