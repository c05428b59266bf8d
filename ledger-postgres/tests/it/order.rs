//! The order of the whole store: what makes naive readers skip. Each test runs
//! the naive reader beside ours, and shows that it fails.

use ledger_core::{AllQuery, Kind, PageEnd, Store, StoreCursor};
use ledger_postgres::PostgresStore;
use ledger_testkit::Postgres;
use sqlx::{Connection, Executor, Row};

use crate::support::{Place, all_page, append, everything, raw, scalar, text};

/// A reader that pages by id, and trusts what it sees.
#[derive(Default)]
struct Naive {
    last: i64,
    seen: Vec<String>,
}

impl Naive {
    async fn poll(&mut self, place: &Place) {
        let sql = format!(
            "SELECT pos, convert_from(payload, 'UTF8') FROM {{s}}.ledger_entries \
             WHERE pos > {} ORDER BY pos",
            self.last
        );
        for row in raw(place, &sql).await {
            self.last = row.get(0);
            self.seen.push(row.get(1));
        }
    }
}

/// A reader of the ledger.
#[derive(Default)]
struct Ours {
    next: Option<StoreCursor>,
    seen: Vec<String>,
}

impl Ours {
    async fn poll(&mut self, store: &dyn Store<i64>) -> PageEnd {
        let mut query = AllQuery::new().limit(1_000);
        if let Some(next) = self.next.take() {
            query = query.after(next);
        }
        let page = all_page(store, query).await;
        self.seen
            .extend(page.records.iter().map(|found| text(&found.record)));
        self.next = Some(page.next);
        page.end
    }
}

/// Catches a reader that trusts what it sees (rows A and "naive" of the
/// interleavings): an id is drawn before its commit.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_commits_late_is_not_skipped() {
    let place = Place::fresh().await;
    let store = place.open().await;
    let (mut naive, mut ours) = (Naive::default(), Ours::default());
    append(&store, "a", "before").await.unwrap();
    let mut connection = place.schema.database.connect().await.unwrap();
    let mut open = connection.begin().await.unwrap();
    append(&store.in_transaction(&mut open), "slow", "slow")
        .await
        .unwrap();
    append(&store, "b", "fast").await.unwrap();

    naive.poll(&place).await;
    ours.poll(&store).await;
    assert_eq!(ours.seen, ["before"]);
    assert_eq!(ours.poll(&store).await, PageEnd::Undecided);
    let held = store.explain_head().await.unwrap();
    assert_eq!(held.len(), 1, "{held:?}");
    assert!(held[0].holder.starts_with("pid "), "{held:?}");
    // A stream never waits for another one.
    assert_eq!(
        store
            .stat(&crate::support::name("b"))
            .await
            .unwrap()
            .unwrap()
            .last_version,
        1
    );

    open.commit().await.unwrap();
    naive.poll(&place).await;
    while ours.poll(&store).await != PageEnd::CaughtUp {}
    assert_eq!(ours.seen, ["before", "slow", "fast"]);
    assert_eq!(
        naive.seen,
        ["before", "fast"],
        "the naive reader has skipped"
    );
    assert!(store.explain_head().await.unwrap().is_empty());
    let stats = store.fence_stats();
    assert!(stats.fences > 0 && stats.waits > 0, "{stats:?}");
}

/// Catches a fence that believes a rolled back transaction to be on its way
/// for ever, and a gap that is waited for by the clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_of_a_rolled_back_append_holds_nobody_up() {
    let place = Place::fresh().await;
    let store = place.open().await;
    let mut connection = place.schema.database.connect().await.unwrap();
    let mut open = connection.begin().await.unwrap();
    append(&store.in_transaction(&mut open), "slow", "gone")
        .await
        .unwrap();
    append(&store, "b", "there").await.unwrap();
    let mut ours = Ours::default();
    assert_eq!(ours.poll(&store).await, PageEnd::Undecided);
    open.rollback().await.unwrap();
    while ours.poll(&store).await != PageEnd::CaughtUp {}
    assert_eq!(ours.seen, ["there"]);
}

