//! What a store can be opened on, and what it refuses.

use std::sync::{Arc, Mutex};

use ledger_core::{Applied, Error, Kind, Store};
use ledger_mongo::mongodb::Client;
use ledger_mongo::mongodb::bson::{Document, doc};
use ledger_mongo::mongodb::event::EventHandler;
use ledger_mongo::mongodb::event::command::CommandEvent;
use ledger_mongo::mongodb::options::{ClientOptions, Collation};
use ledger_mongo::{Config, MongoId, MongoStore};
use ledger_testkit::Mongo;

use crate::support::{Place, append, aside, entry, keyed, name, texts};

fn refused(opened: Result<MongoStore, Error>, words: &str) -> Error {
    let error = opened.unwrap_err();
    assert_eq!(*error.kind(), Kind::Misconfigured, "{error}");
    assert!(error.to_string().contains(words), "{error}");
    error
}

#[tokio::test]
async fn a_server_without_a_set_is_refused_with_the_way_to_one() {
    let server = aside(Mongo::standalone).await.unwrap();
    refused(MongoStore::open(server.url()).await, "--replSet");
}

#[tokio::test]
async fn a_wrong_url_is_refused_and_not_repeated() {
    for url in ["mongodb://u:secret@", "postgres://u:secret@h", "secret"] {
        let error = refused(MongoStore::open(url).await, "not a URL");
        assert!(!format!("{error:?}").contains("secret"));
    }
}

/// Catches an error that quotes the URL, and an opening without an end.
#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let config = Config::new().with_deadline(std::time::Duration::from_millis(500));
    let url = "mongodb://u:secret@127.0.0.1:1/?serverSelectionTimeoutMS=300";
    let error = MongoStore::open_with(url, config).await.unwrap_err();
    assert_eq!(*error.kind(), Kind::Unavailable, "{error}");
    assert_eq!(error.applied(), Applied::No);
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn open_existing_makes_nothing() {
    let place = Place::fresh().await;
    let opened = MongoStore::open_existing(&place.url, place.config.clone()).await;
    refused(opened, "not there");
    let database = place.client().await.default_database().unwrap();
    let ours = doc! { "name": { "$regex": format!("^{}_", place.config.prefix) } };
    let found = database.list_collection_names().filter(ours).await.unwrap();
    assert_eq!(found, Vec::<String>::new());

    place.open().await;
    MongoStore::open_existing(&place.url, place.config.clone())
        .await
        .unwrap();
}

/// Catches two stores where two processes open a new place at once.
#[tokio::test]
async fn handles_that_open_a_new_place_at_once_share_a_store() {
    let place = Place::fresh().await;
    let opening = (0..4).map(|_| {
        let place = place.clone();
        tokio::spawn(async move { place.open().await })
    });
    let mut stores = Vec::new();
    for opening in opening.collect::<Vec<_>>() {
        stores.push(opening.await.unwrap());
    }
    for (store, text) in stores.iter().zip(["a", "b", "c", "d"]) {
        append(store, "s", vec![keyed(text)]).await.unwrap();
    }
    let heads = {
        let mut heads = Vec::new();
        for store in &stores {
            heads.push(store.store_head().await.unwrap());
            assert_eq!(texts(store, "s").await.len(), 4);
        }
        heads
    };
    // A cursor carries the identity of its store.
    for (store, head) in stores.iter().zip(heads.iter().rev()) {
        let query = ledger_core::AllQuery::new().after(head.clone());
        crate::support::page_all(store, query).await.unwrap();
    }
}

#[tokio::test]
async fn changed_collections_are_refused() {
    let place = Place::fresh().await;
    let store = place.open().await;
    append(&store, "s", vec![entry("kept")]).await.unwrap();
    let entries = place.collection("entries").await;
    entries.drop_index("ledger_dedup").await.unwrap();
    let open = || MongoStore::open_with(&place.url, place.config.clone());
    refused(open().await, "index");

    place.collection("meta").await.drop().await.unwrap();
    refused(open().await, "nothing that says which store");
}

