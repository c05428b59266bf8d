//! `outbox place` puts a few orders into the service's database, `outbox relay`
//! delivers their events to the other one until it is stopped. The databases are
//! URLs in the environment: `SERVICE_URL` and `MAILBOX_URL`.

use anyhow::{Context, Result, bail};
use ledger_postgres::{Config, PostgresStore};
use outbox::{Mailbox, Orders, Relay};
use sqlx::PgPool;

const USAGE: &str = "usage: outbox place CUSTOMER CENTS | outbox cancel ORDER | outbox relay";

async fn connect(variable: &str) -> Result<PgPool> {
    let url = std::env::var(variable).with_context(|| format!("{variable} is not set"))?;
    let pool = PgPool::connect(&url).await;
    pool.with_context(|| format!("the database of {variable}"))
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it tells what it did")]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let pool = connect("SERVICE_URL").await?;
    let store = PostgresStore::with_pool(pool.clone(), Config::new()).await?;
    let orders = Orders::open(pool, store.clone()).await?;
    match words[..] {
        ["place", customer, cents] => {
            let order = orders.place(customer, cents.parse()?).await?;
            println!("order {order}");
        }
        ["cancel", order] => match orders.cancel(order.parse()?).await? {
            true => println!("cancelled"),
            false => bail!("there is no such order, or it was cancelled before"),
        },
        ["relay"] => {
            let mailbox = Mailbox::open(connect("MAILBOX_URL").await?, "orders").await?;
            Relay::start(store, mailbox).await?.run().await?;
        }
        _ => bail!(USAGE),
    }
    Ok(())
}
