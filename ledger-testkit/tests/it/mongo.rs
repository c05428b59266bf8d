//! MongoDB: the shared server, a server without a set, and sets that are hurt.

use ledger_testkit::{Mongo, MongoSet};
use mongodb::Client;
use mongodb::bson::{Document, doc};

async fn insert_one(url: &str, database: &str) -> mongodb::error::Result<()> {
    let client = Client::with_uri_str(url).await?;
    let collection = client.database(database).collection::<Document>("t");
    let inserted = collection.insert_one(doc! { "x": 1 }).await;
    client.shutdown().await;
    inserted.map(|_| ())
}

async fn names(url: &str) -> Vec<String> {
    let client = Client::with_uri_str(url).await.unwrap();
    let names = client.list_database_names().await.unwrap();
    client.shutdown().await;
    names
}

/// Catches futures that a test's own task cannot run.
#[test]
fn futures_can_move_between_threads() {
    fn assert_send<T: Send>(_: impl FnOnce() -> T) {}
    assert_send(Mongo::get);
    assert_send(Mongo::standalone);
    assert_send(|| MongoSet::start(3));
}

/// Catches a server that cannot do what the backend needs.
#[tokio::test]
async fn the_shared_server_has_transactions() {
    let server = Mongo::get().await.unwrap();
    let database = server.fresh_database();
    let client = Client::with_uri_str(database.url()).await.unwrap();
    let ours = client.default_database().unwrap();
    assert_eq!(ours.name(), database.name());
    ours.create_collection("t").await.unwrap();
    let mut session = client.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let collection = ours.collection::<Document>("t");
    let insert = collection.insert_one(doc! { "x": 1 });
    insert.session(&mut session).await.unwrap();
    session.commit_transaction().await.unwrap();
    assert_eq!(collection.count_documents(doc! {}).await.unwrap(), 1);
    // `shutdown` waits for it.
    drop(session);
    client.shutdown().await;
}

/// Catches a database that stays behind on a server that was there before, and
/// one of another that is taken away with it.
#[tokio::test]
async fn a_server_that_was_given_is_left_as_it_was_found() {
    let set = MongoSet::start(1).await.unwrap();
    insert_one(&set.url(), "app").await.unwrap();
    insert_one(&set.url(), "ledger_test_1700000000_1_0")
        .await
        .unwrap();
    let server = Mongo::at(&set.url()).await.unwrap();
    let database = server.fresh_database();
    insert_one(server.url(), database.name()).await.unwrap();
    let during = names(&set.url()).await;
    assert!(during.iter().any(|name| name == database.name()));
    drop(database);
    let mut left = names(&set.url()).await;
    left.retain(|name| !["admin", "config", "local"].contains(&name.as_str()));
    assert_eq!(
        left,
        ["app"],
        "and the run that was killed long ago is swept"
    );
}

/// Catches a standalone server that is in truth a set, and a URL that is taken
/// although the backend cannot work there.
#[tokio::test]
async fn a_standalone_server_is_none_that_the_tests_take() {
    let server = Mongo::standalone().await.unwrap();
    let refused = Mongo::at(server.url()).await.unwrap_err();
    assert!(refused.to_string().contains("no replica set"), "{refused}");
    insert_one(server.url(), "app").await.unwrap();
}

/// Catches a set that has no other primary after a kill, a restart that returns
/// too early or loses what was acknowledged, and a step-down that is none.
#[tokio::test]
async fn a_set_survives_what_is_done_to_its_primary() {
    let set = MongoSet::start(3).await.unwrap();
    insert_one(&set.url(), "before").await.unwrap();
    let first = set.primary().await.unwrap();
    set.kill(first).await.unwrap();
    let second = set.primary().await.unwrap();
    assert_ne!(second, first);
    insert_one(&set.url(), "during").await.unwrap();
    set.restart(first).await.unwrap();
    let third = set.step_down().await.unwrap();
    assert_ne!(third, second);
    set.ready().await.unwrap();
    let names = names(&set.url()).await;
    assert!(names.contains(&"before".into()) && names.contains(&"during".into()));
}

/// Catches a primary that only seems to have stopped: the others have to elect.
#[tokio::test]
async fn a_frozen_primary_is_replaced_and_takes_its_place_as_a_secondary() {
    let set = MongoSet::start(3).await.unwrap();
    let first = set.primary().await.unwrap();
    set.freeze(first).await.unwrap();
    let second = set.primary().await.unwrap();
    assert_ne!(second, first);
    set.thaw(first).await.unwrap();
    set.ready().await.unwrap();
    assert_ne!(set.primary().await.unwrap(), first);
}

/// Catches a fail point that never fires, and a count that is not its own.
#[tokio::test]
async fn a_fail_point_fires_and_is_counted() {
    let set = MongoSet::start(1).await.unwrap();
    for _ in 0..2 {
        let data = doc! { "failCommands": ["insert"], "errorCode": 11_601 };
        let twice = doc! { "times": 2 };
        let point = set.fail_point(0, "failCommand", twice, data).await.unwrap();
        assert_eq!(point.entered().await.unwrap(), 0);
        for _ in 0..2 {
            assert!(insert_one(&set.url(), "app").await.is_err());
        }
        point.wait(2).await.unwrap();
        insert_one(&set.url(), "app").await.unwrap();
        assert_eq!(point.off().await.unwrap(), 2);
    }
}
