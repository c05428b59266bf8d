//! A write that failed.

use ledger_core::{Applied, Kind, Store};
use ledger_file::sim::{Fault, SimDisk};

use crate::crash::open;
use crate::place::{append, entry, everything, name, tiny};

/// Catches a log that writes on behind part of a group, which a later reader
/// would take for what follows, or for the end.
#[tokio::test]
async fn after_a_failed_write_nothing_is_written_until_the_next_opening() {
    let s = name("s");
    for fault in [Fault::Io, Fault::Full, Fault::Short] {
        let disk = SimDisk::new();
        let store = open(&disk, tiny()).await.unwrap();
        // A new store has nothing to note when it is idle: the write of the
        // first group is the next call.
        disk.fail_at(disk.calls(), fault);
        let error = append(&store, &s, [entry(vec![9; 900])]).await.unwrap_err();
        assert_eq!(error.applied(), Applied::Unknown, "{fault:?}: {error:?}");
        assert!(disk.struck() > 0);
        for _ in 0..2 {
            let error = append(&store, &s, [entry("next")]).await.unwrap_err();
            let said = (error.kind(), error.applied());
            assert_eq!(said, (&Kind::Io, Applied::No), "{fault:?}");
        }
        // Reading goes on.
        assert_eq!(everything(&store).await.unwrap(), []);
        store.close().await.unwrap();

        let store = open(&disk, tiny()).await.unwrap();
        append(&store, &s, [entry("next")]).await.unwrap();
        let found = everything(&store).await.unwrap();
        assert!(found.len() == 1 || found.len() == 2, "{fault:?}");
        assert_eq!(found.last().unwrap().record.entry.payload, "next");
        store.close().await.unwrap();
    }
}
