//! A primary that is cut off and lives on.

use std::time::Duration;

use ledger_core::Store;
use ledger_mongo::mongodb::bson::{Document, doc};
use ledger_mongo::{Config, MongoStore};
use ledger_testkit::MongoSet;

use super::load::Load;
use super::times;
use crate::support::{Patience, append, entry, texts};

/// Shorter than the driver needs to give up a silent server: calls end without
/// an outcome, and go on by the new primary before the old one is back.
const DEADLINE: Duration = Duration::from_secs(5);

/// Catches an acknowledgement by a primary that no majority follows, a commit
/// that is done again on the new one although the old one's counts, and a
/// reader that keeps what is taken back when the old one returns.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_cut_off_and_comes_back_loses_and_doubles_nothing() {
    let set = MongoSet::start_apart(3).await.unwrap();
    let load = Load::with_deadline(&set.fresh_database().url(), DEADLINE).await;
    // Of somebody on the wrong side, whom the load would not meet.
    let aside = set.fresh_database();
    let store = MongoStore::open(&aside.url()).await.unwrap();
    append(&store, "s", vec![entry("before")]).await.unwrap();
    let (mut cuts, mut tries) = (0, 0);
    while cuts < times(1) {
        tries += 1;
        assert!(tries <= 5 * times(1), "{cuts} cuts");
        load.progress(60).await;
        let old = set.primary().await.unwrap();
        let direct = set.node_url(old);
        let direct = direct.replace("/?", &format!("/{}?", aside.name()));
        let config = Config::new().with_deadline(DEADLINE);
        // It may be too slow for that, or not primary any more.
        let Ok(alone) = MongoStore::open_with(&direct, config).await else {
            continue;
        };

        load.wait("append that runs", || load.is_busy()).await;
        set.cut_off(old);
        let cut_short = load.is_busy();
        let lives = hello(&set, old).await.get_bool("isWritablePrimary");
        let lives = lives.unwrap();
        let error = append(&alone, "s", vec![entry("alone")]).await.unwrap_err();
        let new = new_primary(&set, old).await;
        // Acknowledged by the others, behind its back.
        load.progress(60).await;
        let says = hello(&set, old).await;
        let knows = says.get_str("primary").ok();
        let itself = says.get_str("me").ok();
        assert!(
            knows.is_none_or(|p| Some(p) == itself),
            "not cut off: {says}"
        );
        set.reconnect().await.unwrap();
        set.ready().await.unwrap();
        load.progress(60).await;
        alone.close().await.unwrap();
        cuts += u64::from(cut_short && lives);
        println!(
            "{old} was cut off (an append was running: {cut_short}, it was still primary: {lives}) \
             and {new} elected; alone: {error}; the old one took something back: {}",
            set.data(old).join("rollback").exists()
        );
    }
    let found = texts(&store, "s").await;
    assert_eq!(found, [(1, "before".to_owned())], "nothing else was");
    store.close().await.unwrap();
    load.check().await;
}

/// What a server says of itself, to somebody on its side.
async fn hello(set: &MongoSet, node: usize) -> Document {
    set.command(node, doc! { "hello": 1 }).await.unwrap()
}

/// Waits until another one was elected.
async fn new_primary(set: &MongoSet, old: usize) -> usize {
    let patience = Patience::new();
    loop {
        // Until then the old one is the last that was elected.
        match set.primary().await.unwrap() {
            new if new != old => return new,
            _ => patience.check("the old one is primary"),
        }
    }
}
