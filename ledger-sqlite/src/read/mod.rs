//! Everything that reads.

mod all;
mod collect;
mod collected;
mod detached;
mod health;
mod lookup;
mod pack;
mod page;
mod stream;

use std::sync::Arc;

use ledger_core::Result;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqlitePool};

pub(crate) use collect::register;
pub(crate) use collected::Collected;
pub(crate) use detached::detached;
pub(crate) use lookup::{meta, stat};
pub(crate) use stream::{check, page};

use crate::error::convert;
use crate::sql::Sql;

/// What a read needs, so that it can run in a task of its own.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) sql: Arc<Sql>,
    pub(crate) pool: SqlitePool,
    /// Where the connections of the pool put their pages, if they have the
    /// function for it.
    pub(crate) collected: Option<Arc<Collected>>,
}

impl Reader {
    async fn connection(&self) -> Result<PoolConnection<Sqlite>> {
        self.pool.acquire().await.map_err(convert)
    }
}
