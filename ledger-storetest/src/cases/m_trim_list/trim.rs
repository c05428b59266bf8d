//! What a trim removes, and what it leaves alone.

use ledger_core::{Batch, EntryId, Expected, Kind};

use super::trim_refused;
use crate::case::{Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::sample::{append_one, batch, entries, entry, name, whole};

/// A trim removes the oldest entries through an id, inclusive, says how many,
/// and leaves the others and other streams as they were; repeated it removes
/// none, beyond the head all, of an unknown stream none. Catches a trim of the
/// newest, of one too many or few, and a count that is made up.
pub(crate) async fn m01_trim_exact_end<I: EntryId>(lab: &Lab<I>) -> Verdict {
    if !lab.capabilities().trim {
        return trim_refused(lab).await;
    }
    let store = lab.open().await?;
    let (stream, other) = (name("m01"), name("m01-other"));
    let mut first = Vec::new();
    let mut between = Vec::new();
    for n in 0..10 {
        first.extend(append_one(&*store, &stream, entry("m01", n)).await?);
        between.extend(append_one(&*store, &other, entry("other", n)).await?);
    }
    let before = whole(&*store, &stream).await?;
    let others = whole(&*store, &other).await?;

    let unknown = store.trim(&name("m01-unknown"), &first[9].id).await?;
    check::equal("P19", "a trim of an unknown stream", unknown, 0)?;
    let stat = store.stat(&name("m01-unknown")).await?;
    check::equal("P19", "the unknown stream after its trim", stat, None)?;

    let removed = store.trim(&stream, &first[2].id).await?;
    check::equal("P19", "removed by a trim through the third", removed, 3)?;
    let left = whole(&*store, &stream).await?;
    check::equal("P19", "left of 10 after 3", &left[..], &before[3..])?;
    let again = store.trim(&stream, &first[2].id).await?;
    check::equal("P19", "removed by the same trim again", again, 0)?;
    let again = store.trim(&stream, &first[0].id).await?;
    check::equal("P19", "removed by a trim through less", again, 0)?;
    check::equal(
        "P19",
        "left after that",
        whole(&*store, &stream).await?,
        left,
    )?;

    // An id of another stream is a bound like any other; how it compares is
    // the store's matter, and what goes must fit it.
    let removed = store.trim(&stream, &between[4].id).await?;
    let left = whole(&*store, &stream).await?;
    let fits: Vec<_> = before[3..]
        .iter()
        .filter(|r| r.id > between[4].id)
        .cloned()
        .collect();
    check::equal("P19", "left after the id of another stream", &left, &fits)?;
    let gone = 7 - fits.len() as u64;
    check::equal("P19", "removed by the id of another stream", removed, gone)?;

    let beyond = append_one(&*store, &other, entry("other", 10)).await?;
    let kept = left.len() as u64;
    let through = match lab.future_id() {
        Some(id) => id,
        None => first[9].id.clone(),
    };
    let removed = store.trim(&stream, &through).await?;
    check::equal("P19", "removed by a trim beyond the head", removed, kept)?;
    check::equal(
        "P19",
        "left after that",
        whole(&*store, &stream).await?,
        vec![],
    )?;
    let mut still = whole(&*store, &other).await?;
    let added = still.pop().map(|r| r.id);
    check::equal(
        "P19",
        "the newest of the other stream",
        added,
        Some(beyond[0].id.clone()),
    )?;
    check::equal("P19", "the other stream", still, others)?;
    Ok(Ran::Whole)
}

/// Versions, ids and expected versions go on behind a trim, also one of
/// everything, and after the store was opened again. Catches counters that are
/// taken from the entries that are left.
pub(crate) async fn m02_trim_keeps_versions<I: EntryId>(lab: &Lab<I>) -> Verdict {
    if !lab.capabilities().trim {
        return trim_refused(lab).await;
    }
    let store = lab.open().await?;
    let stream = name("m02");
    let receipts = store.append(&stream, batch(entries("m02", 5))).await?;
    store.trim(&stream, &receipts[1].id).await?;
    let expecting =
        |n: u64, expected: Expected| -> Batch { batch([entry("m02", n)]).with_expected(expected) };
    let next = store.append(&stream, expecting(5, 5.into())).await?;
    check::equal("P1", "the version behind a trim", next[0].version, 6)?;
    let first = whole(&*store, &stream).await?[0].version;
    check::equal("P1", "the first version left", first, 3)?;

    let mut newest = next[0].id.clone();
    let mut version = 6;
    let mut store = store;
    for reopen in [false, true, true] {
        lab.step(format!(
            "trim of everything at version {version}, opened again: {reopen}"
        ));
        let removed = store.trim(&stream, &newest).await?;
        check::that(
            "P19",
            "a trim of everything",
            removed > 0,
            "removed some",
            removed,
        )?;
        if reopen {
            store.close().await?;
            store = lab.open().await?;
        }
        let stat = store.stat(&stream).await?;
        let stat = stat.map(|s| (s.first, s.last, s.last_version, s.retained));
        let empty = Some((None, None, version, 0));
        check::equal("P1", "the stat of a stream trimmed empty", stat, empty)?;
        for stale in [
            Expected::NoStream,
            Expected::Exactly(0),
            Expected::Exactly(version - 1),
        ] {
            let call = store.append(&stream, expecting(9, stale)).await;
            let step = format!("expecting {stale} of a stream trimmed empty");
            let wanted = format!("a conflict at version {version}");
            let fits = |k: &Kind| matches!(k, Kind::Conflict { actual, .. } if *actual == version);
            check::refused("P8", step, call, &wanted, fits)?;
        }
        let next = store
            .append(&stream, expecting(version, Expected::StreamExists))
            .await?;
        check::equal("P1", "the version behind it", next[0].version, version + 1)?;
        check::that(
            "P2",
            "the id behind it",
            next[0].id > newest,
            "a greater id",
            &next,
        )?;
        let again = store
            .append(&stream, expecting(0, Expected::Exactly(version + 1)))
            .await?;
        check::equal("P8", "the version expected", again[0].version, version + 2)?;
        let found = whole(&*store, &stream).await?;
        let versions: Vec<u64> = found.iter().map(|r| r.version).collect();
        check::equal(
            "P1",
            "what is read",
            versions,
            vec![version + 1, version + 2],
        )?;
        version += 2;
        newest = again[0].id.clone();
    }
    Ok(Ran::Whole)
}
