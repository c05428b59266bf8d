//! A schema with the tables of both sides.

use anyhow::Result;
use ledger_core::Identifier;
use ledger_postgres::{Config, PostgresStore};
use ledger_testkit::{Postgres, Schema};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::args::Args;
use crate::workload::fill;

/// Streams in the store that is read.
const STREAMS: usize = 100;

pub(super) struct Place {
    schema: Schema,
    pub(super) store: PostgresStore,
}

impl Place {
    pub(super) async fn fresh(server: &Postgres, connections: u32) -> Result<Self> {
        let schema = server.fresh_schema().await?;
        let config = Config::new()
            .with_schema(Identifier::schema(&schema.name)?)
            .with_max_connections(connections);
        let store = PostgresStore::open_with(&schema.database.url(), config.clone()).await?;
        let floor = config.with_prefix(Identifier::prefix("floor")?);
        let tables = PostgresStore::schema_sql(&floor);
        let place = Self { schema, store };
        place.run(tables).await?;
        Ok(place)
    }

    pub(super) async fn connect(&self) -> Result<PgConnection> {
        Ok(self.schema.database.connect().await?)
    }

    pub(super) fn table(&self, name: &str) -> String {
        format!("{}.{name}", self.schema.name)
    }

    /// Fills the store; tells how many entries are in the first stream.
    pub(super) async fn fill(&self, args: &Args) -> Result<usize> {
        let in_first = fill(&self.store, args, STREAMS, 100).await?;
        let table = self.table("ledger_entries");
        self.run(format!("VACUUM ANALYZE {table}")).await?;
        Ok(in_first)
    }

    /// Runs a script of constants and names.
    async fn run(&self, script: String) -> Result<()> {
        self.connect().await?.execute(AssertSqlSafe(script)).await?;
        Ok(())
    }
}
