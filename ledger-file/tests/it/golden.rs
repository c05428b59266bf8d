//! A store of format 1 as it was once written, in `tests/golden`. Releases to
//! come have to read it, and read it as this one does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ledger_core::backend::Clock;
use ledger_core::{ContentType, Kind, Query, RawEntry, Store, StoreRecord, StreamStat, Timestamp};
use ledger_file::{FileOptions, FileStore};

use crate::place::{Place, all_of, append, copy, entry, everything, files, name, open_with, tiny};

/// Never made again: a change of the format is another format.
fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/format-1")
}

/// A copy of the golden store, as the folder of the place.
pub(crate) fn golden_copy(place: &Place) -> PathBuf {
    copy(&golden(), &place.folder());
    place.folder()
}

/// A second passes with each append.
#[derive(Debug)]
struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        let tick = self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp::from_micros(at(tick)).unwrap()
    }
}

fn at(tick: i64) -> i64 {
    1_767_225_600_000_000 + 1_000_001 * tick
}

const STREAMS: [&str; 3] = ["orders", "Aufträge 日本", "gone"];
const APPENDS: i64 = 24;
const TRIMMED: i64 = 24;

/// Two entries for each append, of all kinds.
fn written(append: i64) -> [RawEntry; 2] {
    let types = [
        ContentType::JSON,
        ContentType::BYTES,
        ContentType::MESSAGE_PACK,
        ContentType::CBOR,
        ContentType::BSON,
        ContentType::POSTCARD,
        ContentType::parse("text/x-golden").unwrap(),
    ];
    let content_type = types[usize::try_from(append).unwrap() % types.len()].clone();
    let plain = RawEntry::new(content_type.clone(), 1, "");
    let payload: Vec<u8> = (0..100 + 40 * append).map(|n| (n * n) as u8).collect();
    let rich = RawEntry::new(content_type, append.unsigned_abs() as u32 + 1, payload)
        .with_order_key(format!("customer-{}", append % 3))
        .with_dedup_key(format!("évt-{append}"))
        .with_metadata(
            [("trace", "0000"), ("by", ""), ("ключ", "значение")]
                .into_iter()
                .collect(),
        );
    [plain, rich]
}

/// The streams take turns; the last one is trimmed to its end.
fn stream_of(append: i64) -> &'static str {
    STREAMS[usize::try_from(append % 3).unwrap()]
}

/// What is retained: the newer half, without the stream that was trimmed whole.
fn expected() -> Vec<StoreRecord<i64>> {
    let mut all = Vec::new();
    for append in 0..APPENDS {
        for (half, entry) in written(append).into_iter().enumerate() {
            let id = 2 * append + half as i64 + 1;
            let version = (2 * (append / 3) + half as i64 + 1).unsigned_abs();
            let at = Timestamp::from_micros(at(append)).unwrap();
            let stream = name(stream_of(append));
            let record = ledger_core::Record::new(id, version, at, entry);
            if append % 3 != 2 && id > TRIMMED {
                all.push(StoreRecord::new(stream, record));
            }
        }
    }
    all
}

/// Writes the golden store of this release's format.
#[tokio::test]
#[ignore = "made once for each format: LEDGER_GOLDEN=folder"]
async fn make() {
    let Some(folder) = std::env::var_os("LEDGER_GOLDEN") else {
        return;
    };
    let options = tiny().with_clock(Arc::new(Ticks(AtomicI64::new(0))));
    let store = FileStore::open_with(folder, options).await.unwrap();
    for nth in 0..APPENDS {
        let receipts = append(&store, &name(stream_of(nth)), written(nth)).await;
        assert_eq!(receipts.unwrap()[0].id, 2 * nth + 1);
    }
    for (stream, through) in STREAMS.into_iter().zip([TRIMMED, TRIMMED, 48]) {
        store.trim(&name(stream), &through).await.unwrap();
    }
    store.close().await.unwrap();
}

/// Catches a release that reads what an earlier one wrote as something else.
#[tokio::test]
async fn a_store_of_format_1_is_read_entry_by_entry() {
    let place = Place::new();
    let folder = golden_copy(&place);
    let before = files(&folder);
    // Segments were removed, others are sealed, and one is not.
    assert!(!before.contains(&"00000000000000000001.seg".to_owned()));
    assert!(before.iter().filter(|f| f.ends_with(".seg")).count() > 2);
    assert!(before.iter().filter(|f| f.ends_with(".idx")).count() > 1);
    let options = FileOptions::new().with_create(false);
    let store = open_with(&folder, options).await.unwrap();
    let all = expected();
    assert_eq!(everything(&store).await.unwrap(), all);

    for stream in STREAMS.map(name) {
        let mine = all.iter().filter(|found| found.stream == stream);
        let mine: Vec<_> = mine.map(|found| found.record.clone()).collect();
        let found = all_of(&store, &stream, Query::new).await.unwrap();
        assert_eq!(found, mine);
        let (first, last) = (mine.first().map(|r| r.id), mine.last().map(|r| r.id));
        let stat = store.stat(&stream).await.unwrap();
        let retained = mine.len() as u64;
        assert_eq!(stat, Some(StreamStat::new(first, last, 16, retained)));
        for key in ["customer-0", "customer-1", "customer-2"] {
            let of_key = |r: &&ledger_core::Record<i64>| r.entry.order_key.as_deref() == Some(key);
            let mine: Vec<_> = mine.iter().filter(of_key).cloned().collect();
            let query = || Query::new().order_key(key);
            assert_eq!(all_of(&store, &stream, query).await.unwrap(), mine);
        }
    }
    let verified = store.verify().await.unwrap();
    assert_eq!(verified.indexes_rebuilt, 0);

    // Repeats are known, and what is new goes on behind.
    let [_, rich] = written(APPENDS - 2);
    let repeat = append(&store, &name(STREAMS[1]), [rich]).await.unwrap();
    assert_eq!((repeat[0].id, repeat[0].is_duplicate()), (46, true));
    let gone = append(&store, &name(STREAMS[2]), [entry("new")])
        .await
        .unwrap();
    assert_eq!((gone[0].id, gone[0].version), (49, 17));
    store.close().await.unwrap();
}

/// Writes format 2 into the header of a file.
fn make_newer(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..508]);
    bytes[508..512].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(file, bytes).unwrap();
}

/// Catches a newer file that is taken for a damaged one, for none, or for one
/// of this format.
#[tokio::test]
async fn a_newer_format_is_refused_wherever_it_is_found() {
    let place = Place::new();
    let names = files(&golden());
    let mut refused = 0;
    for newer in names
        .iter()
        .filter(|f| *f == "STORE" || f.ends_with(".seg"))
    {
        let folder = place.beside(newer);
        copy(&golden(), &folder);
        make_newer(&folder.join(newer));
        let error = open_with(&folder, tiny()).await.unwrap_err();
        let kind = Kind::NewerFormat { known: 1, found: 2 };
        assert_eq!(*error.kind(), kind, "{newer}");
        assert_eq!(error.context("file"), Some(newer.as_str()));
        refused += 1;
    }
    assert!(refused > 3);
}
