//! Appends orders of two releases and reads them as today's.

use std::io::{self, Write};

use ledger_core::{MemoryStore, Query, Schema, Stream};
use protobuf_codec::{ORDERS, Order, OrderV1, Protobuf, order::Payment};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    run(&mut io::stdout().lock()).await
}

async fn run(out: &mut impl Write) -> anyhow::Result<()> {
    let store = MemoryStore::new();

    // The first release ...
    let first = Schema::typed(Protobuf, 1).build()?;
    let old = Stream::<i64, OrderV1, _>::with_schema(&store, "orders", first);
    let ann = OrderV1 {
        customer: "ann".to_owned(),
        amount: 12.5,
    };
    old.append(ann).await?;

    // ... and the one of today, in the same stream.
    let orders = Stream::<i64, Order, _>::with_schema(&store, "orders", &ORDERS);
    let bob = Order {
        customer: "bob".to_owned(),
        cents: 990,
        currency: "CHF".to_owned(),
        payment: Some(Payment::Card(4242)),
    };
    orders.append(bob).await?;

    for entry in orders.read(Query::new()).await? {
        let Order {
            customer,
            cents,
            currency,
            payment,
        } = entry.value;
        let paid = match payment {
            None => "not paid".to_owned(),
            Some(Payment::Card(digits)) => format!("card {digits}"),
            Some(Payment::Invoice(number)) => format!("invoice {number}"),
        };
        writeln!(
            out,
            "{} (stored as version {}): {customer}, {}.{:02} {currency}, {paid}",
            entry.version,
            entry.schema_version,
            cents / 100,
            cents % 100,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn both_releases_are_read() -> anyhow::Result<()> {
        let mut out = Vec::new();
        super::run(&mut out).await?;
        assert_eq!(
            String::from_utf8(out)?,
            "1 (stored as version 1): ann, 12.50 EUR, not paid\n\
             2 (stored as version 2): bob, 9.90 CHF, card 4242\n"
        );
        Ok(())
    }
}
