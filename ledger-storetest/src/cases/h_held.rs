//! H and I: appends that something keeps from being committed.

use std::time::{Duration, Instant};

use ledger_core::{Applied, EntryId, Error, Kind, RawEntry, Receipts, Result as CoreResult, Retry};

use super::e_dedup::keyed;
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::give_up::give_up;
use crate::harness::Setup;
use crate::hooks::Hold;
use crate::lab::{Handle, Lab};
use crate::race::spawn;
use crate::sample::{append_one, entry, given, name, whole};

const NONE: Ran = Ran::Not("the harness cannot hold appends");

/// The deadline of the calls that are held: they end by it, whenever that is.
const SHORT: Duration = Duration::from_millis(250);

/// How long a call that has to succeed is repeated while the short deadline is
/// in its way: on a slow machine it says nothing that it is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two handles of a place whose appends are held.
struct Held<I> {
    /// With a short deadline.
    hasty: Handle<I>,
    /// With the usual one.
    calm: Handle<I>,
    hold: Box<dyn Hold>,
}

async fn held<I: EntryId>(lab: &Lab<I>) -> Result<Option<Held<I>>, Failure> {
    let calm = lab.open().await?;
    append_one(&*calm, &name("held"), entry("before", 0)).await?;
    let setup = Setup {
        deadline: SHORT,
        ..Setup::default()
    };
    let hasty = in_the_end(|| lab.open_with(&setup)).await?;
    match lab.hold_appends().await {
        Some(hold) => Ok(Some(Held {
            hasty,
            calm,
            hold: hold?,
        })),
        None => Ok(None),
    }
}

/// Repeats a call that the short deadline cuts.
async fn in_the_end<T, W>(call: impl Fn() -> W) -> Result<T, Failure>
where
    W: Future<Output = CoreResult<T>>,
{
    let began = Instant::now();
    loop {
        match call().await {
            Ok(done) => return Ok(done),
            Err(error) if began.elapsed() > PATIENCE => return Err(error.into()),
            Err(error) => out_of_time(&error)?,
        }
    }
}

/// The error of a call whose deadline passed: its kind, and what a retry has
/// to repeat.
#[track_caller]
fn out_of_time(error: &Error) -> Result<(), Failure> {
    let kind = matches!(
        error.kind(),
        Kind::Timeout | Kind::Contention | Kind::Unavailable
    );
    let retry = match error.applied() {
        Applied::No => Retry::Call,
        Applied::Unknown => Retry::WithDedupKey,
    };
    check::that(
        "P20",
        "an append that was held until its deadline",
        kind && error.retry() == retry,
        format!("Timeout, Contention or Unavailable, and {retry:?}"),
        (error, error.retry()),
    )
}

/// What was answered to an append.
type Answered<I> = (RawEntry, CoreResult<Receipts<I>>);

/// What the answers say is so: not applied is absent and stays so, unknown is
/// there at most once, acknowledged is there.
async fn truly<I: EntryId>(store: &Handle<I>, answers: &[Answered<I>]) -> Result<(), Failure> {
    let log = whole(&**store, &name("held")).await?;
    let stored = given(&log);
    for (sent, answer) in answers {
        let times = stored.iter().filter(|found| *found == &sent).count();
        let right = match answer {
            Ok(_) => times == 1,
            Err(e) if e.applied() == Applied::No => times == 0,
            Err(_) => times <= 1,
        };
        check::that("P10", format!("{answer:?}"), right, "what it says", times)?;
    }
    Ok(())
}

