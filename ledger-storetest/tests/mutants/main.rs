//! The proof that the suite has teeth: stores that break one promise each are
//! caught by the cases named for them, and stores that are merely odd pass.
//!
//! The whole matrix of mutants and cases, as Markdown:
//!
//! ```text
//! cargo test -p ledger-storetest --test mutants -- --ignored --nocapture matrix
//! ```

mod appending;
mod application;
mod benign;
mod bugs;
mod damage;
mod data;
mod harness;
mod matrix;
mod per_stream;
mod plain;
mod reading;
mod storing;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use ledger_storetest::{Case, CaseReport, Config, Failure, all_cases, run_case};
use tokio::runtime::{Builder, Runtime};

use crate::bugs::Bug;
use crate::harness::Twisted;
use crate::plain::Twist;

/// The one case whose name begins with `id`, such as `C01`.
fn case(id: &str) -> Case<i64> {
    let prefix = format!("{}_", id.to_lowercase());
    let mut found = all_cases()
        .into_iter()
        .filter(|case| case.name.starts_with(&prefix));
    match (found.next(), found.next()) {
        (Some(case), None) => case,
        _ => panic!("there is not one case {id}"),
    }
}

/// Bugs that show as a hang; it is stopped sooner. For the others a hang tells
/// of a slow machine only.
fn hangs(bug: Bug) -> bool {
    use Bug::{
        LockKeptOnDrop, NeverCaughtUp, ReadHoldsLock, TxDropLeavesLock, WaitsAtGap, WaitsForEver,
    };
    matches!(
        bug,
        LockKeptOnDrop
            | NeverCaughtUp
            | ReadHoldsLock
            | TxDropLeavesLock
            | WaitsAtGap
            | WaitsForEver
    )
}

/// How a case runs that has to catch a bug.
fn config(bug: Bug, patience: Duration) -> Config {
    let limit = if hangs(bug) { patience } else { patience * 10 };
    Config::default()
        .with_case_timeout(patience)
        .with_case_limit(limit)
        .with_shrinking(Duration::from_millis(50))
}

/// The failure by which a case catches a bug, if it does.
fn caught(bug: Bug, config: Config, report: CaseReport) -> Result<Failure, String> {
    match report.verdict {
        Ok(ran) => Err(format!("it passes: {ran:?}, SEED={}", config.seed)),
        Err(failure) if failure.got == "it hangs" && !hangs(bug) => Err("it hangs".to_owned()),
        Err(failure) => Ok(failure),
    }
}

fn runtime() -> Runtime {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => panic!("no runtime: {e}"),
    }
}

fn must_be_caught(bug: Bug) {
    let config = config(bug, Duration::from_secs(if hangs(bug) { 2 } else { 120 }));
    for id in bug.caught_by() {
        let case = case(id);
        let running = run_case(Arc::new(Twisted(Twist::Bug(bug))), &case, config);
        let report = runtime().block_on(running);
        match caught(bug, config, report) {
            Ok(failure) if is_promise(failure.promise) => {}
            Ok(failure) => panic!("{id} names no promise: {failure}"),
            Err(why) => panic!("{id} does not catch {bug:?} ({}): {why}", bug.wrong()),
        }
    }
    assert!(!bug.caught_by().is_empty(), "no case is named for {bug:?}");
}

/// Whether this is one of P1 to P27.
fn is_promise(text: &str) -> bool {
    let number = text
        .strip_prefix('P')
        .and_then(|number| number.parse().ok());
    number.is_some_and(|number: u32| (1..=27).contains(&number))
}

/// All cases at once: what they cost is mostly waiting.
fn run_everything(twist: Twist, config: Config) -> Vec<CaseReport> {
    let cases = all_cases();
    let harness = Arc::new(Twisted(twist));
    let running = cases
        .iter()
        .map(|case| run_case(harness.clone(), case, config));
    runtime().block_on(join_all(running))
}

fn must_pass(twist: Twist) {
    let config = Config::default();
    let reports = run_everything(twist, config);
    let failed = reports.into_iter().filter_map(|report| {
        let failure = report.verdict.err()?;
        Some(format!("{}: {failure}", report.name))
    });
    let failed: Vec<String> = failed.collect();
    let count = failed.len();
    let failed = failed.join("\n");
    assert!(
        failed.is_empty(),
        "{twist:?}, SEED={}, {count} cases:\n{failed}",
        config.seed
    );
}

/// Cases that no mutant of a store can fail, and why.
const UNTWISTED: &[(&str, &str)] = &[("R06", "it checks the checker of histories, with no store")];

/// A case that no mutant fails proves nothing.
#[test]
fn every_case_catches_a_mutant() {
    let caught: Vec<&str> = Bug::ALL
        .iter()
        .flat_map(|bug| bug.caught_by())
        .copied()
        .collect();
    let mut idle = Vec::new();
    for found in all_cases::<i64>() {
        let named = |id: &&str| case(id).name == found.name;
        let excused = UNTWISTED.iter().any(|(id, _)| named(id));
        if excused == caught.iter().any(named) {
            idle.push(found.name);
        }
    }
    assert!(
        idle.is_empty(),
        "no mutant is named for {idle:?}, or they are excused for nothing"
    );
}
