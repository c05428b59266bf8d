//! Processes that are killed while they append, trim, begin new segments, and
//! recover.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use ledger_core::{Store, StoreRecord};
use ledger_file::{Durability, FileStore};
use ledger_testkit::{Patience, long};

use crate::children::{CUT, Heard, Working, count_of, options, stream_of, tagged};
use crate::place::{Place, everything, name, open_with};

/// What the kills have hit so far.
#[derive(Debug, Default)]
struct Hit {
    kills: usize,
    /// Appends that nobody was told of, and were there.
    applied: usize,
    /// Appends that nobody was told of, and were not there.
    lost: usize,
    /// Kills before the store was open.
    opening: usize,
    /// Openings that left out an unfinished end.
    cut: usize,
    /// Appends that were acknowledged.
    acknowledged: usize,
}

impl Hit {
    fn enough(&self, kills: usize) -> bool {
        self.kills >= kills && self.applied > 0 && self.lost > 0 && self.opening >= kills / 4
    }
}

/// What is known of a store over all of its processes.
#[derive(Default)]
struct Known {
    acks: BTreeMap<String, i64>,
    unknown: Vec<String>,
    cutting: i64,
    cut: i64,
}

impl Known {
    fn hear(&mut self, heard: Heard) {
        for (tag, id) in heard.appends {
            match id {
                Some(id) => drop(self.acks.insert(tag, id)),
                None => self.unknown.push(tag),
            }
        }
        self.cutting = self.cutting.max(heard.cutting);
        self.cut = self.cut.max(heard.cut);
    }

    /// Everything in its place: ids without gaps but for what was trimmed,
    /// versions without gaps, batches whole and adjacent, nothing twice, all
    /// that was acknowledged where it was said to be.
    async fn check(&self, store: &FileStore) -> BTreeMap<String, i64> {
        let found = everything(store).await.unwrap();
        let stat = store.stat(&name(CUT)).await.unwrap();
        let trimmed = stat
            .as_ref()
            .map_or(0, |stat| stat.last_version - stat.retained);
        let last = found.last().map_or(0, |found| found.record.id);
        assert!(found.is_sorted_by(|a, b| a.record.id < b.record.id));
        assert!(last <= (found.len() as u64 + trimmed).cast_signed());

        let mut versions = BTreeMap::new();
        versions.insert(name(CUT), trimmed);
        let mut batches = BTreeMap::new();
        let mut payloads = HashSet::new();
        let mut rest = found.as_slice();
        while let Some(first) = rest.first() {
            let (tag, _) = place_of(first);
            let (batch, more) = rest.split_at(count_of(tag));
            for (nth, found) in batch.iter().enumerate() {
                assert_eq!(place_of(found), (tag, nth), "a batch in parts");
                assert_eq!(found.stream.as_str(), stream_of(tag));
                assert_eq!(found.record.id, first.record.id + nth as i64);
                assert!(payloads.insert(&found.record.entry.payload), "twice: {tag}");
                let version = versions.entry(found.stream.clone()).or_insert(0);
                *version += 1;
                assert_eq!(found.record.version, *version, "{tag}");
            }
            batches.insert(tag.to_owned(), first.record.id);
            rest = more;
        }
        for (tag, id) in &self.acks {
            let gone = stream_of(tag) == CUT && *id <= self.cutting;
            match batches.get(tag) {
                None if gone => {}
                there => assert_eq!(there, Some(id), "{tag}"),
            }
        }
        let cut = |found: &StoreRecord<i64>| found.stream.as_str() == CUT;
        let first = found.iter().find(|found| cut(found));
        assert!(first.is_none_or(|first| first.record.id > self.cut));
        batches
    }

    /// Repeats what nobody was told of: with its dedup keys it is there once.
    async fn repeat(&mut self, store: &FileStore, there: &BTreeMap<String, i64>, hit: &mut Hit) {
        for tag in std::mem::take(&mut self.unknown) {
            // It may have been trimmed by an earlier one of the same process.
            let receipts = store.append(&name(stream_of(&tag)), tagged(&tag)).await;
            let receipts = receipts.unwrap();
            let duplicates = receipts.iter().filter(|r| r.is_duplicate()).count();
            match there.get(&tag) {
                Some(id) => {
                    assert_eq!((duplicates, receipts[0].id), (receipts.len(), *id), "{tag}");
                    hit.applied += 1;
                }
                None => {
                    assert_eq!(duplicates, 0, "{tag}");
                    hit.lost += 1;
                }
            }
            self.acks.insert(tag, receipts[0].id);
        }
    }
}

fn place_of(found: &StoreRecord<i64>) -> (&str, usize) {
    let text = std::str::from_utf8(&found.record.entry.payload).unwrap();
    let mut parts = text.split('/');
    let tag = parts.next().unwrap();
    (tag, parts.next().unwrap().parse().unwrap())
}

/// Kills a writer after another number of appends each time, then others while
/// they recover, and looks at what is left. Half of the rounds flush nothing.
async fn round(place: &Place, known: &mut Known, hit: &mut Hit) {
    let durability = match hit.kills % 2 {
        0 => Durability::PowerLoss,
        _ => Durability::ProcessDeath,
    };
    let working = Working::start(&place.folder(), durability, None);
    working.wait_for(1 + hit.kills * 13 % 67).await;
    known.hear(working.kill());
    hit.kills += 1;

    let wait = Duration::from_micros(hit.kills as u64 * 300 % 3_000);
    let heard = Working::start(&place.folder(), durability, Some(wait)).ended();
    assert!(heard.opening);
    hit.opening += usize::from(!heard.opened);
    known.hear(heard);
    hit.kills += 1;

    let store = open_with(&place.folder(), options()).await.unwrap();
    hit.cut += usize::from(store.cut().is_some());
    let there = known.check(&store).await;
    known.repeat(&store, &there, hit).await;
    known.check(&store).await;
    let verified = store.verify().await.unwrap();
    assert!(verified.segments > 0);
    store.close().await.unwrap();
}

/// Catches an acknowledgement before the write, one that waits in a buffer of
/// the process, half a batch after a kill, an end that is not cut before it is
/// written on, a recovery that cannot be repeated when it is killed, and dedup
/// keys that a recovery forgets.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_had_acknowledged_is_there_once_and_whole() {
    let (kills, rounds_of_a_store) = match long() {
        true => (1_000, 20),
        false => (60, usize::MAX),
    };
    let mut hit = Hit::default();
    let mut patience = Patience::new();
    while !hit.enough(kills) {
        let (place, mut known) = (Place::new(), Known::default());
        for _ in 0..rounds_of_a_store {
            if hit.kills >= kills {
                patience.check(&hit);
            } else {
                patience = Patience::new();
            }
            round(&place, &mut known, &mut hit).await;
            if hit.enough(kills) {
                break;
            }
        }
        hit.acknowledged += known.acks.len();
    }
    println!("{hit:?}");
}
