//! I: what must not be opened in silence.

use ledger_core::{Applied, EntryId, Error, Kind};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::hooks::Obstacle;
use crate::lab::{Handle, Lab};
use crate::sample::{append_one, entries, entry, given, name, whole};

/// Opening is refused with such a kind. A store that was opened all the same is
/// asked what it has, for the report.
async fn is_refused<I: EntryId>(
    promise: &'static str,
    step: &str,
    opened: ledger_core::Result<Handle<I>>,
    fits: impl Fn(&Kind) -> bool,
) -> Result<(), Failure> {
    let error: Error = match opened {
        Err(e) => e,
        Ok(store) => {
            let log = whole(&*store, &name("opening")).await;
            let got = format!("a store, which reads {:?}", log.map(|log| log.len()));
            return Err(Failure::new(promise, step, "an error", got));
        }
    };
    let right = fits(error.kind()) && error.applied() == Applied::No;
    check::that(promise, step, right, "an error of the right kind", &error)
}

/// A place with three entries, and no handle open.
async fn filled<I: EntryId>(lab: &Lab<I>) -> Result<(), Failure> {
    let store = lab.open().await?;
    for sent in entries("opening", 3) {
        append_one(&*store, &name("opening"), sent).await?;
    }
    Ok(store.close().await?)
}

/// Where a backend allows one process only, the second is refused as `Locked`
/// while the first has the store open, and finds everything once it is closed.
/// Catches a lock that is not taken, and one that outlives its holder.
pub(super) async fn i06_second_process<I: EntryId>(lab: &Lab<I>) -> Verdict {
    filled(lab).await?;
    let first = lab.open().await?;
    let Some(second) = lab.open_over(Obstacle::OtherProcess).await else {
        return Ok(Ran::Not("the harness allows any number of processes"));
    };
    is_refused("P13", "opening a second time", second, |kind| {
        *kind == Kind::Locked
    })
    .await?;
    append_one(&*first, &name("opening"), entry("opening", 3)).await?;
    first.close().await?;
    drop(first);
    let Some(second) = lab.open_over(Obstacle::OtherProcess).await else {
        return Ok(Ran::Not("the harness allows any number of processes"));
    };
    let second = second?;
    let log = whole(&*second, &name("opening")).await?;
    let sent = entries("opening", 4);
    let expected: Vec<_> = sent.iter().collect();
    check::same_list("P25", "what the second finds", &given(&log), &expected)?;
    Ok(Ran::Whole)
}

/// What a newer release wrote is refused as such, and what has lost a part is
/// not taken for an empty store. Catches tables that are made anew where some
/// are missing, and a format number that nobody looks at.
pub(super) async fn i07_newer_or_damaged<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let mut ran = Ran::Not("the harness has no newer format and no part to lose");
    for obstacle in [Obstacle::NewerFormat, Obstacle::MissingPart] {
        let lab = lab.another().await?;
        filled(&lab).await?;
        let Some(opened) = lab.open_over(obstacle).await else {
            continue;
        };
        is_refused(
            "P25",
            &format!("{obstacle:?}"),
            opened,
            |kind| match obstacle {
                Obstacle::NewerFormat => {
                    matches!(kind, Kind::NewerFormat { known, found } if found > known)
                }
                _ => matches!(kind, Kind::Corrupt | Kind::Misconfigured),
            },
        )
        .await?;
        ran = Ran::Whole;
    }
    Ok(ran)
}

/// Settings that make an acknowledgement or the order worth less are refused.
/// Catches a store that is opened and silently weaker.
pub(super) async fn i08_weak_settings_refused<I: EntryId>(lab: &Lab<I>) -> Verdict {
    filled(lab).await?;
    let Some(opened) = lab.open_over(Obstacle::WeakSettings).await else {
        return Ok(Ran::Not("the harness has no settings to weaken"));
    };
    is_refused("P13", "weak settings", opened, |kind| {
        *kind == Kind::Misconfigured
    })
    .await?;
    Ok(Ran::Whole)
}
