//! Every mutant against every case.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ledger_storetest::all_cases;

use crate::benign::Quirk;
use crate::bugs::Bug;

/// Prints which cases catch which mutant. Those named for it are bold.
#[test]
#[ignore = "takes minutes; a report, not a check"]
fn matrix() {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(&bug) = Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let row = row(bug);
                    rows.lock().unwrap().insert(bug as usize, row);
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
    let mut caught = String::new();
    for case in all_cases() {
        if crate::caught(bug, &case, 20).is_err() {
            continue;
        }
        let id = case
            .name
            .split('_')
            .next()
            .unwrap_or_default()
            .to_uppercase();
        let mark = if bug.caught_by().contains(&id.as_str()) {
            "**"
        } else {
            ""
        };
        let _ = write!(caught, " {mark}{id}{mark}");
    }
    let number = match bug.number() {
        0 => "–".to_owned(),
        number => number.to_string(),
    };
    format!("| {number} | `{bug:?}` | {} |{caught} |", bug.wrong())
}
