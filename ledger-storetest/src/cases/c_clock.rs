//! C: order does not depend on clocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ledger_core::backend::Clock;
use ledger_core::{EntryId, Query, StoreOrder, Timestamp};

use super::c_order::ids_of;
use crate::case::{Ran, Verdict};
use crate::check;
use crate::harness::Setup;
use crate::lab::Lab;
use crate::sample::{append_one, batch, entries, entry, everything, name, records, whole};
use crate::tail::{StoreTail, Tail, same_log};

/// A clock that the case turns.
#[derive(Debug)]
struct Turned(AtomicI64);

impl Turned {
    fn new(minutes_from_now: i64) -> Arc<Self> {
        let now = Timestamp::now().as_micros();
        Arc::new(Self(AtomicI64::new(now + minutes_from_now * MINUTE)))
    }

    fn turn(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed)).unwrap_or(Timestamp::EPOCH)
    }
}

const MINUTE: i64 = 60_000_000;

fn with_clock(clock: &Arc<Turned>) -> Setup {
    Setup {
        clock: clock.clone(),
        ..Setup::default()
    }
}

/// The clock is turned back and forth by an hour, and differs from handle to
/// handle: order, cursors and versions do not care, and `recorded_at` never
/// decreases in a stream. Catches an order by time.
pub(super) async fn c10_clock_turned<I: EntryId>(lab: &Lab<I>) -> Verdict {
    if !lab.sets_clock() {
        return Ok(Ran::Not("the clock of this store cannot be set"));
    }
    let clocks = [Turned::new(0), Turned::new(-90)];
    let mut handles = Vec::new();
    for clock in &clocks {
        handles.push(lab.open_with(&with_clock(clock)).await?);
    }
    let streams = [name("c10"), name("c10-b")];
    let order = lab.capabilities().store_order;
    let mut log = Vec::new();
    let mut tails = streams.each_ref().map(|s| Tail::new(&handles[0], s, 3));
    let mut store_tail = StoreTail::new(&handles[1], 3);
    for n in 0..48 {
        let turn = [0, -60, 60, 1, -60, -60, 120, 0][n % 8];
        clocks[n / 2 % 2].turn(turn * MINUTE);
        let stream = &streams[n / 3 % 2];
        let receipts = append_one(&*handles[n % 2], stream, entry("c10", n as u64)).await?;
        check::that(
            "P1",
            "a version",
            receipts[0].version == 1 + log.iter().filter(|(s, _)| s == stream).count() as u64,
            "the next one",
            &receipts,
        )?;
        log.push((stream.clone(), receipts[0].id.clone()));
        for tail in &mut tails {
            tail.catch_up().await?;
        }
        if order != StoreOrder::None {
            store_tail.catch_up().await?;
        }
    }
    for (stream, tail) in streams.iter().zip(&tails) {
        let ids: Vec<_> = tail.got.iter().map(|r| r.id.clone()).collect();
        let step = format!("stream {stream}");
        check::same_list("P6", step, &ids, &ids_of(stream, &log))?;
        let times: Vec<_> = tail.got.iter().map(|r| r.recorded_at).collect();
        check::that(
            "P17",
            "recorded_at",
            times.is_sorted(),
            "never decreasing",
            &times,
        )?;
        let again = whole(&*handles[1], stream).await?;
        check::same_list("P17", "read again", &again, &tail.got)?;
        let mut backwards = records(&*handles[1], stream, Query::new(), 5, true).await?;
        backwards.reverse();
        check::same_list("P17", "read backwards", &backwards, &tail.got)?;
    }
    if order == StoreOrder::Total {
        let got = store_tail.got.iter();
        let got: Vec<_> = got
            .map(|f| (f.stream.clone(), f.record.id.clone()))
            .collect();
        check::same_list("P6", "the whole store", &got, &log)?;
    }

    lab.step("a new stream takes the time of its handle");
    for (clock, handle) in clocks.iter().zip(&handles) {
        let stream = name(&format!("c10-{:?}", clock.now()));
        append_one(&**handle, &stream, entry("c10", 0)).await?;
        for record in whole(&*handles[0], &stream).await? {
            let off = record
                .recorded_at
                .as_micros()
                .abs_diff(clock.now().as_micros());
            let (got, expected) = (record.recorded_at, clock.now());
            let expected = format!("{expected} to the millisecond");
            check::that(
                "P17",
                "the first entry of a stream",
                off <= 1000,
                expected,
                got,
            )?;
        }
    }
    Ok(Ran::Whole)
}

/// Hundreds of entries of one moment page correctly, in a stream and over the
/// store, both ways. Catches pages that are cut by time.
pub(super) async fn c11_same_timestamp_ties<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let clock = Turned::new(0);
    let store = lab.open_with(&with_clock(&clock)).await?;
    let streams = [name("c11"), name("c11-b")];
    let order = lab.capabilities().store_order;
    for n in 0..4 {
        for stream in &streams {
            let sent = entries(&format!("{stream} {n}"), 125);
            store.append(stream, batch(sent)).await?;
        }
    }
    for stream in &streams {
        let sent: Vec<_> = (0..4)
            .flat_map(|n| entries(&format!("{stream} {n}"), 125))
            .collect();
        for size in [7, 100] {
            let mut tail = Tail::new(&store, stream, size);
            tail.catch_up().await?;
            let got: Vec<_> = tail.got.iter().map(|r| r.entry.clone()).collect();
            check::same_list("P3", format!("forwards by {size}"), &got, &sent)?;
            let mut got = records(&*store, stream, Query::new(), size, true).await?;
            got.reverse();
            check::same_list("P3", format!("backwards by {size}"), &got, &tail.got)?;
        }
    }
    if order != StoreOrder::None {
        let all = everything(&*store, 10_000, false).await?;
        check::equal("P3", "entries of the store", all.len(), 1000)?;
        for size in [7, 100] {
            let mut tail = StoreTail::new(&store, size);
            tail.catch_up().await?;
            same_log(
                "P3",
                &format!("the store by {size}"),
                order,
                &tail.got,
                &all,
            )?;
        }
    }
    Ok(Ran::Whole)
}
