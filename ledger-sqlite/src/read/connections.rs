//! Where reads have their connections from.
//!
//! To a file of our own they are ours and not those of a pool of sqlx, which
//! asks each one that is given back whether it is alive, in a task of its own:
//! one more way to SQLite's thread and back, as long as a small page takes.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use ledger_core::{Error, Result};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::collect::register;
use super::collected::Collected;
use crate::error::convert;

/// The connections that reads share.
#[derive(Clone, Debug)]
pub(crate) enum Connections {
    /// To a file that the store has opened itself.
    Own(Arc<Own>),
    /// The application's.
    Pool(SqlitePool),
}

/// So many connections at most, each opened when it is first needed.
#[derive(Debug)]
pub(crate) struct Own {
    options: SqliteConnectOptions,
    /// Where they put their pages.
    collected: Arc<Collected>,
    most: u32,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<SqliteConnection>>,
}

impl Own {
    pub(crate) fn new(options: SqliteConnectOptions, most: u32) -> Self {
        Self {
            options,
            collected: Arc::default(),
            most,
            permits: Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(usize::MAX))),
            idle: Mutex::default(),
        }
    }

    async fn lease(self: &Arc<Self>) -> Result<Lease> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_closed| Error::closed())?;
        let idle = self.idle().pop();
        let conn = match idle {
            Some(conn) => conn,
            None => self.connect().await.map_err(convert)?,
        };
        let own = self.clone();
        Ok(Lease::Own { conn, own, permit })
    }

    async fn connect(&self) -> Result<SqliteConnection, sqlx::Error> {
        let mut conn = self.options.connect().await?;
        register(&mut conn, self.collected.clone()).await?;
        Ok(conn)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        // Nothing in here panics half-way.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for running reads, and closes all connections. If it is dropped
    /// before its end, it can be called again.
    async fn close(&self) {
        let Ok(_all) = self.permits.acquire_many(self.most).await else {
            return;
        };
        let idle = std::mem::take(&mut *self.idle());
        for conn in idle {
            if let Err(error) = conn.close().await {
                tracing::debug!(target: "ledger", backend = crate::BACKEND, %error, "closing a reader's connection");
            }
        }
        // Last, so that others who close wait for the connections too.
        self.permits.close();
    }
}

impl Connections {
    pub(super) async fn lease(&self) -> Result<Lease> {
        match self {
            Self::Own(own) => own.lease().await,
            Self::Pool(pool) => pool.acquire().await.map(Lease::Pooled).map_err(convert),
        }
    }

    /// Where the connections put their pages, if they have the function for it.
    pub(super) fn collected(&self) -> Option<&Collected> {
        match self {
            Self::Own(own) => Some(&own.collected),
            Self::Pool(_) => None,
        }
    }

    /// Closes what is ours.
    pub(crate) async fn close(&self) {
        if let Self::Own(own) = self {
            own.close().await;
        }
    }
}

/// A connection for one read. One of ours that is not given back by
/// [`done`](Self::done) is closed in the background: the read has failed, or
/// it was dropped in the middle.
#[derive(Debug)]
pub(super) enum Lease {
    Own {
        conn: SqliteConnection,
        own: Arc<Own>,
        permit: OwnedSemaphorePermit,
    },
    Pooled(PoolConnection<Sqlite>),
}

impl Lease {
    /// Gives the connection back, once nothing is at work on it.
    pub(super) fn done(self) {
        if let Self::Own { conn, own, permit } = self {
            own.idle().push(conn);
            // Not before: who gets it must find the connection.
            drop(permit);
        }
    }
}

impl Deref for Lease {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match self {
            Self::Own { conn, .. } => conn,
            Self::Pooled(conn) => conn,
        }
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Own { conn, .. } => conn,
            Self::Pooled(conn) => conn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use futures_util::FutureExt;
    use ledger_core::Kind;

    fn own(dir: &tempfile::TempDir, most: u32) -> Arc<Own> {
        let options = SqliteConnectOptions::new()
            .filename(dir.path().join("app.db"))
            .create_if_missing(true);
        Arc::new(Own::new(options, most))
    }

    #[tokio::test]
    async fn what_is_given_back_is_used_again_and_what_is_dropped_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let own = own(&dir, 1);
        for _ in 0..3 {
            let mut lease = own.lease().await.unwrap();
            // Known to one connection only.
            let attached = sqlx::query("ATTACH ':memory:' AS mark").execute(&mut *lease);
            attached.await.unwrap();
            assert!(own.lease().now_or_never().is_none(), "one too many");
            lease.done();
            let mut again = own.lease().await.unwrap();
            let mark = sqlx::query("DETACH mark").execute(&mut *again);
            mark.await.unwrap();
            drop(again);
            assert!(own.idle().is_empty());
        }
    }

    #[tokio::test]
    async fn closing_waits_for_who_reads_and_then_refuses() {
        let dir = tempfile::tempdir().unwrap();
        let own = own(&dir, 3);
        let (one, two) = (own.lease().await.unwrap(), own.lease().await.unwrap());
        one.done();
        let mut closing = Box::pin(own.close());
        assert!(closing.as_mut().now_or_never().is_none());
        // A close that was given up can be repeated.
        drop(closing);
        let mut closing = Box::pin(own.close());
        assert!(closing.as_mut().now_or_never().is_none());
        two.done();
        closing.await;
        assert!(own.idle().is_empty());
        assert_eq!(own.lease().await.unwrap_err().kind(), &Kind::Closed);
        own.close().await;
    }
}
