//! The service: orders in a table, and what happened to them in the ledger.

use anyhow::Result;
use ledger_core::{NewEntry, Stream};
use ledger_postgres::PostgresStore;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Postgres, Transaction};

/// What happened to an order. Each customer has a stream of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// It was placed.
    Placed {
        /// The number of the order.
        order: i64,
        /// Its amount.
        cents: i64,
    },
    /// It will not be delivered.
    Cancelled {
        /// The number of the order.
        order: i64,
    },
}

/// The service.
#[derive(Clone, Debug)]
pub struct Orders {
    pool: PgPool,
    store: PostgresStore,
}

impl Orders {
    /// The service on its database: its own table, and the store over the same
    /// pool, since one transaction has to reach both.
    ///
    /// # Errors
    ///
    /// If the database does not answer, or the table cannot be created.
    pub async fn open(pool: PgPool, store: PostgresStore) -> Result<Self> {
        let table = "CREATE TABLE IF NOT EXISTS orders (\
                     id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
                     customer TEXT NOT NULL, cents BIGINT NOT NULL, \
                     cancelled BOOLEAN NOT NULL DEFAULT false)";
        sqlx::query(table).execute(&pool).await?;
        Ok(Self { pool, store })
    }

    /// Places an order: the row and the event are committed together, or
    /// neither is.
    ///
    /// # Errors
    ///
    /// If nothing was placed; or, if the commit was not answered, perhaps.
    pub async fn place(&self, customer: &str, cents: i64) -> Result<i64> {
        let mut tx = self.pool.begin().await?;
        let order = self.place_in(&mut tx, customer, cents).await?;
        tx.commit().await?;
        Ok(order)
    }

    /// Places an order in a transaction of the caller.
    ///
    /// # Errors
    ///
    /// If the row or the event is refused; the transaction is then to be
    /// rolled back.
    pub async fn place_in(
        &self,
        tx: &mut Transaction<'_, Postgres>,
        customer: &str,
        cents: i64,
    ) -> Result<i64> {
        let row = "INSERT INTO orders (customer, cents) VALUES ($1, $2) RETURNING id";
        let row = sqlx::query_scalar(row).bind(customer).bind(cents);
        let order = row.fetch_one(&mut **tx).await?;
        // The event last: from here to the commit other transactions of this
        // customer wait, and the relay stops in front of it.
        self.tell(tx, customer, OrderEvent::Placed { order, cents })
            .await?;
        Ok(order)
    }

    /// Cancels an order; `false` if there is none, or it was cancelled before.
    ///
    /// # Errors
    ///
    /// As [`place`](Self::place).
    pub async fn cancel(&self, order: i64) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let row = "UPDATE orders SET cancelled = true WHERE id = $1 AND NOT cancelled \
                   RETURNING customer";
        let row = sqlx::query_scalar(row).bind(order);
        let customer: Option<String> = row.fetch_optional(&mut *tx).await?;
        let Some(customer) = customer else {
            return Ok(false);
        };
        self.tell(&mut tx, &customer, OrderEvent::Cancelled { order })
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn tell(
        &self,
        tx: &mut Transaction<'_, Postgres>,
        customer: &str,
        event: OrderEvent,
    ) -> Result<()> {
        let events = self.events(customer);
        let bound = self.store.in_transaction(tx);
        events.via(&bound).append(NewEntry::new(event)).await?;
        Ok(())
    }

    /// The events of a customer.
    #[must_use]
    pub fn events(&self, customer: &str) -> Stream<i64, OrderEvent, PostgresStore> {
        Stream::new(self.store.clone(), format!("orders-{customer}"))
    }
}
