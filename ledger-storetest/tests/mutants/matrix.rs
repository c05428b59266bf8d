//! Every mutant against every case.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::benign::Quirk;
use crate::bugs::Bug;
use crate::plain::Twist;

/// How long the cases of one mutant may take. They take about two seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// Prints which cases catch which mutant. Those named for it are bold; one that
/// did not catch it this time, as a race may be lost, is struck through.
#[test]
#[ignore = "takes minutes; a report, not a check"]
fn matrix() {
    // A mutant may panic in a case; that catches it, and its trace is of no use.
    std::panic::set_hook(Box::new(|_| {}));
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(&bug) = Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let row = row(bug);
                    let mut rows = rows.lock().unwrap();
                    rows.insert(bug as usize, row);
                    if rows.len() % 20 == 0 {
                        eprintln!("{} of {} mutants", rows.len(), Bug::ALL.len());
                    }
                }
            });
        }
    });
    let rows = rows.into_inner().unwrap();
    println!("| # | mutant | what it does wrong | caught by |\n|---|---|---|---|");
    rows.values().for_each(|row| println!("{row}"));
    println!("\n| odd store that passes every case | what is odd |\n|---|---|");
    Quirk::ALL
        .iter()
        .for_each(|(quirk, odd)| println!("| `{quirk:?}` | {odd} |"));
}

fn row(bug: Bug) -> String {
    // All cases run at once, so that what hangs, or moves for ever, is waited
    // for once.
    let config = crate::config(bug, Duration::from_secs(6)).with_case_limit(LIMIT);
    let mut text = String::new();
    for report in crate::run_everything(Twist::Bug(bug), config) {
        let id = report.name.split('_').next().unwrap_or_default();
        let id = id.to_uppercase();
        let named = bug.caught_by().contains(&id.as_str());
        match (crate::caught(bug, config, report), named) {
            (Ok(_), true) => _ = write!(text, " **{id}**"),
            (Ok(_), false) => _ = write!(text, " {id}"),
            (Err(_), true) => _ = write!(text, " ~~{id}~~"),
            (Err(_), false) => {}
        }
    }
    let number = match bug.number() {
        0 => "–".to_owned(),
        number => number.to_string(),
    };
    format!("| {number} | `{bug:?}` | {} |{text} |", bug.wrong())
}
