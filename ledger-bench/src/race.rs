//! Two sides that take turns.

use std::time::Duration;

use anyhow::Result;

use crate::args::Args;
use crate::stats::{Latency, Spread};
use crate::table::{Row, Target};
use crate::work::{Done, Work, work};

/// How long both sides warm up before the first round.
const WARM_UP: Duration = Duration::from_millis(300);
/// How many turns a side takes in a round. Many short ones, so that a burst of
/// something else meets both sides.
const TURNS: u32 = 8;

/// Measures a row: warms both sides up, then lets them take turns.
pub(crate) async fn race<F: Work, O: Work>(
    args: &Args,
    name: &str,
    target: Target,
    floor: Vec<F>,
    ours: Vec<O>,
) -> Result<Row> {
    let warm_up = WARM_UP.min(args.time);
    let (mut floor, _) = work(floor, warm_up).await?;
    let (mut ours, _) = work(ours, warm_up).await?;
    let slice = args.time / TURNS;
    let (mut floor_rates, mut our_rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut latencies = Vec::new();
    for _ in 0..args.rounds {
        let (mut floor_done, mut our_done) = (Done::default(), Done::default());
        // There and back, so that a drift within the round meets both alike.
        while floor_done.time.min(our_done.time) < args.time {
            floor = turn(floor, slice, &mut floor_done).await?;
            ours = turn(ours, slice, &mut our_done).await?;
            ours = turn(ours, slice, &mut our_done).await?;
            floor = turn(floor, slice, &mut floor_done).await?;
        }
        floor_rates.push(floor_done.rate());
        our_rates.push(our_done.rate());
        ratios.push(our_done.rate() / floor_done.rate());
        latencies.append(&mut our_done.latencies);
    }
    Ok(Row {
        name: name.to_owned(),
        floor: Spread::of(floor_rates),
        ours: Spread::of(our_rates),
        ratio: Spread::of(ratios),
        latency: Latency::of(latencies),
        target,
    })
}

async fn turn<W: Work>(workers: Vec<W>, time: Duration, done: &mut Done) -> Result<Vec<W>> {
    let (workers, more) = work(workers, time).await?;
    done.add(more);
    Ok(workers)
}
