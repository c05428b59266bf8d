//! Entries that a newer release wrote.

use futures_util::TryStreamExt;
use ledger_core::{Json, Kind, MemoryStore, NewerPolicy, PageEnd, Query, Schema, StoreExt, Stream};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    n: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Newer {
    n: u32,
    more: String,
}

type Orders<'s> = Stream<i64, Known, &'s MemoryStore>;

fn reader(store: &MemoryStore, policy: Option<NewerPolicy>) -> Orders<'_> {
    let mut history = Schema::typed(Json, 1).upcast(2, |k: Known| k);
    if let Some(policy) = policy {
        history = history.newer(policy);
    }
    Stream::with_schema(store, "orders", history.build().unwrap())
}

/// Versions of the schema: 1, 2, 3, 3, 2.
async fn stored() -> MemoryStore {
    let store = MemoryStore::new();
    let v1 = Stream::<i64, Known, _>::new(&store, "orders");
    v1.append(Known { n: 1 }).await.unwrap();
    let v2 = reader(&store, None);
    v2.append(Known { n: 2 }).await.unwrap();
    let v3 = Schema::typed(Json, 3).build().unwrap();
    let v3 = Stream::<i64, Newer, _>::with_schema(&store, "orders", v3);
    let newer = |n| Newer {
        n,
        more: "?".into(),
    };
    v3.append_all([newer(3), newer(4)]).await.unwrap();
    v2.append(Known { n: 5 }).await.unwrap();
    store
}

#[tokio::test]
async fn they_are_refused_unless_the_schema_says_otherwise() {
    let store = stored().await;
    for policy in [None, Some(NewerPolicy::Refuse)] {
        let orders = reader(&store, policy);
        let page = orders.read(Query::new()).await.unwrap();
        assert_eq!((page.len(), page.skipped, page.end), (2, 0, PageEnd::More));
        let behind = Query::new().after(page.next.unwrap());
        let error = orders.read(behind).await.unwrap_err();
        assert_eq!(*error.kind(), Kind::NewerVersion { known: 2, found: 3 });
        assert_eq!(error.context("version"), Some("3"));
    }
}

#[tokio::test]
async fn they_can_be_skipped_and_are_counted() {
    let store = stored().await;
    let orders = reader(&store, Some(NewerPolicy::Skip));
    let page = orders.read(Query::new()).await.unwrap();
    let read: Vec<_> = page.iter().map(|e| (e.version, e.value.n)).collect();
    assert_eq!(read, [(1, 1), (2, 2), (5, 5)]);
    assert_eq!((page.skipped, page.end), (2, PageEnd::CaughtUp));

    let mut entries = orders.entries(Query::new());
    let mut seen = Vec::new();
    while let Some(entry) = entries.try_next().await.unwrap() {
        seen.push((entry.value.n, entries.skipped()));
    }
    assert_eq!(seen, [(1, 0), (2, 0), (5, 2)]);

    let report = orders.check(Query::new()).await.unwrap();
    assert!(report.is_ok());
    assert_eq!((report.entries, report.values, report.skipped), (5, 3, 2));
}

/// A reader that takes an empty page for the end would stop here.
#[tokio::test]
async fn a_page_of_nothing_but_skipped_ones_says_where_to_go_on() {
    let store = stored().await;
    let orders = reader(&store, Some(NewerPolicy::Skip));
    let second = orders
        .read(Query::new().limit(2))
        .await
        .unwrap()
        .next
        .unwrap();
    let page = orders
        .read(Query::new().after(second).limit(2))
        .await
        .unwrap();
    assert!(page.is_empty());
    assert_eq!((page.skipped, page.end), (2, PageEnd::More));
    let rest = orders
        .read(Query::new().after(page.next.unwrap()))
        .await
        .unwrap();
    assert_eq!((rest[0].value.n, rest.skipped), (5, 0));

    let backwards = orders.read(Query::new().desc().limit(3)).await.unwrap();
    assert_eq!((backwards.len(), backwards.skipped), (1, 2));
    assert_eq!(backwards.next, page.next.map(|id| id - 1));
}

/// Skipping is for newer entries only.
#[tokio::test]
async fn nothing_else_is_skipped() {
    let store = stored().await;
    let text = store.stream::<String>("orders");
    text.append("poison".to_owned()).await.unwrap();
    let orders = reader(&store, Some(NewerPolicy::Skip));
    let report = orders.check(Query::new()).await.unwrap();
    assert_eq!((report.unreadable, report.skipped), (1, 2));
    let undeclared = Schema::typed(Json, 2)
        .newer(NewerPolicy::Skip)
        .build()
        .unwrap();
    let undeclared = Stream::<i64, Known, _>::with_schema(&store, "orders", undeclared);
    let error = undeclared.read(Query::new()).await.unwrap_err();
    assert_eq!(*error.kind(), Kind::Decode);
}

#[tokio::test]
async fn they_can_be_read_as_current() {
    let store = stored().await;
    let orders = reader(&store, Some(NewerPolicy::ReadAsCurrent));
    let page = orders.read(Query::new()).await.unwrap();
    let read: Vec<_> = page.iter().map(|e| (e.schema_version, e.value.n)).collect();
    assert_eq!(read, [(1, 1), (2, 2), (3, 3), (3, 4), (2, 5)]);
    assert_eq!(page.skipped, 0);

    // Where that fails it is an error of the entry, with the version it has.
    let v7 = Schema::typed(Json, 7).build().unwrap();
    let v7 = Stream::<i64, String, _>::with_schema(&store, "orders", v7);
    v7.append("another shape".to_owned()).await.unwrap();
    let report = orders.check(Query::new()).await.unwrap();
    assert_eq!(report.errors[0].context("schema_version"), Some("7"));
    assert_eq!(*report.errors[0].kind(), Kind::Decode);
}

/// The policy is the schema's, wherever in the history it is said.
#[test]
fn later_steps_keep_the_policy() {
    let schema = Schema::typed(Json, 1)
        .newer(NewerPolicy::Skip)
        .upcast(2, |k: Known| k)
        .split(3, |k| [k])
        .build()
        .unwrap();
    assert!(schema.skips(4) && !schema.skips(3));
    let last = Schema::typed(Json, 1)
        .upcast(2, |k: Known| k)
        .newer(NewerPolicy::Skip)
        .newer(NewerPolicy::Refuse)
        .build()
        .unwrap();
    assert!(!last.skips(3));
}
