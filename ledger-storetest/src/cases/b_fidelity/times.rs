//! `recorded_at`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ledger_core::backend::Clock;
use ledger_core::{EntryId, Timestamp};

use super::every_way;
use crate::case::{Ran, Verdict};
use crate::check;
use crate::harness::Setup;
use crate::lab::Lab;
use crate::sample::{append_one, batch, entries, entry, name};

/// A clock that stands still until the case sets it.
#[derive(Debug)]
struct Standing(AtomicI64);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed)).unwrap_or(Timestamp::EPOCH)
    }
}

/// `recorded_at` is the time of the append in UTC, to the millisecond at least,
/// and the same however and whenever it is read. Catches local times, whole
/// seconds, and times made at the reading or rounded in one place only.
pub(crate) async fn b13_timestamps<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let moments = [
        981_173_106_789_123,
        1_582_934_399_999_999,
        1_763_811_374_000_001,
        2_147_483_648_654_321,
        4_102_444_799_123_456,
    ];
    let clock = Arc::new(Standing(AtomicI64::new(moments[0])));
    let setup = Setup {
        clock: clock.clone(),
        ..Setup::default()
    };
    let order = lab.capabilities().store_order;
    let mut store = lab.open_with(&setup).await?;
    let mut first = Vec::new();
    for (n, moment) in moments.into_iter().enumerate() {
        lab.step(format!("the moment {moment}"));
        clock.0.store(moment, Ordering::Relaxed);
        let stream = name(&format!("b13-{n}"));
        append_one(&*store, &stream, entry("b13", 0)).await?;
        store.append(&stream, batch(entries("batch", 3))).await?;
        clock.0.fetch_add(3_600_000_000, Ordering::Relaxed);
        let found = every_way(&*store, order, &stream).await?;
        check::equal("P7", "entries", found.len(), 4)?;
        for record in found.iter().filter(|_| lab.sets_clock()) {
            let at = record.recorded_at;
            let near = at.as_micros().abs_diff(moment) <= 1000;
            let expected = format!("{moment} to the millisecond");
            check::that("P17", "recorded_at", near, expected, at.as_micros())?;
        }
        first.push((stream, found));
    }
    for round in ["by another handle", "after opening again"] {
        lab.step(round);
        if round == "after opening again" {
            store.close().await?;
        }
        store = lab.open().await?;
        for (stream, found) in &first {
            let again = every_way(&*store, order, stream).await?;
            check::same_list("P17", format!("{stream}, {round}"), &again, found)?;
        }
    }
    Ok(Ran::Whole)
}
