//! Primaries that are killed, and that step down.

use std::path::Path;

use ledger_testkit::MongoSet;

use super::load::Load;
use super::times;

/// Catches an acknowledgement before a majority has the entry, a commit that is
/// taken for failed and done again, reads of what a failover takes back, and a
/// reader that loses its place in one.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_primaries_are_killed_and_step_down() {
    let set = MongoSet::start(3).await.unwrap();
    let load = Load::start(&set.fresh_database().url()).await;
    let (mut kills, mut steps) = (0, 0);
    while kills < times(2) || steps < times(2) {
        load.progress(60).await;
        let old = set.primary().await.unwrap();
        load.wait("append that runs", || load.is_busy()).await;
        if kills <= steps {
            set.kill(old).await.unwrap();
            // Only what was cut short counts.
            kills += u64::from(load.is_busy());
            assert_ne!(set.primary().await.unwrap(), old);
            load.progress(60).await;
            set.restart(old).await.unwrap();
        } else {
            let new = set.step_down().await.unwrap();
            steps += u64::from(new != old);
            load.progress(60).await;
        }
    }
    set.ready().await.unwrap();
    let rollbacks = (0..set.nodes()).filter(|&node| rolled_back(&set.data(node)));
    println!(
        "{kills} kills, {steps} steps down, {} nodes took something back",
        rollbacks.count()
    );
    load.check().await;
}

/// Whether the server has ever taken back what it had.
fn rolled_back(data: &Path) -> bool {
    data.join("rollback").exists()
}
