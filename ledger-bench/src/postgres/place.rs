//! A schema with the tables of both sides.

use anyhow::Result;
use ledger_core::{Batch, Identifier, Limits, Store};
use ledger_postgres::{Config, PostgresStore};
use ledger_testkit::{Postgres, Schema};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::args::Args;
use crate::workload::{Entries, streams};

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

    /// Appends to each stream once, so that none has to be made while the
    /// time runs.
    pub(super) async fn make_streams(&self, n: usize, entries: &Entries) -> Result<()> {
        let mut entries = entries.seeded(0);
        for name in &*streams(n)? {
            let batch = Batch::new(entries.many(1), &Limits::TABLE)?;
            self.store.append(name, batch).await?;
        }
        Ok(())
    }

    /// Fills the store; tells how many entries are in the first stream.
    pub(super) async fn fill(&self, args: &Args) -> Result<usize> {
        let mut entries = Entries::new(args)?;
        let names = streams(STREAMS)?;
        let mut in_first = 0;
        for stored in (0..args.rows).step_by(100) {
            let count = 100.min(args.rows - stored);
            let name = match stored % 200 {
                0 => {
                    in_first += count;
                    &names[0]
                }
                _ => &names[1 + entries.below(STREAMS - 1)],
            };
            let batch = Batch::new(entries.many(count), &Limits::TABLE)?;
            self.store.append(name, batch).await?;
        }
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
