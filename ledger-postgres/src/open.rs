//! Opening: pools, tables, and the settings that the promises depend on.

use std::sync::Arc;
use std::time::Duration;

use ledger_core::backend::{Gate, StoreId, event};
use ledger_core::{Applied, Error, Kind, Result};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool, Postgres};
use tokio::time::{Instant, timeout_at};

use crate::BACKEND;
use crate::append::AppendSql;
use crate::call::Sessions;
use crate::config::Config;
use crate::error::{During, convert};
use crate::fence::Fence;
use crate::group::{GroupSql, Groups};
use crate::read::Assigned;
use crate::row::get;
use crate::schema::{self, Found, Names, sql};
use crate::store::{Inner, PostgresStore};

/// The first server version whose prepared transactions keep their name in the
/// list of locks, which the order of the whole store depends on.
const OLDEST_SERVER: i32 = 140_000;

/// A connection that was not used for this long is looked at before it is.
const STALE: Duration = Duration::from_secs(1);

impl PostgresStore {
    /// Opens a store with a pool of its own, and makes the tables where none
    /// are and the role may.
    ///
    /// The URL is that of sqlx: `postgres://user:password@host:5432/database`,
    /// with `?sslmode=verify-full` and the like; TLS needs a feature of this
    /// crate.
    ///
    /// # Errors
    ///
    /// `Misconfigured` names what is wrong and the fix: missing tables and no
    /// right to make them, a weak `synchronous_commit`, a changed sequence, a
    /// standby, another encoding than UTF-8, a wrong URL, user or database.
    /// `NewerFormat`; `Unavailable` if the server does not answer within the
    /// deadline.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, Config::default()).await
    }

    /// [`open`](Self::open), with other choices.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); `InvalidInput` for a choice out of range.
    pub async fn open_with(url: &str, config: Config) -> Result<Self> {
        let pool = own_pool(url, &config).await?;
        open(pool, config, true, Missing::Make).await
    }

    /// Opens a store that has to be there: nothing is ever made.
    ///
    /// # Errors
    ///
    /// As [`open_with`](Self::open_with); `Misconfigured` if there are no
    /// tables.
    pub async fn open_existing(url: &str, config: Config) -> Result<Self> {
        let pool = own_pool(url, &config).await?;
        open(pool, config, true, Missing::Refuse).await
    }

    /// Opens a store on the application's pool, which is never closed. Tables
    /// are made as in [`open`](Self::open).
    ///
    /// The settings of the pool stay as they are. Without a
    /// `statement_timeout` a statement that is overdue goes on in the server
    /// after its call has ended with an unknown outcome; its connection is
    /// then closed, and replaced by the pool.
    ///
    /// # Errors
    ///
    /// As [`open_with`](Self::open_with); `Misconfigured` also if the
    /// connections default to a stricter isolation than READ COMMITTED.
    pub async fn with_pool(pool: PgPool, config: Config) -> Result<Self> {
        open(pool, config, false, Missing::Make).await
    }

    /// Makes the tables, or brings them up to the format of this release.
    /// Harmless where nothing is to be done, and where several do it at once.
    ///
    /// # Errors
    ///
    /// `NewerFormat`; `Misconfigured` if the role may not.
    pub async fn migrate(pool: &PgPool, config: &Config) -> Result<()> {
        migrate(pool.clone(), config.clone()).await
    }

    /// The script that [`migrate`](Self::migrate) runs where no tables are, to
    /// be read or run by hand. Each run of it makes a store of its own.
    #[must_use]
    pub fn schema_sql(config: &Config) -> String {
        schema::script(&Names::of(config), None, true)
    }
}

/// What to do where no tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Make,
    Refuse,
}

