//! Names of databases that no other run uses.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 60 * 60;

/// `ledger_test_<seconds>_<process>_<number>`.
pub(crate) fn fresh() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("ledger_test_{}_{}_{n}", unix_seconds(), std::process::id())
}

/// Whether it was made by a run that began more than a day ago, and so was
/// killed.
pub(crate) fn is_stale(name: &str) -> bool {
    let numbers: Option<Vec<u64>> = name
        .strip_prefix("ledger_test_")
        .and_then(|rest| rest.split('_').map(|part| part.parse().ok()).collect());
    matches!(numbers.as_deref(), Some([made, _, _]) if made + DAY < unix_seconds())
}

fn unix_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a sweep that takes what a user named, or what runs now.
    #[test]
    fn only_what_we_made_days_ago_is_stale() {
        assert!(is_stale("ledger_test_1700000000_12_0"));
        assert!(!is_stale(&fresh()));
        for other in ["ledger_test_1700000000_12", "ledger_test_x_1_2", "app", ""] {
            assert!(!is_stale(other), "{other}");
        }
    }
}
