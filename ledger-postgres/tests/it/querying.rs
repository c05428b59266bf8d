//! The scripts of `docs/querying-postgres.md`, run as they stand there.

use ledger_core::{ContentType, Query, RawEntry, Store};
use ledger_postgres::PostgresStore;
use ledger_testkit::Postgres;
use sqlx::{AssertSqlSafe, Executor, Row};

use crate::support::{batch, name, page};

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/querying-postgres.md");

fn scripts(guide: &str) -> Vec<&str> {
    let blocks = guide.split("```sql\n").skip(1);
    blocks.filter_map(|b| b.split("```").next()).collect()
}

fn json(text: &str) -> RawEntry {
    RawEntry::new(ContentType::JSON, 1, text.as_bytes().to_vec())
}

/// Catches a guide whose SQL does not run or does not use its index, and an
/// index that refuses an append.
#[tokio::test]
async fn the_guide_to_querying_holds() {
    let database = Postgres::get()
        .await
        .unwrap()
        .fresh_database()
        .await
        .unwrap();
    let store = PostgresStore::open(&database.url()).await.unwrap();
    let mut connection = database.connect().await.unwrap();
    let guide = std::fs::read_to_string(GUIDE).unwrap();
    let scripts = scripts(&guide);
    let [function, view, select, index, by_index, gin] = scripts[..] else {
        panic!("{} scripts", scripts.len());
    };
    for script in [function, view, index, gin] {
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(script)))
            .await
            .unwrap();
    }

    let orders = name("orders");
    let spaced = r#"{"customer": "ann",  "cents": 1.0, "cents": 1250}"#;
    let odd = [
        json(spaced),
        // Says that it is JSON.
        json("not json"),
        json(r#"{"customer":"\u0000"}"#),
        json(r#"{"customer":1e999999}"#),
        RawEntry::new(ContentType::JSON, 1, vec![0xff, 0xfe]),
        RawEntry::new(ContentType::BYTES, 1, spaced.as_bytes().to_vec()),
    ];
    store.append(&orders, batch(odd.to_vec())).await.unwrap();
    let many = (0..3_000).map(|n| json(&format!(r#"{{"customer":"c{n}","cents":{n}}}"#)));
    store.append(&orders, batch(many.collect())).await.unwrap();

    let found = sqlx::query(AssertSqlSafe(select))
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let found: Vec<(i64, String)> = found.iter().map(|r| (r.get(0), r.get("cents"))).collect();
    assert_eq!(found, [(1, "1250".to_owned())]);
    let found = sqlx::query(AssertSqlSafe(by_index))
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].get::<&[u8], _>(1), spaced.as_bytes());

    connection.execute("ANALYZE ledger_entries").await.unwrap();
    let contains = "SELECT count(*) FROM ledger_entries e \
                    WHERE e.content_type = 'application/json' \
                      AND ledger_json(e.payload, e.content_type) @> '{\"customer\": \"c7\"}'";
    for (query, index) in [
        (by_index, "orders_by_customer"),
        (contains, "ledger_entries_json"),
    ] {
        let explain = AssertSqlSafe(format!("EXPLAIN {query}"));
        let rows = connection.fetch_all(explain).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert!(plan.join("\n").contains(index), "{plan:#?}");
    }

    let stored = page(&store, "orders", Query::new().limit(6)).await.records;
    assert!(stored.iter().map(|r| &r.entry).eq(&odd));
}
