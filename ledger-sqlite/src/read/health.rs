//! Whether the store can work.

use ledger_core::backend::StoreId;
use ledger_core::{Health, Result};
use tokio::time::Instant;

use super::lookup::meta;
use super::{Reader, detached};
use crate::error::{convert, corrupt};
use crate::schema::FORMAT;
use crate::settings::Settings;

impl Reader {
    /// Looks at what every call depends on, and writes nothing.
    pub(crate) async fn health(&self, store: StoreId, deadline: Instant, writes: bool) -> Health {
        let writer = match writes {
            true => Ok("running".to_owned()),
            false => Err("has ended, with the runtime that opened the store".to_owned()),
        };
        let tables = detached(deadline, self.clone().tables(store)).await;
        let settings = detached(deadline, self.clone().settings()).await;
        let said = |found: Result<String>| found.map_err(|e| e.to_string());
        Health::new()
            .with("writer", writer)
            .with("tables", said(tables))
            .with("settings", said(settings))
    }

    async fn tables(self, store: StoreId) -> Result<String> {
        let mut conn = self.connection().await?;
        let meta = meta(&self.sql, &mut conn).await?;
        if meta.store != store {
            return Err(corrupt(
                "the tables were replaced by those of another store",
            ));
        }
        let look = self.sql.packed.all[0]
            .query()
            .bind(0)
            .bind(i64::MAX)
            .bind(0)
            .bind(0);
        look.fetch_optional(&mut *conn).await.map_err(convert)?;
        conn.done();
        Ok(format!("format {FORMAT}, last id {}", meta.last_id))
    }

    async fn settings(self) -> Result<String> {
        let mut conn = self.connection().await?;
        let settings = Settings::read(&mut conn).await?;
        conn.done();
        settings.check_journal()?;
        Ok("WAL".to_owned())
    }
}
