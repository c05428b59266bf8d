//! One of everything.

use ledger_core::{AllQuery, PageEnd, Query, Store};

use crate::support::{Place, all_page, append, batch, entry, everything, keyed, name, page};

#[tokio::test]
async fn everything_works_once() {
    let place = Place::fresh().await;
    let store = place.open().await;
    let receipts = append(&store, "a", "1").await.unwrap();
    assert_eq!((receipts[0].id, receipts[0].version), (1, 1));
    let receipts = store
        .append(
            &name("a"),
            batch(vec![keyed("k1"), entry("x"), keyed("k1"), keyed("k2")]),
        )
        .await
        .unwrap();
    let told: Vec<_> = receipts
        .iter()
        .map(|r| (r.version, r.is_duplicate()))
        .collect();
    assert_eq!(told, [(2, false), (3, false), (2, true), (4, false)]);
    let receipts = store
        .append(
            &name("a"),
            batch(vec![keyed("k2"), keyed("k3")]).with_expected(4),
        )
        .await
        .unwrap();
    let told: Vec<_> = receipts
        .iter()
        .map(|r| (r.version, r.is_duplicate()))
        .collect();
    assert_eq!(told, [(4, true), (5, false)]);
    append(&store, "b", "2").await.unwrap();

    let found = page(&store, "a", Query::new().after(1).limit(2)).await;
    assert_eq!(
        found.records.iter().map(|r| r.version).collect::<Vec<_>>(),
        [2, 3]
    );
    assert_eq!(found.end, PageEnd::More);
    assert_eq!(everything(&store).await.len(), 6);
    let newest = all_page(&store, AllQuery::new().desc().limit(1)).await;
    assert_eq!(newest.records[0].stream, "b");
    let stat = store.stat(&name("a")).await.unwrap().unwrap();
    assert_eq!((stat.last_version, stat.retained), (5, 5));
    assert_eq!(store.trim(&name("a"), &2).await.unwrap(), 2);
    assert!(store.health().await.unwrap().ok);
    store.close().await.unwrap();
}
