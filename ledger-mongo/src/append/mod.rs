//! Appending.
//!
//! Appends that wait are grouped and committed in one transaction: the heads
//! of the streams, which it locks, and the entries. A request that the group
//! cannot take, because of a repeated key or the expected version, is looked at
//! again outside of it before anything is said: what a transaction saw may be
//! older than the call, or never be confirmed by a majority.

mod group;
mod in_session;
mod lanes;
mod look;
mod originals;
mod register;
mod request;
mod transaction;

use std::sync::Arc;

use ledger_core::{Receipts, Result};

pub(crate) use in_session::in_session;
pub(crate) use lanes::Lanes;
pub(crate) use originals::Originals;

pub(crate) use request::Request;
pub use transaction::options as transaction_options;

use crate::handle::{Inner, back_off, repeat};
use crate::id::MongoId;
use request::Outcome;

/// Appends, through a group.
pub(crate) async fn append(inner: &Arc<Inner>, request: Arc<Request>) -> Result<Receipts<MongoId>> {
    let mut originals = Originals::default();
    let mut attempt = 0;
    loop {
        attempt += 1;
        match lanes::submit(inner, request.clone(), originals).await {
            Outcome::Done(receipts) => return Ok(receipts),
            Outcome::Failed(error) => return Err(error),
            Outcome::Look => {}
        }
        let looked = {
            let (inner, request) = (inner.clone(), request.clone());
            let deadline = request.deadline;
            // In a task: a dropped operation costs its connection.
            let task =
                tokio::spawn(
                    async move { repeat(deadline, || look::look(&inner, &request)).await },
                );
            task.await.map_err(request::ended)?
        };
        let seen = looked?;
        // All that is said here was true at one moment of the call, by what a
        // majority has: repeats, a conflict, the end of the versions.
        if let Some(receipts) = request.decide(&seen)? {
            return Ok(receipts);
        }
        originals = seen.originals;
        back_off(attempt, request.deadline).await;
    }
}
