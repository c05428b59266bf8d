//! Appends that wait share a commit: each still gets its own answer.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use ledger_core::{
    Applied, Batch, Expected, Kind, MemoryStore, Query, Receipts, Result, Store, StreamName,
};
use ledger_postgres::PostgresStore;
use sqlx::{AssertSqlSafe, Executor, PgPool};

use crate::support::{
    Place, append, batch, blocked, entry, everything, keyed, name, page, raw, scalar,
};

/// A store on a pool of one, whose only connection a test can take away:
/// what is appended meanwhile waits, and then goes as a group.
struct Plugged {
    place: Place,
    pool: PgPool,
    store: PostgresStore,
}

type Answer = Result<Receipts<i64>>;

impl Plugged {
    async fn new() -> Self {
        Self::patient(Duration::from_secs(30)).await
    }

    async fn patient(deadline: Duration) -> Self {
        let place = Place::fresh().await;
        let options = sqlx::postgres::PgPoolOptions::new().max_connections(1);
        let pool = options.connect(&place.url()).await.unwrap();
        let config = place.config.clone().with_deadline(deadline);
        let store = PostgresStore::with_pool(pool.clone(), config)
            .await
            .unwrap();
        Self { place, pool, store }
    }

    /// Lets appends wait behind one that has no connection. They arrive in the
    /// order given.
    async fn queued<'a>(&'a self, sent: &[(StreamName, Batch)]) -> Queued<'a> {
        let plug = self.pool.acquire().await.unwrap();
        let first = (name("plug"), batch(vec![entry("plug")]));
        let answers = std::iter::once(&first).chain(sent).map(|(stream, batch)| {
            let (store, stream, batch) = (self.store.clone(), stream.clone(), batch.clone());
            let mut answer = async move { store.append(&stream, batch).await }.boxed();
            assert!((&mut answer).now_or_never().is_none());
            answer
        });
        Queued {
            answers: answers.collect(),
            plug: Box::new(plug),
            _of: std::marker::PhantomData,
        }
    }

    async fn together(&self, sent: &[(StreamName, Batch)]) -> Vec<Answer> {
        self.queued(sent).await.answers().await
    }
}

struct Queued<'a> {
    answers: Vec<BoxFuture<'static, Answer>>,
    plug: Box<dyn std::any::Any + Send>,
    _of: std::marker::PhantomData<&'a ()>,
}

impl Queued<'_> {
    async fn answers(self) -> Vec<Answer> {
        drop(self.plug);
        let mut answers = join_all(self.answers).await;
        answers.remove(0).unwrap();
        answers
    }
}

/// What does not depend on ids.
fn told(answer: &Answer) -> std::result::Result<Vec<(u64, bool)>, Kind> {
    match answer {
        Ok(receipts) => Ok(receipts
            .iter()
            .map(|r| (r.version, r.is_duplicate()))
            .collect()),
        Err(e) => Err(e.kind().clone()),
    }
}

fn some_batch(rng: &mut fastrand::Rng) -> Batch {
    let mut entries = Vec::new();
    for _ in 0..rng.usize(1..4) {
        let entry = entry(["x", "y"][rng.usize(0..2)]);
        entries.push(match rng.u8(0..3) {
            0 => entry,
            _ => entry.with_dedup_key(format!("k{}", rng.u8(0..40))),
        });
    }
    let expected = match rng.u8(0..8) {
        0 => Expected::NoStream,
        1 => Expected::StreamExists,
        2 | 3 => Expected::Exactly(rng.u64(0..12)),
        _ => Expected::Any,
    };
    batch(entries)
        .with_expected(expected)
        .with_verified_duplicates(rng.u8(0..4) == 0)
}

/// Catches every answer in a group that is not that of the same requests one
/// after the other: a conflict that forgets an earlier member, a repeat of one
/// that names the wrong original, a bad request that takes others with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_answers_as_its_requests_would_one_by_one() {
    let plugged = Plugged::new().await;
    let rounds = if std::env::var_os("LEDGER_LONG").is_some() {
        1_500
    } else {
        120
    };
    for round in 0..rounds {
        let mut rng = fastrand::Rng::with_seed(round);
        let model = MemoryStore::new();
        let prefix = format!("r{round}-");
        let keyless = rng.u8(0..4) == 0;
        for _ in 0..3 {
            let streams = rng.u32(1..6);
            let sent: Vec<(StreamName, Batch)> = (0..rng.usize(2..20))
                .map(|_| {
                    let stream = name(&format!("{prefix}{}", rng.u32(0..streams)));
                    let sent = match keyless {
                        true => batch(vec![entry("x"); rng.usize(1..4)]),
                        false => some_batch(&mut rng),
                    };
                    (stream, sent)
                })
                .collect();
            let answers = plugged.together(&sent).await;
            for ((stream, sent), answer) in sent.iter().zip(&answers) {
                let model = model.append(stream, sent.clone()).await;
                assert_eq!(told(answer), told(&model), "round {round}: {sent:?}");
            }
        }
        for n in 0..5 {
            let stream = format!("{prefix}{n}");
            let query = || Query::new().limit(1_000);
            let ours = page(&plugged.store, &stream, query()).await.records;
            let theirs = page(&model, &stream, query()).await.records;
            let content = |r: &ledger_core::Record<i64>| (r.version, r.entry.clone());
            assert!(ours.iter().map(content).eq(theirs.iter().map(content)));
            assert!(ours.is_sorted_by_key(|r| (r.id, r.recorded_at)));
        }
    }
    let stats = plugged.store.group_stats();
    println!("{stats:?}");
    assert!(
        stats.statements > 0 && stats.transactions > 0 && stats.repeated > 0,
        "not every way was taken"
    );
}