/// A pool for a store of its own.
pub(crate) async fn own_pool(url: &str, config: &Config) -> Result<PgPool> {
    config.check()?;
    // Not the source: it may quote the URL, which has a password in it.
    let options: PgConnectOptions = url.parse().map_err(|_| {
        Error::new(
            Kind::Misconfigured,
            "not a URL of PostgreSQL (postgres://user:password@host/database)",
        )
    })?;
    let options = options.disable_statement_logging();
    let pooled = config.transaction_pooler;
    let options = match pooled {
        // Poolers refuse a start with settings that they do not know.
        true => options.extra_float_digits(None).statement_cache_capacity(0),
        false => options,
    };
    let millis = config.deadline.as_millis();
    // Sessions of ours run single statements, at READ COMMITTED whatever the
    // role's default is, and end what nobody waits for any more.
    let settings = sql(format!(
        "SET statement_timeout = {millis}; \
         SET default_transaction_isolation = 'read committed'; \
         SET idle_in_transaction_session_timeout = {millis}"
    ));
    let pool = PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(config.deadline)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for < STALE {
                    return Ok(true);
                }
                Ok(connection.ping().await.is_ok())
            })
        })
        .after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move {
                match pooled {
                    // They would be those of whoever gets the session next.
                    true => Ok(()),
                    false => connection.execute(sqlx::raw_sql(settings)).await.map(drop),
                }
            })
        });
    Ok(pool.connect_lazy_with(options))
}

/// Opens a store, in a task that a dropped future does not cut.
pub(crate) async fn open(
    pool: PgPool,
    config: Config,
    own: bool,
    missing: Missing,
) -> Result<PostgresStore> {
    config.check()?;
    let deadline = Instant::now() + config.deadline;
    in_task(async move {
        let names = Names::of(&config);
        let mut connection = acquire(&pool, deadline).await?;
        let sessions = Sessions::of(&config);
        let work = async {
            let mut span = sessions.span(&mut connection, deadline).await?;
            let found = schema::look(span.connection(), &names).await?;
            span.end().await?;
            let id = identify(&mut connection, &names, found, missing).await?;
            let mut span = sessions.span(&mut connection, deadline).await?;
            check_server(span.connection(), &names, &config).await?;
            span.end().await?;
            Ok::<_, Error>(id)
        };
        let id = match timeout_at(deadline, work).await {
            Ok(id) => id?,
            Err(_) => {
                connection.close_on_drop();
                return Err(late());
            }
        };
        event::opened(BACKEND, id);
        Ok(PostgresStore::new(Inner {
            append: AppendSql::new(&names, config.durability),
            group: GroupSql::new(&names, config.durability),
            groups: Groups::new(pool.options().get_max_connections()),
            fence: Fence::new(&names),
            assigned: Assigned::new(&names),
            gate: Gate::new(),
            names: Arc::new(names),
            id,
            own_pool: own,
            pool,
            config,
        }))
    })
    .await
}

/// Makes the tables.
pub(crate) async fn migrate(pool: PgPool, config: Config) -> Result<()> {
    config.check()?;
    let deadline = Instant::now() + config.deadline;
    in_task(async move {
        let names = Names::of(&config);
        let mut connection = acquire(&pool, deadline).await?;
        let done = timeout_at(deadline, schema::migrate(&mut connection, &names)).await;
        if done.is_err() {
            connection.close_on_drop();
        }
        done.unwrap_or_else(|_| Err(late())).map(drop)
    })
    .await
}

async fn in_task<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let failed = |e| Error::new(Kind::Internal, "the task of a call ended early").caused_by(e);
    tokio::spawn(work).await.map_err(failed)?
}

async fn acquire(pool: &PgPool, deadline: Instant) -> Result<PoolConnection<Postgres>> {
    match timeout_at(deadline, pool.acquire()).await {
        Ok(connection) => connection.map_err(|e| convert(&e, During::Read)),
        Err(_) => Err(Error::new(
            Kind::Unavailable,
            "no connection within the deadline",
        )),
    }
}

fn late() -> Error {
    Error::new(Kind::Timeout, "the deadline of the call has passed")
}

