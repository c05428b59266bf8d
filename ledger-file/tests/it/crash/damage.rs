//! Files that were damaged, cut, exchanged or lost. What is read is what was
//! written, or it is `Corrupt`; a store that lacks entries never opens.

use ledger_core::{
    AllQuery, Kind, Limits, Query, Read, ReadAll, Result, Store, StoreRecord, StreamName,
};
use ledger_file::sim::{Loss, SimDisk};
use ledger_file::{FileOptions, FileStore};

use super::{Plan, block_on, open, run};

fn options() -> FileOptions {
    FileOptions::new().with_segment_bytes(4_096)
}

/// A store of several segments and what is in it. Left as a process that was
/// killed leaves it, if it is not closed: its last group is not marked.
struct Sample {
    disk: SimDisk,
    entries: Vec<StoreRecord<i64>>,
}

fn sample(closed: bool) -> Sample {
    let plan = Plan {
        seed: 11,
        steps: 30,
        options: options(),
        idles: false,
        closes: closed,
    };
    let disk = SimDisk::new();
    block_on(async {
        // The store is dropped at the end of the run, and writes no mark before
        // the copy is made if it is not idle for long.
        let (_, error) = run(&disk, &plan).await;
        assert!(error.is_none(), "{error:?}");
    });
    let disk = match closed {
        true => disk.copy(),
        // What was flushed, as of the last operation of the last group: a mark
        // that came later, by the drop, is left out.
        false => without_the_last_mark(&disk),
    };
    let entries = block_on(async {
        let store = open(&disk.copy(), options()).await.unwrap();
        everything(&store).await.unwrap()
    });
    assert!(entries.len() > 15);
    Sample { disk, entries }
}

fn without_the_last_mark(disk: &SimDisk) -> SimDisk {
    while disk.is_locked() {
        std::thread::yield_now();
    }
    // A mark is a write and a flush, and closing ends with one.
    disk.after_crash(disk.ops() - 2, Loss::Nothing, 0)
}

async fn everything(store: &FileStore) -> Result<Vec<StoreRecord<i64>>> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let mut query = AllQuery::new().limit(10_000);
        if let Some(after) = after {
            query = query.after(after);
        }
        let page = store
            .read_all(&ReadAll::new(query, &Limits::TABLE)?)
            .await?;
        if page.records.is_empty() {
            return Ok(all);
        }
        all.extend(page.records);
        after = Some(page.next);
    }
}

/// Reads by every way there is.
async fn by_all_ways(store: &FileStore, entries: &[StoreRecord<i64>]) -> Result<()> {
    assert_eq!(everything(store).await?, entries, "wrong data");
    for name in ["a", "b", "c", "d"].map(StreamName::from_static) {
        let mine = entries
            .iter()
            .filter(|e| e.stream == name)
            .map(|e| &e.record);
        let read = Read::new(Query::new().limit(10_000), &Limits::TABLE)?;
        let page = store.read(&name, &read).await?;
        assert!(page.records.iter().eq(mine.clone()), "wrong data of {name}");
        let of_ann = Query::new().limit(10_000).order_key("ann");
        let page = store
            .read(&name, &Read::new(of_ann, &Limits::TABLE)?)
            .await?;
        let mine = mine.filter(|record| record.entry.order_key.as_deref() == Some("ann"));
        assert!(page.records.iter().eq(mine), "wrong data of {name} and ann");
    }
    Ok(())
}

/// What became of a damaged store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It does not open.
    Refused,
    /// It opens; reading finds the damage.
    Found,
    /// All is there.
    Whole,
}

