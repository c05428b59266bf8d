//! The whole store: what the suite cannot bring about.

use std::collections::HashMap;

use ledger_core::{AllQuery, Kind, PageEnd, Store, StoreCursor};
use ledger_mongo::MongoStore;
use ledger_mongo::mongodb::bson::{
    Binary, DateTime, Document, doc, oid::ObjectId, spec::BinarySubtype,
};
use ledger_mongo::mongodb::options::ReadConcern;
use ledger_testkit::MongoSet;

use crate::support::{Place, append, aside, entry, name, page_all};

/// Reads on to the end; the versions of each stream in the order they came.
async fn follow(
    store: &MongoStore,
    mut after: Option<StoreCursor>,
    limit: usize,
    read: &mut HashMap<String, Vec<u64>>,
) -> StoreCursor {
    loop {
        let mut query = AllQuery::new().limit(limit);
        if let Some(after) = after {
            query = query.after(after);
        }
        let page = page_all(store, query).await.unwrap();
        for found in page.records {
            let stream = read.entry(found.stream.to_string()).or_default();
            stream.push(found.record.version);
        }
        if page.end == PageEnd::CaughtUp {
            return page.next;
        }
        after = Some(page.next);
    }
}

fn is_complete(read: &HashMap<String, Vec<u64>>, expected: &[(&str, u64)]) {
    let expected = expected
        .iter()
        .map(|(name, last)| ((*name).to_owned(), (1..=*last).collect()));
    assert_eq!(*read, expected.collect::<HashMap<String, Vec<u64>>>());
}

/// A set of one server with its own fail points.
async fn own_set() -> (MongoSet, Place) {
    let set = aside(|| MongoSet::start(1)).await.unwrap();
    let place = Place::in_database(&set.fresh_database());
    (set, place)
}

/// Catches a reader that begins anew, or skips, once the oplog has lost its
/// place: the cursor knows how far each stream was given out.
#[tokio::test]
async fn a_cursor_outlives_the_oplog() {
    let (set, place) = own_set().await;
    let store = place.open().await;
    let mut read = HashMap::new();
    append(&store, "a", vec![entry("1"), entry("2"), entry("3")])
        .await
        .unwrap();
    let b = append(&store, "b", vec![entry("1"), entry("2")])
        .await
        .unwrap();
    let cursor = follow(&store, None, 2, &mut read).await;
    append(&store, "a", vec![entry("4")]).await.unwrap();
    append(&store, "c", vec![entry("1"), entry("2")])
        .await
        .unwrap();
    // A hole that nothing fills must not be waited for.
    append(&store, "b", vec![entry("3")]).await.unwrap();
    store.trim(&name("b"), &b[1].id).await.unwrap();

    let lost = doc! { "failCommands": ["aggregate"], "errorCode": 286 };
    let point = {
        let lost = lost.clone();
        aside(move || async move {
            let point = set
                .fail_point(0, "failCommand", doc! { "times": 1 }, lost)
                .await;
            (set, point.unwrap())
        })
    };
    let (set, point) = point.await;
    let cursor = follow(&store, Some(cursor), 2, &mut read).await;
    let entered = aside(move || async move { (set, point.off().await.unwrap()) });
    let (set, entered) = entered.await;
    assert_eq!(entered, 1, "the history has to be lost");
    is_complete(&read, &[("a", 4), ("b", 3), ("c", 2)]);

    append(&store, "c", vec![entry("3")]).await.unwrap();
    follow(&store, Some(cursor), 2, &mut read).await;
    is_complete(&read, &[("a", 4), ("b", 3), ("c", 3)]);
    drop(set);
}

