//! A relay that is killed.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::places::{Patience, Places};

/// A relay in a process of its own.
struct Relay(Child);

impl Relay {
    fn start(places: &Places) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_outbox"))
            .arg("relay")
            .env("SERVICE_URL", places.service.url())
            .env("MAILBOX_URL", places.mailbox.url())
            .stdin(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Relay {
    /// By SIGKILL.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Catches a cursor that is stored before or after what it stands for, a relay
/// that begins anew after a restart, and one that skips what slow transactions
/// committed late.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_killed_again_and_again_delivers_each_event_once_and_in_order() {
    const KILLS: usize = 6;
    let places = Places::fresh().await;
    let over = Arc::new(AtomicBool::new(false));
    let slow = Arc::new(AtomicU64::new(0));
    let services: Vec<_> = (0..4)
        .map(|n| {
            let (over, slow) = (over.clone(), slow.clone());
            let (pool, orders) = (places.pool.clone(), places.orders.clone());
            tokio::spawn(async move {
                let mut rng = fastrand::Rng::with_seed(n);
                while !over.load(Ordering::Acquire) {
                    let customer = format!("{}", rng.u8(0..5));
                    let mut tx = pool.begin().await.unwrap();
                    let placed = orders.place_in(&mut tx, &customer, 1);
                    placed.await.unwrap();
                    if rng.u8(0..4) == 0 {
                        // A slow transaction: others take later ids, and commit
                        // before it.
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        slow.fetch_add(1, Ordering::Relaxed);
                    }
                    match rng.u8(0..10) {
                        0 => tx.rollback().await.unwrap(),
                        _ => tx.commit().await.unwrap(),
                    }
                }
            })
        })
        .collect();

    let delivered = async || {
        let count = sqlx::query_scalar("SELECT count(*) FROM messages");
        let count: i64 = count.fetch_one(&places.delivered).await.unwrap();
        count
    };
    let patience = Patience::new();
    for round in 0..KILLS {
        let before = delivered().await;
        let mut relay = Relay::start(&places);
        // Killed while it delivers: each time after it came further.
        while delivered().await < before + 30 + 17 * i64::try_from(round % 3).unwrap() {
            patience.check((round, delivered().await));
            assert!(relay.0.try_wait().unwrap().is_none(), "a relay gave up");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(relay);
    }
    over.store(true, Ordering::Release);
    for service in services {
        service.await.unwrap();
    }
    let entries = places.entries().await;
    let behind = entries.len() - places.messages().await.len();
    let relay = Relay::start(&places);
    while places.messages().await.len() < entries.len() {
        patience.check(places.messages().await.len());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(relay);
    println!(
        "{} events, {KILLS} kills, {behind} left for the last relay, {} slow transactions",
        entries.len(),
        slow.load(Ordering::Relaxed)
    );
    assert!(slow.load(Ordering::Relaxed) > 0);
    assert!(
        places.messages().await == entries,
        "not the same, or not in order"
    );
    let rows = places.count("SELECT count(*) FROM orders").await;
    assert_eq!(usize::try_from(rows).unwrap(), entries.len());
}
