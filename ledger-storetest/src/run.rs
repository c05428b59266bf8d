//! Running cases.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use ledger_core::EntryId;

use crate::case::{Case, Failure, Ran, Verdict};
use crate::cases::all_cases;
use crate::harness::Harness;
use crate::lab::Lab;
use crate::report::{CaseReport, Report};

/// How the suite runs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where random cases start. `LEDGER_STORETEST_SEED`, or drawn at random.
    pub seed: u64,
    /// How much work the random and the concurrent cases do, as a factor.
    /// `LEDGER_STORETEST_LOAD`, or 1.
    pub load: u32,
    /// How long nothing may move in a case before it counts as hanging: no
    /// call of the store returns and no step is reached. 120 s. A case that
    /// moves is told on stderr and goes on.
    pub case_timeout: Duration,
    /// How long one case may take in all, so that one that reads for ever
    /// ends. 30 minutes.
    pub case_limit: Duration,
    /// How long to look for fewer random steps that fail too, before they are
    /// reported. 10 s.
    pub shrinking: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let from_env = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        Self {
            seed: from_env("LEDGER_STORETEST_SEED").unwrap_or_else(|| fastrand::u64(..)),
            load: from_env("LEDGER_STORETEST_LOAD")
                .and_then(|load| u32::try_from(load).ok())
                .map_or(1, |load| load.max(1)),
            case_timeout: Duration::from_secs(120),
            case_limit: Duration::from_secs(1800),
            shrinking: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Starts random cases from this seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Multiplies the work of the random and the concurrent cases.
    #[must_use]
    pub fn with_load(mut self, load: u32) -> Self {
        self.load = load.max(1);
        self
    }

    /// Changes how long nothing may move in a case.
    #[must_use]
    pub fn with_case_timeout(mut self, timeout: Duration) -> Self {
        self.case_timeout = timeout;
        self
    }

    /// Changes how long one case may take in all.
    #[must_use]
    pub fn with_case_limit(mut self, limit: Duration) -> Self {
        self.case_limit = limit;
        self
    }

    /// Changes how long to look for fewer steps that fail too.
    #[must_use]
    pub fn with_shrinking(mut self, time: Duration) -> Self {
        self.shrinking = time;
        self
    }
}

/// Runs every case, one after the other, each at a place of its own.
///
/// ```no_run
/// # async fn example(my_harness: impl ledger_storetest::Harness) {
/// use ledger_storetest::{Config, run_all};
///
/// let report = run_all(my_harness, Config::default()).await;
/// println!("{report}");
/// assert!(report.passed());
/// # }
/// ```
pub async fn run_all<H: Harness>(harness: H, config: Config) -> Report {
    let harness = Arc::new(harness);
    let mut cases = Vec::new();
    for case in all_cases::<H::Id>() {
        cases.push(run_case(harness.clone(), &case, config).await);
    }
    Report::new(config.seed, cases)
}

/// Runs one case. A panic inside it and a hang are failures.
pub async fn run_case<H: Harness>(
    harness: Arc<H>,
    case: &Case<H::Id>,
    config: Config,
) -> CaseReport {
    let started = Instant::now();
    let verdict = verdict(harness, case, config).await;
    CaseReport::new(case.name, case.promises, verdict, started.elapsed())
}

async fn verdict<H: Harness>(harness: Arc<H>, case: &Case<H::Id>, config: Config) -> Verdict {
    let lab = Lab::new(harness, config).await?;
    let running = std::panic::AssertUnwindSafe((case.run)(&lab)).catch_unwind();
    let mut running = std::pin::pin!(running);
    let started = Instant::now();
    loop {
        let before = lab.moves().count();
        let left = config.case_limit.saturating_sub(started.elapsed());
        let patience = config.case_timeout.min(left);
        match tokio::time::timeout(patience, &mut running).await {
            Ok(Ok(verdict)) => return verdict,
            Ok(Err(panic)) => return Err(panicked(&lab, panic.as_ref())),
            Err(_) if left <= config.case_timeout => return Err(hangs(&lab, config.case_limit)),
            Err(_) if lab.moves().count() == before => {
                return Err(hangs(&lab, config.case_timeout));
            }
            #[expect(clippy::print_stderr, reason = "what takes long must be seen")]
            Err(_) => eprintln!(
                "{}: still at work after {:?}: {}",
                case.name,
                started.elapsed(),
                lab.last_step()
            ),
        }
    }
}

fn hangs<I: EntryId>(lab: &Lab<I>, limit: Duration) -> Failure {
    let expected = format!("an end, or something that moves, within {limit:?}");
    Failure::new("P21", lab.last_step(), expected, "it hangs")
}

fn panicked<I: EntryId>(lab: &Lab<I>, panic: &(dyn std::any::Any + Send)) -> Failure {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    Failure::new(
        "P20",
        lab.last_step(),
        "no panic",
        text.unwrap_or("a panic"),
    )
}

/// Which runtime a test of the suite runs on.
#[derive(Clone, Copy, Debug)]
pub enum Runtime {
    /// tokio's multi-thread runtime with four workers.
    MultiThread,
    /// tokio's current-thread runtime.
    CurrentThread,
}

/// The body of each test that `conformance!` makes.
///
/// # Panics
///
/// If the case fails.
pub fn run_named<H: Harness>(harness: H, name: &str, runtime: Runtime) {
    let mut builder = match runtime {
        Runtime::MultiThread => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(4);
            builder
        }
        Runtime::CurrentThread => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => panic!("no runtime: {e}"),
    };
    let Some(case) = all_cases::<H::Id>()
        .into_iter()
        .find(|case| case.name == name)
    else {
        panic!("there is no case {name}");
    };
    let config = Config::default();
    let report = runtime.block_on(run_case(Arc::new(harness), &case, config));
    match report.verdict {
        Ok(Ran::Whole) => {}
        #[expect(clippy::print_stderr, reason = "what did not run must be seen")]
        Ok(Ran::Refusal(operation)) => eprintln!("{name}: {operation} is not claimed, and refused"),
        #[expect(clippy::print_stderr, reason = "what did not run must be seen")]
        Ok(Ran::Not(why)) => eprintln!("{name}: NOT RUN: {why}"),
        Err(failure) => panic!("{name} (SEED={}) breaks {failure}", config.seed),
    }
}
