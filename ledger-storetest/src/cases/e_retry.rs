//! E: dedup keys together with expected versions.

use ledger_core::{EntryId, Expected, Kind};

use super::e_dedup::{Form, NEW, OLD, fresh, keyed, log_is, receipts_are};
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::lab::Lab;
use crate::race::race;
use crate::sample::{batch, entry, name, whole};

/// A batch with repeats stores the rest, at contiguous versions; the expected
/// version applies to the rest, and a conflict stores nothing of it. Catches a
/// batch that is refused or stored as a whole for one repeat.
pub(super) async fn e06_partly_repeated_batch<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let store = lab.open().await?;
    let stream = name("e06");
    let key = |n: u64| keyed("e06", n, &format!("key {n}"));
    store.append(&stream, batch([key(0), key(1)])).await?;
    let mut kept = vec![key(0), key(1)];

    let forms: [Form; 5] = [
        (vec![key(0), key(2)], vec![(1, OLD), (3, NEW)]),
        (vec![key(3), key(1)], vec![(4, NEW), (2, OLD)]),
        (vec![key(1), key(0)], vec![(2, OLD), (1, OLD)]),
        (
            vec![key(0), entry("plain", 0), key(4), key(1), key(4), key(5)],
            vec![(1, OLD), (5, NEW), (6, NEW), (2, OLD), (6, OLD), (7, NEW)],
        ),
        (
            vec![entry("plain", 1), key(5), entry("plain", 2)],
            vec![(8, NEW), (7, OLD), (9, NEW)],
        ),
    ];
    for (n, (sent, expected)) in forms.into_iter().enumerate() {
        let version = kept.len() as u64;
        let fresh = fresh(&sent, &expected);
        if !fresh.is_empty() {
            for wrong in [
                Expected::NoStream,
                Expected::Exactly(version - 1),
                Expected::Exactly(version + 1),
            ] {
                let call = store
                    .append(&stream, batch(&sent[..]).with_expected(wrong))
                    .await;
                let step = format!("form {n} expecting {wrong}");
                check::refused(
                    "P9",
                    step,
                    call,
                    "Conflict",
                    |kind| matches!(kind, Kind::Conflict { actual, .. } if *actual == version),
                )?;
                log_is(&store, &stream, &[], &kept).await?;
            }
        }
        let sent = batch(sent)
            .with_expected(version)
            .with_verified_duplicates(n % 2 == 0);
        let receipts = store.append(&stream, sent).await?;
        receipts_are(format!("form {n}"), &receipts, &expected)?;
        kept.extend(fresh);
        log_is(&store, &stream, &receipts, &kept).await?;
    }
    Ok(Ran::Whole)
}

/// The retry of an append that was committed answers with duplicates whatever
/// version it expected, at once, later, and through another handle. Catches a
/// stale expected version that wins over dedup, or is read from a snapshot of
/// before.
pub(super) async fn e07_dedup_beats_expected_version<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("e07");
    let mut kept = Vec::new();
    let first: Vec<_> = (0..3)
        .map(|n| keyed("e07", n, &format!("key {n}")))
        .collect();
    let sent = batch(&first[..]).with_expected(Expected::NoStream);
    receipts_are(
        "the append",
        &handles[0].append(&stream, sent).await?,
        &[(1, NEW), (2, NEW), (3, NEW)],
    )?;
    kept.extend(first.clone());
    for round in 0..3 {
        for expected in [
            Expected::NoStream,
            Expected::Exactly(0),
            Expected::Exactly(1),
            Expected::Exactly(3 + round),
            Expected::Exactly(77),
            Expected::Exactly(u64::MAX),
            Expected::StreamExists,
            Expected::Any,
        ] {
            for store in &handles {
                for verify in [false, true] {
                    let retry = batch(&first[..])
                        .with_expected(expected)
                        .with_verified_duplicates(verify);
                    let receipts = store.append(&stream, retry).await?;
                    let step = format!("a retry that expects {expected}");
                    receipts_are(step, &receipts, &[(1, OLD), (2, OLD), (3, OLD)])?;
                    log_is(store, &stream, &receipts, &kept).await?;
                }
            }
        }
        let next = entry("between", round);
        handles[0].append(&stream, batch([next.clone()])).await?;
        kept.push(next);
    }
    Ok(Ran::Whole)
}

/// Copies of one append, with keys and an expected version, sent at the same
/// time through two handles: one is stored, and every other is answered with
/// its places, never with a conflict, although the first is still being
/// committed. Beside them appends without the keys lose, and say so.
pub(super) async fn e11_racing_retries_never_conflict<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let handles = [lab.open().await?, lab.open().await?];
    let stream = name("e11");
    let mut version = 0;
    for round in 0..8 * u64::from(lab.load) {
        let copy: Vec<_> = (0..4)
            .map(|n| keyed(&format!("round {round}"), n, &format!("{round}/{n}")))
            .collect();
        let outcomes = race((0..16).map(|task| {
            let (store, stream) = (handles[task % 2].clone(), stream.clone());
            let rival = task % 8 == 7;
            let sent = match rival {
                false => batch(&copy[..]),
                true => batch([entry(&format!("rival {round}"), task as u64)]),
            };
            let sent = sent.with_expected(version);
            async move { (rival, store.append(&stream, sent).await) }
        }))
        .await;

        let log = whole(&*handles[1], &stream).await?;
        let added: Vec<_> = log[version as usize..]
            .iter()
            .map(|r| r.entry.clone())
            .collect();
        let mut stored = 0;
        let mut copies_won = 0;
        let won_by_copies = added.len() == copy.len();
        for (rival, outcome) in outcomes {
            match outcome {
                Ok(receipts) if rival => {
                    receipts_are("a rival that won", &receipts, &[(version + 1, NEW)])?;
                    stored += 1;
                }
                Ok(receipts) => {
                    let status = receipts[0].status;
                    let expected: Vec<_> =
                        (version + 1..version + 5).map(|v| (v, status)).collect();
                    receipts_are("a copy", &receipts, &expected)?;
                    let ids: Vec<_> = receipts.iter().map(|r| &r.id).collect();
                    let stored_ids: Vec<_> =
                        log[version as usize..].iter().map(|r| &r.id).collect();
                    check::same_list("P9", "the ids told to a copy", &ids, &stored_ids)?;
                    copies_won += usize::from(status == NEW);
                }
                // Once a rival has won, the copies have nothing to repeat.
                Err(e) if e.is_conflict() && (rival || !won_by_copies) => {}
                Err(e) => {
                    let step = format!("a copy of the append in round {round}");
                    let got = format!("{e} ({e:?})");
                    return Err(Failure::new("P9", step, "appended or duplicates", got));
                }
            }
        }
        check::equal("P8", "appends that were stored", stored + copies_won, 1)?;
        if won_by_copies {
            check::same_list("P7", "what is stored", &added, &copy)?;
        }
        version = log.len() as u64;
    }
    Ok(Ran::Whole)
}
