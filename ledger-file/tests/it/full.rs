//! A disk that is full: a small file system of its own.

use std::path::Path;
use std::time::Duration;

use ledger_core::{Applied, Kind, Store, StreamName};
use ledger_file::{FileOptions, FileStore};
use ledger_testkit::{Patience, World};

use crate::place::{batch, entry, everything, name, open_with};

/// Catches an entry of which a part is written, an outcome that is left open
/// although it is known, a trim that needs the space it is to give back, a
/// repeat that is refused although it needs none, and a store that takes no
/// appends once there is space again.
#[test]
fn a_full_disk_refuses_appends_whole_and_a_trim_makes_space() {
    let folder = tempfile::tempdir().unwrap();
    if let Some(said) = World::SmallDisk(1536).run("full::full", folder.path()) {
        assert!(said.contains("acknowledged "), "{said}");
    }
}

/// Appends to both streams in turn until one append is refused.
async fn until_refused(store: &FileStore, streams: &[StreamName; 2], appended: &mut usize) {
    loop {
        let nth = *appended;
        match store.append(&streams[nth % 2], pair(nth)).await {
            Ok(receipts) => assert!(!receipts[0].is_duplicate()),
            Err(e) => {
                assert_eq!((e.kind(), e.applied()), (&Kind::DiskFull, Applied::No));
                return;
            }
        }
        *appended += 1;
        assert!(nth < 10_000, "never refused");
    }
}

fn pair(nth: usize) -> ledger_core::Batch {
    let of = |half: u8| entry(vec![half; 700]).with_dedup_key(format!("{nth}/{half}"));
    batch([of(0), of(1)])
}

/// How many pairs are there: none in part.
async fn pairs(store: &FileStore) -> usize {
    let found = everything(store).await.unwrap();
    for two in found.chunks(2) {
        let payloads: Vec<_> = two.iter().map(|f| f.record.entry.payload[0]).collect();
        assert_eq!(payloads, [0, 1]);
        assert_eq!(two[0].stream, two[1].stream);
    }
    store.verify().await.unwrap();
    found.len() / 2
}

async fn trim_all(store: &FileStore, stream: &StreamName) -> u64 {
    let last = store.stat(stream).await.unwrap().unwrap().last.unwrap();
    store.trim(stream, &last).await.unwrap()
}

async fn open(folder: &Path) -> FileStore {
    let options = FileOptions::new().with_segment_bytes(64 * 1024);
    open_with(&folder.join("store"), options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test above, in a process of its own"]
async fn full() {
    let Some(folder) = World::folder() else {
        return;
    };
    let filler = folder.join("filler");
    std::fs::write(&filler, vec![0; 512 * 1024]).unwrap();
    let streams = [name("even"), name("odd")];
    let mut store = open(&folder).await;
    let (mut appended, mut trimmed) = (0, 0);
    for _ in 0..4 {
        let before = appended;
        until_refused(&store, &streams, &mut appended).await;
        assert!(appended > before, "no space came back");
        assert_eq!(pairs(&store).await, appended - trimmed);
        // Again, and after another opening: neither needs space.
        let refused = store.append(&streams[0], pair(appended)).await.unwrap_err();
        assert_eq!(refused.applied(), Applied::No);
        store.close().await.unwrap();
        store = open(&folder).await;
        assert!(store.cut().is_none());
        assert_eq!(pairs(&store).await, appended - trimmed);

        let last = appended - 1;
        let repeat = store.append(&streams[last % 2], pair(last)).await;
        assert!(
            repeat
                .unwrap()
                .iter()
                .all(ledger_core::Receipt::is_duplicate)
        );
        // Every segment has entries of both.
        let gone = trim_all(&store, &streams[0]).await;
        assert!(gone > 0);
        trimmed += usize::try_from(gone).unwrap() / 2;
        assert_eq!(pairs(&store).await, appended - trimmed);
        let gone = trim_all(&store, &streams[1]).await;
        assert!(gone > 0);
        trimmed += usize::try_from(gone).unwrap() / 2;
        assert_eq!(pairs(&store).await, 0);
        // Files go a little after the trim.
        let patience = Patience::new();
        while store
            .append(&streams[appended % 2], pair(appended))
            .await
            .is_err()
        {
            patience.check("no space yet");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        appended += 1;
    }
    until_refused(&store, &streams, &mut appended).await;
    let before = appended;
    std::fs::remove_file(&filler).unwrap();
    until_refused(&store, &streams, &mut appended).await;
    assert!(appended > before + 100, "{before} {appended}");
    assert_eq!(pairs(&store).await, appended - trimmed);
    println!("\nacknowledged {before}, then {appended}");
}
