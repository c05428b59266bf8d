//! A pointer to a store forwards every method. A wrapper that forgets one
//! turns a capable store into one that refuses, and compiles; the clippy lint
//! on the impls finds that, and this test finds a method that forwards to
//! another one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ledger_core::{
    AllQuery, Batch, Capabilities, Error, Health, Holdup, Kind, Limits, ListStreams, Page, PageEnd,
    Query, Read, ReadAll, Receipts, Record, Result, Store, StoreCursor, StoreOrder, StorePage,
    StreamName, StreamStat,
};

/// Answers every method distinctly.
struct Distinct(Limits);

const NAME: StreamName = StreamName::from_static("distinct");

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Store<i64> for Distinct {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_store_order(StoreOrder::PerStream)
            .with_trim(true)
    }

    fn limits(&self) -> &Limits {
        &self.0
    }

    async fn append(&self, _: &StreamName, _: Batch) -> Result<Receipts<i64>> {
        Err(Error::new(Kind::Internal, "append"))
    }

    async fn read(&self, _: &StreamName, _: &Read<i64>) -> Result<Page<Record<i64>>> {
        Ok(Page::new(Vec::new(), PageEnd::Undecided))
    }

    async fn stat(&self, _: &StreamName) -> Result<Option<StreamStat<i64>>> {
        Ok(Some(StreamStat::new(Some(1), Some(2), 3, 4)))
    }

    async fn health(&self) -> Result<Health> {
        Ok(Health::new().with("health", Err("ill".into())))
    }

    async fn close(&self) -> Result<()> {
        Err(Error::new(Kind::Internal, "close"))
    }

    async fn list(&self, _: &ListStreams) -> Result<Page<StreamName>> {
        Ok(Page::new(vec![NAME], PageEnd::More))
    }

    async fn trim(&self, _: &StreamName, through: &i64) -> Result<u64> {
        Ok(through.unsigned_abs() + 5)
    }

    async fn read_all(&self, _: &ReadAll) -> Result<StorePage<i64>> {
        Ok(StorePage::new(
            Vec::new(),
            cursor("read_all"),
            PageEnd::More,
        ))
    }

    async fn store_head(&self) -> Result<StoreCursor> {
        Ok(cursor("store_head"))
    }

    fn cursor_after(&self, _: &ReadAll, _: &[(StreamName, i64)]) -> Result<StoreCursor> {
        Ok(cursor("cursor_after"))
    }

    async fn explain_head(&self) -> Result<Vec<Holdup>> {
        Ok(vec![Holdup::new("explain_head".into(), Duration::ZERO)])
    }
}

fn cursor(text: &'static str) -> StoreCursor {
    StoreCursor::from_bytes(text)
}

async fn answers(store: impl Store<i64>) -> Vec<String> {
    let limits = &Limits::TABLE;
    let read = Read::new(Query::new(), limits).unwrap();
    let read_all = ReadAll::new(AllQuery::new(), limits).unwrap();
    let list = ListStreams::new(None, 1, limits).unwrap();
    let batch = Batch::new(Vec::new(), limits).unwrap();
    vec![
        format!("{:?}", store.capabilities()),
        format!("{:?}", store.limits()),
        format!("{:?}", store.append(&NAME, batch).await),
        format!("{:?}", store.read(&NAME, &read).await),
        format!("{:?}", store.stat(&NAME).await),
        format!("{:?}", store.health().await),
        format!("{:?}", store.close().await),
        format!("{:?}", store.list(&list).await),
        format!("{:?}", store.trim(&NAME, &7).await),
        format!("{:?}", store.read_all(&read_all).await),
        format!("{:?}", store.store_head().await),
        format!("{:?}", store.cursor_after(&read_all, &[])),
        format!("{:?}", store.explain_head().await),
    ]
}

#[tokio::test]
async fn every_pointer_answers_as_the_store_does() {
    let distinct = || Distinct(Limits::TABLE.with_payload(1 << 30));
    let direct = answers(distinct()).await;
    assert_eq!(answers(&distinct()).await, direct);
    assert_eq!(answers(Arc::new(distinct())).await, direct);
    assert_eq!(answers(Box::new(distinct())).await, direct);
    let dynamic: Arc<dyn Store<i64>> = Arc::new(distinct());
    assert_eq!(answers(dynamic).await, direct);
    let dynamic: Box<dyn Store<i64>> = Box::new(distinct());
    assert_eq!(answers(&*dynamic).await, direct);
    assert_eq!(answers(dynamic).await, direct);
}

/// Only what every store can do.
struct Minimal;

#[async_trait]
impl Store<i64> for Minimal {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }

    async fn append(&self, _: &StreamName, _: Batch) -> Result<Receipts<i64>> {
        Ok(Vec::new().into())
    }

    async fn read(&self, _: &StreamName, _: &Read<i64>) -> Result<Page<Record<i64>>> {
        Ok(Page::empty())
    }

    async fn stat(&self, _: &StreamName) -> Result<Option<StreamStat<i64>>> {
        Ok(None)
    }

    async fn health(&self) -> Result<Health> {
        Ok(Health::new())
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn optional_operations_refuse_by_name_unless_implemented() {
    let limits = &Limits::TABLE;
    let read_all = ReadAll::new(AllQuery::new(), limits).unwrap();
    let list = ListStreams::new(None, 1, limits).unwrap();
    let operation = |e: Error| match e.kind() {
        Kind::Unsupported { operation } => *operation,
        other => panic!("unexpected kind {other:?}"),
    };
    assert_eq!(operation(Minimal.list(&list).await.unwrap_err()), "list");
    assert_eq!(
        operation(Minimal.trim(&NAME, &1).await.unwrap_err()),
        "trim"
    );
    assert_eq!(
        operation(Minimal.read_all(&read_all).await.unwrap_err()),
        "read_all"
    );
    assert_eq!(
        operation(Minimal.store_head().await.unwrap_err()),
        "store_head"
    );
    assert_eq!(
        operation(Minimal.cursor_after(&read_all, &[]).unwrap_err()),
        "cursor_after"
    );
    assert_eq!(
        operation(Minimal.explain_head().await.unwrap_err()),
        "explain_head"
    );
}

#[tokio::test]
async fn a_store_with_too_few_receipts_is_an_internal_error_of_unknown_outcome() {
    use ledger_core::{Applied, StoreExt};
    let error = (&Minimal).stream::<u8>("x").append(1).await.unwrap_err();
    assert_eq!(*error.kind(), Kind::Internal);
    assert_eq!(error.applied(), Applied::Unknown);
}
