//! Schemas on a stream.

use ledger_core::{FieldMapper, Json, Kind, MemoryStore, Query, Schema, StoreExt, Stream};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Old {
    name: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct New {
    customer: String,
    currency: String,
}

fn schema() -> Schema<New> {
    let mapper = FieldMapper::new()
        .rename("name", "customer")
        .default_value("currency", "EUR");
    Schema::documents(Json, 1)
        .fields(2, mapper)
        .read_as()
        .build()
        .unwrap()
}

/// N06.
#[tokio::test]
async fn reading_old_entries_leaves_them_as_they_are_stored() {
    let store = MemoryStore::new();
    let old = store.stream::<Old>("customers");
    old.append(Old { name: "ada".into() }).await.unwrap();
    let stored = old.read_raw(Query::new()).await.unwrap();

    let new = Stream::<i64, New, _>::with_schema(&store, "customers", schema());
    let page = new.read(Query::new()).await.unwrap();
    assert_eq!(
        page[0].value,
        New {
            customer: "ada".into(),
            currency: "EUR".into()
        }
    );
    assert_eq!(page[0].schema_version, 1);
    assert_eq!(new.read_raw(Query::new()).await.unwrap(), stored);
}

/// N03, N05: an old reader meets what a new writer wrote.
#[tokio::test]
async fn a_newer_entry_is_refused_with_its_place() {
    let store = MemoryStore::new();
    let new = Stream::<i64, New, _>::with_schema(&store, "customers", schema());
    new.append(New {
        customer: "ada".into(),
        currency: "EUR".into(),
    })
    .await
    .unwrap();

    let error = store
        .stream::<Old>("customers")
        .read(Query::new())
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), Kind::NewerVersion { known: 1, found: 2 });
    assert!(error.is_entry());
    assert_eq!(error.context("stream"), Some("customers"));
    assert_eq!(error.context_as::<u64>("version"), Some(1));
}
