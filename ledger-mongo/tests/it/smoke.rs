//! The main way through.

use ledger_core::{AllQuery, NewEntry, PageEnd, Query, Store, StoreExt};

use crate::support::{Place, append, entry, keyed, name, page_all, texts};

#[tokio::test]
async fn what_is_appended_is_read_listed_followed_and_trimmed() {
    let place = Place::fresh().await;
    let store = place.open().await;
    let receipts = append(&store, "a", vec![entry("one"), keyed("two")])
        .await
        .unwrap();
    assert_eq!(receipts.last_version(), Some(2));
    let again = append(&store, "a", vec![keyed("two")]).await.unwrap();
    assert_eq!((again.duplicates(), again[0].id), (1, receipts[1].id));
    append(&store, "b", vec![entry("other")]).await.unwrap();

    let both = [(1, "one".to_owned()), (2, "two".to_owned())];
    assert_eq!(texts(&store, "a").await, both);
    let page = page_all(&store, AllQuery::new()).await.unwrap();
    assert_eq!((page.records.len(), page.end), (3, PageEnd::CaughtUp));
    append(&store, "a", vec![entry("three")]).await.unwrap();
    let page = page_all(&store, AllQuery::new().after(page.next))
        .await
        .unwrap();
    assert_eq!((page.records.len(), page.end), (1, PageEnd::CaughtUp));

    assert_eq!(store.trim(&name("a"), &receipts[1].id).await.unwrap(), 2);
    assert_eq!(texts(&store, "a").await, [(3, "three".to_owned())]);
    let stat = store.stat(&name("a")).await.unwrap().unwrap();
    assert_eq!((stat.last_version, stat.retained), (3, 1));
    store.close().await.unwrap();
}

#[tokio::test]
async fn typed_streams_work_on_it() {
    let store = Place::fresh().await.open().await;
    let orders = store.stream::<String>("orders");
    orders
        .append(NewEntry::new("first".to_owned()).dedup_key("1"))
        .await
        .unwrap();
    let found = orders.read(Query::new()).await.unwrap();
    assert_eq!(found[0].value, "first");
}
