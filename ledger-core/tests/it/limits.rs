//! The limits hold before any I/O, and say field, rule, limit and actual.

use std::time::Duration;

use ledger_core::{
    Batch, ContentType, Error, Kind, Limits, ListStreams, MemoryStore, Metadata, NewEntry, Query,
    RawEntry, Read, Rule, StoreExt, StreamName,
};

const TABLE: &Limits = &Limits::TABLE;

fn broken<T: std::fmt::Debug>(result: Result<T, Error>) -> (&'static str, Rule, u64, u64) {
    match result.unwrap_err().kind() {
        Kind::InvalidInput {
            field,
            rule,
            limit,
            actual,
        } => (*field, *rule, *limit, *actual),
        other => panic!("unexpected kind {other:?}"),
    }
}

fn raw() -> RawEntry {
    RawEntry::new(ContentType::BYTES, 1, "x")
}

fn batch(entry: RawEntry) -> Result<Batch, Error> {
    Batch::new(vec![entry], TABLE)
}

/// 2 bytes a character: limits count bytes, not characters.
fn umlauts(bytes: usize) -> String {
    "ä".repeat(bytes / 2) + if bytes % 2 == 1 { "x" } else { "" }
}

#[test]
fn names_and_keys() {
    assert!(StreamName::new(umlauts(512)).is_ok());
    let name = "stream name";
    assert_eq!(
        broken(StreamName::new("")),
        (name, Rule::AtLeastBytes, 1, 0)
    );
    assert_eq!(
        broken(StreamName::new(umlauts(513))),
        (name, Rule::AtMostBytes, 512, 513)
    );
    assert_eq!(broken(StreamName::new("a\0b")), (name, Rule::NoNul, 0, 0));

    assert!(
        batch(
            raw()
                .with_order_key(umlauts(512))
                .with_dedup_key(umlauts(512))
        )
        .is_ok()
    );
    let order = |key: &str| broken(batch(raw().with_order_key(key)));
    let dedup = |key: &str| broken(batch(raw().with_dedup_key(key)));
    assert_eq!(order(""), ("order key", Rule::AtLeastBytes, 1, 0));
    assert_eq!(dedup(""), ("dedup key", Rule::AtLeastBytes, 1, 0));
    assert_eq!(
        order(&umlauts(513)),
        ("order key", Rule::AtMostBytes, 512, 513)
    );
    assert_eq!(
        dedup(&umlauts(513)),
        ("dedup key", Rule::AtMostBytes, 512, 513)
    );
    assert_eq!(dedup("\0"), ("dedup key", Rule::NoNul, 0, 0));
    let query = Query::<i64>::new().order_key("");
    assert_eq!(
        broken(Read::new(query, TABLE)),
        ("order key", Rule::AtLeastBytes, 1, 0)
    );
}

#[test]
fn metadata() {
    let with = |pairs: Vec<(String, String)>| {
        batch(raw().with_metadata(pairs.into_iter().collect::<Metadata>()))
    };
    let pairs = |count: usize, value: usize| -> Vec<_> {
        (0..count)
            .map(|n| (format!("{n:04}"), "v".repeat(value)))
            .collect()
    };
    assert!(with(pairs(64, 1020)).is_ok());
    assert_eq!(
        broken(with(pairs(65, 0))),
        ("metadata pairs", Rule::AtMost, 64, 65)
    );
    assert_eq!(
        broken(with(pairs(64, 1021))),
        ("metadata", Rule::AtMostBytes, 65_536, 65_600)
    );
    assert!(with(vec![("k".repeat(128), "v".repeat(8192))]).is_ok());
    let one = |key: &str, value: &str| broken(with(vec![(key.into(), value.into())]));
    assert_eq!(one("", ""), ("metadata key", Rule::AtLeastBytes, 1, 0));
    assert_eq!(
        one(&umlauts(129), ""),
        ("metadata key", Rule::AtMostBytes, 128, 129)
    );
    assert_eq!(
        one("k", &umlauts(8193)),
        ("metadata value", Rule::AtMostBytes, 8192, 8193)
    );
    assert_eq!(one("k\0", ""), ("metadata key", Rule::NoNul, 0, 0));
    assert_eq!(one("k", "\0"), ("metadata value", Rule::NoNul, 0, 0));
}

