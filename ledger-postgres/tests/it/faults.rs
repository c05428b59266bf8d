//! Servers and networks that fail, alone and under a recorded load.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use ledger_core::{Applied, Batch, Expected, Kind, Query, Receipts, Result, Store, StreamName};
use ledger_postgres::PostgresStore;
use ledger_testkit::{Cut, Direction, Postgres, Proxy};
use sqlx::{AssertSqlSafe, Executor, Row};

use crate::load::Load;
use crate::support::{Patience, Place, append, batch, blocked, everything, keyed, name, page, raw};

/// What the server says when a transaction is over.
const IDLE: &[u8] = b"Z\0\0\0\x05I";

/// The end of a transaction; its beginning says READ COMMITTED.
const COMMIT: &[u8] = b"COMMIT\0";

/// How an append, or several, get to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Alone,
    /// A group as one statement.
    Statement,
    /// A group as a transaction.
    Transaction,
}

impl Way {
    const ALL: [Self; 3] = [Self::Alone, Self::Statement, Self::Transaction];

    /// What the request that commits holds. A statement is prepared before, so
    /// its values tell it.
    fn commit(self, marker: &str) -> Vec<u8> {
        match self {
            Self::Alone | Self::Statement => marker.as_bytes().to_vec(),
            Self::Transaction => COMMIT.to_vec(),
        }
    }

    fn batches(self, stream: &str, marker: &str) -> Vec<(StreamName, Batch)> {
        let key = |n: usize| keyed(&format!("{marker}-{n}"));
        let to = |n: usize| match n % 3 {
            0 => name(&format!("{stream}-other")),
            _ => name(stream),
        };
        let count = if self == Self::Alone { 1 } else { 9 };
        let mut sent: Vec<_> = (1..=count).map(|n| (to(n), batch(vec![key(n)]))).collect();
        if self == Self::Transaction {
            // A version that is expected behind another request.
            let (stream, last) = sent.pop().unwrap();
            sent.push((stream, last.with_expected(Expected::StreamExists)));
        }
        sent
    }
}

/// Appends at once, on a pool of one: all but the first go as a group, if the
/// first one is out of the way.
async fn send(
    store: &PostgresStore,
    pool: &sqlx::PgPool,
    sent: &[(StreamName, Batch)],
) -> Vec<Result<Receipts<i64>>> {
    let plug = pool.acquire().await.unwrap();
    let answers = sent.iter().map(|(stream, batch)| {
        let (store, stream, batch) = (store.clone(), stream.clone(), batch.clone());
        let mut answer = async move { store.append(&stream, batch).await }.boxed();
        assert!((&mut answer).now_or_never().is_none());
        answer
    });
    let answers: Vec<_> = answers.collect();
    drop(plug);
    join_all(answers).await
}

/// Catches a lost reply to the commit that is reported as not applied, a
/// request that was never sent and stored by the retry twice, and a member of a
/// group that is told something else than the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_and_a_lost_request_leave_the_outcome_unknown() {
    let place = Place::fresh().await;
    let proxy = place.proxy().await;
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(1);
    let pool = options
        .connect(&place.url_through(proxy.port()))
        .await
        .unwrap();
    let store = PostgresStore::with_pool(pool.clone(), place.config.clone())
        .await
        .unwrap();
    let direct = place.open().await;
    let mut cuts = 0;
    for way in Way::ALL {
        for committed in [true, false] {
            for existing in [true, false] {
                let case = format!("{way:?}-{committed}-{existing}");
                let marker = format!("marked-{case}");
                if existing {
                    append(&direct, &case, "before").await.unwrap();
                    append(&direct, &format!("{case}-other"), "before")
                        .await
                        .unwrap();
                }
                let mut sent = way.batches(&case, &marker);
                if way != Way::Alone {
                    let plug = name(&format!("{case}-plug"));
                    sent.insert(0, (plug, batch(vec![keyed("plug")])));
                }
                let commit = way.commit(&marker);
                proxy.cut(
                    match committed {
                        true => Cut::reply_to(commit).ending(IDLE),
                        false => Cut::request(commit),
                    },
                    1,
                );
                let before = store.group_stats();
                let mut answers = send(&store, &pool, &sent).await;
                if way != Way::Alone {
                    assert!(answers.remove(0).is_ok(), "{case}");
                    sent.remove(0);
                }
                cuts += 1;
                let counts = proxy.wait(|counts| counts.cut >= cuts).await.unwrap();
                assert_eq!(counts.cut, cuts);
                for answer in &answers {
                    let error = answer.as_ref().unwrap_err();
                    assert_eq!(error.applied(), Applied::Unknown, "{case}: {error}");
                    assert_eq!(*error.kind(), Kind::Unavailable, "{case}: {error}");
                }
                let stats = store.group_stats();
                let reached = (
                    stats.statements - before.statements,
                    stats.transactions - before.transactions,
                );
                let wanted = match way {
                    Way::Alone => (0, 0),
                    Way::Statement => (1, 0),
                    Way::Transaction => (0, 1),
                };
                assert_eq!(reached, wanted, "{case}");

                // The retry stores what was not stored, and nothing twice.
                for (stream, batch) in &sent {
                    let receipts = direct.append(stream, batch.clone()).await.unwrap();
                    assert_eq!(receipts[0].is_duplicate(), committed, "{case}");
                }
                let all = everything(&direct).await;
                let stored = all.iter().filter(|(_, text)| text.starts_with(&marker));
                assert_eq!(stored.count(), sent.len(), "{case}");
            }
        }
    }
    println!("{cuts} connections cut; {:?}", store.group_stats());
}

