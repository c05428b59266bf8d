//! PgBouncer in transaction mode.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use ledger_core::{Capabilities, Error, Kind, Result, Store, StoreOrder};
use ledger_postgres::{Config, PostgresStore};
use ledger_storetest::{Config as Suite, Harness, Setup, all_cases, run_case};
use ledger_testkit::{PgBouncer, Postgres, long};
use sqlx::Row;
use tokio::sync::OnceCell;

use crate::load::Load;
use crate::support::{Place, append, everything};

/// One for all tests. It has fewer sessions than the tests have connections,
/// so that they change all the time.
async fn pooler() -> ledger_testkit::Result<&'static PgBouncer> {
    static POOLER: OnceCell<PgBouncer> = OnceCell::const_new();
    let settings = ["default_pool_size = 4", "max_client_conn = 2000"];
    let start = async || PgBouncer::start(Postgres::get().await?, &settings).await;
    POOLER.get_or_try_init(start).await
}

/// A place that is reached through the pooler.
async fn pooled() -> ledger_testkit::Result<(Place, String)> {
    let (place, pooler) = (Place::try_fresh().await?, pooler().await?);
    let url = place.url_through(pooler.options().get_port());
    Ok((place, url))
}

fn config(place: &Place) -> Config {
    place.config.clone().with_transaction_pooler(true)
}

struct Pooled;

#[async_trait]
impl Harness for Pooled {
    type Id = i64;
    type Place = (Place, String);

    async fn fresh(&self) -> Result<Self::Place> {
        let place = pooled().await;
        place.map_err(|e| Error::new(Kind::Unavailable, "").caused_by(e))
    }

    async fn open(&self, place: &Self::Place, setup: &Setup) -> Result<Arc<dyn Store<i64>>> {
        let config = config(&place.0).with_deadline(setup.deadline);
        let store = PostgresStore::open_with(&place.1, config.with_max_connections(6)).await?;
        Ok(Arc::new(store))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_store_order(StoreOrder::Total)
            .with_list(true)
            .with_trim(true)
            .with_detached_reads(true)
    }

    fn sets_clock(&self) -> bool {
        false
    }

    fn impossible_ids(&self) -> Vec<i64> {
        vec![-1, i64::MIN]
    }

    fn future_id(&self) -> Option<i64> {
        Some(i64::MAX - 1)
    }
}

/// The cases in which sessions matter most; all of them if there is time.
const CASES: [&str; 10] = [
    "b08_metadata_keys_odd",
    "c03_nothing_appears_behind_a_reader",
    "c09_order_across_handles",
    "d04_exactly_one_winner",
    "e02_concurrent_same_key",
    "e11_racing_retries_never_conflict",
    "f07_dropped_append_is_whole_or_absent",
    "g09_page_bytes",
    "i05_close_semantics",
    "m04_trim_during_read",
];

/// Catches a statement that is prepared in one session and asked for in
/// another, and a fence that is looked at in one snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn the_suite_passes_through_a_transaction_pooler() {
    let mut cases = all_cases::<i64>();
    if !long() {
        cases.retain(|case| CASES.contains(&case.name));
        assert_eq!(cases.len(), CASES.len(), "a case has another name");
    }
    let pooled = Arc::new(Pooled);
    for case in cases {
        let report = run_case(pooled.clone(), &case, Suite::default()).await;
        report
            .verdict
            .unwrap_or_else(|e| panic!("{}: {e}", report.name));
    }
}

/// Catches settings, prepared statements and locks that stay in a session
/// which is somebody else's a moment later.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_in_the_sessions_of_a_pooler() {
    let (place, url) = pooled().await.unwrap();
    let store = PostgresStore::open_with(&url, config(&place))
        .await
        .unwrap();
    let appends = (0..60).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { append(&store, &format!("s{}", n % 8), "x").await })
    });
    for done in join_all(appends.collect::<Vec<_>>()).await {
        done.unwrap().unwrap();
    }
    assert_eq!(everything(&store).await.len(), 60);
    let stats = store.group_stats();
    assert!(stats.statements + stats.transactions > 0, "{stats:?}");

    // Which sessions wrote the entries, by the transactions: all of them stand.
    let mut open = Vec::new();
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(4);
    let options = options.connect_lazy(&url).unwrap();
    let mut pids = HashSet::new();
    for _ in 0..4 {
        // An open transaction keeps its session, so that the next gets another.
        let mut transaction = options.begin().await.unwrap();
        let state = "SELECT pg_backend_pid(), current_setting('statement_timeout'), \
                     current_setting('lock_timeout'), \
                     (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() \
                        AND locktype = 'advisory'), \
                     (SELECT count(*) FROM pg_prepared_statements WHERE name <> '')";
        let state = sqlx::query(state).persistent(false);
        let row = state.fetch_one(&mut *transaction).await.unwrap();
        pids.insert(row.get::<i32, _>(0));
        assert_eq!(row.get::<&str, _>(1), "0");
        assert_eq!(row.get::<&str, _>(2), "0");
        assert_eq!(row.get::<i64, _>(3), 0);
        assert_eq!(row.get::<i64, _>(4), 0);
        open.push(transaction);
    }
    assert_eq!(pids.len(), 4, "not all sessions were looked at");
}

/// Catches whatever a pooler can make of a load: groups, conflicts, repeats and
/// readers that go from session to session.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_through_a_transaction_pooler_is_legal() {
    let (place, url) = pooled().await.unwrap();
    let open = async || {
        let config = config(&place).with_max_connections(6);
        PostgresStore::open_with(&url, config).await.unwrap()
    };
    let store = open().await;
    let load = Load::start(&store, &open().await, 12);
    load.goes_on(500).await;
    let stats = store.group_stats();
    let summary = load.check(&place.open().await).await;
    println!("{stats:?} {summary:?}");
    assert!(stats.statements > 0 && stats.transactions > 0, "{stats:?}");
    assert!(summary.duplicates > 0 && summary.conflicts > 0);
}