/// Catches a store that was restored from a backup, or replaced, and goes on in
/// silence from a cursor of its future.
#[tokio::test]
async fn a_cursor_of_a_later_time_is_refused() {
    let place = Place::fresh().await;
    let store = place.open().await;
    append(&store, "s", vec![entry("1")]).await.unwrap();
    let page = page_all(&store, AllQuery::new()).await.unwrap();
    let mut bytes = page.next.as_bytes().to_vec();
    bytes.truncate(bytes.len() - 4);
    // `seen`, the time by which all that was given out was committed.
    bytes[27..31].copy_from_slice(&[0xF0, 0, 0, 0]);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    let later = StoreCursor::from_bytes(bytes);
    let refused = page_all(&store, AllQuery::new().after(later)).await;
    let refused = refused.unwrap_err();
    assert_eq!(*refused.kind(), Kind::InvalidCursor, "{refused}");
}

/// More streams than a cursor holds: it has to stay small, to be exact while
/// the oplog reaches back, and to be refused afterwards. Catches versions that
/// are forgotten too early, which gives entries out twice.
#[tokio::test]
async fn a_store_of_many_streams_is_read_once() {
    const STREAMS: u32 = 17_000;
    let (set, place) = own_set().await;
    let store = place.open().await;
    append(&store, "first", vec![entry("1")]).await.unwrap();
    let (mut heads, mut entries) = (Vec::new(), Vec::new());
    for no in 2..=STREAMS {
        let (stream, time) = (format!("s{no}"), DateTime::now());
        let id = format!("{no:08x}{:016x}", 1);
        let payload = Binary {
            subtype: BinarySubtype::Generic,
            bytes: vec![1],
        };
        entries.push(doc! {
            "_id": ObjectId::parse_str(id).unwrap(), "recorded_at": time, "stream": &stream,
            "content_type": "text/plain", "schema_version": 1, "payload": payload,
        });
        heads.push(doc! {
            "_id": stream, "no": i64::from(no), "head": 1_i64, "floor": 0_i64, "t": time,
        });
    }
    place
        .collection("entries")
        .await
        .insert_many(entries)
        .await
        .unwrap();
    place
        .collection("streams")
        .await
        .insert_many(heads)
        .await
        .unwrap();
    let next = doc! { "$set": { "next": i64::from(STREAMS) } };
    let meta = place.collection("meta").await;
    meta.update_one(doc! { "_id": "streams" }, next)
        .await
        .unwrap();

    let mut read = HashMap::new();
    let mut after: Option<StoreCursor> = None;
    let (mut pages, mut largest) = (0, 0);
    loop {
        let mut query = AllQuery::new().limit(5_000);
        if let Some(after) = after.take() {
            query = query.after(after);
        }
        let page = page_all(&store, query).await.unwrap();
        for found in page.records {
            *read
                .entry((found.stream.to_string(), found.record.version))
                .or_insert(0) += 1;
        }
        largest = largest.max(page.next.to_string().len());
        after = Some(page.next);
        if page.end == PageEnd::CaughtUp {
            break;
        }
        // Behind the sweep, and before it.
        pages += 1;
        for stream in ["first", "s3", "s16999"] {
            append(&store, stream, vec![entry("more")]).await.unwrap();
        }
    }
    assert!(pages >= 3, "{pages}");
    assert!(largest < 256 * 1024, "{largest}");
    append(&store, "s4", vec![entry("more")]).await.unwrap();
    let cursor = after.unwrap();
    let small = cursor.to_string().len();
    assert!(small < 16 * 1024, "{small}");
    let page = page_all(&store, AllQuery::new().after(cursor.clone()))
        .await
        .unwrap();
    for found in page.records {
        *read
            .entry((found.stream.to_string(), found.record.version))
            .or_insert(0) += 1;
    }
    let twice: Vec<_> = read.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert_eq!(read.len(), STREAMS as usize + 3 * pages + 1);
    assert!(read.contains_key(&("s4".to_owned(), 2)));

    // The end of the store, without the streams before it.
    let head = store.store_head().await.unwrap();
    append(&store, "s5", vec![entry("later")]).await.unwrap();
    let page = page_all(&store, AllQuery::new().after(head)).await.unwrap();
    let found: Vec<_> = page
        .records
        .iter()
        .map(|r| (r.stream.as_str(), r.record.version))
        .collect();
    assert_eq!(found, [("s5", 2)]);

    let lost = doc! { "failCommands": ["aggregate"], "errorCode": 286 };
    let set = aside(move || async move {
        set.fail_point(0, "failCommand", doc! { "times": 1 }, lost)
            .await
            .unwrap();
        set
    });
    let set = set.await;
    let refused = page_all(&store, AllQuery::new().after(cursor))
        .await
        .unwrap_err();
    assert_eq!(*refused.kind(), Kind::InvalidCursor, "{refused}");
    drop(set);
}

