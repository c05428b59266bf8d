//! Whether a reader would read what is stored.

use ledger_core::{Batch, StreamName};
use ledger_core::{
    CheckReport, ContentType, Json, Kind, MemoryStore, Query, RawEntry, Schema, SchemaRef, Store,
    StoreExt, Stream,
};

/// 2,500 entries; every hundredth is text, the last ones say version 4 and
/// another content type.
async fn stored() -> MemoryStore {
    let store = MemoryStore::new();
    let name = StreamName::from_static("n");
    let entry = |n: u32| match n {
        2490.. => RawEntry::new(ContentType::BYTES, 1, n.to_string()),
        2480.. => RawEntry::new(ContentType::JSON, 4, n.to_string()),
        _ if n.is_multiple_of(100) => RawEntry::new(ContentType::JSON, 1, "\"s3cret\""),
        _ => RawEntry::new(ContentType::JSON, 1 + n % 2, n.to_string()),
    };
    let batch = Batch::new((0..2500).map(entry).collect(), store.limits()).unwrap();
    store.append(&name, batch).await.unwrap();
    store
}

fn schema() -> Schema<u64> {
    Schema::typed(Json, 1)
        .split(2, |n: u64| (!n.is_multiple_of(3)).then_some(n))
        .build()
        .unwrap()
}

fn forms(report: &CheckReport) -> Vec<(u32, &str, u64, u64)> {
    let forms = report.forms.iter();
    forms
        .map(|f| {
            (
                f.schema_version,
                f.content_type.as_str(),
                f.entries,
                f.unreadable,
            )
        })
        .collect()
}

#[tokio::test]
async fn a_report_counts_by_form_and_keeps_the_first_errors() {
    let store = stored().await;
    let stream = Stream::<i64, u64, _>::with_schema(&store, "n", schema());
    let report = stream.check(Query::new()).await.unwrap();
    assert_eq!(report.entries, 2500);
    assert_eq!(
        forms(&report),
        [
            (1, "application/json", 1240, 25),
            (1, "application/octet-stream", 10, 10),
            (2, "application/json", 1240, 0),
            (4, "application/json", 10, 10),
        ]
    );
    assert!(!report.is_ok());
    assert_eq!((report.unreadable, report.skipped), (45, 0));
    // Every third of the first version is dropped.
    let dropped = (0..2480).filter(|n| n % 2 == 0 && n % 100 != 0 && n % 3 == 0);
    assert_eq!(report.values, 2500 - 45 - dropped.count() as u64);

    assert_eq!(report.errors.len(), CheckReport::MOST_ERRORS);
    for (error, n) in report.errors.iter().zip(0_u64..) {
        assert_eq!(*error.kind(), Kind::Decode);
        assert!(error.is_entry());
        assert_eq!(error.context_as("version"), Some(n * 100 + 1));
        assert!(error.context_as::<i64>("id").is_some());
        assert_eq!(error.context("stream"), Some("n"));
        assert!(!format!("{error:?}").contains("s3cret"));
    }
}

/// N07: the report says what reading comes to.
#[tokio::test]
async fn it_says_what_reading_would() {
    let store = stored().await;
    let stream = Stream::<i64, u64, _>::with_schema(&store, "n", schema());
    let last = Query::new().versions(2470..=2485);
    let report = stream.check(last.clone()).await.unwrap();
    let page = stream.read(last.limit(10)).await.unwrap();
    assert_eq!((report.entries, report.unreadable), (16, 5));
    assert!(matches!(
        report.errors[0].kind(),
        Kind::NewerVersion { known: 2, found: 4 }
    ));
    assert!(page.len() as u64 <= report.values);
    assert_eq!(
        stream.check(Query::new().limit(3)).await.unwrap().entries,
        3
    );
    assert!(stream.check(Query::new().limit(0)).await.is_err());
}

#[tokio::test]
async fn given_entries_are_checked_without_a_stream() {
    let store = stored().await;
    let records = store
        .stream::<u64>("n")
        .read_raw(Query::new().limit(3))
        .await;
    let records = records.unwrap().records;
    let schema = schema();
    let report = schema.check(&records);
    assert_eq!((report.entries, report.unreadable), (3, 1));
    assert_eq!(report.errors[0].context("stream"), None);
    let shared = SchemaRef::from(schema).check(records.iter().skip(1));
    assert!(shared.is_ok());
    assert_eq!(forms(&shared).len(), 2);
    assert!(
        Schema::<u64>::typed(Json, 1)
            .build()
            .unwrap()
            .check::<i64>([])
            .is_ok()
    );
}
