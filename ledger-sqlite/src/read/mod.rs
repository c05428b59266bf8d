//! Everything that reads.

mod all;
mod collect;
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
pub(crate) use detached::detached;
pub(crate) use lookup::{meta, stat};
pub(crate) use stream::{check, page};

use crate::error::convert;
use crate::sql::{Packing, PageSql, Sql};

/// What a read needs, so that it can run in a task of its own.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) sql: Arc<Sql>,
    pub(crate) pool: SqlitePool,
    /// What the connections of the pool can do.
    pub(crate) packing: Packing,
}

impl Reader {
    fn pages(&self) -> &PageSql {
        match self.packing {
            Packing::Text => &self.sql.packed,
            Packing::Function => &self.sql.collected,
        }
    }

    async fn connection(&self) -> Result<PoolConnection<Sqlite>> {
        self.pool.acquire().await.map_err(convert)
    }
}
