//! Dump and restore.

use std::process::{Command, Stdio};

use ledger_core::{AllQuery, Kind, Query, Store};
use ledger_postgres::PostgresStore;
use ledger_testkit::Postgres;

use crate::support::{Place, all_page, append, batch, everything, keyed, name, page};

/// Catches anything stored that only means something in the cluster it was
/// written in, such as a transaction id: in a fresh cluster they start anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_dump_restored_into_a_fresh_cluster_goes_on() {
    let place = Place::fresh().await;
    let store = place.open().await;
    for n in 0..40 {
        append(&store, &format!("s{}", n % 4), &n.to_string())
            .await
            .unwrap();
    }
    store
        .append(&name("s0"), batch(vec![keyed("k")]))
        .await
        .unwrap();
    let last = append(&store, "s1", "newest").await.unwrap()[0].id;
    assert_eq!(store.trim(&name("s1"), &last).await.unwrap(), 11);
    let half = all_page(&store, AllQuery::new().limit(10)).await;

    let fresh = Postgres::private(&[]).await.unwrap();
    let database = fresh.fresh_database().await.unwrap();
    let dump = Command::new(Postgres::program("pg_dump").unwrap())
        .args(["--schema", &place.schema.name, "--dbname", &place.url()])
        .output()
        .unwrap();
    assert!(
        dump.status.success(),
        "{}",
        String::from_utf8_lossy(&dump.stderr)
    );
    let mut psql = Command::new(Postgres::program("psql").unwrap())
        .args([
            "--quiet",
            "--set",
            "ON_ERROR_STOP=1",
            "--dbname",
            &database.url(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut psql.stdin.take().unwrap(), &dump.stdout).unwrap();
    assert!(psql.wait().unwrap().success());

    let config = place.config.clone();
    let restored = PostgresStore::open_existing(&database.url(), config)
        .await
        .unwrap();
    assert_eq!(everything(&restored).await, everything(&store).await);
    // A cursor of the old cluster, and the newest id although it was trimmed.
    let rest = all_page(&restored, AllQuery::new().after(half.next)).await;
    assert!(!rest.records.is_empty());
    let again = append(&restored, "s1", "after").await.unwrap();
    assert_eq!(again[0].version, 12);
    assert!(again[0].id > last);
    let stale = batch(vec![keyed("k")]).with_expected(3);
    assert_eq!(
        restored
            .append(&name("s0"), stale)
            .await
            .unwrap()
            .duplicates(),
        1
    );

    // A dump that is older than a reader: said, not silent.
    let ahead = append(&store, "s2", "only in the old one").await.unwrap();
    let ahead = append(&store, "s2", "only in the old one").await.unwrap()[0]
        .id
        .max(ahead[0].id);
    let read = ledger_core::Read::new(Query::new().after(ahead), store.limits()).unwrap();
    let refused = restored.read(&name("s2"), &read).await.unwrap_err();
    assert_eq!(*refused.kind(), Kind::InvalidCursor);
    assert_eq!(page(&restored, "s1", Query::new()).await.records.len(), 1);
}
