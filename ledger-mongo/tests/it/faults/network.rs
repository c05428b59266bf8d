//! Faults of the network between the application and the server.

use std::time::Duration;

use ledger_testkit::{Cut, MongoSet, Proxy};

use super::load::Load;
use super::times;

/// A set of one behind a proxy, and its URL.
async fn behind_proxy() -> (MongoSet, Proxy, String) {
    let set = MongoSet::start(1).await.unwrap();
    let proxy = Proxy::start(format!("127.0.0.1:{}", set.port(0)))
        .await
        .unwrap();
    let name = set.fresh_database().name().to_owned();
    // Otherwise the driver goes where the set says that it is.
    let url = format!(
        "mongodb://127.0.0.1:{}/{name}?directConnection=true",
        proxy.port()
    );
    (set, proxy, url)
}

/// Catches a commit that is done again because its acknowledgement was lost, and
/// one that is acknowledged although the server never heard of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_or_request_of_a_commit_stores_the_entries_once() {
    let (_set, proxy, url) = behind_proxy().await;
    let load = Load::start(&url).await;
    for _ in 0..times(2) {
        // Once, and twice in a row: the driver asks again by itself.
        for (cut, often) in [
            (Cut::reply_to("commitTransaction"), 1),
            (Cut::reply_to("commitTransaction"), 2),
            (Cut::request("commitTransaction"), 2),
            (Cut::request("insert"), 1),
            (Cut::reply_to("insert"), 1),
        ] {
            load.progress(5).await;
            let before = proxy.counts().cut;
            proxy.cut(cut, often);
            proxy
                .wait(|counts| counts.cut == before + often)
                .await
                .unwrap();
        }
    }
    load.progress(5).await;
    load.check().await;
}

/// Catches a call that waits for an answer for ever, and an entry that comes out
/// of the dark after it was called not applied.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_swallows_everything_ends_calls_at_their_deadlines() {
    let (_set, proxy, url) = behind_proxy().await;
    let load = Load::with_deadline(&url, Duration::from_secs(2)).await;
    let failed = || {
        let counts = load.counts();
        let order = std::sync::atomic::Ordering::Relaxed;
        counts.unknown.load(order) + counts.refused.load(order)
    };
    for _ in 0..times(2) {
        load.progress(10).await;
        load.wait("append that runs", || load.is_busy()).await;
        let before = (proxy.counts().swallowed, failed());
        proxy.black_hole();
        proxy
            .wait(|counts| counts.swallowed > before.0)
            .await
            .unwrap();
        load.wait("append that ended", || failed() >= before.1 + 4)
            .await;
        proxy.pass().await.unwrap();
        load.progress(10).await;
        proxy.reset();
    }
    load.progress(10).await;
    load.check().await;
}
