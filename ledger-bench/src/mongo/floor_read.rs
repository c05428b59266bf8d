//! The floor of reads: the server's own batches of documents, received and
//! counted, not decoded.

use anyhow::{Context, Result, ensure};
use futures_util::TryStreamExt;
use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, RawDocumentBuf, doc};

use super::place::Place;
use crate::work::Work;

/// Reads a range of ids page by page, again and again, each page behind the
/// last id of the one before.
pub(super) struct Pages {
    collection: Collection<RawDocumentBuf>,
    limit: usize,
    /// Before the first id.
    start: ObjectId,
    /// Behind the last one.
    end: ObjectId,
    after: ObjectId,
}

impl Pages {
    pub(super) async fn of_first_stream(place: &Place, limit: usize) -> Result<Self> {
        let streams = place.collection("ledger_streams");
        let head = streams.find_one(doc! { "_id": "orders-0000" }).await?;
        let number = head.context("the first stream is missing")?.get_i64("no")?;
        let number = u32::try_from(number)?.to_be_bytes();
        Ok(Self::between(place, limit, |filler| {
            let mut id = [filler; 12];
            id[..4].copy_from_slice(&number);
            id
        }))
    }

    pub(super) fn of_all(place: &Place, limit: usize) -> Self {
        Self::between(place, limit, |filler| [filler; 12])
    }

    fn between(place: &Place, limit: usize, id: impl Fn(u8) -> [u8; 12]) -> Self {
        let [start, end] = [0, u8::MAX].map(|filler| ObjectId::from_bytes(id(filler)));
        Self {
            collection: place.collection("ledger_entries"),
            limit,
            start,
            end,
            after: start,
        }
    }
}

impl Work for Pages {
    type Input = Document;

    fn prepare(&mut self) -> Result<Document> {
        Ok(doc! { "_id": { "$gt": self.after, "$lt": self.end } })
    }

    async fn run(&mut self, filter: Document) -> Result<usize> {
        let limit = u32::try_from(self.limit)?;
        // One batch brings all, and leaves no cursor open on the server.
        let find = self.collection.find(filter).sort(doc! { "_id": 1 });
        let find = find.limit(i64::from(limit)).batch_size(limit + 1);
        let mut batches = find.batch().await?;
        let (mut count, mut last) = (0, None);
        while let Some(batch) = batches.try_next().await? {
            for document in batch.doc_slices()? {
                last = Some(
                    document?
                        .as_document()
                        .context("no document")?
                        .get_object_id("_id")?,
                );
                count += 1;
            }
        }
        let full = count == self.limit;
        ensure!(
            count > 0 || self.after != self.start,
            "documents are missing"
        );
        self.after = last.filter(|_| full).unwrap_or(self.start);
        Ok(count)
    }
}
