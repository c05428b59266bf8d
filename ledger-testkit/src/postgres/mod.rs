//! PostgreSQL servers.

mod docker;
mod local;
mod pgbouncer;
mod tls;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row};
use tokio::sync::{Mutex, OnceCell};

use self::local::LocalServer;
pub use self::pgbouncer::PgBouncer;
pub use self::tls::Authorities;
use self::tls::Identity;
use crate::PATIENCE;
use crate::error::{Error, Result};
use crate::name;
use crate::way::{self, Way};

/// A server.
#[derive(Debug)]
pub struct Postgres {
    options: PgConnectOptions,
    way: Way,
    local: Option<LocalServer>,
    shared: Mutex<Shared>,
}

/// The database that schemas are made in.
#[derive(Debug, Default)]
struct Shared {
    /// Dropped with the last schema in it: a server that was there before
    /// must not keep it.
    in_use: Weak<Database>,
    /// Keeps it where the whole server goes with this process anyway.
    kept: Option<Arc<Database>>,
}

impl Postgres {
    /// The server of this process; the first call finds or starts it.
    ///
    /// # Errors
    ///
    /// If there is none: what to install.
    pub async fn get() -> Result<&'static Self> {
        // A failure stays too: looking again would take each test its time.
        static SERVER: OnceCell<Result<Postgres>> = OnceCell::const_new();
        let found = SERVER.get_or_init(find).await;
        found.as_ref().map_err(Error::clone)
    }

    /// A server of this process whose log flush takes 1 ms, as on a cloud
    /// volume. Always from local binaries, since it needs settings.
    ///
    /// # Errors
    ///
    /// If there are no binaries: what to install.
    pub async fn slow_flush() -> Result<&'static Self> {
        static SERVER: OnceCell<Postgres> = OnceCell::const_new();
        let settings = ["commit_delay=1000", "commit_siblings=0"];
        SERVER.get_or_try_init(|| Self::private(&settings)).await
    }

    /// A server for one test, which may stop and restart it. Always from local
    /// binaries.
    ///
    /// # Errors
    ///
    /// If there are no binaries: what to install.
    pub async fn private(settings: &[&str]) -> Result<Self> {
        let local = LocalServer::start(settings, None).await?;
        Ok(Self::new(local.options(), Way::Local, Some(local)))
    }

    /// A server for one test that speaks TLS, also without it, and shows a
    /// certificate for `localhost` and no other name.
    ///
    /// # Errors
    ///
    /// If there are no binaries: what to install.
    pub async fn private_with_tls(settings: &[&str]) -> Result<(Self, Authorities)> {
        let (identity, authorities) = Identity::fresh()?;
        let local = LocalServer::start_as(settings, None, Some(&identity)).await?;
        let server = Self::new(local.options(), Way::Local, Some(local));
        Ok((server, authorities))
    }

    /// A standby of this server, which is one of [`private`](Self::private).
    ///
    /// # Errors
    ///
    /// If this is another server, or there are no binaries.
    pub async fn standby(&self) -> Result<Self> {
        let Some(primary) = &self.local else {
            return Err(Error::new("only a private server can have a standby"));
        };
        let local = LocalServer::start(&[], Some(primary)).await?;
        Ok(Self::new(local.options(), Way::Local, Some(local)))
    }

    fn new(options: PgConnectOptions, way: Way, local: Option<LocalServer>) -> Self {
        Self {
            options,
            way,
            local,
            shared: Mutex::default(),
        }
    }

    /// A client program of PostgreSQL, such as `pg_dump`.
    ///
    /// # Errors
    ///
    /// If it is not installed.
    pub fn program(name: &str) -> Result<std::path::PathBuf> {
        let path = local::binaries()?.join(name);
        if path.is_file() {
            return Ok(path);
        }
        Err(Error::new(format!(
            "{name} is not installed (Debian, Ubuntu: apt-get install postgresql-client)"
        )))
    }

    /// Where this server comes from.
    #[must_use]
    pub fn way(&self) -> Way {
        self.way
    }

    /// How to connect to the maintenance database, as the owner of the server.
    #[must_use]
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// A connection to the maintenance database, as the owner of the server.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub async fn connect(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect_with(&self.options).await?)
    }

    /// A new, empty database that no other call returns. It goes when the
    /// value is dropped.
    ///
    /// # Errors
    ///
    /// If the server does not answer, or refuses.
    pub async fn fresh_database(&self) -> Result<Database> {
        let name = name::fresh();
        let mut connection = self.connect().await?;
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        connection.execute(AssertSqlSafe(sql)).await?;
        connection.close().await?;
        Ok(Database {
            options: self.options.clone().database(&name),
            server: self.options.clone(),
            name,
        })
    }

    /// A new, empty schema in a database of this process: cheaper than a
    /// database. The database goes with the last schema in it.
    ///
    /// # Errors
    ///
    /// If the server does not answer, or refuses.
    pub async fn fresh_schema(&self) -> Result<Schema> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let database = self.shared_database().await?;
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut connection = database.connect().await?;
        let sql = AssertSqlSafe(format!("CREATE SCHEMA {name}"));
        connection.execute(sql).await?;
        connection.close().await?;
        Ok(Schema { database, name })
    }

    async fn shared_database(&self) -> Result<Arc<Database>> {
        let mut shared = self.shared.lock().await;
        if let Some(database) = shared.in_use.upgrade() {
            return Ok(database);
        }
        let database = Arc::new(self.fresh_database().await?);
        shared.in_use = Arc::downgrade(&database);
        shared.kept = (self.way == Way::Local).then(|| database.clone());
        Ok(database)
    }

    /// Stops the server in an orderly way and starts it again on the same
    /// data, directory and port.
    ///
    /// # Errors
    ///
    /// If it is not one of [`private`](Self::private), or does not come back.
    pub async fn restart(&self) -> Result<()> {
        self.command("restart").await
    }

    /// Stops the server as a crash would, and starts it again.
    ///
    /// # Errors
    ///
    /// If it is not one of [`private`](Self::private), or does not come back.
    pub async fn crash(&self) -> Result<()> {
        self.command("crash").await
    }

    async fn command(&self, command: &'static str) -> Result<()> {
        match &self.local {
            Some(local) => local.command(command).await,
            None => Err(Error::new("only a private server can be restarted")),
        }
    }
}

