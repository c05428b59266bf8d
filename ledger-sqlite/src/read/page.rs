//! A page: which rows of the index, how many of them, and how it ends.

use ledger_core::{Error, Kind, Limits, PageEnd, Result};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::collected::{Collected, Page};
use super::pack::{Packed, unpack};
use crate::error::convert;
use crate::row;
use crate::sql::{Packing, Statement};

/// What a page is asked for: ids after one up to another, inclusive.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    /// Its name and order key are bound behind the numbers.
    pub(super) statement: &'a Statement,
    /// Where the connection puts its pages, if that is what the statement does.
    pub(super) collected: Option<&'a Collected>,
    pub(super) names: &'a [&'a str],
    pub(super) after: i64,
    pub(super) up_to: i64,
    pub(super) limit: usize,
    pub(super) descending: bool,
}

impl Ask<'_> {
    /// The page, each entry built by `item`.
    ///
    /// It ends before the bytes of a page are exceeded, but holds at least one
    /// entry, if there is one. No statement is made to pack more than that:
    /// large entries are left out at first, and those that belong to the page
    /// are packed by a second one, when the bytes of all are known.
    pub(super) async fn take<T>(
        &self,
        conn: &mut SqliteConnection,
        mut item: impl FnMut(&Packed<'_>) -> Result<T>,
    ) -> Result<(Vec<T>, PageEnd)> {
        let page_bytes = Limits::TABLE.page_bytes;
        // One more than the limit tells whether something follows.
        let rows = self.limit as u64 + 1;
        let most = i64::try_from(page_bytes / rows).unwrap_or(i64::MAX);
        loop {
            let first = self.pack(conn, self.after, self.up_to, most).await?;
            let Some(pack) = first.bytes()? else {
                return Ok((Vec::new(), PageEnd::CaughtUp));
            };
            let mut page = unpack(first.packing(), pack, most)?;
            if self.descending {
                page.reverse();
            }
            let mut bytes = 0;
            let fits = |packed: &&Packed<'_>| {
                bytes += packed.size;
                bytes <= page_bytes
            };
            let fitting = page.iter().take(self.limit).take_while(fits).count().max(1);
            let end = match fitting < page.len() {
                true => PageEnd::More,
                false => PageEnd::CaughtUp,
            };
            page.truncate(fitting);
            if !page.iter().any(|packed| packed.left_out) {
                return Ok((page.iter().map(&mut item).collect::<Result<_>>()?, end));
            }

            let last = page.last().map_or(self.after, |last| last.id);
            let (after, up_to) = match self.descending {
                true => (last - 1, self.up_to),
                false => (self.after, last),
            };
            // A trim may have removed some meanwhile; nothing is ever added
            // between two entries.
            let whole = self.pack(conn, after, up_to, i64::MAX).await?;
            if let Some(pack) = whole.bytes()? {
                let mut page = unpack(whole.packing(), pack, i64::MAX)?;
                if self.descending {
                    page.reverse();
                }
                page.truncate(fitting);
                return Ok((page.iter().map(&mut item).collect::<Result<_>>()?, end));
            }
        }
    }

    async fn pack(
        &self,
        conn: &mut SqliteConnection,
        after: i64,
        up_to: i64,
        most: i64,
    ) -> Result<Pack<'_>> {
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let query = self.statement.query().bind(after).bind(up_to).bind(limit);
        let mut query = query.bind(most);
        for name in self.names {
            query = query.bind((*name).to_owned());
        }
        let row = query.fetch_one(conn).await.map_err(convert)?;
        let Some(collected) = self.collected else {
            return Ok(Pack::Row(row));
        };
        let connection = row::get::<Option<i64>>(&row, 0)?;
        let page = connection.map(|connection| {
            let lost = || Error::new(Kind::Internal, "a page was collected and is gone");
            collected.take(connection).ok_or_else(lost)
        });
        Ok(Pack::Collected(page.transpose()?))
    }
}

/// A page that was not taken apart yet.
enum Pack<'c> {
    Row(SqliteRow),
    Collected(Option<Page<'c>>),
}

impl Pack<'_> {
    fn packing(&self) -> Packing {
        match self {
            Self::Row(_) => Packing::Text,
            Self::Collected(_) => Packing::Function,
        }
    }

    /// Nothing if there was no row.
    fn bytes(&self) -> Result<Option<&[u8]>> {
        match self {
            Self::Row(row) => row::get(row, 0),
            Self::Collected(page) => Ok(page.as_deref()),
        }
    }
}