/// An entry that is committed while a reader begins, and acknowledged later.
/// Where the change stream is opened "now" and the streams are swept then,
/// neither has it: what the server has applied lies before the stream, and is
/// not yet what a majority has. Catches such a beginning; the naive one is made
/// beside it, and has to miss the entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_no_majority_has_yet_is_not_lost() {
    let set = aside(|| MongoSet::start(3)).await.unwrap();
    let place = Place::in_database(&set.fresh_database());
    let store = place.open().await;
    append(&store, "s", vec![entry("before")]).await.unwrap();
    let (set, points) = aside(move || async move {
        let primary = set.primary().await.unwrap();
        let mut points = Vec::new();
        for node in (0..3).filter(|node| *node != primary) {
            let stop = set.fail_point(node, "stopReplProducer", "alwaysOn", Document::new());
            points.push(stop.await.unwrap());
        }
        for point in &points {
            point.wait(1).await.unwrap();
        }
        (set, points)
    })
    .await;
    let stuck = {
        let store = store.clone();
        tokio::spawn(async move { append(&store, "s", vec![entry("stuck")]).await })
    };
    // It is committed on the primary once a reader of what is local sees it.
    let entries = place.collection("entries").await;
    let local = ReadConcern::local();
    let patience = crate::support::Patience::new();
    while entries
        .count_documents(doc! {})
        .read_concern(local.clone())
        .await
        .unwrap()
        < 2
    {
        patience.check("not committed");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // The naive beginning, on another client as another reader would have it.
    let naive = place.collection("entries").await;
    let mut events = naive.watch().await.unwrap();
    let majority = ReadConcern::majority();
    let swept = naive
        .count_documents(doc! {})
        .read_concern(majority)
        .await
        .unwrap();
    // Ours, and of a handle that has not appended.
    let reader = place.open().await;
    let mut read = HashMap::new();
    let page = page_all(&reader, AllQuery::new()).await.unwrap();
    for found in page.records {
        read.entry(found.stream.to_string())
            .or_insert_with(Vec::new)
            .push(found.record.version);
    }
    is_complete(&read, &[("s", 1)]);
    assert_eq!(swept, 1, "the sweep must not see what no majority has");
    assert!(!stuck.is_finished(), "it must not be acknowledged yet");

    let set = aside(move || async move {
        for point in points {
            point.off().await.unwrap();
        }
        set
    })
    .await;
    stuck.await.unwrap().unwrap();
    append(&store, "s", vec![entry("after")]).await.unwrap();
    follow(&reader, Some(page.next), 100, &mut read).await;
    is_complete(&read, &[("s", 3)]);

    let mut delivered = Vec::new();
    while delivered.last() != Some(&3) {
        let event = events.next_if_any().await.unwrap();
        delivered.extend(event.map(|event| {
            let key = event.document_key.unwrap();
            key.get_object_id("_id").unwrap().bytes()[11]
        }));
        patience.check(&delivered);
    }
    println!("naive beginning: swept {swept} of 1, then {delivered:?}, so version 2 never came");
    assert_eq!(delivered, [3], "the naive beginning has to miss version 2");
    drop(set);
}
