//! Split and dropped entries through a store.

use futures_util::TryStreamExt;
use ledger_core::{Json, MemoryStore, NewEntry, PageEnd, Part, Query, Schema, StoreExt, Stream};

/// Version 1 held lists, version 2 holds their elements.
async fn stored() -> (MemoryStore, Schema<u32>) {
    let store = MemoryStore::new();
    let lists = store.stream::<Vec<u32>>("n");
    for list in [vec![1, 2, 3], vec![], vec![4]] {
        let entry = NewEntry::new(list).order_key("o").metadata("m", "1");
        lists.append(entry).await.unwrap();
    }
    let schema = Schema::typed(Json, 1).split(2, |list: Vec<u32>| list);
    (store, schema.build().unwrap())
}

#[tokio::test]
async fn parts_share_everything_but_the_value() {
    let (store, schema) = stored().await;
    let n = Stream::<i64, u32, _>::with_schema(&store, "n", schema);
    n.append(5).await.unwrap();
    let raw = n.read_raw(Query::new()).await.unwrap().records;
    let page = n.read(Query::new()).await.unwrap();
    let seen: Vec<_> = page
        .iter()
        .map(|e| (e.version, e.part.index, e.part.last, e.value))
        .collect();
    let expected = [
        (1, 0, false, 1),
        (1, 1, false, 2),
        (1, 2, true, 3),
        // Version 2 was dropped.
        (3, 0, true, 4),
        (4, 0, true, 5),
    ];
    assert_eq!(seen, expected);
    assert_eq!(page[4].part, Part::WHOLE);
    for part in &page[..3] {
        assert_eq!((part.id, part.recorded_at), (raw[0].id, raw[0].recorded_at));
        assert_eq!(part.order_key.as_deref(), Some("o"));
        assert_eq!(part.metadata, raw[0].entry.metadata);
        assert_eq!(part.schema_version, 1);
    }
    let streamed: Vec<_> = n.entries(Query::new()).try_collect().await.unwrap();
    assert_eq!(streamed, page.entries);
}

#[tokio::test]
async fn limits_and_cursors_count_stored_entries() {
    let (store, schema) = stored().await;
    let n = Stream::<i64, u32, _>::with_schema(&store, "n", schema);
    let first = n.read(Query::new().limit(1)).await.unwrap();
    assert_eq!((first.len(), first.next), (3, Some(first[0].id)));

    // The page of the dropped entry alone: no values, and a way on.
    let second = n
        .read(Query::new().after(first[0].id).limit(1))
        .await
        .unwrap();
    assert!(second.is_empty());
    assert_eq!((second.skipped, second.end), (0, PageEnd::More));
    let third = n
        .read(Query::new().after(second.next.unwrap()))
        .await
        .unwrap();
    assert_eq!(third[0].value, 4);

    let backwards = n.read(Query::new().desc()).await.unwrap();
    let values: Vec<_> = backwards.iter().map(|e| e.value).collect();
    assert_eq!(values, [4, 1, 2, 3]);
}
