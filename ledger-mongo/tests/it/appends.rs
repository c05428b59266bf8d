//! Appends, and what of them is in the database.

use std::collections::BTreeMap;
use std::time::Duration;

use ledger_core::{Bson, Codec, ContentType, Error, Kind, Metadata, Query, RawEntry, Store};
use ledger_mongo::MongoId;
use ledger_mongo::mongodb::bson::{DateTime, Document, doc, rawdoc};
use tokio::task::JoinSet;

use crate::support::{Place, append, batch, entry, keyed, name, page, texts};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_append_to_one_stream_without_gaps() {
    let place = Place::fresh().await;
    let mut writers = JoinSet::new();
    for handle in 0..2 {
        let store = place.open().await;
        for task in 0..6 {
            let store = store.clone();
            writers.spawn(async move {
                for n in 0..8 {
                    let entries = (0..=n % 3).map(|i| keyed(&format!("{handle} {task} {n} {i}")));
                    append(&store, "s", entries.collect()).await.unwrap();
                }
            });
        }
    }
    writers.join_all().await;
    let store = place.open().await;
    let found = texts(&store, "s").await;
    let versions: Vec<_> = found.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, (1..=found.len() as u64).collect::<Vec<_>>());
    let mut texts: Vec<_> = found.iter().map(|(_, text)| text).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 2 * 6 * 15);
}

/// Catches a key that is stored twice, and a repeat that is a conflict or an
/// error because its original was not visible yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_sent_by_many_is_stored_once() {
    let place = Place::fresh().await;
    let stores = [place.open().await, place.open().await];
    for round in 0..6 {
        let mut writers = JoinSet::new();
        for n in 0..12 {
            let store = stores[n % 2].clone();
            writers.spawn(async move {
                let one = batch(vec![keyed(&format!("key {round}"))]);
                let one = one.with_expected(round);
                store.append(&name("s"), one).await.unwrap()
            });
        }
        let receipts = writers.join_all().await;
        let fresh = receipts.iter().filter(|r| r.appended() == 1).count();
        assert_eq!(fresh, 1, "round {round}");
        assert!(receipts.iter().all(|r| r[0].version == round + 1));
    }
}

/// Catches a group that fails as a whole for one of its requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_request_fails_alone() {
    let place = Place::fresh().await;
    let store = place.open().await;
    append(&store, "s", vec![keyed("old")]).await.unwrap();
    let mut calls = JoinSet::new();
    for n in 0..60_u64 {
        let store = store.clone();
        calls.spawn(async move {
            let one = match n % 4 {
                0 => batch(vec![entry("stale")]).with_expected(1_000),
                1 => {
                    let other = entry("other bytes").with_dedup_key("old");
                    batch(vec![other]).with_verified_duplicates(true)
                }
                2 => batch(vec![keyed("old")]),
                _ => batch(vec![entry("good")]),
            };
            (n % 4, store.append(&name("s"), one).await)
        });
    }
    for (what, answer) in calls.join_all().await {
        match (what, answer.as_ref().map_err(Error::kind)) {
            (0, Err(Kind::Conflict { actual, .. })) => assert!((1..=16).contains(actual)),
            (1, Err(Kind::DedupMismatch { original, .. })) => assert_eq!(*original, Some(1)),
            (2, Ok(receipts)) => assert_eq!(receipts[0].version, 1),
            (3, Ok(receipts)) => assert_eq!(receipts.appended(), 1),
            (what, answer) => panic!("{what}: {answer:?}"),
        }
    }
    assert_eq!(texts(&store, "s").await.len(), 16);
}

#[tokio::test]
async fn payloads_are_exact_and_can_be_queried() {
    let place = Place::fresh().await;
    let mut config = place.config.clone();
    config.json_copies = true;
    let store = ledger_mongo::MongoStore::open_with(&place.url, config)
        .await
        .unwrap();
    let bson = rawdoc! { "a.b": [1, { "$c": "d" }], "n": 7_i64 }.into_bytes();
    let json = br#"{ "b" : [1, 2.50], "a" : {"x": "y"} }"#;
    let mut metadata = Metadata::new();
    metadata.set("a.b", "dots");
    metadata.set("$set", "");
    let entries = vec![
        RawEntry::new(ContentType::BSON, 1, bson.clone()).with_metadata(metadata.clone()),
        RawEntry::new(ContentType::BSON, 1, b"not bson".to_vec()),
        RawEntry::new(ContentType::JSON, 1, json.to_vec()),
    ];
    append(&store, "s", entries.clone()).await.unwrap();
    let found = page(&store, "s", Query::new()).await.unwrap();
    let found: Vec<_> = found.records.into_iter().map(|r| r.entry).collect();
    assert_eq!(found, entries);

    let stored = place.collection("entries").await;
    for (query, version) in [
        (doc! { "payload.n": 7 }, 1),
        (doc! { "json.a.x": "y" }, 3),
        (
            doc! { "metadata": { "$elemMatch": { "k": "a.b", "v": "dots" } } },
            1,
        ),
    ] {
        let found = stored.find_one(query.clone()).await.unwrap();
        let found = found.unwrap_or_else(|| panic!("{query}"));
        let id = found.get_object_id("_id").unwrap().to_string();
        assert_eq!(id.parse(), Ok(MongoId::new(1, version)), "{query}");
    }
}

