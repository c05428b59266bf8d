//! Tests of how SQLite runs the statements: through the intended index, and
//! never by sorting.

use std::sync::Arc;

use ledger_core::Identifier;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use crate::sql::{Sql, Statement};
use crate::{read, schema};

async fn database() -> SqliteConnection {
    let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    schema::create(&mut conn, &Identifier::DEFAULT_PREFIX)
        .await
        .unwrap();
    conn
}

async fn plan(conn: &mut SqliteConnection, statement: &Statement) -> String {
    let text = format!("EXPLAIN QUERY PLAN {}", statement.text());
    let rows = sqlx::query(AssertSqlSafe(text))
        .fetch_all(conn)
        .await
        .unwrap();
    let steps: Vec<String> = rows.iter().map(|row| row.get(3)).collect();
    steps.join("\n")
}

/// Catches an index that sorts a whole stream for each page, and one that is
/// not used at all.
#[tokio::test]
async fn every_statement_uses_its_index_and_sorts_nothing() {
    let mut conn = database().await;
    let sql = Sql::new(&Identifier::DEFAULT_PREFIX);
    let (padded, stream) = (
        sql.group.originals.fitting(64).0,
        "INDEX ledger_entries_stream (stream_id=?",
    );
    let name = "INDEX sqlite_autoindex_ledger_streams_1 (name=?)";
    // What takes the lock is followed by two questions.
    let opening = sql.group.opening(64, 64).0.text().split("; ");
    let [heads, originals]: [_; 2] = opening
        .skip(1)
        .map(Statement::for_test)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    for (statement, needed) in [
        (&heads, name),
        (&originals, name),
        (
            &originals,
            "INDEX ledger_entries_dedup (stream_id=? AND dedup_key=?)",
        ),
        (&sql.id_of_version, stream),
        (&sql.stat, stream),
        (
            &sql.list,
            "INDEX sqlite_autoindex_ledger_streams_1 (name>?)",
        ),
        (
            padded,
            "INDEX ledger_entries_dedup (stream_id=? AND dedup_key=?)",
        ),
        (sql.group.heads.fitting(64).0, name),
        (
            sql.group.same_content.fitting(64).0,
            "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)",
        ),
        (&sql.trim, stream),
    ] {
        check(&mut conn, statement, needed).await;
    }
}

async fn check(conn: &mut SqliteConnection, statement: &Statement, needed: &str) {
    let plan = plan(conn, statement).await;
    assert!(plan.contains(needed), "{}\n{plan}", statement.text());
    assert!(
        !plan.contains("TEMP B-TREE"),
        "{}\n{plan}",
        statement.text()
    );
    // What is scanned is a list of values or the one row of a table.
    let table = |line: &str| {
        let tables = ["SCAN e", "SCAN ledger_entries", "SCAN ledger_streams"];
        tables.iter().any(|scan| line.starts_with(scan))
    };
    assert!(!plan.lines().any(table), "{}\n{plan}", statement.text());
}

/// The same of pages, however they are packed.
#[tokio::test]
async fn every_page_uses_its_index_and_sorts_nothing() {
    let mut conn = database().await;
    read::register(&mut conn, Arc::default()).await.unwrap();
    let sql = Sql::new(&Identifier::DEFAULT_PREFIX);
    for pages in [sql.packed, sql.collected] {
        for (statement, needed) in [
            (
                &pages.stream[0],
                "INDEX ledger_entries_stream (stream_id=? AND rowid>? AND rowid<?)",
            ),
            (
                &pages.stream[1],
                "INDEX ledger_entries_stream (stream_id=? AND rowid>? AND rowid<?)",
            ),
            (
                &pages.order_key[0],
                "INDEX ledger_entries_order (stream_id=? AND order_key=? AND rowid>? AND rowid<?)",
            ),
            (
                &pages.order_key[1],
                "INDEX ledger_entries_order (stream_id=? AND order_key=? AND rowid>? AND rowid<?)",
            ),
            // The end of a page, from the index alone.
            (
                &pages.stream[0],
                "COVERING INDEX ledger_entries_stream (stream_id=? AND rowid>? AND rowid<?)",
            ),
            (
                &pages.order_key[1],
                "COVERING INDEX ledger_entries_order (stream_id=? AND order_key=? AND rowid>? AND rowid<?)",
            ),
            (
                &pages.all[0],
                "SEARCH e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
            ),
            (
                &pages.all[1],
                "SEARCH e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
            ),
        ] {
            check(&mut conn, statement, needed).await;
        }
    }
}