/// Catches names that stop comparing by bytes.
#[tokio::test]
async fn a_collection_with_a_collation_is_refused() {
    let place = Place::fresh().await;
    let database = place.client().await.default_database().unwrap();
    let streams = format!("{}_streams", place.config.prefix);
    let collation = Collation::builder().locale("en").build();
    let made = database.create_collection(streams).collation(collation);
    made.await.unwrap();
    let opened = MongoStore::open_with(&place.url, place.config.clone()).await;
    refused(opened, "collation");
}

/// Catches a concern that is the URL's: an append that is acknowledged before
/// a majority has it, and a read of what may be taken back.
#[tokio::test]
async fn every_command_says_what_it_needs_whatever_the_url_says() {
    let place = Place::fresh().await;
    let seen: Arc<Mutex<Vec<(String, Document)>>> = Arc::default();
    let mut options = ClientOptions::parse(format!(
        "{}&w=1&journal=false&readConcernLevel=local&readPreference=secondaryPreferred",
        place.url
    ))
    .await
    .unwrap();
    let note = seen.clone();
    options.command_event_handler = Some(EventHandler::callback(move |event| {
        if let CommandEvent::Started(event) = event {
            note.lock()
                .unwrap()
                .push((event.command_name, event.command));
        }
    }));
    let client = Client::with_options(options).unwrap();
    let database = client.default_database().unwrap();
    let store = MongoStore::with_database(database, place.config.clone())
        .await
        .unwrap();
    let receipts = append(&store, "s", vec![keyed("a"), keyed("b")])
        .await
        .unwrap();
    append(&store, "s", vec![keyed("a")]).await.unwrap();
    texts(&store, "s").await;
    store.stat(&name("s")).await.unwrap();
    let all = crate::support::page_all(&store, ledger_core::AllQuery::new());
    all.await.unwrap();
    store.trim(&name("s"), &receipts[0].id).await.unwrap();

    let (mut commits, mut writes, mut reads, mut inside) = (0, 0, 0, 0);
    for (command, sent) in seen.lock().unwrap().iter() {
        let confirmed = sent.get_document("writeConcern").is_ok_and(|concern| {
            concern.get_str("w").is_ok_and(|w| w == "majority")
                && concern.get_bool("j").is_ok_and(|j| j)
        });
        let preference = sent.get_document("$readPreference");
        assert!(
            command == "getMore"
                || preference.is_err()
                || preference.unwrap().get_str("mode").unwrap() == "primary",
            "{command}"
        );
        let level = sent.get_document("readConcern");
        let level = level.and_then(|concern| concern.get_str("level"));
        match command.as_str() {
            "commitTransaction" => {
                assert!(confirmed, "{sent}");
                commits += 1;
            }
            _ if sent.contains_key("autocommit") => {
                assert!(!sent.contains_key("startTransaction") || level.unwrap() == "snapshot");
                inside += 1;
            }
            "find" | "aggregate" => {
                assert_eq!(level.unwrap(), "majority", "{command}");
                reads += 1;
            }
            "insert" | "update" | "delete" | "findAndModify" => {
                assert!(confirmed, "{command}: {sent}");
                writes += 1;
            }
            _ => {}
        }
    }
    let counts = [commits, writes, reads, inside];
    assert!(counts.into_iter().all(|n| n > 0), "{counts:?}");
}

/// Catches an answer that is not the caller's transaction: each operation on
/// its own.
#[tokio::test]
async fn a_session_without_a_transaction_is_refused() {
    let place = Place::fresh().await;
    let database = place.client().await.default_database().unwrap();
    let store = MongoStore::with_database(database.clone(), place.config.clone())
        .await
        .unwrap();
    let mut session = database.client().start_session().await.unwrap();
    let bound = store.in_session(&mut session);
    let batch = crate::support::batch(vec![entry("one")]);
    let refused = bound.append(&name("s"), batch).await.unwrap_err();
    assert_eq!(*refused.kind(), Kind::Misconfigured);
    assert!(
        refused.to_string().contains("start_transaction"),
        "{refused}"
    );
    drop(bound);
    assert!(
        Store::<MongoId>::stat(&store, &name("s"))
            .await
            .unwrap()
            .is_none()
    );
}