#[tokio::test]
async fn what_the_bson_codec_writes_is_stored_as_a_document() {
    let place = Place::fresh().await;
    let store = place.open().await;
    let written = Bson.encode(&BTreeMap::from([("cents".to_owned(), 1_250_i64)]));
    let written = written.unwrap();
    let typed = RawEntry::new(written.content_type, 1, written.payload);
    append(&store, "typed", vec![typed]).await.unwrap();
    let stored = place.collection("entries").await;
    let found = stored.find_one(doc! { "payload.cents": 1_250 }).await;
    assert!(found.unwrap().unwrap().get_document("payload").is_ok());
}

/// Catches a time that runs backwards because the server's clock did.
#[tokio::test]
async fn times_do_not_run_backwards() {
    let place = Place::fresh().await;
    let store = place.open().await;
    append(&store, "s", vec![entry("one")]).await.unwrap();
    let future = DateTime::from_millis(DateTime::now().timestamp_millis() + 3_600_000);
    let streams = place.collection("streams").await;
    let set = doc! { "$set": { "t": future } };
    streams.update_one(Document::new(), set).await.unwrap();
    append(&store, "s", vec![entry("two")]).await.unwrap();
    let found = page(&store, "s", Query::new().at_version(2)).await.unwrap();
    let recorded = found.records[0].recorded_at.as_micros() / 1_000;
    assert_eq!(recorded, future.timestamp_millis());
}

/// Catches versions that are given out twice after a careless restore.
#[tokio::test]
async fn a_head_that_was_set_back_is_corrupt() {
    let place = Place::fresh().await;
    let store = place.open().await;
    append(&store, "s", vec![entry("one"), entry("two")])
        .await
        .unwrap();
    let streams = place.collection("streams").await;
    let set = doc! { "$set": { "head": 1_i64 } };
    streams.update_one(Document::new(), set).await.unwrap();
    let refused = append(&store, "s", vec![entry("three")]).await.unwrap_err();
    assert_eq!(*refused.kind(), Kind::Corrupt, "{refused}");
}

#[tokio::test]
async fn ids_of_other_streams_and_numbers_beyond_the_last_are_refused() {
    let place = Place::fresh().await;
    let store = place.open().await;
    let a = append(&store, "a", vec![entry("one")]).await.unwrap();
    append(&store, "b", vec![entry("one")]).await.unwrap();
    for (stream, id) in [
        ("b", a[0].id),
        ("nowhere", a[0].id),
        ("a", MongoId::new(a[0].id.stream_number(), 2)),
    ] {
        let refused = page(&store, stream, Query::new().after(id))
            .await
            .unwrap_err();
        assert_eq!(*refused.kind(), Kind::InvalidCursor, "{stream}");
    }
    let meta = place.collection("meta").await;
    let full = doc! { "$set": { "next": i64::from(u32::MAX) } };
    let counter = doc! { "_id": "streams" };
    meta.update_one(counter, full).await.unwrap();
    let refused = append(&store, "new", vec![entry("one")]).await.unwrap_err();
    assert_eq!(*refused.kind(), Kind::LimitReached, "{refused}");
    append(&store, "a", vec![entry("two")]).await.unwrap();
}

/// Catches a lock that a dropped future holds on, and a close that does not
/// wait for what still runs.
#[tokio::test]
async fn dropped_appends_are_whole_or_absent_when_the_store_is_closed() {
    let place = Place::fresh().await;
    let store = place.open().await;
    for n in 0..20 {
        let call = append(&store, "s", vec![entry("a"), entry("b"), entry("c")]);
        let _ = tokio::time::timeout(Duration::from_micros(n * 300), call).await;
    }
    store.close().await.unwrap();
    let refused = append(&store, "s", vec![entry("late")]).await.unwrap_err();
    assert_eq!(*refused.kind(), Kind::Closed);
    let again = place.open().await;
    let before = texts(&again, "s").await;
    assert_eq!(before.len() % 3, 0);
    append(&again, "s", vec![entry("d")]).await.unwrap();
    assert_eq!(texts(&again, "s").await.len(), before.len() + 1);
}