/// Catches a commit that is held up after its ids were drawn, here by a
/// deferred trigger: as far as any list of running statements goes, it is
/// finished.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_commit_is_waited_for() {
    let place = Place::fresh().await;
    let store = place.open().await;
    raw(
        &place,
        "CREATE FUNCTION {s}.hold() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN PERFORM pg_advisory_xact_lock(4711, '{s}.ledger_entries'::regclass::int); RETURN NULL; END$$",
    )
    .await;
    raw(
        &place,
        "CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON {s}.ledger_entries DEFERRABLE INITIALLY \
         DEFERRED FOR EACH ROW WHEN (NEW.payload = 'slow') EXECUTE FUNCTION {s}.hold()",
    )
    .await;
    let mut gate = place.schema.database.connect().await.unwrap();
    let lock = format!(
        "SELECT pg_advisory_lock(4711, '{}'::regclass::int)",
        place.table("entries")
    );
    gate.execute(sqlx::AssertSqlSafe(lock)).await.unwrap();
    let slow = {
        let store = store.clone();
        tokio::spawn(async move { append(&store, "slow", "slow").await })
    };
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 4711 \
                   AND objid = '{s}.ledger_entries'::regclass AND NOT granted";
    while scalar(&place, waiting).await == 0 {
        tokio::task::yield_now().await;
    }
    append(&store, "b", "fast").await.unwrap();
    let (mut naive, mut ours) = (Naive::default(), Ours::default());
    naive.poll(&place).await;
    assert_eq!(ours.poll(&store).await, PageEnd::Undecided);
    assert!(
        !slow.is_finished(),
        "an append was acknowledged before its commit"
    );
    gate.close().await.unwrap();
    slow.await.unwrap().unwrap();
    naive.poll(&place).await;
    while ours.poll(&store).await != PageEnd::CaughtUp {}
    assert_eq!(ours.seen, ["slow", "fast"]);
    assert_eq!(naive.seen, ["fast"]);
}

/// Catches a fence inside the snapshot of a REPEATABLE READ transaction: the
/// holders are gone, but their entries stay invisible, and the reader goes on
/// behind them. So a store bound to a transaction refuses to read the whole
/// store, and `open` a pool that defaults to such snapshots.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_stands_still_is_not_read_behind_a_fence() {
    let place = Place::fresh().await;
    let store = place.open().await;
    let mut writer = place.schema.database.connect().await.unwrap();
    let mut slow = writer.begin().await.unwrap();
    append(&store.in_transaction(&mut slow), "slow", "slow")
        .await
        .unwrap();
    append(&store, "b", "fast").await.unwrap();

    let mut reader = place.schema.database.connect().await.unwrap();
    let mut still = reader
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await
        .unwrap();
    let entries = place.table("entries");
    let highest = format!("SELECT max(pos) FROM {entries}");
    let through: i64 = still
        .fetch_one(sqlx::AssertSqlSafe(highest))
        .await
        .unwrap()
        .get(0);
    slow.commit().await.unwrap();
    // The fence of the naive reader clears, and it delivers up to there.
    let holders = format!(
        "SELECT count(*) FROM pg_locks WHERE relation = '{entries}'::regclass \
         AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()"
    );
    let left: i64 = still
        .fetch_one(sqlx::AssertSqlSafe(holders))
        .await
        .unwrap()
        .get(0);
    let read = format!("SELECT count(*) FROM {entries} WHERE pos <= {through}");
    let read: i64 = still
        .fetch_one(sqlx::AssertSqlSafe(read))
        .await
        .unwrap()
        .get(0);
    assert_eq!((left, read), (0, 1), "of two entries");
    {
        let inside = store.in_transaction(&mut still);
        let all = ledger_core::ReadAll::new(AllQuery::new(), inside.limits()).unwrap();
        let refused = inside.read_all(&all).await.unwrap_err();
        assert!(matches!(refused.kind(), Kind::Unsupported { .. }));
    }
    drop(still);

    let options = place.schema.database.options().clone();
    let options = options.options([("default_transaction_isolation", "repeatable read")]);
    let pool = sqlx::PgPool::connect_with(options).await.unwrap();
    let refused = PostgresStore::with_pool(pool, place.config.clone())
        .await
        .unwrap_err();
    assert_eq!(*refused.kind(), Kind::Misconfigured);
}

