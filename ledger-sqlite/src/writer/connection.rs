//! Where the writer's connection comes from.

use ledger_core::Result;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, SqlitePool};

use crate::error::convert;
use crate::options::Durability;
use crate::settings::Settings;

/// The source of the writer's connection.
#[derive(Debug)]
pub(crate) enum Source {
    /// A connection of its own, kept.
    Own(Box<Own>),
    /// The application's pool: a connection for each group, never for life.
    Pool(SqlitePool),
}

/// A connection that only the writer uses.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) options: SqliteConnectOptions,
    pub(crate) durability: Durability,
    /// None after a failure that may have left it inside a transaction.
    pub(crate) idle: Option<SqliteConnection>,
}

/// A connection for one transaction.
#[derive(Debug)]
pub(super) enum Held {
    Own(SqliteConnection),
    Pooled(PoolConnection<Sqlite>),
}

impl Own {
    /// Connects and checks what this store rests on.
    pub(crate) async fn connect(&self) -> Result<SqliteConnection> {
        let mut conn = self.options.connect().await.map_err(convert)?;
        Settings::read(&mut conn).await?.check(self.durability)?;
        Ok(conn)
    }
}

impl Source {
    pub(super) async fn take(&mut self) -> Result<Held> {
        match self {
            Self::Own(own) => match own.idle.take() {
                Some(conn) => Ok(Held::Own(conn)),
                None => own.connect().await.map(Held::Own),
            },
            Self::Pool(pool) => pool.acquire().await.map(Held::Pooled).map_err(convert),
        }
    }

    /// Gives a connection back that is outside of any transaction.
    pub(super) fn put(&mut self, held: Held) {
        if let (Self::Own(own), Held::Own(conn)) = (self, held) {
            own.idle = Some(conn);
        }
    }

    pub(super) async fn close(self) {
        if let Self::Own(own) = self
            && let Some(conn) = own.idle
            && let Err(error) = conn.close().await
        {
            tracing::debug!(target: "ledger", backend = crate::BACKEND, %error, "closing the writer's connection");
        }
    }
}

impl Held {
    pub(super) fn get(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Own(conn) => conn,
            Self::Pooled(conn) => conn,
        }
    }

    pub(super) fn is_own(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// Closes a connection whose state is not known.
    pub(super) async fn discard(self) {
        // An error changes nothing: the connection is gone either way.
        let _ = match self {
            Self::Own(conn) => conn.close().await,
            Self::Pooled(conn) => conn.close().await,
        };
    }
}