async fn fate(disk: &SimDisk, entries: &[StoreRecord<i64>]) -> Fate {
    let store = match open(disk, options()).await {
        Ok(store) => store,
        Err(e) => {
            assert_eq!(*e.kind(), Kind::Corrupt, "{e:?}");
            assert!(
                e.context("file").is_some() && e.context("offset").is_some(),
                "{e:?}"
            );
            return Fate::Refused;
        }
    };
    let read = by_all_ways(&store, entries).await;
    let verified = store.verify().await;
    match (&read, &verified) {
        (Ok(()), Ok(_)) => Fate::Whole,
        (Err(e), Err(_)) | (Ok(()), Err(e)) => {
            assert_eq!(*e.kind(), Kind::Corrupt, "{e:?}");
            Fate::Found
        }
        (Err(e), Ok(_)) => panic!("reading found what the full check did not: {e:?}"),
    }
}

fn step(usual: usize) -> usize {
    if std::env::var_os("LEDGER_LONG").is_some() {
        1
    } else {
        usual
    }
}

/// How far a segment is in use.
fn used(content: &[u8]) -> usize {
    content
        .iter()
        .rposition(|b| *b != 0)
        .map_or(0, |last| last + 1)
}

/// Catches a recovery that takes a file that was cut for one that ends here.
#[test]
fn a_file_cut_at_any_byte_is_found() {
    let Sample { disk, entries } = sample(true);
    let (mut cuts, mut whole) = (0, 0);
    for name in disk.names() {
        let content = disk.content(&name).unwrap();
        let is_last = disk.names().iter().filter(|n| n.ends_with(".seg")).max() == Some(&name);
        for len in (0..content.len()).step_by(step(29)) {
            let cut = disk.copy();
            cut.put(&name, Some(content[..len].to_vec()));
            let fate = block_on(fate(&cut, &entries));
            let harmless = name.ends_with(".idx")
                || (name.ends_with(".seg") && !is_last && len >= used(&content));
            let expected = if harmless { Fate::Whole } else { Fate::Refused };
            assert_eq!(fate, expected, "{name} cut to {len} of {}", content.len());
            cuts += 1;
            whole += usize::from(harmless);
        }
    }
    println!("{cuts} cuts, {whole} of them harmless");
    assert!(cuts > 300 && whole > 30);
}

fn flips(closed: bool) {
    let Sample { disk, entries } = sample(closed);
    let (mut refused, mut found, mut whole) = (0, 0, 0);
    for name in disk.names() {
        let content = disk.content(&name).unwrap();
        for bit in (0..content.len() * 8).step_by(step(283)) {
            let mut flipped = content.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let broken = disk.copy();
            broken.put(&name, Some(flipped));
            let fate = block_on(fate(&broken, &entries));
            if name.ends_with(".seg") && bit / 8 < used(&content) {
                assert_ne!(fate, Fate::Whole, "{name}, bit {bit}: not found");
            }
            match fate {
                Fate::Refused => refused += 1,
                Fate::Found => found += 1,
                Fate::Whole => whole += 1,
            }
        }
    }
    println!("closed {closed}: {refused} refused, {found} found, {whole} harmless");
    assert!(refused > 10 && found > 10 && whole > 10);
}

/// Catches checksums that leave something out, an index that is believed, and
/// damage that is taken for the end of the log.
#[test]
fn no_flipped_bit_gives_wrong_data_or_loses_any() {
    flips(true);
}

/// Also the last group, which no mark speaks of yet: its sectors have all
/// arrived, so a crash does not explain the damage.
#[test]
fn no_flipped_bit_loses_what_is_not_marked_yet() {
    flips(false);
}