/// Catches the horizon of transaction ids: a session that does nothing with
/// the ledger, here or in another database, stalls every reader.
#[tokio::test(flavor = "multi_thread")]
async fn idle_and_long_transactions_of_others_stall_nobody() {
    let place = Place::fresh().await;
    let store = place.open().await;
    let server = Postgres::get().await.unwrap();
    let elsewhere = server.fresh_database().await.unwrap();
    let mut sessions = Vec::new();
    for database in [&elsewhere, &*place.schema.database] {
        let mut connection = database.connect().await.unwrap();
        connection
            .execute("BEGIN; CREATE TEMP TABLE idle (n int)")
            .await
            .unwrap();
        sessions.push(connection);
    }
    let mut dump = place.schema.database.connect().await.unwrap();
    let sql = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM {}",
        place.table("entries")
    );
    dump.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();

    append(&store, "a", "1").await.unwrap();
    let horizon = "SELECT count(*) FROM {s}.ledger_entries \
                   WHERE xmin::text::bigint >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
    assert_eq!(
        scalar(&place, horizon).await,
        1,
        "a horizon hides the entry"
    );
    let mut ours = Ours::default();
    assert_eq!(ours.poll(&store).await, PageEnd::CaughtUp);
    assert_eq!(ours.seen, ["1"]);
    // Also where a fence is needed.
    let mut connection = place.schema.database.connect().await.unwrap();
    let mut open = connection.begin().await.unwrap();
    append(&store.in_transaction(&mut open), "gone", "gone")
        .await
        .unwrap();
    open.rollback().await.unwrap();
    append(&store, "a", "2").await.unwrap();
    ours.poll(&store).await;
    assert_eq!(ours.seen, ["1", "2"]);
    drop(sessions);
}

/// Catches a fence that is made anew on each poll: while some writer is always
/// at work, such a reader never gets on.
#[tokio::test(flavor = "multi_thread")]
async fn writers_that_never_end_do_not_starve_a_reader() {
    let place = Place::fresh().await;
    let store = place.open().await;
    // Relays: at each moment at least one transaction that has appended is
    // open, and one id is missing.
    let pool = sqlx::PgPool::connect(&place.url()).await.unwrap();
    let mut open = pool.begin().await.unwrap();
    append(&store.in_transaction(&mut open), "l0", "l0")
        .await
        .unwrap();
    let mut ours = Ours::default();
    let mut delivered = 0;
    for n in 0..10 {
        append(&store, "b", &format!("b{n}")).await.unwrap();
        let mut next = pool.begin().await.unwrap();
        append(&store.in_transaction(&mut next), &format!("r{n}"), "r")
            .await
            .unwrap();
        ours.poll(&store).await;
        open.commit().await.unwrap();
        // Here a fence that is made now would wait for `next`.
        ours.poll(&store).await;
        assert!(
            ours.seen.len() > delivered,
            "round {n}: nothing was delivered"
        );
        delivered = ours.seen.len();
        let mut again = pool.begin().await.unwrap();
        append(
            &store.in_transaction(&mut again),
            &format!("l{}", n + 1),
            "l",
        )
        .await
        .unwrap();
        next.commit().await.unwrap();
        open = again;
    }
    open.commit().await.unwrap();
    while ours.poll(&store).await != PageEnd::CaughtUp {}
    assert_eq!(ours.seen.len(), everything(&store).await.len());
}

/// Catches a fence that looks for the lock only: over a restart a prepared
/// transaction gets another name, and seems to be gone. After a crash even
/// the start time of the server stays the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_transaction_is_waited_for_over_a_restart_and_a_crash() {
    let server = Postgres::private(&[]).await.unwrap();
    for crash in [false, true] {
        let place = Place::on(&server).await.unwrap();
        let store = place.open().await;
        append(&store, "a", "before").await.unwrap();
        let mut connection = place.schema.database.connect().await.unwrap();
        let mut open = connection.begin().await.unwrap();
        append(&store.in_transaction(&mut open), "slow", "slow")
            .await
            .unwrap();
        let prepare = format!("PREPARE TRANSACTION 'p-{}'", place.schema.name);
        open.execute(sqlx::AssertSqlSafe(prepare)).await.unwrap();
        drop(open);
        append(&store, "b", "fast").await.unwrap();
        let holders = "SELECT virtualtransaction FROM pg_locks WHERE mode = 'RowExclusiveLock' \
                       AND relation = '{s}.ledger_entries'::regclass";
        let before: String = raw(&place, holders).await[0].get(0);
        let mut ours = Ours::default();
        while ours.poll(&store).await != PageEnd::Undecided {}
        assert_eq!(ours.seen, ["before"]);

        if crash {
            server.crash().await.unwrap();
        } else {
            server.restart().await.unwrap();
        }
        let after: String = raw(&place, holders).await[0].get(0);
        assert_ne!(before, after, "a naive fence takes the holder for gone");
        assert_eq!(ours.poll(&store).await, PageEnd::Undecided);
        let held = store.explain_head().await.unwrap();
        assert!(
            held.iter().any(|h| h.holder.contains("prepared")),
            "{held:?}"
        );
        let commit = format!("COMMIT PREPARED 'p-{}'", place.schema.name);
        let mut connection = place.schema.database.connect().await.unwrap();
        connection
            .execute(sqlx::AssertSqlSafe(commit))
            .await
            .unwrap();
        while ours.poll(&store).await != PageEnd::CaughtUp {}
        assert_eq!(ours.seen, ["before", "slow", "fast"]);
    }
}