/// A database of its own.
#[derive(Debug)]
pub struct Database {
    options: PgConnectOptions,
    server: PgConnectOptions,
    name: String,
}

impl Database {
    /// The URL, with user and password, in a form that the client programs of
    /// PostgreSQL take too.
    #[must_use]
    pub fn url(&self) -> String {
        let mut url = self.options.to_url_lossy();
        let pairs = url.query_pairs().into_owned();
        let kept: Vec<_> = pairs.filter(|(key, _)| key.starts_with("ssl")).collect();
        url.query_pairs_mut().clear().extend_pairs(kept);
        url.to_string()
    }

    /// How to connect to it.
    #[must_use]
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection to it, as the owner of the server.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub async fn connect(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect_with(&self.options).await?)
    }
}

impl Drop for Database {
    /// Drops the database, from a thread with a runtime of its own: a test may
    /// end on any runtime. An error is of no use to a test that is over.
    fn drop(&mut self) {
        let options = self.server.clone();
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .ok()?;
            runtime.block_on(async {
                let connection = PgConnection::connect_with(&options);
                let mut connection = tokio::time::timeout(PATIENCE, connection)
                    .await
                    .ok()?
                    .ok()?;
                let dropped = connection.execute(AssertSqlSafe(sql));
                tokio::time::timeout(PATIENCE, dropped).await.ok()?.ok()
            })
        };
        let _ = std::thread::spawn(work).join();
    }
}

/// A schema of its own, in a database that other tests use too.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The database.
    pub database: Arc<Database>,
    /// The name of the schema.
    pub name: String,
}

async fn find() -> Result<Postgres> {
    let advice = "Set LEDGER_POSTGRES_URL, start Docker, or install the binaries \
                  (Debian, Ubuntu: apt-get install postgresql)";
    let found = way::first("PostgreSQL", advice, async |way, forced| match way {
        Way::Url => from_url().await,
        Way::Docker => docker::start(forced).await.map(|options| (options, None)),
        Way::Local => LocalServer::start(&[], None)
            .await
            .map(|server| (server.options(), Some(server))),
    });
    let (way, (options, local)) = found.await?;
    Ok(Postgres::new(options, way, local))
}

async fn from_url() -> Result<(PgConnectOptions, Option<LocalServer>)> {
    let url = std::env::var("LEDGER_POSTGRES_URL")
        .ok()
        .filter(|url| !url.is_empty())
        .ok_or_else(|| Error::new("LEDGER_POSTGRES_URL is not set"))?;
    // The parse error could quote the URL, which carries a password.
    let options: PgConnectOptions = url
        .parse()
        .map_err(|_| Error::new("LEDGER_POSTGRES_URL is not a URL of PostgreSQL"))?;
    let options = options.disable_statement_logging();
    answers(&options, PATIENCE).await?;
    sweep(&options).await?;
    Ok((options, None))
}

/// Waits until the server answers.
async fn answers(options: &PgConnectOptions, patience: Duration) -> Result<()> {
    let mut last = Error::new("no answer");
    let attempts = async {
        loop {
            match PgConnection::connect_with(options).await {
                Ok(connection) => return connection.close().await.map_err(Error::from),
                Err(e) => last = e.into(),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(patience, attempts).await {
        Ok(answer) => answer,
        Err(_) => Err(last),
    }
}

/// Drops the databases of runs that were killed more than a day ago.
async fn sweep(options: &PgConnectOptions) -> Result<()> {
    let mut connection = PgConnection::connect_with(options).await?;
    let sql = "SELECT datname::text FROM pg_database WHERE datname LIKE 'ledger_test_%'";
    for row in connection.fetch_all(sql).await? {
        let name: String = row.try_get(0)?;
        if name::is_stale(&name) {
            let sql = format!("DROP DATABASE IF EXISTS {name}");
            connection.execute(AssertSqlSafe(sql)).await?;
        }
    }
    Ok(connection.close().await?)
}