#[test]
fn content_types_versions_and_payloads() {
    let field = "content type";
    assert!(ContentType::parse(&"x".repeat(127)).is_ok());
    assert_eq!(
        broken(ContentType::parse("")),
        (field, Rule::AtLeastBytes, 1, 0)
    );
    let long = ContentType::parse(&"x".repeat(128));
    assert_eq!(broken(long), (field, Rule::AtMostBytes, 127, 128));
    for bad in ["a b", "ä", "a\n", "\u{7f}"] {
        assert_eq!(
            broken(ContentType::parse(bad)),
            (field, Rule::VisibleAscii, 0, 0)
        );
    }

    let version = |v| batch(RawEntry::new(ContentType::BYTES, v, "x"));
    let most = i32::MAX as u32;
    assert!(version(1).is_ok() && version(most).is_ok());
    assert_eq!(broken(version(0)), ("schema version", Rule::AtLeast, 1, 0));
    let newer = (
        "schema version",
        Rule::AtMost,
        u64::from(most),
        u64::from(most) + 1,
    );
    assert_eq!(broken(version(most + 1)), newer);

    let payload = |n| batch(RawEntry::new(ContentType::BYTES, 1, vec![0; n]));
    const MIB: usize = 1024 * 1024;
    assert!(payload(0).is_ok() && payload(8 * MIB).is_ok());
    let most = 8 * MIB as u64;
    assert_eq!(
        broken(payload(8 * MIB + 1)),
        ("payload", Rule::AtMostBytes, most, most + 1)
    );
}

#[test]
fn appends_pages_and_deadlines() {
    let entries = |n| Batch::new(vec![raw(); n], TABLE);
    assert!(entries(0).is_ok() && entries(10_000).is_ok());
    let field = "entries of one append";
    assert_eq!(
        broken(entries(10_001)),
        (field, Rule::AtMost, 10_000, 10_001)
    );

    // Keys, metadata and content types count as well.
    let half = |more: usize| {
        let content_type = ContentType::BYTES.as_str().len();
        let payload = vec![0; 8 * 1024 * 1024 - content_type - 10 + more];
        let entry = RawEntry::new(ContentType::BYTES, 1, payload);
        let metadata: Metadata = [("12", "345")].into_iter().collect();
        entry
            .with_order_key("12")
            .with_dedup_key("345")
            .with_metadata(metadata)
    };
    assert!(Batch::new(vec![half(0), half(0)], TABLE).is_ok());
    let over = Batch::new(vec![half(0), half(1)], TABLE);
    let most = 16 * 1024 * 1024;
    assert_eq!(
        broken(over),
        ("one append", Rule::AtMostBytes, most, most + 1)
    );

    let page = |limit| Read::new(Query::<i64>::new().limit(limit), TABLE);
    assert_eq!(Read::new(Query::<i64>::new(), TABLE).unwrap().limit(), 100);
    assert!(page(1).is_ok() && page(10_000).is_ok());
    assert_eq!(broken(page(0)), ("page limit", Rule::AtLeast, 1, 0));
    assert_eq!(
        broken(page(10_001)),
        ("page limit", Rule::AtMost, 10_000, 10_001)
    );
    let list = ListStreams::new(None, 0, TABLE);
    assert_eq!(broken(list), ("page limit", Rule::AtLeast, 1, 0));

    let deadline = |d| TABLE.check_deadline(d);
    let day = Duration::from_secs(86_400);
    assert!(deadline(Duration::from_millis(1)).is_ok() && deadline(day).is_ok());
    let field = "call deadline (ms)";
    assert_eq!(
        broken(deadline(Duration::from_micros(999))),
        (field, Rule::AtLeast, 1, 0)
    );
    let over = day + Duration::from_millis(1);
    assert_eq!(
        broken(deadline(over)),
        (field, Rule::AtMost, 86_400_000, 86_400_001)
    );
}

/// A layer that splits payloads raises the limit, so the typed stream has to
/// ask the store instead of using a constant.
#[test]
fn a_raised_payload_limit_raises_the_append_too() {
    let raised = Limits::TABLE.with_payload(1 << 30);
    let entry = RawEntry::new(ContentType::BYTES, 1, vec![0; 20 * 1024 * 1024]);
    assert!(Batch::new(vec![entry], &raised).is_ok());
}

#[tokio::test]
async fn a_refused_entry_names_stream_and_index_and_stores_nothing() {
    let store = MemoryStore::new();
    let numbers = store.stream::<u64>("numbers");
    let entries = [NewEntry::new(1), NewEntry::new(2).dedup_key("")];
    let error = numbers.append_all(entries).await.unwrap_err();
    assert_eq!(error.context("stream"), Some("numbers"));
    assert_eq!(error.context("index"), Some("1"));
    assert_eq!(numbers.stat().await.unwrap(), None);
}

#[tokio::test]
async fn a_bad_stream_name_is_refused_by_every_call() {
    let store = MemoryStore::new();
    let bad = store.stream::<u64>("x\0y");
    let expected = ("stream name", Rule::NoNul, 0, 0);
    assert_eq!(broken(bad.append(1).await), expected);
    assert_eq!(broken(bad.append_all::<u64>([]).await), expected);
    assert_eq!(broken(bad.read(Query::new()).await), expected);
    assert_eq!(broken(bad.stat().await), expected);
    assert_eq!(broken(bad.trim(&1).await), expected);
    use futures_util::TryStreamExt;
    let mut entries = bad.entries(Query::new());
    assert_eq!(broken(entries.try_next().await), expected);
    assert!(entries.try_next().await.unwrap().is_none());
}
