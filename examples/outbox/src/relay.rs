//! The relay: follows the whole store and delivers what it finds.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ledger_core::{AllQuery, PageEnd, ReadAll, Store, StoreCursor, StorePage};
use ledger_postgres::PostgresStore;
use sqlx::{PgPool, Postgres, Transaction};

/// Entries of one delivery.
const PAGE: usize = 100;
/// How long it rests where nothing follows, or what follows is not settled.
const REST: Duration = Duration::from_millis(20);

/// The other side: a database that keeps the messages, and with them, in the
/// same transaction, how far the relay has come. So a delivery and the step of
/// the cursor cannot part, however the relay ends: each message is there once.
///
/// Where the other side is a broker, which cannot keep the cursor, the order
/// is: publish, wait until it is accepted, then store the cursor. A relay that
/// dies in between publishes again what it had published, under the same stream
/// and version, and the consumers drop what they know.
#[derive(Clone, Debug)]
pub struct Mailbox {
    pool: PgPool,
    relay: String,
}

impl Mailbox {
    /// The mailbox in a database; `relay` names the place of this relay.
    ///
    /// # Errors
    ///
    /// If the database does not answer, or the tables cannot be created.
    pub async fn open(pool: PgPool, relay: impl Into<String>) -> Result<Self> {
        let relay = relay.into();
        let tables = [
            // The order of delivery. A version that comes twice is an error.
            "CREATE TABLE IF NOT EXISTS messages (\
             place BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
             stream TEXT NOT NULL, version BIGINT NOT NULL, payload BYTEA NOT NULL, \
             UNIQUE (stream, version))",
            "CREATE TABLE IF NOT EXISTS relays (name TEXT PRIMARY KEY, cursor TEXT)",
        ];
        for table in tables {
            sqlx::query(table).execute(&pool).await?;
        }
        let place = "INSERT INTO relays (name) VALUES ($1) ON CONFLICT DO NOTHING";
        sqlx::query(place).bind(&relay).execute(&pool).await?;
        Ok(Self { pool, relay })
    }

    /// Where the relay goes on; `None` at the beginning.
    async fn cursor(&self) -> Result<Option<StoreCursor>> {
        let cursor = sqlx::query_scalar("SELECT cursor FROM relays WHERE name = $1");
        let cursor: Option<String> = cursor.bind(&self.relay).fetch_one(&self.pool).await?;
        cursor.map(|text| Ok(text.parse()?)).transpose()
    }

    /// Takes a page, and the step from one cursor to the next.
    async fn deliver(&self, from: Option<&StoreCursor>, page: &StorePage<i64>) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        // Two relays of one name cannot both take the step: the second one
        // waits for the first, and then finds another cursor.
        let step =
            "UPDATE relays SET cursor = $3 WHERE name = $1 AND cursor IS NOT DISTINCT FROM $2";
        let step = sqlx::query(step)
            .bind(&self.relay)
            .bind(from.map(ToString::to_string))
            .bind(page.next.to_string());
        let taken = step.execute(&mut *tx).await?.rows_affected();
        ensure!(taken == 1, "another relay of this name is at work");
        insert(&mut tx, page).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn insert(tx: &mut Transaction<'_, Postgres>, page: &StorePage<i64>) -> Result<()> {
    let (mut streams, mut versions, mut payloads) = (Vec::new(), Vec::new(), Vec::new());
    for found in &page.records {
        streams.push(found.stream.as_str());
        versions.push(i64::try_from(found.record.version)?);
        payloads.push(&found.record.entry.payload[..]);
    }
    let messages = "INSERT INTO messages (stream, version, payload) \
                    SELECT stream, version, payload \
                    FROM unnest($1::text[], $2::bigint[], $3::bytea[]) \
                    WITH ORDINALITY AS page (stream, version, payload, nth) ORDER BY nth";
    let messages = sqlx::query(messages);
    let messages = messages.bind(streams).bind(versions).bind(payloads);
    messages.execute(&mut **tx).await?;
    Ok(())
}

/// Follows a store. It goes on where a relay of the same name stopped.
#[derive(Debug)]
pub struct Relay {
    store: PostgresStore,
    mailbox: Mailbox,
    cursor: Option<StoreCursor>,
}

impl Relay {
    /// A relay at its stored place.
    ///
    /// # Errors
    ///
    /// If the place cannot be read.
    pub async fn start(store: PostgresStore, mailbox: Mailbox) -> Result<Self> {
        let cursor = mailbox.cursor().await.context("where to go on")?;
        Ok(Self {
            store,
            mailbox,
            cursor,
        })
    }

    /// Delivers one page, and tells what follows. [`Undecided`](PageEnd::Undecided):
    /// somebody has an earlier place and has not committed, so that nothing
    /// behind it may be delivered yet. That is what a `WHERE id > last` over a
    /// table of events gets wrong.
    ///
    /// # Errors
    ///
    /// If nothing was delivered; or, if the commit was not answered, perhaps.
    /// Start the relay anew then: it reads its place again.
    pub async fn step(&mut self) -> Result<PageEnd> {
        let mut query = AllQuery::new().limit(PAGE);
        if let Some(cursor) = &self.cursor {
            query = query.after(cursor.clone());
        }
        let read = ReadAll::new(query, self.store.limits())?;
        let page = self.store.read_all(&read).await?;
        if !page.records.is_empty() {
            self.mailbox.deliver(self.cursor.as_ref(), &page).await?;
            self.cursor = Some(page.next);
        }
        Ok(page.end)
    }

    /// Delivers until the end of the process.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub async fn run(mut self) -> Result<()> {
        loop {
            match self.step().await? {
                PageEnd::More => {}
                _ => tokio::time::sleep(REST).await,
            }
        }
    }
}