/// Catches "unknown" said of a transaction whose commit was never sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_breaks_before_its_commit_is_not_applied() {
    let place = Place::fresh().await;
    let proxy = place.proxy().await;
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(1);
    let pool = options
        .connect(&place.url_through(proxy.port()))
        .await
        .unwrap();
    let store = PostgresStore::with_pool(pool.clone(), place.config.clone())
        .await
        .unwrap();
    let mut sent = Way::Transaction.batches("s", "marked");
    sent.insert(0, (name("plug"), batch(vec![keyed("plug")])));
    proxy.cut(Cut::request("marked"), 1);
    let answers = send(&store, &pool, &sent).await;
    assert_eq!(proxy.counts().cut, 1);
    for answer in &answers[1..] {
        let error = answer.as_ref().unwrap_err();
        assert_eq!(error.applied(), Applied::No, "{error}");
        assert_eq!(*error.kind(), Kind::Unavailable, "{error}");
    }
    assert_eq!(everything(&place.open().await).await.len(), 1);
}

/// Catches a call that waits for a server without end, a caller of a group that
/// is never answered, and a handle that does not recover.
#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_ends_every_call_by_its_deadline() {
    let place = Place::fresh().await;
    let proxy = place.proxy().await;
    let config = place.config.clone().with_max_connections(3);
    let config = config.with_deadline(Duration::from_secs(5));
    let store = PostgresStore::open_with(&place.url_through(proxy.port()), config)
        .await
        .unwrap();
    append(&store, "s0", "before").await.unwrap();
    // A statement is on its way when the network falls silent.
    let mut holder = place.schema.database.connect().await.unwrap();
    let hold = format!("BEGIN; SELECT 1 FROM {} FOR UPDATE", place.table("streams"));
    holder
        .execute(sqlx::raw_sql(AssertSqlSafe(hold)))
        .await
        .unwrap();
    let first = tokio::spawn({
        let store = store.clone();
        async move { append(&store, "s0", "swallowed").await }
    });
    blocked(&place, 1).await;
    proxy.black_hole();
    holder.execute("COMMIT").await.unwrap();
    proxy.wait(|counts| counts.swallowed > 0).await.unwrap();
    let calls = (0..40).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let key = format!("k{n}");
            let stream = name(&format!("s{}", n % 5));
            match n % 8 {
                0 => store.stat(&stream).await.map(drop),
                _ => store
                    .append(&stream, batch(vec![keyed(&key)]))
                    .await
                    .map(drop),
            }
        })
    });
    let answers = join_all(calls.collect::<Vec<_>>());
    let answers = tokio::time::timeout(Duration::from_secs(60), answers);
    let error = first.await.unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.applied()),
        (&Kind::Timeout, Applied::Unknown)
    );
    for answer in answers.await.expect("a call that does not end") {
        let error = answer.unwrap().unwrap_err();
        assert!(
            matches!(error.kind(), Kind::Timeout | Kind::Unavailable),
            "{error}"
        );
    }
    proxy.pass().await.unwrap();
    // New connections are made; until then calls may meet old ones.
    let patience = Patience::new();
    while let Err(e) = store.append(&name("s0"), batch(vec![keyed("after")])).await {
        patience.check(e);
    }
    for n in 0..40 {
        let stream = name(&format!("s{}", n % 5));
        let sent = batch(vec![keyed(&format!("k{n}"))]);
        while let Err(e) = store.append(&stream, sent.clone()).await {
            patience.check(e);
        }
    }
    let all = everything(&place.open().await).await;
    let mut texts: Vec<_> = all.iter().map(|(_, text)| text.as_str()).collect();
    texts.retain(|text| *text != "swallowed");
    assert_eq!(texts.len(), 42);
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 42, "stored twice");
}

