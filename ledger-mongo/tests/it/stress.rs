//! Four writers with clocks that differ, and a reader that pages behind them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ledger_core::{PageEnd, Query};
use ledger_mongo::mongodb::bson::oid::ObjectId;
use ledger_mongo::mongodb::bson::{Document, doc};
use ledger_mongo::mongodb::options::WriteConcern;
use ledger_mongo::mongodb::{Client, Collection};
use tokio::task::JoinSet;

use crate::support::{Patience, Place, append, entry, page, texts};

/// Seconds by which the clocks of the writers are wrong.
const SKEW: [i64; 4] = [-2, 0, 0, 1];

/// Appends by each writer; more with `LEDGER_LONG`.
fn rounds() -> usize {
    if std::env::var_os("LEDGER_LONG").is_some() {
        2_000
    } else {
        60
    }
}

/// Catches ids that become visible behind a reader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paging_reader_skips_nothing() {
    let place = Place::fresh().await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, done) = (place.open().await, done.clone());
        tokio::spawn(async move {
            let (mut read, mut pages_between) = (Vec::new(), 0);
            let mut query = Query::new().limit(7);
            loop {
                let last_round = done.load(Ordering::Acquire);
                let found = page(&store, "s", query.clone()).await.unwrap();
                if let Some(last) = found.records.last() {
                    query = Query::new().limit(7).after(last.id);
                    pages_between += usize::from(!last_round);
                }
                read.extend(found.records.into_iter().map(|r| r.version));
                if last_round && found.end == PageEnd::CaughtUp {
                    return (read, pages_between);
                }
                tokio::task::yield_now().await;
            }
        })
    };
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        // A handle with its own client is what another process would have.
        let store = place.open().await;
        for task in 0..2 {
            let store = store.clone();
            writers.spawn(async move {
                for n in 0..rounds() / 2 {
                    let text = |i| entry(&format!("{writer} {task} {n} {i}"));
                    append(&store, "s", (0..=n % 4).map(text).collect())
                        .await
                        .unwrap();
                }
            });
        }
    }
    writers.join_all().await;
    done.store(true, Ordering::Release);
    let (read, pages_between) = reader.await.unwrap();
    let stored = texts(&place.open().await, "s").await;
    println!(
        "stress: {} stored, {pages_between} pages read meanwhile",
        stored.len()
    );
    assert!(
        pages_between > 0,
        "the reader has to read while there are writers"
    );
    assert_eq!(read, (1..=stored.len() as u64).collect::<Vec<_>>());
}

/// What the test above would be worth nothing without: the usual ids, made by
/// each writer from its clock, its own random bytes and a counter, do make such
/// a reader skip.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_made_by_clients_skip() {
    let place = Place::fresh().await;
    let patience = Patience::new();
    let mut round = 0;
    loop {
        round += 1;
        let naive = place.collection(&format!("naive{round}")).await;
        let (stored, skipped) = naive_round(&place.url, &naive).await;
        println!("naive, round {round}: {stored} stored, {skipped} skipped");
        if skipped > 0 {
            return;
        }
        patience.check(round);
    }
}

async fn naive_round(url: &str, naive: &Collection<Document>) -> (u64, u64) {
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (naive, done) = (naive.clone(), done.clone());
        tokio::spawn(async move {
            let (mut read, mut last) = (HashSet::new(), ObjectId::from_bytes([0; 12]));
            loop {
                let last_round = done.load(Ordering::Acquire);
                let next = naive.find_one(doc! { "_id": { "$gt": last } });
                match next.sort(doc! { "_id": 1 }).await.unwrap() {
                    Some(found) => {
                        last = found.get_object_id("_id").unwrap();
                        read.insert(last);
                    }
                    None if last_round => return read,
                    None => tokio::task::yield_now().await,
                }
            }
        })
    };
    let mut writers = JoinSet::new();
    for (writer, skew) in SKEW.into_iter().enumerate() {
        let client = Client::with_uri_str(url).await.unwrap();
        let collection = client.default_database().unwrap();
        let collection = collection.collection::<Document>(naive.name());
        let random = 50 * u8::try_from(writer).unwrap() + 17;
        writers.spawn(async move {
            for n in 0..40_u32 {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                let seconds = u32::try_from(now.as_secs().cast_signed() + skew).unwrap();
                let mut id = [random; 12];
                id[..4].copy_from_slice(&seconds.to_be_bytes());
                id[8..].copy_from_slice(&n.to_be_bytes());
                let id = ObjectId::from_bytes(id);
                let insert = collection.insert_one(doc! { "_id": id });
                insert
                    .write_concern(WriteConcern::majority())
                    .await
                    .unwrap();
            }
        });
    }
    writers.join_all().await;
    done.store(true, Ordering::Release);
    let read = reader.await.unwrap();
    let stored = naive.count_documents(doc! {}).await.unwrap();
    (stored, stored - read.len() as u64)
}
