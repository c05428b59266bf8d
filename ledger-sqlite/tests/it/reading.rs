//! Pages, by comparison with the store in memory.

use ledger_core::{
    AllQuery, Limits, ListStreams, MemoryStore, PageEnd, Query, Read, ReadAll, Store,
};
use ledger_sqlite::{SqliteOptions, SqliteStore};

use crate::helpers::{Place, S, batch, entry, name, read, versions};

/// Every combination of bounds on a trimmed stream between others. Catches
/// ranges of versions whose search is off by one, bounds that exclude what
/// they should include, and a direction that changes what is found.
#[tokio::test]
async fn every_combination_of_bounds_reads_what_the_reference_reads() {
    let place = Place::new();
    let (store, reference) = (place.open().await, MemoryStore::new());
    let other = name("other");
    for n in 0..12u8 {
        let key = if n % 3 == 0 { "a" } else { "b" };
        for stream in [&S, &other, &other] {
            let entries = || batch([entry([n]).with_order_key(key)]);
            let stored = store.append(stream, entries()).await.unwrap();
            assert_eq!(stored, reference.append(stream, entries()).await.unwrap());
        }
    }
    for through in [0, 7] {
        let trimmed = store.trim(&S, &through).await.unwrap();
        assert_eq!(trimmed, reference.trim(&S, &through).await.unwrap());
        let ends = [
            None,
            Some(0),
            Some(1),
            Some(7),
            Some(10),
            Some(22),
            Some(34),
            Some(36),
        ];
        for (after, before) in ends.iter().flat_map(|a| ends.map(|b| (*a, b))) {
            for (first, last) in [
                (0, u64::MAX),
                (1, 3),
                (3, 3),
                (4, 9),
                (0, 0),
                (12, 40),
                (13, 40),
                (5, u64::MAX),
            ] {
                for (desc, key, limit) in [
                    (false, None, 100),
                    (true, None, 100),
                    (false, Some("a"), 100),
                    (true, Some("b"), 2),
                    (false, None, 3),
                ] {
                    let mut query = Query::new().versions(first..=last).limit(limit);
                    query = after.map_or(query.clone(), |id| query.after(id));
                    query = before.map_or(query.clone(), |id| query.before(id));
                    query = key.map_or(query.clone(), |key| query.order_key(key));
                    if desc {
                        query = query.desc();
                    }
                    let asked = Read::new(query, &Limits::TABLE).unwrap();
                    let found = store.read(&S, &asked).await;
                    let expected = reference.read(&S, &asked).await;
                    let text = format!("{asked:?}");
                    match (found, expected) {
                        (Ok(found), Ok(expected)) => {
                            assert_eq!(versions(&found), versions(&expected), "{text}");
                            assert_eq!(found.end, expected.end, "{text}");
                        }
                        (Err(found), Err(expected)) => assert_eq!(found.kind(), expected.kind()),
                        (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
                    }
                }
            }
        }
    }
    let listed = ListStreams::new(None, 10, &Limits::TABLE).unwrap();
    assert_eq!(
        store.list(&listed).await.unwrap(),
        reference.list(&listed).await.unwrap()
    );
    assert_eq!(
        store.stat(&S).await.unwrap(),
        reference.stat(&S).await.unwrap()
    );
}

/// Catches a store-wide read whose pages overlap or skip, and a backwards one
/// that starts anywhere but the end.
#[tokio::test]
async fn the_whole_store_is_read_page_by_page_in_both_directions() {
    let place = Place::new();
    let store = place.open().await;
    for n in 0..10 {
        store
            .append(&name(&format!("s{}", n % 3)), batch([entry("x")]))
            .await
            .unwrap();
    }
    for (descending, expected) in [
        (false, (1..=10).collect::<Vec<i64>>()),
        (true, (1..=10).rev().collect()),
    ] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let mut query = AllQuery::new().limit(3);
            if let Some(after) = after {
                query = query.after(after);
            }
            if descending {
                query = query.desc();
            }
            let page = store
                .read_all(&ReadAll::new(query, &Limits::TABLE).unwrap())
                .await
                .unwrap();
            found.extend(page.records.iter().map(|r| r.record.id));
            after = Some(page.next);
            if page.end == PageEnd::CaughtUp {
                break;
            }
        }
        assert_eq!(found, expected);
    }
    let head = store.store_head().await.unwrap();
    let query = ReadAll::new(AllQuery::new().after(head), &Limits::TABLE).unwrap();
    assert!(store.read_all(&query).await.unwrap().records.is_empty());
}

/// Catches a page that is bounded by its number of entries alone: with the
/// largest payloads it would be 80 GB.
#[tokio::test]
async fn a_page_ends_at_its_bytes_but_is_never_empty() {
    let place = Place::new();
    let store = place.open().await;
    for _ in 0..5 {
        store
            .append(&S, batch([entry(vec![7; 8 * 1024 * 1024])]))
            .await
            .unwrap();
    }
    let page = read(&store, &S, Query::new()).await.unwrap();
    assert_eq!((page.records.len(), page.end), (3, PageEnd::More));
}

