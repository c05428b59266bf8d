//! Several encodings in one stream.

use ledger_core::{
    Bson, Cbor, Codec, FieldMapper, Json, Kind, MemoryStore, MessagePack, Or, Postcard, Query,
    Schema, SelfDescribing, Stream, Zstd,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    customer: String,
    cents: i64,
}

fn order(cents: i64) -> Order {
    Order {
        customer: "ann".repeat(40),
        cents,
    }
}

async fn append<C: Codec<Order> + Clone + 'static>(store: &MemoryStore, codec: C, cents: i64) {
    let schema = Schema::typed(codec, 1).build().unwrap();
    let orders = Stream::<i64, Order, _>::with_schema(store, "orders", schema);
    orders.append(order(cents)).await.unwrap();
}

/// A stream that has had every encoding there is.
async fn with_all() -> MemoryStore {
    let store = MemoryStore::new();
    append(&store, Json, 1).await;
    append(&store, MessagePack, 2).await;
    append(&store, Cbor, 3).await;
    append(&store, Bson, 4).await;
    append(&store, Zstd::new(Json), 5).await;
    append(&store, Zstd::new(Bson), 6).await;
    store
}

fn all() -> impl SelfDescribing + Codec<Order> + Codec<Renamed> + Clone + 'static {
    Zstd::new(Or(Cbor, Or(MessagePack, Or(Bson, Json))))
}

#[tokio::test]
async fn one_reader_reads_them_all_and_writes_the_first() {
    let store = with_all().await;
    let schema = Schema::typed(all(), 1).build().unwrap();
    let orders = Stream::<i64, Order, _>::with_schema(&store, "orders", schema);
    orders.append(order(7)).await.unwrap();
    let page = orders.read(Query::new()).await.unwrap();
    let read: Vec<_> = page.iter().map(|e| e.value.cents).collect();
    assert_eq!(read, [1, 2, 3, 4, 5, 6, 7]);
    let stored: Vec<_> = page.iter().map(|e| e.content_type.as_str()).collect();
    assert_eq!(
        stored,
        [
            "application/json",
            "application/vnd.msgpack",
            "application/cbor",
            "application/bson",
            "application/json+zstd",
            "application/bson+zstd",
            "application/cbor+zstd",
        ]
    );
    let report = orders.check(Query::new()).await.unwrap();
    assert!(report.is_ok());
    assert_eq!(report.forms.len(), 7);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Renamed {
    name: String,
    cents: i64,
    currency: String,
}

#[tokio::test]
async fn steps_go_through_all_of_them() {
    let store = with_all().await;
    let mapper = FieldMapper::new()
        .rename("customer", "name")
        .default_value("currency", "EUR");
    let fused = Schema::documents(all(), 1).fields(2, mapper.clone());
    let opened = Schema::documents(all(), 1)
        .fields(2, mapper)
        .change(3, |d| {
            let cents: i64 = d.take("cents")?.unwrap();
            d.set("cents", &cents)
        });
    for history in [fused, opened] {
        let schema = history.read_as::<Renamed>().build().unwrap();
        let orders = Stream::<i64, Renamed, _>::with_schema(&store, "orders", schema);
        let page = orders.read(Query::new()).await.unwrap();
        let expected = (1..=6).map(|cents| Renamed {
            name: "ann".repeat(40),
            cents,
            currency: "EUR".into(),
        });
        assert!(
            page.iter()
                .map(|e| &e.value)
                .eq(&expected.collect::<Vec<_>>())
        );
    }
}

/// Encodings that do not name their fields mix too, with typed steps.
#[tokio::test]
async fn typed_steps_read_postcard_beside_json() {
    let store = MemoryStore::new();
    append(&store, Postcard, 1).await;
    append(&store, Json, 2).await;
    append(&store, Zstd::new(Postcard), 3).await;
    let schema = Schema::typed(Zstd::new(Or(Postcard, Json)), 1)
        .upcast(2, |o: Order| Renamed {
            name: o.customer,
            cents: o.cents,
            currency: "EUR".into(),
        })
        .build()
        .unwrap();
    let orders = Stream::<i64, Renamed, _>::with_schema(&store, "orders", schema);
    let page = orders.read(Query::new()).await.unwrap();
    assert_eq!(
        page.iter().map(|e| e.value.cents).collect::<Vec<_>>(),
        [1, 2, 3]
    );
}

#[tokio::test]
async fn an_encoding_that_nobody_reads_is_named() {
    let store = with_all().await;
    let schema = Schema::typed(Or(Cbor, Json), 1).build().unwrap();
    let orders = Stream::<i64, Order, _>::with_schema(&store, "orders", schema);
    let report = orders.check(Query::new()).await.unwrap();
    assert_eq!((report.entries, report.unreadable), (6, 4));
    let error = &report.errors[0];
    assert_eq!(*error.kind(), Kind::Decode);
    assert_eq!(
        error.context("content_type"),
        Some("application/vnd.msgpack")
    );
    assert_eq!(error.context("stream"), Some("orders"));
    assert_eq!(error.context("version"), Some("2"));
}
