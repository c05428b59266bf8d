//! Reading documents as the server sends them.

use std::ops::ControlFlow;

use futures_util::StreamExt;
use ledger_core::{Error, Result};
use mongodb::bson::{Document, RawDocument, RawDocumentBuf};
use mongodb::options::FindOptions;
use mongodb::{ClientSession, Collection};

use crate::error::{During, convert, corrupt};

/// A bounded query. The first batch is larger than the limit, so that one
/// answer brings all and leaves no cursor open on the server.
pub(crate) fn bounded(limit: usize) -> FindOptions {
    let limit = u32::try_from(limit).unwrap_or(u32::MAX - 1);
    FindOptions::builder()
        .limit(i64::from(limit))
        .batch_size(limit + 1)
        .build()
}

/// Looks at documents in the server's own batches until the visitor has seen
/// enough.
pub(crate) async fn visit(
    collection: &Collection<RawDocumentBuf>,
    session: &mut ClientSession,
    filter: Document,
    options: FindOptions,
    during: During,
    mut see: impl FnMut(&RawDocument) -> Result<ControlFlow<()>> + Send,
) -> Result<()> {
    let failed = |e: mongodb::error::Error| convert(&e, during);
    let find = collection.find(filter).with_options(options);
    let cursor = find.session(&mut *session).batch().await;
    let mut cursor = cursor.map_err(failed)?;
    let mut batches = cursor.stream(session);
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(failed)?;
        for document in batch.doc_slices().map_err(failed)? {
            let document = document.map_err(|_| not_bson())?;
            let document = document.as_document().ok_or_else(not_bson)?;
            if see(document)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The first document, if there is any.
pub(crate) async fn first(
    collection: &Collection<RawDocumentBuf>,
    session: &mut ClientSession,
    filter: Document,
    options: FindOptions,
    during: During,
) -> Result<Option<RawDocumentBuf>> {
    let mut found = None;
    visit(collection, session, filter, options, during, |document| {
        found = Some(document.to_owned());
        Ok(ControlFlow::Break(()))
    })
    .await?;
    Ok(found)
}

fn not_bson() -> Error {
    corrupt("an answer that is not BSON")
}
