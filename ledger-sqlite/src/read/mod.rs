//! Everything that reads.

mod all;
mod collect;
mod collected;
mod connections;
mod detached;
mod health;
mod lookup;
mod pack;
mod page;
mod stream;

use std::sync::Arc;

use ledger_core::Result;

#[cfg(test)]
pub(crate) use collect::register;
pub(crate) use connections::{Connections, Own};
pub(crate) use detached::detached;
pub(crate) use lookup::{meta, stat};
pub(crate) use stream::{check, page};

use crate::sql::Sql;
use connections::Lease;

/// What a read needs, so that it can run in a task of its own.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) sql: Arc<Sql>,
    pub(crate) connections: Connections,
}

impl Reader {
    async fn connection(&self) -> Result<Lease> {
        self.connections.lease().await
    }
}
