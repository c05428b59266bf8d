//! A look at a stream outside of any transaction, by what a majority has.

use ledger_core::Result;

use super::originals::Originals;
use super::request::Request;
use crate::error::During;
use crate::handle::Inner;
use crate::heads::head;

/// What a look found.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) version: u64,
    pub(crate) originals: Originals,
}

/// Looks at the head first: an append that is committed in between is then
/// found by its keys rather than taken for a conflict.
pub(super) async fn look(inner: &Inner, request: &Request) -> Result<Seen> {
    let mut session = inner.session().await?;
    let head = head(inner, &mut session, &request.stream, During::Read).await?;
    let mut originals = Originals::default();
    if request.is_keyed() {
        originals
            .find(inner, &mut session, request.wanted(), During::Read)
            .await?;
        inner.saw(&session);
    }
    Ok(Seen {
        version: head.map_or(0, |head| head.version),
        originals,
    })
}