/// Catches a group that is written in a transaction for each of its requests,
/// and a lone append that pays for the groups.
#[tokio::test]
async fn a_group_is_one_transaction_and_a_lone_append_one_statement() {
    let plugged = Plugged::new().await;
    let sent: Vec<_> = (0..50)
        .map(|n| (name(&format!("s{}", n % 7)), batch(vec![entry("x")])))
        .collect();
    plugged.together(&sent).await;
    let transactions = "SELECT count(DISTINCT xmin::text) FROM {s}.ledger_entries";
    assert_eq!(scalar(&plugged.place, transactions).await, 2);
    let stats = plugged.store.group_stats();
    assert_eq!((stats.alone, stats.grouped, stats.statements), (1, 50, 1));
    append(&plugged.store, "s0", "x").await.unwrap();
    let stats = plugged.store.group_stats();
    assert_eq!((stats.alone, stats.grouped, stats.statements), (2, 50, 1));
}

/// Catches a row that the server refuses, taking its group with it.
#[tokio::test]
async fn a_bad_request_fails_alone() {
    let plugged = Plugged::new().await;
    let place = &plugged.place;
    raw(
        place,
        "CREATE FUNCTION {s}.fail() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN RAISE EXCEPTION 'as told' USING ERRCODE = '54000'; END$$",
    )
    .await;
    raw(
        place,
        "CREATE TRIGGER fail BEFORE INSERT ON {s}.ledger_entries FOR EACH ROW \
         WHEN (NEW.payload = 'bad') EXECUTE FUNCTION {s}.fail()",
    )
    .await;
    let sent: Vec<_> = (0..20)
        .map(|n| {
            let text = if n == 7 { "bad" } else { "good" };
            (name(["a", "b"][n % 2]), batch(vec![entry(text)]))
        })
        .collect();
    let answers = plugged.together(&sent).await;
    for (n, answer) in answers.iter().enumerate() {
        match n {
            7 => assert_eq!(*answer.as_ref().unwrap_err().kind(), Kind::Internal),
            _ => assert!(answer.is_ok(), "{n}: {answer:?}"),
        }
    }
    assert_eq!(everything(&plugged.store).await.len(), 20);
}

/// Catches a session that commits too loosely and is written to by a group,
/// and repeats that are refused though nothing has to be written.
#[tokio::test]
async fn a_group_writes_nothing_where_commits_are_weak() {
    let plugged = Plugged::new().await;
    let known = batch(vec![keyed("known")]);
    plugged
        .store
        .append(&name("a"), known.clone())
        .await
        .unwrap();
    plugged.together(&[]).await;
    for round in 0..2 {
        plugged
            .pool
            .execute("SET synchronous_commit = off")
            .await
            .unwrap();
        let sent = [
            (name("a"), batch(vec![entry("x")])),
            (name("a"), known.clone()),
            (name("b"), batch(vec![keyed("new")])),
            (name("b"), batch(vec![keyed("new")])),
        ];
        let mut queued = plugged.queued(&sent).await;
        // The plug is refused as well.
        drop(queued.plug);
        let answers = join_all(queued.answers.drain(..)).await;
        let kinds: Vec<_> = answers.iter().map(|a| told(a).is_ok()).collect();
        assert_eq!(
            kinds,
            [false, false, true, false, false],
            "{round}: {answers:?}"
        );
        for refused in answers.iter().filter_map(|a| a.as_ref().err()) {
            assert_eq!(*refused.kind(), Kind::Misconfigured);
        }
    }
    assert_eq!(everything(&plugged.store).await.len(), 2);
}

/// Catches requests that are forgotten in the queue, or written after they
/// were reported as not applied.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_beyond_its_deadline_is_not_applied() {
    let plugged = Plugged::patient(Duration::from_secs(2)).await;
    let sent: Vec<_> = (0..30)
        .map(|n| (name(&format!("s{}", n % 4)), batch(vec![entry("x")])))
        .collect();
    let queued = plugged.queued(&sent).await;
    for answer in join_all(queued.answers).await {
        let error = answer.unwrap_err();
        assert_eq!(error.applied(), Applied::No, "{error}");
        assert!(matches!(error.kind(), Kind::Unavailable | Kind::Timeout));
    }
    drop(queued.plug);
    let store = plugged.place.open().await;
    append(&store, "after", "x").await.unwrap();
    assert_eq!(everything(&store).await.len(), 1);
}

