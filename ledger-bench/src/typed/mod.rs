//! The typed layer: ours is [`Stream`](ledger_core::Stream), the floor
//! serde_json by hand and the raw call of the same store. Upcasting: ours
//! reads entries of schema version 1 as version 3, the floor those that were
//! written in version 3.

mod append;
mod read;

use std::sync::LazyLock;

use anyhow::Result;
use ledger_core::{FieldMapper, Json, MemoryStore, Schema, SchemaError, Store};
use ledger_sqlite::SqliteStore;

use crate::args::Args;
use crate::table::{Table, Target};
use crate::work::Work;
use crate::workload::Order;

/// Orders of all versions.
static ORDERS: LazyLock<Schema<Order>> = LazyLock::new(|| match schema() {
    Ok(schema) => schema,
    Err(e) => panic!("the schema of orders: {e}"),
});

fn schema() -> Result<Schema<Order>, SchemaError> {
    let second = FieldMapper::new()
        .rename("cust", "customer")
        .remove("legacy");
    let third = FieldMapper::new()
        .rename("total", "cents")
        .rename("comment", "note")
        .default_value("currency", "EUR");
    Schema::documents(Json, 1)
        .fields(2, second)
        .fields(3, third)
        .read_as()
        .build()
}

pub(crate) async fn run(args: &Args) -> Result<()> {
    let mut table = Table::new(
        args,
        "Typed layer",
        "Floor: serde_json on the same values and the raw call of the same store; for the \
         upcast, the typed read of as many entries that were written in version 3. One task.",
    );
    let dir = tempfile::tempdir()?;
    memory_appends(args, &mut table).await?;
    let file = SqliteStore::open(dir.path().join("appends.db")).await?;
    let (floor, ours) = append::sides(args, 100, move || file.clone());
    measure(
        args,
        &mut table,
        "append, batches of 100, SQLite",
        0.95,
        floor,
        ours,
    )
    .await?;

    reads(args, &mut table, &MemoryStore::new(), "memory").await?;
    let file = SqliteStore::open(dir.path().join("reads.db")).await?;
    reads(args, &mut table, &file, "SQLite").await?;
    table.end();
    Ok(())
}

async fn memory_appends(args: &Args, table: &mut Table<'_>) -> Result<()> {
    for batch in [1, 100] {
        let (floor, ours) = append::sides(args, batch, MemoryStore::new);
        let name = match batch {
            1 => "append, singles, memory",
            _ => "append, batches of 100, memory",
        };
        measure(args, table, name, 0.95, floor, ours).await?;
    }
    Ok(())
}

async fn reads<S: Store<i64> + Clone + 'static>(
    args: &Args,
    table: &mut Table<'_>,
    store: &S,
    on: &str,
) -> Result<()> {
    let upcast = format!("upcast v1 → v3, page of 1,000, {on}");
    let pages = [(100, "100"), (1_000, "1,000")]
        .map(|(limit, written)| (limit, format!("read, page of {written}, {on}")));
    let mut names = pages.iter().map(|(_, name)| name).chain([&upcast]);
    if !names.any(|name| args.wants(name)) {
        return Ok(());
    }
    read::fill(args, store).await?;
    for (limit, name) in &pages {
        let floor = read::ByHand::new(store, *limit);
        let ours = read::Typed::new(store, read::CURRENT, *limit);
        measure(args, table, name, 0.95, floor, ours).await?;
    }
    let floor = read::Typed::new(store, read::CURRENT, 1_000);
    let ours = read::Typed::new(store, read::OLD, 1_000);
    measure(args, table, &upcast, 0.8, floor, ours).await
}

async fn measure(
    args: &Args,
    table: &mut Table<'_>,
    name: &str,
    target: f64,
    floor: impl Work,
    ours: impl Work,
) -> Result<()> {
    if !args.wants(name) {
        return Ok(());
    }
    let target = Target::AtLeast(target);
    table.race(name, target, vec![floor], vec![ours]).await
}
