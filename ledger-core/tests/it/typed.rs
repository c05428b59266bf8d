//! Typed reading: what a page says, and entries that cannot be decoded.

use futures_util::StreamExt;
use ledger_core::{Kind, MemoryStore, NewEntry, PageEnd, Part, Query, StoreExt};

#[tokio::test]
async fn an_entry_carries_everything_that_was_given() {
    let store = MemoryStore::new();
    let words = store.stream::<String>("words");
    let entry = NewEntry::new("hello".to_owned())
        .order_key("o")
        .dedup_key("d")
        .metadata("a", "1")
        .metadata("a", "2");
    let receipt = words.append(entry).await.unwrap();
    let page = words.read(Query::new()).await.unwrap();
    let found = &page[0];
    assert_eq!((found.id, found.version), (receipt.id, 1));
    assert_eq!(found.part, Part::WHOLE);
    assert_eq!(found.value, "hello");
    assert_eq!(found.order_key.as_deref(), Some("o"));
    assert_eq!(found.dedup_key.as_deref(), Some("d"));
    assert_eq!(found.metadata.iter().collect::<Vec<_>>(), [("a", "2")]);
    assert_eq!(
        (found.schema_version, found.content_type.as_str()),
        (1, "application/json")
    );
    assert_eq!((page.next, page.end), (Some(receipt.id), PageEnd::CaughtUp));
}

#[tokio::test]
async fn a_page_says_how_it_ended_and_where_to_go_on() {
    let store = MemoryStore::new();
    let numbers = store.stream::<u64>("numbers");
    numbers.append_all(1..=250_u64).await.unwrap();
    let mut query = Query::new();
    let mut seen = Vec::new();
    loop {
        let page = numbers.read(query.clone()).await.unwrap();
        assert!(page.len() <= 100);
        if let Some(next) = page.next {
            query = query.after(next);
        }
        let end = page.end;
        seen.extend(page.into_iter().map(|entry| entry.value));
        if end == PageEnd::CaughtUp {
            break;
        }
    }
    assert_eq!(seen, (1..=250).collect::<Vec<_>>());
}

async fn with_poison() -> MemoryStore {
    let store = MemoryStore::new();
    store.stream::<u64>("n").append_all([1, 2]).await.unwrap();
    store
        .stream::<String>("n")
        .append("poison".to_owned())
        .await
        .unwrap();
    store.stream::<u64>("n").append(4).await.unwrap();
    store
}

/// Neither are the entries before it lost, nor is it skipped, nor does it stop
/// the reader for ever.
#[tokio::test]
async fn a_page_ends_before_an_entry_that_cannot_be_decoded_and_the_next_call_names_it() {
    let numbers = with_poison().await.stream::<u64>("n");
    let page = numbers.read(Query::new()).await.unwrap();
    let values: Vec<_> = page.iter().map(|entry| entry.value).collect();
    assert_eq!(values, [1, 2]);
    assert_eq!(page.end, PageEnd::More);

    let error = numbers
        .read(Query::new().after(page.next.unwrap()))
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), Kind::Decode);
    assert!(error.is_entry());
    assert_eq!(error.context("stream"), Some("n"));
    assert_eq!(error.context("version"), Some("3"));

    let behind = error.context_as::<i64>("id").unwrap();
    let page = numbers.read(Query::new().after(behind)).await.unwrap();
    assert_eq!(page[0].value, 4);
    let backwards = numbers.read(Query::new().desc()).await.unwrap();
    assert_eq!(
        (backwards[0].value, backwards.len(), backwards.end),
        (4, 1, PageEnd::More)
    );
}

#[tokio::test]
async fn an_iteration_tells_it_once_and_goes_on() {
    let numbers = with_poison().await.stream::<u64>("n");
    let found: Vec<_> = numbers.entries(Query::new()).collect().await;
    let shape: Vec<_> = found
        .iter()
        .map(|r| r.as_ref().ok().map(|e| e.value))
        .collect();
    assert_eq!(shape, [Some(1), Some(2), None, Some(4)]);
    assert!(found[2].as_ref().unwrap_err().is_entry());
}
