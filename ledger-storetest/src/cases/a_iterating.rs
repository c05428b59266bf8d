//! A: empty batches that expect something, and appending while iterating.

use futures_util::TryStreamExt;
use ledger_core::{AllQuery, EntryId, Expected, Query, StoreExt, StoreOrder};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Handle, Lab};
use crate::sample::{append_one, batch, entry, everything, name, whole};

/// An empty batch does nothing whatever it expects: it neither conflicts nor
/// creates its stream. Catches an expected version that is checked for nothing.
pub(super) async fn a13_empty_batch_expects_nothing<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let (absent, present) = (name("a13-absent"), name("a13-present"));
    append_one(&*store, &present, entry("a13", 0)).await?;
    let before = (store.stat(&present).await?, whole(&*store, &present).await?);
    for expected in [
        Expected::Any,
        Expected::NoStream,
        Expected::StreamExists,
        Expected::Exactly(0),
        Expected::Exactly(1),
        Expected::Exactly(7),
        Expected::Exactly(u64::MAX),
    ] {
        for verify in [false, true] {
            let empty = || {
                batch([])
                    .with_expected(expected)
                    .with_verified_duplicates(verify)
            };
            let step = format!("an empty batch that expects {expected}");
            for stream in [&absent, &present] {
                let receipts = store.append(stream, empty()).await?;
                check::equal("P7", step.clone(), receipts.len(), 0)?;
            }
            check::equal("P7", step, store.stat(&absent).await?, None)?;
        }
    }
    let after = (store.stat(&present).await?, whole(&*store, &present).await?);
    check::equal("P7", "the stream that is there", after, before)?;
    Ok(Ran::Whole)
}

const BEFORE: u64 = 2300;
const MEANWHILE: u64 = 60;

/// Appends `MEANWHILE` values from `BEFORE` on, one each 40 values read.
struct Meanwhile<I> {
    store: Handle<I>,
    stream: &'static str,
    read: u64,
    appended: u64,
}

impl<I: EntryId> Meanwhile<I> {
    async fn start(store: &Handle<I>, stream: &'static str) -> Result<Self, Failure> {
        store.stream::<u64>(stream).append_all(0..BEFORE).await?;
        Ok(Self {
            store: store.clone(),
            stream,
            read: 0,
            appended: 0,
        })
    }

    async fn read_one(&mut self) -> Result<(), Failure> {
        self.read += 1;
        if self.read.is_multiple_of(40) && self.appended < MEANWHILE {
            let stream = self.store.stream::<u64>(self.stream);
            stream.append(BEFORE + self.appended).await?;
            self.appended += 1;
        }
        Ok(())
    }
}

/// Appending to a stream while iterating over it goes on: the iteration holds
/// nothing that the append needs. It gives each entry once and in order, the
/// earlier ones all, and of the new ones as many as it came to see. Catches a
/// page read ahead that keeps the only connection.
pub(super) async fn a14_append_while_iterating<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let mut meanwhile = Meanwhile::start(&store, "a14").await?;
    let stream = store.stream::<u64>("a14");
    let mut entries = stream.entries(Query::new());
    let mut beside = stream.entries(Query::new().desc());
    let (mut got, mut newest_first) = (Vec::new(), Vec::new());
    while let Some(entry) = entries.try_next().await? {
        got.push((entry.version, entry.value));
        newest_first.extend(beside.try_next().await?.map(|entry| entry.value));
        meanwhile.read_one().await?;
    }
    let expected: Vec<u64> = (0..BEFORE).rev().collect();
    check::same_list("P3", "an iteration beside", &newest_first, &expected)?;
    let appended = meanwhile.appended;
    check::that(
        "P11",
        "entries appended while iterating",
        appended >= BEFORE / 40,
        format!("at least {}", BEFORE / 40),
        appended,
    )?;
    check::that(
        "P3",
        "entries given",
        (BEFORE..=BEFORE + appended).contains(&(got.len() as u64)),
        format!("{BEFORE} and up to {appended} more"),
        got.len(),
    )?;
    let log: Vec<_> = (0..got.len() as u64).map(|n| (n + 1, n)).collect();
    check::same_list("P3", "entries given", &got, &log)?;

    let all: Vec<u64> = stream
        .entries(Query::new())
        .map_ok(|entry| entry.value)
        .try_collect()
        .await?;
    let expected: Vec<u64> = (0..BEFORE + appended).collect();
    check::same_list("P3", "a second iteration", &all, &expected)?;
    Ok(Ran::Whole)
}

/// The same over the whole store; and the iteration's cursor, taken in the
/// middle of a page and at the end, goes on with the next entry. Catches a
/// cursor of the page instead of the entry.
pub(super) async fn a15_append_while_iterating_all<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    if lab.capabilities().store_order == StoreOrder::None {
        let refused = store.all(AllQuery::new()).try_next().await;
        return crate::lab::unclaimed("read_all", refused);
    }
    let mut meanwhile = Meanwhile::start(&store, "a15").await?;
    let mut all = store.all(AllQuery::new());
    check::equal("P3", "the cursor before the first", all.cursor()?, None)?;
    let mut got = Vec::new();
    let mut middle = None;
    while let Some(found) = all.try_next().await? {
        got.push(found);
        if got.len() == 1234 {
            middle = all.cursor()?;
        }
        meanwhile.read_one().await?;
    }
    let end = all.cursor()?;
    let appended = meanwhile.appended;
    let log = everything(&*store, 1000, false).await?;
    check::equal("P7", "the log", log.len() as u64, BEFORE + appended)?;
    check::that(
        "P3",
        "entries given",
        got.len() as u64 >= BEFORE,
        format!("{BEFORE} and up to {appended} more"),
        got.len(),
    )?;
    let start = &log[..got.len().min(log.len())];
    check::same_list("P3", "entries given", &got, start)?;

    for (what, cursor, from) in [("middle", middle, 1234), ("end", end, got.len())] {
        let Some(cursor) = cursor else {
            let step = format!("the cursor in the {what}");
            return Err(Failure::new("P3", step, "a cursor", "None"));
        };
        let rest: Vec<_> = store
            .all(AllQuery::new().after(cursor))
            .try_collect()
            .await?;
        let step = format!("going on from the cursor in the {what}");
        check::same_list("P3", step, &rest, &log[from..])?;
    }
    Ok(Ran::Whole)
}
