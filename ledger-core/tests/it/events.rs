//! What happens is told through `tracing`, and never what is stored.

use std::fmt;
use std::sync::{Arc, Mutex};

use ledger_core::{Expected, MemoryStore, NewEntry, Store, StoreExt};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(format!(
            "{} {}",
            event.metadata().level(),
            event.metadata().target()
        ));
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
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
fn conflict_trim_and_close_are_told_without_payloads_or_keys() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "events::told", "--ignored"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "current_thread")]
#[ignore = "started by the test above, in a process of its own"]
async fn told() {
    let capture = Capture::default();
    let subscriber = tracing_subscriber::registry().with(capture.clone());
    let _guard = tracing::subscriber::set_default(subscriber);

    let store = MemoryStore::new();
    let orders = store.stream::<String>("orders");
    let entry = || {
        NewEntry::new("s3cret".to_owned())
            .dedup_key("s3cret")
            .order_key("s3cret")
    };
    let receipt = orders.append(entry()).await.unwrap();
    let other = NewEntry::new("s3cret".to_owned());
    orders
        .append(other)
        .expected(Expected::NoStream)
        .await
        .unwrap_err();
    orders.trim(&receipt.id).await.unwrap();
    store.close().await.unwrap();

    let events = capture.0.lock().unwrap().clone();
    let found = |level: Level, words: &[&str]| {
        let start = format!("{level} ledger");
        let fits = |e: &&String| e.starts_with(&start) && words.iter().all(|w| e.contains(w));
        assert_eq!(
            events.iter().filter(fits).count(),
            1,
            "{words:?} in {events:#?}"
        );
    };
    found(
        Level::DEBUG,
        &[
            "message=conflict",
            "stream=orders",
            "expected=no stream",
            "actual=1",
        ],
    );
    found(
        Level::INFO,
        &["message=trimmed", "stream=orders", "removed=1"],
    );
    found(Level::INFO, &["message=closed", "backend=\"memory\""]);
    assert!(!events.iter().any(|e| e.contains("s3cret")), "{events:#?}");
}
