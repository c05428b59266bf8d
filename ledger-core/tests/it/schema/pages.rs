//! Pages, limits and cursors over entries that split and vanish.

use futures_util::TryStreamExt;
use ledger_core::{Entry, Json, MemoryStore, PageEnd, Query, Schema, StoreExt, Stream};
use proptest::prelude::*;

type Values = Stream<i64, u16, MemoryStore>;

/// Version 1 held lists, version 2 holds their elements; an empty list is
/// dropped. Element m of the list at version v is 10 × v + m.
async fn stored(lengths: &[u16]) -> Values {
    let store = MemoryStore::new();
    let lists = store.stream::<Vec<u16>>("n");
    let list = |(v, len): (u16, &u16)| (0..*len).map(|m| 10 * v + m).collect::<Vec<_>>();
    for list in (1..).zip(lengths).map(list) {
        lists.append(list).await.unwrap();
    }
    let schema = Schema::typed(Json, 1).split(2, |list: Vec<u16>| list);
    Stream::with_schema(store, "n", schema.build().unwrap())
}

/// The values of stored entries, in this order of versions.
fn flat(versions: impl Iterator<Item = usize>, lengths: &[u16]) -> Vec<u16> {
    let part = |v: usize| {
        let version = u16::try_from(v).unwrap();
        (0..lengths[v - 1]).map(move |m| 10 * version + m)
    };
    versions.flat_map(part).collect()
}

fn values(entries: &[Entry<i64, u16>]) -> Vec<u16> {
    entries.iter().map(|entry| entry.value).collect()
}

/// The parts of an entry are counted, the last one says so, and they share its
/// version and id.
fn well_formed(entries: &[Entry<i64, u16>], lengths: &[u16]) {
    for entry in entries {
        let v = entry.value / 10;
        let m = entry.value % 10;
        assert_eq!(entry.version, u64::from(v));
        assert_eq!(entry.part.index, u32::from(m));
        assert_eq!(entry.part.last, m + 1 == lengths[usize::from(v) - 1]);
        let same = entries.iter().filter(|e| e.version == entry.version);
        assert!(
            same.clone()
                .all(|e| e.id == entry.id && e.recorded_at == entry.recorded_at)
        );
    }
}

/// Everything by pages of so many stored entries, going on behind `next`.
async fn paged(stream: &Values, limit: usize, desc: bool) -> Vec<Entry<i64, u16>> {
    let mut all = Vec::new();
    let mut query = Query::new();
    loop {
        let asked = query.clone().limit(limit);
        let page = stream
            .read(if desc { asked.desc() } else { asked })
            .await
            .unwrap();
        let covered: std::collections::BTreeSet<_> = page.iter().map(|e| e.version).collect();
        assert!(covered.len() <= limit, "a limit counts stored entries");
        all.extend(page.entries);
        match page.next {
            Some(next) if page.end == PageEnd::More => {
                query = if desc {
                    query.before(next)
                } else {
                    query.after(next)
                };
            }
            next => {
                assert!(next.is_some() || page.end == PageEnd::CaughtUp, "a way on");
                return all;
            }
        }
    }
}

async fn check(lengths: Vec<u16>, limit: usize) {
    let stream = stored(&lengths).await;
    let count = lengths.len();
    for desc in [false, true] {
        let order = |n: usize| if desc { count - n } else { n + 1 };
        let expected = flat((0..count).map(order), &lengths);
        let found = paged(&stream, limit, desc).await;
        assert_eq!(values(&found), expected);
        well_formed(&found, &lengths);

        // A total counts stored entries too, and each comes with all parts.
        let query = if desc {
            Query::new().desc()
        } else {
            Query::new()
        };
        let some: Vec<_> = stream
            .entries(query.limit(limit))
            .try_collect()
            .await
            .unwrap();
        let expected = flat((0..count.min(limit)).map(order), &lengths);
        assert_eq!(values(&some), expected);
        well_formed(&some, &lengths);
    }
    // A cursor goes on behind the whole entry, wherever it was taken.
    for version in 1..=count {
        let raw = stream
            .read_raw(Query::new().at_version(version as u64))
            .await
            .unwrap();
        let id = raw.records[0].id;
        let rest: Vec<_> = stream
            .entries(Query::new().after(id))
            .try_collect()
            .await
            .unwrap();
        assert_eq!(values(&rest), flat(version + 1..=count, &lengths));
        let one = stream
            .read(Query::new().at_version(version as u64))
            .await
            .unwrap();
        assert_eq!(values(&one), flat(version..=version, &lengths));
        assert_eq!(one.next, Some(id));
    }
    assert_eq!(stream.count().await.unwrap(), count as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(super::cases(200)))]

    /// Catches a page that counts parts, a cursor that falls between them, a
    /// page of dropped entries that looks like the end, and parts lost or
    /// repeated at a border.
    #[test]
    fn pages_over_entries_that_split_and_vanish(
        lengths in prop::collection::vec(prop_oneof![Just(0), Just(0), 1..5_u16], 0..12),
        limit in 1..6_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(lengths, limit));
    }
}
