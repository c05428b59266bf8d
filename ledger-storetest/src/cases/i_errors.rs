//! I: what errors say.

use std::error::Error as _;
use std::fmt::Debug;

use ledger_core::{
    Applied, ContentType, EntryId, Error, Expected, Kind, Query, RawEntry, Result as CoreResult,
    Retry, StoreExt, StreamName,
};

use super::e_dedup::keyed;
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::{Handle, Lab};
use crate::race::race;
use crate::sample::{append_one, batch, entry, given, name, page, whole};

/// What no error may tell.
const SECRET: &str = "jamais-vu-8191";

/// Every refusal that can be had of a store says its kind, that nothing was
/// applied, and what a retry would have to repeat; and neither it nor its
/// causes tell what was to be stored. Catches a kind for everything, a retry
/// that cannot help, and payloads in messages.
pub(super) async fn i01_error_taxonomy<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("i01");
    let secret = || {
        RawEntry::new(ContentType::JSON, 1, format!("{{\"secret\":{SECRET:?}}}"))
            .with_metadata([("secret", SECRET.to_owned())].into_iter().collect())
    };
    let key = |key: &str, body: RawEntry| body.with_dedup_key(key.to_owned());
    store.append(&stream, batch([key("k", secret())])).await?;

    let conflict = batch([secret()]).with_expected(7);
    tells(
        "a conflict",
        store.append(&stream, conflict).await,
        |kind| {
            matches!(
                kind,
                Kind::Conflict {
                    expected: Expected::Exactly(7),
                    actual: 1
                }
            )
        },
    )?;
    let other = RawEntry::new(ContentType::JSON, 1, format!("[{SECRET:?}]"));
    let mismatch = batch([key("k", other)]).with_verified_duplicates(true);
    tells(
        "a mismatch",
        store.append(&stream, mismatch).await,
        |kind| {
            matches!(
                kind,
                Kind::DedupMismatch {
                    index: 0,
                    original: Some(1)
                }
            )
        },
    )?;
    for id in lab.impossible_ids() {
        let call = page(&*store, &stream, Query::new().after(id)).await;
        tells("an impossible id", call, |kind| {
            matches!(kind, Kind::InvalidInput { .. })
        })?;
    }
    if let Some(id) = lab.future_id() {
        let call = page(&*store, &stream, Query::new().after(id)).await;
        tells("an id ahead of the store", call, |kind| {
            *kind == Kind::InvalidCursor
        })?;
    }
    let call = store.stream::<u64>("i01").read(Query::new()).await;
    tells("an entry of another type", call, |kind| {
        *kind == Kind::Decode
    })?;

    store.close().await?;
    let call = store.append(&stream, batch([secret()])).await;
    tells("a closed store", call, |kind| *kind == Kind::Closed)?;
    let store = lab.open().await?;
    let log = whole(&*store, &stream).await?;
    check::equal("P10", "entries after the refusals", log.len(), 1)?;
    Ok(Ran::Whole)
}

/// The call is refused with such a kind, nothing was applied, the same call
/// cannot help, and nothing secret is told.
#[track_caller]
fn tells<T: Debug>(
    step: &str,
    call: CoreResult<T>,
    fits: impl FnOnce(&Kind) -> bool,
) -> Result<(), Failure> {
    let error = check::refused("P20", step, call, "an error of its own kind", fits)?;
    let facts = (error.applied(), error.retry());
    check::equal("P20", step, facts, (Applied::No, Retry::No))?;
    let texts = texts(&error);
    let kept = texts.iter().all(|text| !text.contains(SECRET));
    check::that(
        "P20",
        format!("{step}: what is told"),
        kept,
        "no payload",
        texts.len(),
    )
}

/// Everything that an error and its causes say.
fn texts(error: &Error) -> Vec<String> {
    let mut texts = vec![error.to_string(), format!("{error:?}")];
    let mut cause = error.source();
    while let Some(found) = cause {
        texts.push(found.to_string());
        texts.push(format!("{found:?}"));
        cause = found.source();
    }
    texts
}

/// Appends that lost a race, and others that were refused, are not there: not
/// at once, not later, not after opening again. Catches a refusal that is
/// applied after all.
pub(super) async fn i02_not_applied_is_final<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("i02");
    let mut refused = Vec::new();
    for round in 0..8_u64 {
        lab.step(format!("round {round}"));
        let version = handles[0]
            .stat(&stream)
            .await?
            .map_or(0, |stat| stat.last_version);
        let answers = race((0..8_u64).map(|task| {
            let (store, stream) = (handles[task as usize % 2].clone(), stream.clone());
            async move {
                let sent = keyed(&format!("round {round}"), task, &format!("{round}/{task}"));
                let call = batch([sent.clone()]).with_expected(version);
                (sent, store.append(&stream, call).await)
            }
        }))
        .await;
        let before = refused.len();
        for (sent, answer) in answers {
            match answer {
                Ok(_) => {}
                Err(e) if e.applied() == Applied::No => refused.push(sent),
                Err(e) => return Err(e.into()),
            }
        }
        check::equal("P8", "appends that lost", refused.len() - before, 7)?;
    }
    absent(&handles[0], &stream, &refused).await?;
    for handle in &handles {
        handle.close().await?;
    }
    let store = lab.open().await?;
    absent(&store, &stream, &refused).await?;
    // Their keys are free: each is stored now, once.
    for sent in &refused {
        let receipts = append_one(&*store, &stream, sent.clone()).await?;
        check::equal("P10", "a repeat of a refused one", receipts.appended(), 1)?;
    }
    append_one(&*store, &stream, entry("last", 0)).await?;
    Ok(Ran::Whole)
}

async fn absent<I: EntryId>(
    store: &Handle<I>,
    stream: &StreamName,
    refused: &[RawEntry],
) -> Result<(), Failure> {
    let log = whole(&**store, stream).await?;
    let found = given(&log)
        .into_iter()
        .find(|found| refused.contains(found));
    check::equal("P10", "an append that was not applied", found, None)
}

/// Iterations inside of each other, with appends and states in the innermost,
/// come to an end on one handle, also where a page of each is on its way and
/// nobody polls for it. Catches a call that waits for a lock or a connection
/// which its own caller holds.
pub(super) async fn i04_nested_use_no_deadlock<I: EntryId>(lab: &Lab<I>) -> Verdict {
    use futures_util::TryStreamExt;
    let store = lab.open().await?;
    let numbers = store.stream::<u64>("i04");
    let found = store.stream::<u64>("i04 found");
    numbers.append_all(0..2_500).await?;
    let mut count = 0;
    let mut outer = numbers.entries(Query::new());
    while let Some(one) = outer.try_next().await? {
        if one.value % 600 > 0 {
            continue;
        }
        let mut middle = numbers.entries(Query::new().desc());
        while let Some(two) = middle.try_next().await? {
            if two.value % 900 > 0 {
                continue;
            }
            let mut inner = numbers.entries(Query::new().limit(1_001));
            while let Some(three) = inner.try_next().await? {
                if three.value % 500 == 0 {
                    found.append(one.value + two.value + three.value).await?;
                    count += 1;
                    check::equal("P11", "appends inside", found.count().await?, count)?;
                }
            }
        }
    }
    check::equal("P11", "appends inside", count, 5 * 3 * 3)?;
    Ok(Ran::Whole)
}