/// Catches acknowledged entries that a crash takes back, and outcomes that are
/// told wrongly while the server goes and comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_over_crashes_of_the_server_is_legal() {
    let server = Postgres::private(&[]).await.unwrap();
    let place = Place::on(&server).await.unwrap();
    let config = place.config.clone().with_max_connections(6);
    let store = PostgresStore::open_with(&place.url(), config)
        .await
        .unwrap();
    let load = Load::start(&store, &place.open().await, 16);
    let patience = Patience::new();
    let (mut crashes, mut kills) = (0, 0);
    while crashes == 0 || kills == 0 || load.unknown() == 0 {
        patience.check((crashes, kills, load.unknown()));
        load.goes_on(200).await;
        server.crash().await.unwrap();
        crashes += 1;
        load.goes_on(200).await;
        kills += u64::from(kill_a_backend(&place).await);
    }
    load.goes_on(200).await;
    let (unknown, refused) = (load.unknown(), load.refused());
    let summary = load.check(&place.open().await).await;
    println!("{crashes} crashes, {kills} kills, {unknown} unknown, {refused} refused; {summary:?}");
    assert!(summary.duplicates > 0 && summary.conflicts > 0);
}

/// Kills the process of a session, which makes the server end all others and
/// recover.
async fn kill_a_backend(place: &Place) -> bool {
    let sql = "SELECT pid, pg_postmaster_start_time()::text FROM pg_stat_activity \
               WHERE query LIKE '%{s}\".%' AND pid <> pg_backend_pid() LIMIT 1";
    let rows = raw(place, sql).await;
    let Some(row) = rows.first() else {
        return false;
    };
    let pid: i32 = row.get(0);
    let kill = std::process::Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status();
    kill.is_ok_and(|status| status.success())
}

/// Catches an append that a read-only server is said to have taken, or whose
/// refusal is said to be unknown, and reads that fail with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_over_a_server_that_turns_read_only_is_legal() {
    let server = Postgres::private(&[]).await.unwrap();
    let place = Place::on(&server).await.unwrap();
    let config = place.config.clone().with_max_connections(6);
    let store = PostgresStore::open_with(&place.url(), config)
        .await
        .unwrap();
    let load = Load::start(&store, &place.open().await, 16);
    let mut owner = server.connect().await.unwrap();
    let mut set = async |value: &str| {
        let alter = format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
        owner
            .execute("SET default_transaction_read_only = off")
            .await
            .unwrap();
        owner.execute(AssertSqlSafe(alter)).await.unwrap();
        owner.execute("SELECT pg_reload_conf()").await.unwrap();
    };
    for _ in 0..3 {
        load.goes_on(100).await;
        set("on").await;
        let (wanted, patience) = (load.refused() + 100, Patience::new());
        while load.refused() < wanted {
            patience.check(load.refused());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let error = append(&store, "hot", "refused").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.applied()),
            (&Kind::Unavailable, Applied::No)
        );
        page(&store, "hot", Query::new()).await;
        set("off").await;
    }
    load.goes_on(100).await;
    let (unknown, refused) = (load.unknown(), load.refused());
    let summary = load.check(&place.open().await).await;
    println!("{unknown} unknown, {refused} refused; {summary:?}");
    assert_eq!(unknown, 0, "nothing was unclear");
}

/// Catches whatever a network can make of the outcomes of a load.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_over_connections_that_are_cut_is_legal() {
    let place = Place::fresh().await;
    let proxy: Proxy = place.proxy().await;
    let config = place.config.clone().with_max_connections(6);
    let store = PostgresStore::open_with(&place.url_through(proxy.port()), config)
        .await
        .unwrap();
    let load = Load::start(&store, &place.open().await, 16);
    let mut rng = fastrand::Rng::with_seed(5);
    let rounds = if std::env::var_os("LEDGER_LONG").is_some() {
        200
    } else {
        12
    };
    for round in 0..rounds {
        load.goes_on(30).await;
        let cut = match round % 4 {
            0 => Cut::reply_to(COMMIT).ending(IDLE),
            1 => Cut::request(COMMIT),
            2 => Cut::after(Direction::ToServer, rng.u64(2_000..20_000)),
            _ => Cut::after(Direction::ToClient, rng.u64(1_000..10_000)),
        };
        let cuts = proxy.counts().cut;
        proxy.cut(cut, 2);
        proxy.wait(|counts| counts.cut >= cuts + 2).await.unwrap();
        if round % 3 == 0 {
            let resets = proxy.counts().reset;
            proxy.reset();
            proxy.wait(|counts| counts.reset > resets).await.unwrap();
        }
    }
    load.goes_on(30).await;
    let (unknown, counts) = (load.unknown(), proxy.counts());
    let summary = load.check(&place.open().await).await;
    println!("{counts:?}, {unknown} unknown; {summary:?}");
    assert!(unknown > 0 && summary.unknown_present + summary.unknown_absent > 0);
}
