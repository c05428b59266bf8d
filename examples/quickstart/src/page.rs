//! Reading a stream page by page.

use std::fmt;

use anyhow::{Result, ensure};
use ledger_core::{PageEnd, Query, Store};

use crate::departure::departures;
use crate::report::thousands;

/// How much was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Paged {
    pub(crate) pages: u64,
    pub(crate) entries: u64,
}

impl fmt::Display for Paged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [pages, entries] = [self.pages, self.entries].map(thousands);
        write!(f, "{entries} entries in {pages} pages")
    }
}

/// Reads a stream from its beginning to its end. Between two pages nothing
/// but an id is kept: it could be stored, and reading go on behind it tomorrow.
pub(crate) async fn page_through(
    store: &impl Store<i64>,
    stream: &str,
    page_size: usize,
) -> Result<Paged> {
    let stream = departures(store, stream);
    let mut paged = Paged::default();
    let mut query = Query::new().limit(page_size);
    loop {
        let page = stream.read(query.clone()).await?;
        for entry in &page {
            paged.entries += 1;
            ensure!(
                entry.version == paged.entries,
                "a gap before {}",
                entry.version
            );
        }
        paged.pages += 1;
        match page.next {
            Some(id) if page.end == PageEnd::More => query = query.after(id),
            _ => return Ok(paged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::ingested_day;

    /// Catches a cursor that repeats or skips an entry, also where the last
    /// page is full or the only one.
    #[tokio::test]
    async fn pages_of_any_size_cover_the_stream() {
        let (store, _) = ingested_day().await;
        for size in [1, 50, 164, 165, 166] {
            let paged = page_through(&store, "departures-UA", size).await.unwrap();
            assert_eq!(paged.entries, 165, "pages of {size}");
        }
        let none = page_through(&store, "departures-ZZ", 50).await.unwrap();
        assert_eq!(
            none,
            Paged {
                pages: 1,
                entries: 0
            }
        );
    }
}
