//! What happens is told through `tracing`, and never what is stored.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledger_core::{Expected, NewEntry, Store, StoreExt};
use sqlx::Connection;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::helpers::{Patience, Place};

#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<String>>>);

impl Capture {
    /// How many events contain all of the words.
    fn count(&self, words: &[&str]) -> usize {
        let fits = |e: &&String| words.iter().all(|word| e.contains(word));
        self.0.lock().unwrap().iter().filter(fits).count()
    }
}

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "ledger" {
            let mut text = Text(event.metadata().level().to_string());
            event.record(&mut text);
            self.0.lock().unwrap().push(text.0);
        }
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {field}={value:?}");
    }
}

/// In a process of its own: where a single subscriber is known, `tracing` asks
/// the thread that comes to an event first whether anybody listens, and here
/// that may be a thread of another test, on which nobody does.
#[test]
fn open_migrate_retry_conflict_trim_and_close_are_told_without_payloads_or_keys() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "events::told", "--ignored"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(said.contains("1 passed"), "{said}");
}

/// On a current-thread runtime the writer runs on this thread, so that the
/// subscriber of the test hears it.
#[tokio::test(flavor = "current_thread")]
#[ignore = "started by the test above, in a process of its own"]
async fn told() {
    let capture = Capture::default();
    let subscriber = tracing_subscriber::registry().with(capture.clone());
    let _guard = tracing::subscriber::set_default(subscriber);

    let place = Place::new();
    let store = place.open().await;
    let orders = store.stream::<String>("orders");
    let entry = || NewEntry::new("s3cret".to_owned()).order_key("s3cret");
    let receipt = orders.append(entry().dedup_key("s3cret")).await.unwrap();
    orders
        .append(entry())
        .expected(Expected::NoStream)
        .await
        .unwrap_err();

    let mut other = sqlx::SqliteConnection::connect_with(&place.connect())
        .await
        .unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let retried = &["DEBUG message=retrying", "operation=\"append\""];
    let unlock = async {
        let patience = Patience::new();
        while capture.count(retried) == 0 {
            patience.check("not retried");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        lock.rollback().await.unwrap();
    };
    let (patient, ()) = tokio::join!(orders.append(entry()), unlock);
    patient.unwrap();

    orders.trim(&receipt.id).await.unwrap();
    store.close().await.unwrap();

    let events = capture.0.lock().unwrap().clone();
    for once in [
        &["INFO message=migrated", "from=0", "to=1"][..],
        &["INFO message=opened", "backend=\"sqlite\""],
        &["DEBUG message=conflict", "stream=orders", "actual=1"],
        &["INFO message=trimmed", "removed=1"],
        &["INFO message=closed"],
    ] {
        assert_eq!(capture.count(once), 1, "{once:?} in {events:#?}");
    }
    assert_eq!(capture.count(&["s3cret"]), 0, "{events:#?}");
}
