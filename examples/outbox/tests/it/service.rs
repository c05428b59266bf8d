//! The service alone, and the relay step by step.

use ledger_core::{PageEnd, Query};
use outbox::OrderEvent;

use crate::places::{Patience, Places};

/// Catches an event without its row, a row without its event, and an event of
/// something that was refused.
#[tokio::test]
async fn a_row_and_its_event_are_there_together_or_not_at_all() {
    let places = Places::fresh().await;
    let orders = &places.orders;
    let kept = orders.place("ann", 1_250).await.unwrap();
    assert!(orders.cancel(kept).await.unwrap());
    assert!(!orders.cancel(kept).await.unwrap());

    // Refused after its event was appended.
    let mut tx = places.pool.begin().await.unwrap();
    orders.place_in(&mut tx, "ann", 7).await.unwrap();
    tx.rollback().await.unwrap();

    assert_eq!(places.count("SELECT count(*) FROM orders").await, 1);
    let events = orders.events("ann").read(Query::new()).await.unwrap();
    let events: Vec<_> = events.into_iter().map(|found| found.value).collect();
    let placed = OrderEvent::Placed {
        order: kept,
        cents: 1_250,
    };
    assert_eq!(events, [placed, OrderEvent::Cancelled { order: kept }]);
}

/// Catches a relay that goes on behind an event that is not committed yet. The
/// naive reader beside it does, and never sees that event.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_transaction_holds_back_is_not_skipped() {
    let places = Places::fresh().await;
    let mut relay = places.relay().await;
    let streams = async || {
        let messages = places.messages().await;
        messages.into_iter().map(|m| m.0).collect::<Vec<_>>()
    };
    let mut slow = places.pool.begin().await.unwrap();
    places.orders.place_in(&mut slow, "slow", 1).await.unwrap();
    places.orders.place("fast", 2).await.unwrap();

    let last = "SELECT max(pos) FROM ledger_entries";
    let last = places.count(last).await;
    let patience = Patience::new();
    while relay.step().await.unwrap() != PageEnd::Undecided {
        patience.check("the relay passed an open transaction");
    }
    assert!(streams().await.is_empty());

    slow.commit().await.unwrap();
    while relay.step().await.unwrap() != PageEnd::CaughtUp {
        patience.check(streams().await);
    }
    assert_eq!(streams().await, ["orders-slow", "orders-fast"]);
    let naive = sqlx::query_scalar("SELECT count(*) FROM ledger_entries WHERE pos > $1");
    let naive: i64 = naive.bind(last).fetch_one(&places.pool).await.unwrap();
    assert_eq!(naive, 0, "the naive reader would have found it");
}

/// Catches a second relay that delivers everything once more.
#[tokio::test]
async fn of_two_relays_one_gives_up() {
    let places = Places::fresh().await;
    let (mut one, mut two) = (places.relay().await, places.relay().await);
    places.orders.place("ann", 1).await.unwrap();
    let patience = Patience::new();
    while one.step().await.unwrap() != PageEnd::CaughtUp {
        patience.check("undecided");
    }
    let refused = two.step().await.unwrap_err();
    assert!(refused.to_string().contains("another relay"), "{refused}");
    assert_eq!(places.messages().await.len(), 1);
    // Started anew, it goes on.
    places.orders.place("ann", 2).await.unwrap();
    let mut two = places.relay().await;
    while two.step().await.unwrap() != PageEnd::CaughtUp {
        patience.check("undecided");
    }
    assert_eq!(places.messages().await.len(), 2);
}