/// Catches a look at gaps in history that was trimmed, and a cursor that is
/// refused because its entry is gone.
#[tokio::test(flavor = "multi_thread")]
async fn history_full_of_trimmed_gaps_is_read_behind_one_fence() {
    let place = Place::fresh().await;
    let store = place.open().await;
    let mut last = 0;
    for n in 0..300 {
        let stream = if n % 3 == 0 { "kept" } else { "trimmed" };
        let receipts = append(&store, stream, &n.to_string()).await.unwrap();
        last = receipts[0].id;
    }
    let removed = store
        .trim(&crate::support::name("trimmed"), &last)
        .await
        .unwrap();
    assert_eq!(removed, 200);
    let fresh = place.open().await;
    assert_eq!(everything(&fresh).await.len(), 100);
    assert_eq!(fresh.fence_stats().fences, 1);
    // Descending, and the head, on handles that have settled nothing yet.
    let fresh = place.open().await;
    let newest = all_page(&fresh, AllQuery::new().desc().limit(2)).await;
    assert_eq!(newest.records.len(), 2);
    let head = place.open().await.store_head().await.unwrap();
    let mut later = Ours {
        next: Some(head),
        ..Ours::default()
    };
    append(&store, "a", "later").await.unwrap();
    later.poll(&fresh).await;
    assert_eq!(later.seen, ["later"]);
}

/// Catches a descending read, or a head, that begins at what is visible: what
/// comes in below would be missed.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_fence_that_waits_lets_nobody_start() {
    let place = Place::fresh().await;
    let store = place.open().await;
    let mut connection = place.schema.database.connect().await.unwrap();
    let mut open = connection.begin().await.unwrap();
    append(&store.in_transaction(&mut open), "slow", "slow")
        .await
        .unwrap();
    append(&store, "b", "fast").await.unwrap();

    let short = std::time::Duration::from_millis(2_000);
    let config = place.config.clone().with_deadline(short);
    let fresh = PostgresStore::open_with(&place.url(), config)
        .await
        .unwrap();
    let first = all_page(&fresh, AllQuery::new().desc()).await;
    assert_eq!((first.records.len(), first.end), (0, PageEnd::Undecided));
    let refused = fresh.store_head().await.unwrap_err();
    assert_eq!(*refused.kind(), Kind::Timeout);
    open.commit().await.unwrap();
    let page = all_page(&fresh, AllQuery::new().desc().after(first.next)).await;
    let seen: Vec<_> = page
        .records
        .iter()
        .map(|found| text(&found.record))
        .collect();
    assert_eq!(seen, ["fast", "slow"]);
    assert_eq!(everything(&fresh).await.len(), 2);
}

/// Catches a reader on a standby: it shows no holders, so a fence there clears
/// at once, and the reader skips.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_refused() {
    let primary = Postgres::private(&[]).await.unwrap();
    let place = Place::on(&primary).await.unwrap();
    let store = place.open().await;
    let standby = primary.standby().await.unwrap();
    let mut connection = place.schema.database.connect().await.unwrap();
    let mut open = connection.begin().await.unwrap();
    append(&store.in_transaction(&mut open), "slow", "slow")
        .await
        .unwrap();
    append(&store, "b", "fast").await.unwrap();

    let options = standby.options().clone();
    let options = options.database(place.schema.database.name());
    let mut reader = sqlx::PgConnection::connect_with(&options).await.unwrap();
    let entries = place.table("entries");
    let visible = format!("SELECT count(*) FROM {entries}");
    loop {
        let visible = sqlx::AssertSqlSafe(visible.clone());
        let rows = reader.fetch_one(visible).await.unwrap();
        if rows.get::<i64, _>(0) == 1 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let holders = format!(
        "SELECT count(*) FROM pg_locks WHERE relation = '{entries}'::regclass \
         AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()"
    );
    let holders = reader
        .fetch_one(sqlx::AssertSqlSafe(holders))
        .await
        .unwrap();
    assert_eq!(
        holders.get::<i64, _>(0),
        0,
        "the naive fence clears, one entry short"
    );
    let pool = sqlx::PgPool::connect_with(options).await.unwrap();
    let opened = PostgresStore::with_pool(pool, place.config.clone()).await;
    let refused = opened.unwrap_err();
    assert_eq!(*refused.kind(), Kind::Misconfigured);
    assert!(refused.to_string().contains("standby"), "{refused}");
    open.commit().await.unwrap();
}
