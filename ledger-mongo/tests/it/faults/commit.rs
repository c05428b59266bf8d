//! Faults inside the server, by its fail points.

use std::time::Duration;

use ledger_core::{Applied, Store};
use ledger_mongo::mongodb::bson::{Document, doc};
use ledger_mongo::{Config, MongoStore};
use ledger_testkit::MongoSet;

use super::load::Load;
use super::times;
use crate::support::{Patience, append, keyed, texts};

const TRANSIENT: &str = "TransientTransactionError";

/// What a server does instead of an answer, or beside it.
fn faults() -> Vec<(&'static str, Document)> {
    let conflict = |command: &str| {
        doc! {
            "failCommands": [command], "errorCode": 112, "errorLabels": [TRANSIENT],
        }
    };
    let unconfirmed = |code: i32, words: &str| {
        doc! {
            "failCommands": ["commitTransaction"],
            "writeConcernError": { "code": code, "errmsg": words },
        }
    };
    let closed = |command: &str| doc! { "failCommands": [command], "closeConnection": true };
    vec![
        ("a write conflict at the head", conflict("update")),
        ("a write conflict at the entries", conflict("insert")),
        ("a connection closed at the entries", closed("insert")),
        (
            "a connection closed at the commit",
            closed("commitTransaction"),
        ),
        ("a connection closed at a read", closed("find")),
        ("a connection closed at the events", closed("aggregate")),
        (
            "a commit that waits in vain",
            unconfirmed(64, "waiting for replication timed out"),
        ),
        (
            "a commit as the server stops",
            unconfirmed(91, "Replication is being shut down"),
        ),
        (
            "a commit that is interrupted",
            doc! { "failCommands": ["commitTransaction"], "errorCode": 11_602 },
        ),
        (
            "a commit at a server that is not primary any more",
            doc! { "failCommands": ["commitTransaction"], "errorCode": 10_107 },
        ),
        (
            "slow commits",
            doc! {
                "failCommands": ["commitTransaction"], "blockConnection": true, "blockTimeMS": 50,
            },
        ),
    ]
}

/// Catches a fault that is reported as another outcome than it had: a commit
/// that was applied and is done again, or was not and is acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn faults_inside_the_server_change_no_outcome() {
    let set = MongoSet::start(1).await.unwrap();
    let load = Load::start(&set.fresh_database().url()).await;
    for _ in 0..times(1) {
        for (what, data) in faults() {
            load.progress(10).await;
            // Two at a time: the driver repeats some once by itself.
            let twice = doc! { "times": 2 };
            let point = set.fail_point(0, "failCommand", twice, data).await.unwrap();
            point
                .wait(2)
                .await
                .unwrap_or_else(|e| panic!("{what}: {e}"));
            point.off().await.unwrap();
        }
    }
    load.progress(10).await;
    load.check().await;
}

/// Catches a call that outlives its deadline because the server is silent, and
/// a retry that stores the entry twice, or reports a conflict.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_not_answered_in_time_is_unknown_and_its_retry_safe() {
    let set = MongoSet::start(1).await.unwrap();
    let url = set.fresh_database().url();
    let patient = MongoStore::open(&url).await.unwrap();
    let config = Config::new().with_deadline(Duration::from_millis(1_500));
    let hasty = MongoStore::open_with(&url, config).await.unwrap();
    let (patience, mut unknown, mut tries) = (Patience::new(), 0, 0_u64);
    while unknown < times(2) {
        patience.check(unknown);
        tries += 1;
        let data = doc! {
            "failCommands": ["commitTransaction"], "blockConnection": true, "blockTimeMS": 3_000,
        };
        let once = doc! { "times": 1 };
        let point = set.fail_point(0, "failCommand", once, data).await.unwrap();
        let key = format!("k{tries}");
        match append(&hasty, "s", vec![keyed(&key)]).await {
            Err(e) if e.applied() == Applied::Unknown => unknown += 1,
            // Too slow to come as far as the commit.
            Err(e) => assert_eq!(e.applied(), Applied::No, "{e:?}"),
            Ok(_) => {}
        }
        // Not before the first has ended: it may be committed at any moment.
        let entered = point.off().await.unwrap();
        println!("{key}: the commit was blocked {entered} times");
        append(&patient, "s", vec![keyed(&key)]).await.unwrap();
    }
    let mut found = texts(&patient, "s").await;
    let expected: Vec<_> = (1..=tries).map(|n| (n, format!("k{n}"))).collect();
    found.sort();
    assert_eq!(found, expected);
    hasty.close().await.unwrap();
    patient.close().await.unwrap();
}