/// Catches a packing that ends at U+0000, cuts a part at the wrong place, or
/// takes bytes for text; and a direction in which the pages differ.
#[tokio::test]
async fn every_byte_comes_back_in_both_directions() {
    let place = Place::new();
    let store = place.open().await;
    let mut all: Vec<_> = (0..=255u8).map(|b| entry([b])).collect();
    all.push(entry([]));
    all.push(entry((0..=255u8).cycle().take(70_000).collect::<Vec<_>>()));
    all.push(
        entry(*b"1 2 3 ")
            .with_order_key("1 2")
            .with_dedup_key("\u{1}\u{fffd}"),
    );
    let mut tagged = entry([0, 0]);
    tagged.metadata.set("\"\\\u{7f}", "");
    tagged.metadata.set("k", "\u{1}\n 9 ".repeat(1_000));
    all.push(tagged);
    store.append(&S, batch(all.clone())).await.unwrap();
    let [own, guest] = both(&place).await;
    let way = |store: &SqliteStore, query| (store.clone(), query);
    for (store, query) in [
        way(&own, Query::new()),
        way(&own, Query::new().desc()),
        way(&guest, Query::new()),
        way(&guest, Query::new().desc()),
    ] {
        let mut found = Vec::new();
        loop {
            let next = match found.last() {
                None => query.clone(),
                Some(ledger_core::Record { id, .. }) if query == Query::new() => {
                    query.clone().after(*id)
                }
                Some(last) => query.clone().before(last.id),
            };
            let page = read(&store, &S, next.limit(7)).await.unwrap();
            found.extend(page.records);
            if page.end == PageEnd::CaughtUp {
                break;
            }
        }
        if query != Query::new() {
            found.reverse();
        }
        let entries: Vec<_> = found.into_iter().map(|r| r.entry).collect();
        assert!(entries == all);
    }
    let all_of_store = ReadAll::new(AllQuery::new().limit(1_000), &Limits::TABLE).unwrap();
    for store in [own, guest] {
        let page = store.read_all(&all_of_store).await.unwrap();
        let entries: Vec<_> = page.records.into_iter().map(|r| r.record.entry).collect();
        assert!(entries == all);
    }
}

/// A handle that packs its pages by the function, and one that does it by SQL
/// alone, since its connections are the application's.
async fn both(place: &Place) -> [SqliteStore; 2] {
    let guest = SqliteStore::with_pool(place.pool(2).await, SqliteOptions::new());
    [place.open().await, guest.await.unwrap()]
}

/// Catches a page that packs more than the bytes of a page, one that stops at
/// a large entry for no reason, and large entries that come back empty.
#[tokio::test]
async fn pages_of_large_entries_end_at_the_bytes_of_a_page() {
    let place = Place::new();
    let store = place.open().await;
    let mega = |n: usize, fill: u8| entry(vec![fill; n << 20]);
    // 8, 1, 8, 1, … MiB: 40 MiB less than what a limit of 100 would allow.
    for n in 0..8u8 {
        let two = batch([mega(8, n), mega(1, n)]);
        store.append(&S, two).await.unwrap();
    }
    store
        .append(&S, batch((0..200u8).map(|n| entry([n]))))
        .await
        .unwrap();
    let sizes = |page: &ledger_core::Page<ledger_core::Record<i64>>| -> Vec<usize> {
        page.records
            .iter()
            .map(|r| r.entry.payload.len() >> 20)
            .collect()
    };
    for store in both(&place).await {
        let first = read(&store, &S, Query::new()).await.unwrap();
        assert_eq!(
            (sizes(&first), first.end),
            (vec![8, 1, 8, 1, 8, 1], PageEnd::More)
        );
        for (nth, record) in first.records.iter().enumerate() {
            assert!(
                record
                    .entry
                    .payload
                    .iter()
                    .all(|b| usize::from(*b) == nth / 2)
            );
        }
        let query = Query::new().desc().before(17);
        let last = read(&store, &S, query.limit(5)).await.unwrap();
        assert_eq!(
            (sizes(&last), last.end),
            (vec![1, 8, 1, 8, 1], PageEnd::More)
        );
        assert_eq!(versions(&last), [16, 15, 14, 13, 12]);
        let query = Query::new().after(14).limit(1_000);
        let rest = read(&store, &S, query).await.unwrap();
        assert_eq!((rest.records.len(), rest.end), (202, PageEnd::CaughtUp));
        let all = ReadAll::new(AllQuery::new().limit(10_000), &Limits::TABLE).unwrap();
        let page = store.read_all(&all).await.unwrap();
        assert_eq!((page.records.len(), page.end), (6, PageEnd::More));
    }
}

/// Catches a dependence on the order in which SQLite happens to aggregate.
#[tokio::test]
async fn the_order_of_a_page_does_not_depend_on_the_connection() {
    let place = Place::new();
    let options = place.connect().pragma("reverse_unordered_selects", "1");
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let store = SqliteStore::with_pool(pool, SqliteOptions::default());
    let store = store.await.unwrap();
    store
        .append(&S, batch((0..9u8).map(|n| entry([n]))))
        .await
        .unwrap();
    let page = read(&store, &S, Query::new().limit(5)).await.unwrap();
    assert_eq!(versions(&page), [1, 2, 3, 4, 5]);
    let page = read(&store, &S, Query::new().limit(3).desc())
        .await
        .unwrap();
    assert_eq!(versions(&page), [9, 8, 7]);
}
