//! Futures and handles can be kept, sent and spawned as users need it.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::TryStreamExt;
use ledger_core::{Expected, MemoryStore, Query, Store, StoreExt, Stream};
use serde::{Deserialize, Serialize, Serializer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order(u64);

/// The store type can be left out of a field.
struct Service {
    orders: Stream<i64, Order>,
}

#[tokio::test]
async fn a_struct_can_hold_a_stream_over_any_store() {
    let dynamic: Arc<dyn Store<i64>> = Arc::new(MemoryStore::new());
    let service = Service {
        orders: dynamic.stream("orders"),
    };
    let spawned = tokio::spawn(async move {
        service
            .orders
            .append(Order(1))
            .expected(Expected::NoStream)
            .await
            .unwrap();
        let all: Vec<_> = service
            .orders
            .entries(Query::new())
            .try_collect()
            .await
            .unwrap();
        all.into_iter().map(|entry| entry.value).collect::<Vec<_>>()
    });
    assert_eq!(spawned.await.unwrap(), [Order(1)]);
}

#[tokio::test]
async fn a_borrowed_and_a_boxed_store_have_streams_too() {
    let store = MemoryStore::new();
    let borrowed: &dyn Store<i64> = &store;
    borrowed
        .stream::<Order>("orders")
        .append(Order(1))
        .await
        .unwrap();
    let boxed: Box<dyn Store<i64>> = Box::new(store.clone());
    (&boxed)
        .stream::<Order>("orders")
        .append(Order(2))
        .await
        .unwrap();
    assert_eq!(store.stream::<Order>("orders").count().await.unwrap(), 2);
}

/// Neither Send nor Sync.
struct Local(Rc<u64>);

impl Serialize for Local {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(*self.0)
    }
}

impl<'de> Deserialize<'de> for Local {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Rc::new(u64::deserialize(deserializer)?)))
    }
}

/// The value is encoded by the call, so the future holds bytes and is Send for
/// any value. An `async fn append(&self, value: T)` would capture the value.
#[tokio::test]
async fn a_value_that_is_not_send_can_be_appended_from_a_spawned_task() {
    let store = MemoryStore::new();
    let numbers = store.stream::<Local>("numbers");
    let spawned = tokio::spawn(async move {
        let append = numbers.append(Local(Rc::new(7)));
        append.await.unwrap()
    });
    assert_eq!(spawned.await.unwrap().version, 1);
    let page = store
        .stream::<u64>("numbers")
        .read(Query::new())
        .await
        .unwrap();
    assert_eq!(page[0].value, 7);
}

#[tokio::test]
async fn entries_do_not_borrow_the_stream_they_come_from() {
    let store = MemoryStore::new();
    store.stream::<u64>("n").append_all([1, 2]).await.unwrap();
    let mut entries = store.stream::<u64>("n").entries(Query::new());
    let first = entries.try_next().await.unwrap().unwrap();
    let rest = tokio::spawn(async move { entries.try_collect::<Vec<_>>().await });
    assert_eq!(first.value + rest.await.unwrap().unwrap()[0].value, 3);
}
