//! The heads of the streams of a group, read under the write lock: another
//! process may have written since the last group.

use std::collections::HashMap;

use ledger_core::{Result, StreamName, Timestamp};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::Request;
use crate::error::{convert, corrupt};
use crate::options::Durability;
use crate::row::get;
use crate::schema;
use crate::settings::Settings;
use crate::sql::{Bound, GroupSql};

/// Where a stream stands; moves on with each request of the group.
#[derive(Debug)]
pub(super) struct Head<'g> {
    pub(super) name: &'g StreamName,
    /// None for a stream that does not exist yet.
    pub(super) stream_id: Option<i64>,
    pub(super) version: u64,
    pub(super) last_id: i64,
    pub(super) last_at: Option<Timestamp>,
    /// Whether it has to be written.
    pub(super) changed: bool,
}

/// The heads of a group, and the numbers of the store.
#[derive(Debug)]
pub(super) struct Heads<'g> {
    heads: Vec<Head<'g>>,
    by_name: HashMap<&'g str, usize>,
    /// The highest id ever assigned.
    pub(super) last_id: i64,
    last_stream_id: i64,
}

impl<'g> Heads<'g> {
    /// The streams of a group; of where they stand nothing is known yet.
    pub(super) fn of(group: &[Request<'g>]) -> Self {
        let mut this = Self {
            heads: Vec::new(),
            by_name: HashMap::new(),
            last_id: 0,
            last_stream_id: 0,
        };
        for request in group {
            let nth = this.heads.len();
            if *this.by_name.entry(request.stream.as_str()).or_insert(nth) == nth {
                this.heads.push(Head {
                    name: request.stream,
                    stream_id: None,
                    version: 0,
                    last_id: 0,
                    last_at: None,
                    changed: false,
                });
            }
        }
        this
    }

    pub(super) fn len(&self) -> usize {
        self.heads.len()
    }

    /// Reads the heads from one on, and the settings of the connection if it
    /// is told what to expect.
    pub(super) async fn load(
        &mut self,
        conn: &mut SqliteConnection,
        sql: &GroupSql,
        check: Option<Durability>,
        mut start: usize,
    ) -> Result<()> {
        let statements = match check {
            Some(_) => &sql.heads_and_settings,
            None => &sql.heads,
        };
        while start < self.heads.len() {
            let (statement, length) = statements.fitting(self.heads.len() - start);
            let query = self.bind(statement.query(), start, length);
            let rows = query.fetch_all(&mut *conn).await.map_err(convert)?;
            for row in &rows {
                if let Some(durability) = check {
                    Settings::of_row(row, 0)?.check(durability)?;
                }
                self.take(row, start)?;
            }
            start += length;
        }
        Ok(())
    }

    /// Binds the names of some heads; behind the last of them, padding.
    pub(super) fn bind(&self, query: Bound, start: usize, length: usize) -> Bound {
        (start..start + length).fold(query, |query, nth| {
            query.bind(self.heads.get(nth).map(|h| h.name.as_str().to_owned()))
        })
    }

    /// Takes a row of those that begin with one head.
    pub(super) fn take(&mut self, row: &SqliteRow, start: usize) -> Result<()> {
        let missing = || corrupt("the row that says the format is missing").with("table", "meta");
        schema::check_format(get::<Option<i64>>(row, 2)?.ok_or_else(missing)?)?;
        self.last_id = get::<Option<i64>>(row, 3)?.ok_or_else(missing)?;
        self.last_stream_id = get::<Option<i64>>(row, 4)?.unwrap_or(0);
        let nth = start + usize::try_from(get::<i64>(row, 5)?).unwrap_or(usize::MAX);
        let stream_id: Option<i64> = get(row, 6)?;
        if let (Some(head), Some(stream_id)) = (self.heads.get_mut(nth), stream_id) {
            let damaged = |e: ledger_core::Error| e.with("stream", head.name);
            head.stream_id = Some(stream_id);
            head.version = crate::row::version(row, 7).map_err(damaged)?;
            let at = Timestamp::from_micros(get(row, 8)?);
            head.last_at = Some(at.ok_or_else(|| damaged(corrupt("not a timestamp")))?);
        }
        Ok(())
    }

    pub(super) fn index_of(&self, stream: &StreamName) -> usize {
        self.by_name
            .get(stream.as_str())
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn get(&self, nth: usize) -> &Head<'g> {
        &self.heads[nth]
    }

    /// The head of a stream that is about to change, and its id.
    pub(super) fn change(&mut self, nth: usize) -> (&mut Head<'g>, i64) {
        let head = &mut self.heads[nth];
        head.changed = true;
        let id = *head.stream_id.get_or_insert_with(|| {
            self.last_stream_id += 1;
            self.last_stream_id
        });
        (head, id)
    }

    pub(super) fn changed(&self) -> impl Iterator<Item = &Head<'g>> {
        self.heads.iter().filter(|head| head.changed)
    }
}
