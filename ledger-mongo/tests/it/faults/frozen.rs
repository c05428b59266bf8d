//! A primary that stands still, is replaced, and wakes up as one that does not
//! know it.

use ledger_testkit::MongoSet;

use super::load::Load;
use super::times;

/// Catches a call that waits for a silent server for ever, an entry of the old
/// primary that appears after all, and a read that takes its word for the truth.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_wakes_up_too_late_changes_nothing() {
    let set = MongoSet::start(3).await.unwrap();
    let load = Load::start(&set.fresh_database().url()).await;
    let mut frozen = 0;
    while frozen < times(1) {
        load.progress(60).await;
        let old = set.primary().await.unwrap();
        load.wait("append that runs", || load.is_busy()).await;
        set.freeze(old).await.unwrap();
        let cut_short = load.is_busy();
        assert_ne!(set.primary().await.unwrap(), old);
        // Acknowledged by the others, behind its back.
        load.progress(60).await;
        set.thaw(old).await.unwrap();
        load.progress(60).await;
        set.ready().await.unwrap();
        frozen += u64::from(cut_short);
    }
    load.check().await;
}
