//! What a side does, again and again, and how long it took.

use std::time::{Duration, Instant};

use anyhow::Result;

/// One task of a side.
pub(crate) trait Work: Send + 'static {
    type Input: Send;

    /// Makes what an operation needs. Its time does not count for one task
    /// alone, and for several of them it counts for both sides.
    fn prepare(&mut self) -> Result<Self::Input>;

    /// One operation; tells how many entries it was about.
    fn run(&mut self, input: Self::Input) -> impl Future<Output = Result<usize>> + Send;
}

/// What tasks did in a while.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) entries: usize,
    pub(crate) time: Duration,
    pub(crate) latencies: Vec<Duration>,
}

impl Done {
    pub(crate) fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.time += other.time;
        self.latencies.extend(other.latencies);
    }

    pub(crate) fn rate(&self) -> f64 {
        self.entries as f64 / self.time.as_secs_f64()
    }
}

/// Lets all tasks work side by side, each at least once, and gives them back.
pub(crate) async fn work<W: Work>(workers: Vec<W>, time: Duration) -> Result<(Vec<W>, Done)> {
    let alone = workers.len() == 1;
    let start = Instant::now();
    let tasks: Vec<_> = workers
        .into_iter()
        .map(|worker| tokio::spawn(one(worker, start + time)))
        .collect();
    let mut all = Done::default();
    let mut workers = Vec::with_capacity(tasks.len());
    for task in tasks {
        let (worker, done) = task.await??;
        workers.push(worker);
        all.add(done);
    }
    if !alone {
        all.time = start.elapsed();
    }
    Ok((workers, all))
}

async fn one<W: Work>(mut worker: W, until: Instant) -> Result<(W, Done)> {
    let mut done = Done::default();
    loop {
        let input = worker.prepare()?;
        let start = Instant::now();
        done.entries += worker.run(input).await?;
        let latency = start.elapsed();
        done.time += latency;
        done.latencies.push(latency);
        if Instant::now() >= until {
            return Ok((worker, done));
        }
    }
}
