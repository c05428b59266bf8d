//! Appends orders, reads them, and opens the file again.

use custom_backend::RedbStore;
use ledger_core::{NewEntry, Query, Store, StoreExt};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    customer: String,
    cents: u64,
}

fn order(customer: &str, cents: u64) -> Order {
    let customer = customer.to_owned();
    Order { customer, cents }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    run(&folder.path().join("orders.redb")).await
}

async fn run(path: &std::path::Path) -> anyhow::Result<()> {
    let store = RedbStore::open(path).await?;
    let orders = store.stream::<Order>("orders");

    // The dedup key makes the retry harmless.
    for _attempt in 0..2 {
        let entry = NewEntry::new(order("ann", 1_250)).order_key("ann");
        let receipt = orders.append(entry.dedup_key("evt-1")).await?;
        assert_eq!(receipt.version, 1);
    }
    orders.append(order("bob", 990)).expected(1).await?;
    let late = orders.append(order("cyd", 5)).expected(1).await;
    assert!(late.is_err_and(|e| e.is_conflict()));

    // A second handle shares nothing with the first but the file.
    let second = RedbStore::open(path).await?;
    let seen = second.stream::<Order>("orders").read(Query::new()).await?;
    assert_eq!(seen.len(), 2);
    store.close().await?;
    second.close().await?;
    assert!(orders.read(Query::new()).await.is_err());

    let orders = RedbStore::open(path).await?.stream::<Order>("orders");
    let page = orders.read(Query::new().order_key("ann")).await?;
    assert_eq!(page[0].value, order("ann", 1_250));
    let receipt = orders.append(order("ann", 3)).await?;
    assert_eq!(receipt.version, 3);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn orders_outlive_their_handles() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        super::run(&folder.path().join("orders.redb")).await
    }
}