/// Catches a dropped future whose request goes on to wait, and one that takes
/// its neighbours with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_future_takes_only_its_own_request_back() {
    let plugged = Plugged::new().await;
    let sent: Vec<_> = (0..20)
        .map(|n| (name("s"), batch(vec![entry(&n.to_string())])))
        .collect();
    let mut queued = plugged.queued(&sent).await;
    let mut nth = 0;
    // The plug is the first.
    queued.answers.retain(|_| {
        nth += 1;
        nth % 2 == 1
    });
    assert_eq!(queued.answers().await.len(), 10);
    let texts: Vec<_> = everything(&plugged.store).await;
    let expected: Vec<_> = (1..20).step_by(2).map(|n| n.to_string()).collect();
    let texts: Vec<_> = texts.into_iter().skip(1).map(|(_, text)| text).collect();
    assert_eq!(texts, expected);
}

/// Catches a lost connection after which some of a group are told "not
/// applied", or nothing at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_under_a_group_leaves_all_of_it_unknown() {
    let plugged = Plugged::new().await;
    append(&plugged.store, "s", "first").await.unwrap();
    let mut holder = plugged.place.schema.database.connect().await.unwrap();
    let hold = format!(
        "BEGIN; SELECT 1 FROM {} WHERE name = 's' FOR UPDATE",
        plugged.place.table("streams")
    );
    holder
        .execute(sqlx::raw_sql(AssertSqlSafe(hold)))
        .await
        .unwrap();
    let sent = |n: usize| (name("s"), batch(vec![keyed(&n.to_string())]));
    let sent: Vec<_> = (0..25).map(sent).collect();
    let queued = plugged.queued(&sent).await;
    let answers = tokio::spawn({
        let answers = queued.answers;
        drop(queued.plug);
        join_all(answers)
    });
    blocked(&plugged.place, 1).await;
    raw(
        &plugged.place,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE wait_event_type = 'Lock' AND query LIKE '%{s}\".%' AND pid <> pg_backend_pid()",
    )
    .await;
    let answers = answers.await.unwrap();
    assert!(answers[0].is_ok());
    for answer in &answers[1..] {
        let error = answer.as_ref().unwrap_err();
        assert_eq!(error.applied(), Applied::Unknown, "{error}");
    }
    assert_eq!(plugged.store.group_stats().unknown, 1);
    holder.execute("COMMIT").await.unwrap();
    // The retry with keys stores each once.
    let retried = plugged.together(&sent).await;
    assert!(retried.iter().all(Result::is_ok));
    let again = plugged.together(&sent).await;
    assert!(again.iter().all(|a| a.as_ref().unwrap()[0].is_duplicate()));
    let stored = page(&plugged.store, "s", Query::new().limit(100)).await;
    assert_eq!(stored.records.len(), 26);
}

/// Catches a stream whose lock somebody holds for long and that keeps appends
/// to other streams waiting: in its group, or by keeping the workers busy.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_held_keeps_no_other_waiting() {
    let place = Place::fresh().await;
    let config = place.config.clone().with_max_connections(12);
    let store = PostgresStore::open_with(&place.url(), config)
        .await
        .unwrap();
    for n in 0..8 {
        append(&store, &format!("held{n}"), "x").await.unwrap();
    }
    let mut holder = place.schema.database.connect().await.unwrap();
    let hold = format!(
        "BEGIN; SELECT 1 FROM {} WHERE name LIKE 'held%' FOR UPDATE",
        place.table("streams")
    );
    holder
        .execute(sqlx::raw_sql(AssertSqlSafe(hold)))
        .await
        .unwrap();
    let sent = |stream: String| {
        let store = store.clone();
        tokio::spawn(async move { append(&store, &stream, "x").await })
    };
    let held: Vec<_> = (0..40).map(|n| sent(format!("held{}", n % 8))).collect();
    let free: Vec<_> = (0..40).map(|n| sent(format!("free{}", n % 10))).collect();
    // They end while the locks are held.
    for answer in join_all(free).await {
        answer.unwrap().unwrap();
    }
    for n in 0..10 {
        append(&store, &format!("later{n}"), "x").await.unwrap();
    }
    assert!(held.iter().all(|answer| !answer.is_finished()));
    holder.execute("COMMIT").await.unwrap();
    for answer in join_all(held).await {
        answer.unwrap().unwrap();
    }
    for n in 0..8 {
        let stored = page(&store, &format!("held{n}"), Query::new()).await;
        assert_eq!(stored.records.len(), 6);
    }
}
