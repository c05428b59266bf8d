//! A store that is not opened is left as it was.

use std::collections::BTreeMap;
use std::path::Path;

use ledger_core::{Kind, Store};
use ledger_file::FileStore;

use crate::golden::golden_copy;
use crate::place::{Place, everything, files, open_with, tiny};

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| {
        let content = std::fs::read(folder.join(&name)).unwrap();
        (name, content)
    };
    let mut all: BTreeMap<_, _> = files(folder).into_iter().map(read).collect();
    all.remove("LOCK");
    all
}

/// What crashes and others leave behind.
const LITTER: [&str; 4] = [
    "next.tmp",
    "spare.tmp",
    "STORE.tmp",
    "00000000000000000002.idx.tmp",
];
const STRAYS: [&str; 3] = [".DS_Store", "notes.txt", "7.seg"];

/// Catches an opening that tidies up, repairs, makes a new store or goes on in
/// a new segment before it knows that all is there: with the missing file put
/// back, the store has to be the old one.
#[tokio::test]
async fn whatever_is_missing_nothing_else_is_touched() {
    let place = Place::new();
    let folder = golden_copy(&place);
    for litter in LITTER.iter().chain(&STRAYS) {
        std::fs::write(folder.join(litter), "left behind").unwrap();
    }
    let whole = contents(&folder);
    let segments = whole.keys().filter(|f| f.ends_with(".seg") && f.len() > 9);
    let missing: Vec<_> = segments.map(String::as_str).chain(["STORE"]).collect();
    assert!(missing.len() > 3);
    for missing in missing {
        let file = folder.join(missing);
        // Gone, empty, and cut in its middle.
        for kept in [None, Some(0), Some(700)] {
            match kept {
                None => std::fs::remove_file(&file).unwrap(),
                Some(len) => std::fs::write(&file, &whole[missing][..len]).unwrap(),
            }
            let before = contents(&folder);
            let error = open_with(&folder, tiny()).await.unwrap_err();
            assert_eq!(*error.kind(), Kind::Corrupt, "{missing} {kept:?}");
            assert!(error.context("file").is_some(), "{error:?}");
            assert_eq!(contents(&folder), before, "{missing} {kept:?}");
            std::fs::write(&file, &whole[missing]).unwrap();
        }
    }
    let store = open_with(&folder, tiny()).await.unwrap();
    assert!(!everything(&store).await.unwrap().is_empty());
    let left = files(&folder);
    assert!(
        LITTER
            .iter()
            .all(|litter| !left.contains(&(*litter).into()))
    );
    assert!(STRAYS.iter().all(|stray| left.contains(&(*stray).into())));
}

/// Catches a lock that is not taken, and one that a refused opening takes away.
#[tokio::test]
async fn who_comes_second_is_refused_until_the_first_has_closed() {
    let place = Place::new();
    let folder = golden_copy(&place);
    let first = open_with(&folder, tiny()).await.unwrap();
    for _ in 0..2 {
        let second = FileStore::open(&folder).await.unwrap_err();
        assert_eq!(*second.kind(), Kind::Locked);
    }
    first.close().await.unwrap();
    FileStore::open(&folder).await.unwrap();
}

/// Catches an opening that makes something where it was told not to.
#[tokio::test]
async fn where_nothing_is_to_be_made_nothing_is() {
    let place = Place::new();
    let folder = place.beside("other");
    assert!(FileStore::open_existing(&folder).await.is_err());
    assert!(!folder.exists());
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("notes.txt"), "not a store").unwrap();
    let error = FileStore::open_existing(&folder).await.unwrap_err();
    assert_eq!(*error.kind(), Kind::Misconfigured, "{error:?}");
    assert_eq!(files(&folder), ["notes.txt"]);
}
