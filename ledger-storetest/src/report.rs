//! What came out of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::case::{Ran, Verdict};

/// The outcome of one case.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CaseReport {
    /// The case.
    pub name: &'static str,
    /// The promises it is about.
    pub promises: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

impl CaseReport {
    pub(crate) fn new(
        name: &'static str,
        promises: &'static str,
        verdict: Verdict,
        took: Duration,
    ) -> Self {
        Self {
            name,
            promises,
            verdict,
            took,
        }
    }
}

/// The outcome of all cases. Displays as text.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The seed of the random cases.
    pub seed: u64,
    /// The cases in their order.
    pub cases: Vec<CaseReport>,
}

impl Report {
    pub(crate) fn new(seed: u64, cases: Vec<CaseReport>) -> Self {
        Self { seed, cases }
    }

    /// Whether no case failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failed().next().is_none()
    }

    /// The cases that failed.
    pub fn failed(&self) -> impl Iterator<Item = &CaseReport> {
        self.cases.iter().filter(|case| case.verdict.is_err())
    }

    /// The cases that could not run, and why.
    pub fn not_run(&self) -> impl Iterator<Item = (&CaseReport, &'static str)> {
        self.cases.iter().filter_map(|case| match case.verdict {
            Ok(Ran::Not(why)) => Some((case, why)),
            _ => None,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[derive(Default)]
        struct Tally {
            passed: u32,
            refused: u32,
            failed: u32,
            not_run: u32,
        }
        let mut by_promise: BTreeMap<u32, Tally> = BTreeMap::new();
        for case in &self.cases {
            let numbers = case
                .promises
                .split(' ')
                .filter_map(|p| p.strip_prefix('P')?.parse().ok());
            for number in numbers {
                let tally = by_promise.entry(number).or_default();
                match &case.verdict {
                    Ok(Ran::Whole) => tally.passed += 1,
                    Ok(Ran::Refusal(_)) => tally.refused += 1,
                    Ok(Ran::Not(_)) => tally.not_run += 1,
                    Err(_) => tally.failed += 1,
                }
            }
            let took = case.took.as_secs_f64();
            match &case.verdict {
                Ok(Ran::Whole) => writeln!(f, "ok       {:<44} {took:8.3} s", case.name)?,
                Ok(Ran::Refusal(what)) => {
                    writeln!(
                        f,
                        "refused  {:<44} {took:8.3} s  {what} is not claimed",
                        case.name
                    )?;
                }
                Ok(Ran::Not(why)) => writeln!(f, "NOT RUN  {:<44} {why}", case.name)?,
                Err(failure) => writeln!(f, "FAILED   {:<44} {failure}", case.name)?,
            }
        }
        writeln!(f, "\npromise  passed  refused  failed  not run")?;
        for (number, tally) in by_promise {
            let Tally {
                passed,
                refused,
                failed,
                not_run,
            } = tally;
            writeln!(
                f,
                "P{number:<7} {passed:6}  {refused:7}  {failed:6}  {not_run:7}"
            )?;
        }
        writeln!(
            f,
            "\n{} cases, {} failed, SEED={}",
            self.cases.len(),
            self.failed().count(),
            self.seed
        )
    }
}
