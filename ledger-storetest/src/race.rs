//! Tasks that run at the same time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Barrier;
use tokio::task::JoinHandle;

/// A spawned task that ends with its case: dropping it aborts it.
pub(crate) struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T> Task<T> {
    /// Its outcome. A panic inside it goes on here.
    pub(crate) async fn join(mut self) -> T {
        match (&mut self.0).await {
            Ok(outcome) => outcome,
            Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
            Err(e) => panic!("a task of the case was lost: {e}"),
        }
    }
}

/// Runs a task beside the case.
pub(crate) fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> Task<T> {
    Task(tokio::spawn(task))
}

/// Starts all tasks at one barrier and gives their outcomes in the order of
/// the tasks.
pub(crate) async fn race<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = tasks.into_iter().collect();
    let barrier = Arc::new(Barrier::new(tasks.len()));
    let tasks: Vec<_> = tasks
        .into_iter()
        .map(|task| {
            let barrier = barrier.clone();
            spawn(async move {
                barrier.wait().await;
                task.await
            })
        })
        .collect();
    let mut outcomes = Vec::with_capacity(tasks.len());
    for task in tasks {
        outcomes.push(task.join().await);
    }
    outcomes
}

/// Tells readers that every append has been acknowledged.
#[derive(Clone, Default)]
pub(crate) struct Done(Arc<AtomicBool>);

impl Done {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