async fn identify(
    connection: &mut PgConnection,
    names: &Names,
    found: Found,
    missing: Missing,
) -> Result<StoreId> {
    match found {
        Found::Store { format, id } => schema::check_format(format).map(|()| id),
        Found::Pieces => Err(schema::pieces()),
        Found::Nothing if missing == Missing::Refuse => Err(not_there()),
        Found::Nothing => match schema::migrate(connection, names).await {
            // The role may not: that is not an accident but a decision.
            Err(e) if e.applied() == Applied::No && *e.kind() == Kind::Misconfigured => {
                Err(not_there().caused_by(e))
            }
            done => done,
        },
    }
}

fn not_there() -> Error {
    Error::new(
        Kind::Misconfigured,
        "the tables are not there; run PostgresStore::migrate, or the script of \
         PostgresStore::schema_sql, as a role that may make them",
    )
}

fn misconfigured(why: &'static str) -> Error {
    Error::new(Kind::Misconfigured, why)
}

/// Checks what durability and order depend on. Nothing of it is changed here.
async fn check_server(connection: &mut PgConnection, names: &Names, config: &Config) -> Result<()> {
    let settings = names.statement(
        "SELECT current_setting('server_version_num')::int4, current_setting('server_encoding'), \
                current_setting('synchronous_commit'), \
                current_setting('default_transaction_isolation'), pg_is_in_recovery()"
            .to_owned(),
    );
    let row = settings
        .query()
        .fetch_one(&mut *connection)
        .await
        .map_err(|e| convert(&e, During::Read))?;
    if get::<i32>(&row, 0)? < OLDEST_SERVER {
        return Err(misconfigured(
            "the server is too old: PostgreSQL 14 or newer is needed",
        ));
    }
    if get::<&str>(&row, 1)? != "UTF8" {
        return Err(misconfigured(
            "the encoding of the database is not UTF8; create one with ENCODING 'UTF8'",
        ));
    }
    let setting: &str = get(&row, 2)?;
    if !config.durability.accepts(setting) {
        return Err(crate::error::weak_commit(setting));
    }
    let isolation: &str = get(&row, 3)?;
    // Through a pooler every transaction names its isolation.
    if !config.transaction_pooler && !matches!(isolation, "read committed" | "read uncommitted") {
        return Err(misconfigured(
            "the connections of the pool default to a stricter isolation than READ COMMITTED; \
             set default_transaction_isolation = 'read committed' for them",
        )
        .with("default_transaction_isolation", isolation));
    }
    if get(&row, 4)? {
        return Err(misconfigured(
            "the server is a standby: open the store on the primary",
        ));
    }
    check_sequence(connection, names).await
}

async fn check_sequence(connection: &mut PgConnection, names: &Names) -> Result<()> {
    let Names {
        pos, entries, meta, ..
    } = names;
    let text = names.statement(format!(
        "SELECT q.seqcache, q.seqincrement, q.seqcycle, \
                (SELECT last_value + is_called::int4 FROM {pos}), \
                greatest((SELECT max(pos) FROM {entries}), (SELECT max(trimmed) FROM {meta}), 0) \
         FROM pg_sequence q WHERE q.seqrelid = '{pos}'::regclass"
    ));
    let row = text.query().fetch_one(connection).await;
    let row = row.map_err(|e| convert(&e, During::Read))?;
    if get::<i64>(&row, 0)? != 1 {
        return Err(misconfigured(
            "the sequence of the ids keeps numbers per session, so readers would skip entries; \
             ALTER SEQUENCE … CACHE 1",
        )
        .with("sequence", pos));
    }
    if get::<i64>(&row, 1)? != 1 || get(&row, 2)? {
        return Err(misconfigured(
            "the sequence of the ids has to count up by one, without a cycle; \
             ALTER SEQUENCE … INCREMENT 1 NO CYCLE",
        )
        .with("sequence", pos));
    }
    let (next, highest): (i64, i64) = (get(&row, 3)?, get(&row, 4)?);
    if next <= highest {
        return Err(misconfigured(
            "the sequence of the ids is behind ids that were given out, so new entries would be \
             hidden from readers; SELECT setval('…', highest)",
        )
        .with("sequence", pos)
        .with("highest", highest)
        .with("next", next));
    }
    Ok(())
}