#[test]
fn missing_exchanged_foreign_and_older_segments_are_found() {
    let Sample { disk, entries } = sample(true);
    let foreign = sample(true).disk;
    let segments: Vec<String> = disk
        .names()
        .into_iter()
        .filter(|n| n.ends_with(".seg"))
        .collect();
    assert!(segments.len() > 2, "{segments:?}");
    let last = segments.last().unwrap();
    let number: u64 = last[..20].parse().unwrap();
    let after = |change: &dyn Fn(&SimDisk)| {
        let changed = disk.copy();
        change(&changed);
        block_on(fate(&changed, &entries))
    };
    let mut of_both = 0;
    for name in &segments {
        assert_eq!(
            after(&|disk| disk.put(name, None)),
            Fate::Refused,
            "{name} is missing"
        );
        // Which appends share a group is not the same twice, so the other store
        // may have a segment less.
        if let Some(theirs) = foreign.content(name) {
            let fate = after(&|disk| disk.put(name, Some(theirs.clone())));
            assert_eq!(fate, Fate::Refused, "{name} of another store");
            of_both += 1;
        }
        assert_eq!(
            after(&|disk| disk.put(name, Some(Vec::new()))),
            Fate::Refused,
            "{name} is empty"
        );
        for other in &segments {
            if name != other {
                let content = disk.content(other);
                let fate = after(&|disk| disk.put(name, content.clone()));
                assert_eq!(fate, Fate::Refused, "{other} as {name}");
            }
        }
        let next = format!("{:020}.seg", number + 1);
        let content = disk.content(name);
        let fate = after(&|disk| disk.put(&next, content.clone()));
        assert_eq!(fate, Fate::Refused, "{name} once more, as {next}");
    }
    assert!(of_both > 1);
    assert_eq!(after(&|disk| disk.put("STORE", None)), Fate::Refused);
    assert_eq!(
        after(&|disk| disk.put("STORE", foreign.content("STORE"))),
        Fate::Refused
    );
    for stray in [".DS_Store", "notes.txt", "1.seg", "STORE.tmp", "next.tmp"] {
        let fate = after(&|disk| disk.put(stray, Some(b"what is this".to_vec())));
        assert_eq!(fate, Fate::Whole, "{stray}");
    }
}

/// Catches an index that is believed though it belongs to something else.
#[test]
fn indexes_that_are_missing_or_another_ones_are_rebuilt() {
    let Sample { disk, entries } = sample(true);
    let foreign = sample(true).disk;
    let indexes: Vec<String> = disk
        .names()
        .into_iter()
        .filter(|n| n.ends_with(".idx"))
        .collect();
    assert!(indexes.len() > 1, "{indexes:?}");
    for name in &indexes {
        let mut others: Vec<Option<Vec<u8>>> = vec![None, foreign.content(name)];
        others.extend(
            indexes
                .iter()
                .filter(|o| *o != name)
                .map(|other| disk.content(other)),
        );
        for content in others {
            let changed = disk.copy();
            changed.put(name, content);
            assert_eq!(block_on(fate(&changed, &entries)), Fate::Whole, "{name}");
            assert_eq!(
                changed.content(name),
                disk.content(name),
                "{name} was not restored"
            );
        }
    }
}

/// Catches an older copy of a file that is believed. Only an older copy of all
/// of them is a store: that is a backup.
#[test]
fn older_copies_of_single_files_are_found() {
    let plan = Plan {
        seed: 11,
        steps: 30,
        options: options(),
        idles: false,
        closes: true,
    };
    let history = SimDisk::new();
    block_on(run(&history, &plan));
    let mut tried = 0;
    for ops in (0..history.ops()).step_by(step(3)) {
        let then = history.after_crash(ops, Loss::Nothing, 0);
        let end = history.copy();
        for name in then.names() {
            let old = then.content(&name);
            if !name.ends_with(".seg") || end.content(&name).is_none() {
                continue;
            }
            let in_use = end
                .content(&name)
                .map(|c| c[..used(&c)].to_vec())
                .unwrap_or_default();
            let same = old.as_ref().is_some_and(|old| old.starts_with(&in_use));
            let changed = end.copy();
            changed.put(&name, old);
            match block_on(open(&changed, options())) {
                Ok(_) => assert!(same, "{name} as of operation {ops} is believed"),
                Err(e) => assert_eq!(*e.kind(), Kind::Corrupt, "{e:?}"),
            }
            tried += 1;
        }
    }
    assert!(tried > 50, "{tried}");
}
