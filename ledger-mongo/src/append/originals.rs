//! The stored entries that carry dedup keys.

use std::collections::HashMap;
use std::ops::ControlFlow;

use ledger_core::backend::Original;
use ledger_core::{RawEntry, Result, StreamName};
use mongodb::ClientSession;
use mongodb::bson::{Document, doc};
use mongodb::options::FindOptions;

use crate::document::decode;
use crate::error::{During, corrupt};
use crate::handle::Inner;
use crate::id::MongoId;
use crate::query;

/// An entry that carries a key.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) id: MongoId,
    /// Its content, where contents are compared.
    pub(crate) content: Option<RawEntry>,
}

impl Found {
    pub(crate) fn original(self, repeat: &RawEntry) -> Original<MongoId> {
        Original {
            id: self.id,
            version: self.id.version(),
            same_content: self
                .content
                .is_none_or(|content| content.same_content(repeat)),
        }
    }
}

/// By key, of one stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Originals(HashMap<String, Found>);

impl Originals {
    pub(crate) fn get(&self, key: &str) -> Option<&Found> {
        self.0.get(key)
    }

    pub(crate) fn insert(&mut self, key: String, found: Found) {
        self.0.insert(key, found);
    }

    /// Adds the entries of a stream that carry any of the keys.
    pub(crate) async fn find(
        &mut self,
        inner: &Inner,
        session: &mut ClientSession,
        wanted: Wanted<'_>,
        during: During,
    ) -> Result<()> {
        carriers(inner, session, &[wanted], during, |_, key, found| {
            self.insert(key, found);
        })
        .await
    }
}

/// Keys of a stream, and whether contents are compared: they may be large, and
/// are brought along only then.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'k> {
    pub(crate) stream: &'k StreamName,
    pub(crate) keys: Vec<&'k str>,
    pub(crate) contents: bool,
}

/// A command is at most 16 MiB, and a key up to 512 bytes.
const KEYS_AT_ONCE: usize = 5_000;

/// The entries that carry any of the keys.
pub(crate) async fn carriers(
    inner: &Inner,
    session: &mut ClientSession,
    wanted: &[Wanted<'_>],
    during: During,
    mut found: impl FnMut(&str, String, Found) + Send,
) -> Result<()> {
    let contents = wanted.iter().any(|wanted| wanted.contents);
    for (filter, keys) in filters(wanted) {
        let mut options = FindOptions::default();
        // All in one answer, as far as they fit.
        options.batch_size = u32::try_from(keys + 1).ok();
        if !contents {
            options.projection = Some(doc! { "_id": 1, "stream": 1, "dedup_key": 1 });
        }
        query::visit(
            &inner.entries,
            session,
            filter,
            options,
            during,
            |document| {
                let id = document
                    .get_object_id("_id")
                    .map_err(|_| corrupt("an _id"))?;
                let stream = document
                    .get_str("stream")
                    .map_err(|_| corrupt("a stream"))?;
                let key = document.get_str("dedup_key");
                let key = key.map_err(|_| corrupt("a dedup key"))?.to_owned();
                let content = match contents {
                    true => Some(decode(document)?.record.entry),
                    false => None,
                };
                let id = MongoId::from_object_id(id);
                found(stream, key, Found { id, content });
                Ok(ControlFlow::Continue(()))
            },
        )
        .await?;
    }
    Ok(())
}

/// The queries, each with the number of its keys.
fn filters(wanted: &[Wanted<'_>]) -> Vec<(Document, usize)> {
    let mut filters = Vec::new();
    let (mut any, mut count) = (Vec::new(), 0);
    for Wanted { stream, keys, .. } in wanted {
        for keys in keys.chunks(KEYS_AT_ONCE) {
            if count + keys.len() > KEYS_AT_ONCE {
                filters.push((any_of(std::mem::take(&mut any)), count));
                count = 0;
            }
            any.push(doc! { "stream": stream.as_str(), "dedup_key": { "$in": keys.to_vec() } });
            count += keys.len();
        }
    }
    if count > 0 {
        filters.push((any_of(any), count));
    }
    filters
}

fn any_of(mut any: Vec<Document>) -> Document {
    match any.pop() {
        Some(only) if any.is_empty() => only,
        last => {
            any.extend(last);
            doc! { "$or": any }
        }
    }
}
