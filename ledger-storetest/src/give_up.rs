//! Futures that are dropped in the middle.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future that is dropped after so many polls.
pub(crate) struct GivenUp<F> {
    future: Pin<Box<F>>,
    polls: u32,
}

/// Gives a future up once it was polled `polls` times; 0 never polls it.
pub(crate) fn give_up<F: Future>(future: F, polls: u32) -> GivenUp<F> {
    let future = Box::pin(future);
    GivenUp { future, polls }
}

impl<F: Future> Future for GivenUp<F> {
    /// `None` once it is given up.
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.polls == 0 {
            return Poll::Ready(None);
        }
        this.polls -= 1;
        match this.future.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if this.polls == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}
