//! Keys whose hashes are all the same. Hashes lead to candidates; what is the
//! key of an entry is what is stored with it.

use ledger_core::{Query, Record, Store};
use ledger_file::FileStore;
use ledger_file::sim::{folder, open_threaded};

use crate::place::{Place, all_of, append, entry, name, tiny};

const STREAMS: [&str; 3] = ["s", "t", "st"];
const KEYS: [&str; 4] = ["a", "b", "ab", "é"];
const ROUNDS: usize = 12;

async fn colliding(place: &Place) -> FileStore {
    std::fs::create_dir_all(place.folder()).unwrap();
    open_threaded(folder(&place.folder()), tiny(), 0)
        .await
        .unwrap()
}

/// Each stream has the same dedup keys, and its order keys in turn.
fn new(round: usize, stream: &str) -> ledger_core::RawEntry {
    entry(format!("{stream} {round} {}", ".".repeat(400)))
        .with_order_key(KEYS[round % KEYS.len()])
        .with_dedup_key(format!("evt-{round}"))
}

async fn check(store: &FileStore, trimmed: usize) {
    let [_, _, st] = STREAMS.map(name);
    for stream in STREAMS {
        let first = if stream == "s" { trimmed } else { 0 };
        let wanted = |round: &usize| *round >= first;
        let payload = |record: &Record<i64>| record.entry.payload.clone();
        let all = all_of(store, &name(stream), Query::new).await.unwrap();
        let expected: Vec<_> = (0..ROUNDS).filter(wanted).collect();
        let payloads = |rounds: &[usize]| -> Vec<_> {
            rounds.iter().map(|n| new(*n, stream).payload).collect()
        };
        assert_eq!(
            all.iter().map(payload).collect::<Vec<_>>(),
            payloads(&expected)
        );
        for (nth, key) in KEYS.into_iter().enumerate() {
            let query = || Query::new().order_key(key);
            let found = all_of(store, &name(stream), query).await.unwrap();
            let of_key = |round: &usize| round % KEYS.len() == nth;
            let expected: Vec<_> = expected.iter().copied().filter(of_key).collect();
            assert_eq!(
                found.iter().map(payload).collect::<Vec<_>>(),
                payloads(&expected)
            );
        }
        let none = || Query::new().order_key("none");
        assert!(all_of(store, &name(stream), none).await.unwrap().is_empty());
    }
    for round in 0..ROUNDS {
        let repeat = append(store, &st, [new(round, "st")]).await.unwrap();
        assert!(repeat[0].is_duplicate());
        assert_eq!(repeat[0].version, round as u64 + 1);
    }
}

/// Catches a hash that is taken for the key, or for the stream: in memory, in
/// sealed segments, after a reopening, and after a trim.
#[tokio::test]
async fn streams_and_keys_with_the_same_hash_stay_apart() {
    let place = Place::new();
    let store = colliding(&place).await;
    for round in 0..ROUNDS {
        for stream in STREAMS {
            let receipts = append(&store, &name(stream), [new(round, stream)]).await;
            let receipts = receipts.unwrap();
            assert!(!receipts[0].is_duplicate(), "{stream} {round}");
            assert_eq!(receipts[0].version, round as u64 + 1);
        }
    }
    check(&store, 0).await;
    store.close().await.unwrap();
    let store = colliding(&place).await;
    check(&store, 0).await;
    assert!(store.verify().await.unwrap().segments > 2);

    // The keys of what was trimmed are free again, in this stream only.
    let through = all_of(&store, &name("s"), Query::new).await.unwrap()[6].id;
    assert_eq!(store.trim(&name("s"), &through).await.unwrap(), 7);
    check(&store, 7).await;
    let again = append(&store, &name("s"), [new(3, "s")]).await.unwrap();
    assert!(!again[0].is_duplicate());
    let repeat = append(&store, &name("s"), [new(8, "s")]).await.unwrap();
    assert!(repeat[0].is_duplicate());
    store.close().await.unwrap();
}
