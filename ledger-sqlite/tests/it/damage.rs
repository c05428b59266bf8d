//! Damaged files and rows.

use std::io::{Seek, SeekFrom, Write};

use ledger_core::{AllQuery, Kind, Limits, Query, ReadAll, Store};
use sqlx::{AssertSqlSafe, Row};

use crate::helpers::{Place, S, append, kind, read};

/// Catches a page that is read as an empty one, and a panic.
#[tokio::test]
async fn a_damaged_page_is_corrupt() {
    let place = Place::new();
    let store = place.open().await;
    for n in 0..200 {
        append(&store, &S, &n.to_string().repeat(100))
            .await
            .unwrap();
    }
    store.close().await.unwrap();
    let pool = place.pool(1).await;
    let root = sqlx::query("SELECT rootpage FROM sqlite_schema WHERE name = 'ledger_entries'");
    let root: i64 = root.fetch_one(&pool).await.unwrap().get(0);
    pool.close().await;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .open(place.file())
        .unwrap();
    file.seek(SeekFrom::Start((root as u64 - 1) * 4096))
        .unwrap();
    file.write_all(&[0xA5; 4096]).unwrap();
    drop(file);

    let store = place.open().await;
    assert_eq!(kind(read(&store, &S, Query::new()).await), Kind::Corrupt);
    let all = ReadAll::new(AllQuery::new(), &Limits::TABLE).unwrap();
    assert_eq!(kind(store.read_all(&all).await), Kind::Corrupt);
    assert_eq!(kind(append(&store, &S, "x").await), Kind::Corrupt);
    assert!(!store.health().await.unwrap().ok);
}

/// Catches stored garbage that is taken for something else, or skipped.
#[tokio::test]
async fn a_row_that_the_ledger_would_not_write_is_corrupt_and_named() {
    for set in [
        "metadata = '{'",
        "metadata = '[1]'",
        "metadata = '{\"a\":1}'",
        "content_type = ''",
        "content_type = 'a b'",
        "recorded_at = 9223372036854775807",
        "schema_version = 0",
        "schema_version = 4294967296",
        "version = -1",
        "dedup_key = CAST(x'ff' AS TEXT)",
    ] {
        let place = Place::new();
        let store = place.open().await;
        for n in 0..3 {
            append(&store, &S, &n.to_string()).await.unwrap();
        }
        let pool = place.pool(1).await;
        let sql = format!("UPDATE ledger_entries SET {set} WHERE id = 2");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&pool)
            .await
            .unwrap();
        let all = ReadAll::new(AllQuery::new(), &Limits::TABLE).unwrap();
        for error in [
            store.read_all(&all).await.unwrap_err(),
            match read(&store, &S, Query::new()).await {
                Err(e) => e,
                // A version out of its range is not among those asked for.
                Ok(page) => panic!("{set}: {page:?}"),
            },
        ] {
            assert_eq!(*error.kind(), Kind::Corrupt, "{set}");
            assert_eq!(error.context("table"), Some("entries"), "{set}");
            assert_eq!(error.context_as::<i64>("id"), Some(2), "{set}");
        }
    }
}

/// Catches a join that drops entries whose stream is gone.
#[tokio::test]
async fn an_entry_without_a_stream_is_corrupt_and_not_skipped() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, &S, "1").await.unwrap();
    let pool = place.pool(1).await;
    sqlx::raw_sql("DELETE FROM ledger_streams")
        .execute(&pool)
        .await
        .unwrap();
    let all = ReadAll::new(AllQuery::new(), &Limits::TABLE).unwrap();
    assert_eq!(kind(store.read_all(&all).await), Kind::Corrupt);
}