/// An append that is kept from its commit ends by its deadline, as not applied
/// or unknown; once it is let go on the answer stays true, and a retry with
/// the same key stores it once. Catches a call without a deadline, and one
/// that says "not applied" and is applied later.
pub(super) async fn h06_deadline_and_outcome<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let Some(held) = held(lab).await? else {
        return Ok(NONE);
    };
    let (store, calm, hold) = (held.hasty, held.calm, held.hold);
    let mut answers = Vec::new();
    for n in 0..3 {
        lab.step(format!("append {n}, which is held"));
        let sent = keyed("h06", n, &format!("key {n}"));
        let answer = append_one(&*store, &name("held"), sent.clone()).await;
        match &answer {
            Err(e) => out_of_time(e)?,
            Ok(_) => check::equal("P10", "an append that is held", "acknowledged", "held")?,
        }
        answers.push((sent, answer));
    }
    lab.step("a read while appends are held");
    let log = whole(&*calm, &name("held")).await?;
    check::equal("P5", "entries while appends are held", log.len(), 1)?;
    lab.step("letting go");
    hold.release().await?;
    append_one(&*calm, &name("held"), entry("next", 0)).await?;
    truly(&calm, &answers).await?;
    // A close waits for what still runs.
    in_the_end(|| store.close()).await?;
    truly(&calm, &answers).await?;
    for (sent, _) in &answers {
        append_one(&*calm, &name("held"), sent.clone()).await?;
    }
    let log = whole(&*calm, &name("held")).await?;
    let log = given(&log);
    for (sent, _) in &answers {
        let times = log.iter().filter(|found| *found == &sent).count();
        check::equal("P9", "entries after the retry", times, 1)?;
    }
    check::equal("P9", "all entries", log.len(), 2 + answers.len())?;
    Ok(Ran::Whole)
}

/// Appends that are held and dropped at every poll leave nothing that the next
/// one would wait for. Catches a lock or a connection that a dropped call
/// keeps until it is let go on.
pub(super) async fn h03_dropped_while_held<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let Some(held) = held(lab).await? else {
        return Ok(NONE);
    };
    let (store, calm, hold) = (held.hasty, held.calm, held.hold);
    let mut sent = Vec::new();
    for n in 0..60_u32 {
        lab.step(format!("append {n}, which is held and dropped"));
        let new = keyed("h03", n.into(), &format!("key {n}"));
        // A third poll comes with the deadline: a few of those are enough.
        let polls = if n % 20 == 19 { 3 } else { n % 2 };
        let stream = name("held");
        let call = append_one(&*store, &stream, new.clone());
        if let Some(Ok(_)) = give_up(call, polls).await {
            check::equal("P10", "an append that is held", "acknowledged", "held")?;
        }
        sent.push(new);
    }
    lab.step("letting go");
    hold.release().await?;
    append_one(&*calm, &name("held"), entry("next", 0)).await?;
    lab.step("the handle whose calls were dropped goes on");
    let after: Vec<_> = (0..20)
        .map(|n| {
            let store = store.clone();
            spawn(async move { until_done(&store, entry("after", n)).await })
        })
        .collect();
    for task in after {
        task.join().await?;
    }
    in_the_end(|| store.close()).await?;
    let log = whole(&*calm, &name("held")).await?;
    let log = given(&log);
    for new in &sent {
        let times = log.iter().filter(|found| *found == &new).count();
        check::that("P11", "a dropped append", times <= 1, "at most once", times)?;
    }
    Ok(Ran::Whole)
}

/// Appends, again and again while the short deadline is in the way: what was
/// dropped before may still be ahead in the line.
async fn until_done<I: EntryId>(store: &Handle<I>, sent: RawEntry) -> Result<(), Failure> {
    loop {
        match append_one(&**store, &name("held"), sent.clone()).await {
            Ok(_) => return Ok(()),
            Err(e) => out_of_time(&e)?,
        }
    }
}

/// More appends at once than any pool has connections, all held: each ends by
/// its deadline with a true answer, and once they are let go on all is as
/// before. Catches calls that wait without end for a connection, and one that
/// is lost with each deadline.
pub(super) async fn i03_pool_exhausted<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let Some(held) = held(lab).await? else {
        return Ok(NONE);
    };
    let (store, calm, hold) = (held.hasty, held.calm, held.hold);
    lab.step("80 appends, which are held");
    let tasks: Vec<_> = (0..80)
        .map(|n| {
            let store = store.clone();
            spawn(async move {
                let sent = keyed("i03", n, &format!("key {n}"));
                let answer = append_one(&*store, &name("held"), sent.clone()).await;
                (sent, answer)
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        let (sent, answer) = task.join().await;
        match &answer {
            Err(e) => out_of_time(e)?,
            Ok(_) => check::equal("P10", "an append that is held", "acknowledged", "held")?,
        }
        answers.push((sent, answer));
    }
    lab.step("letting go");
    hold.release().await?;
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let store = store.clone();
            spawn(async move { until_done(&store, entry("after", n)).await })
        })
        .collect();
    for task in tasks {
        task.join().await?;
    }
    in_the_end(|| store.close()).await?;
    truly(&calm, &answers).await?;
    Ok(Ran::Whole)
}
