//! The order of opening and reading when the whole store is followed: the one
//! that suggests itself loses what was acknowledged.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use ledger_core::{AllQuery, PageEnd};
use ledger_mongo::mongodb::bson::{Document, doc};
use ledger_mongo::mongodb::options::ReadConcern;
use ledger_mongo::mongodb::{Client, Collection};
use ledger_mongo::{MongoId, MongoStore};
use ledger_testkit::MongoSet;

use crate::support::{Patience, append, entry, page_all};

/// An entry that is written on the primary and that no majority has yet, when
/// somebody begins to follow. Catches a store that opens its change stream "now"
/// and then sweeps: the entry is before the one and not yet in the other. The
/// naive reader beside it shows that the moment was reached.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_being_committed_is_lost_by_the_naive_order_and_not_by_ours() {
    let set = MongoSet::start(3).await.unwrap();
    let url = set.fresh_database().url();
    let writer = MongoStore::open(&url).await.unwrap();
    let reader = MongoStore::open(&url).await.unwrap();
    append(&writer, "s", vec![entry("before")]).await.unwrap();

    let primary = set.primary().await.unwrap();
    let secondaries = (0..set.nodes()).filter(|&node| node != primary);
    let mut stopped = Vec::new();
    for node in secondaries {
        let point = set.fail_point(node, "stopReplProducer", "alwaysOn", doc! {});
        stopped.push(point.await.unwrap());
    }
    let pending = {
        let writer = writer.clone();
        tokio::spawn(async move { append(&writer, "s", vec![entry("pending")]).await })
    };
    for point in &stopped {
        point.wait(1).await.unwrap();
    }
    let client = Client::with_uri_str(&url).await.unwrap();
    let entries: Collection<Document> = client
        .default_database()
        .unwrap()
        .collection("ledger_entries");
    let patience = Patience::new();
    let written = || entries.find(doc! {}).read_concern(ReadConcern::local());
    while written()
        .await
        .unwrap()
        .try_collect::<Vec<_>>()
        .await
        .unwrap()
        .len()
        < 2
    {
        patience.check("the entry is on the primary");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }

    // The naive order: first the stream, from now on; then what is there.
    let mut events = entries.watch().await.unwrap();
    let swept = entries.find(doc! {}).read_concern(ReadConcern::majority());
    let swept: Vec<Document> = swept.await.unwrap().try_collect().await.unwrap();
    let mut naive: BTreeSet<MongoId> = swept.iter().map(id).collect();
    // Ours, at the same moment.
    let page = page_all(&reader, AllQuery::new()).await.unwrap();
    let mut ours: Vec<MongoId> = page.records.iter().map(|found| found.record.id).collect();
    let mut next = page.next;
    assert!(!pending.is_finished(), "the moment has passed");
    assert_eq!((naive.len(), ours.len()), (1, 1));

    for point in stopped {
        point.off().await.unwrap();
    }
    let lost = pending.await.unwrap().unwrap()[0].id;
    let last = append(&writer, "s", vec![entry("after")]).await.unwrap()[0].id;
    while !naive.contains(&last) {
        let event = events.try_next().await.unwrap().unwrap();
        naive.insert(id(&event.document_key.unwrap()));
    }
    assert!(
        !naive.contains(&lost),
        "the naive order was lucky: nothing is proved"
    );
    loop {
        let page = page_all(&reader, AllQuery::new().after(next))
            .await
            .unwrap();
        ours.extend(page.records.iter().map(|found| found.record.id));
        next = page.next;
        if page.end == PageEnd::CaughtUp {
            break;
        }
    }
    assert_eq!(ours.len(), 3);
    assert_eq!(&ours[1..], [lost, last]);
    client.shutdown().immediate(true).await;
}

fn id(document: &Document) -> MongoId {
    let id = document.get_object_id("_id").unwrap();
    id.to_hex().parse().unwrap()
}
