//! The statements of a store. The only text put into them is its prefix, an
//! [`Identifier`].

mod group;
mod page;

use std::sync::Arc;

use ledger_core::Identifier;
use sqlx::AssertSqlSafe;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};

pub(crate) use self::group::{CHUNK, GroupSql};
pub(crate) use self::page::{COLLECT, Packing, PageSql};

/// Statements over a list of rows exist for these lengths, so that the
/// connection's statement cache hits. Longer lists are cut, shorter ones
/// padded with rows of NULL.
pub(crate) const PADDED: [usize; 4] = [1, 4, 16, 64];

/// The text of a statement.
#[derive(Clone, Debug)]
pub(crate) struct Statement(Arc<str>);

impl Statement {
    fn new(text: String) -> Self {
        Self(text.into())
    }

    pub(crate) fn query(&self) -> Bound {
        sqlx::query(AssertSqlSafe(self.0.clone()))
    }

    #[cfg(test)]
    pub(crate) fn for_test(text: &str) -> Self {
        Self::new(text.to_owned())
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// A statement and what was bound so far.
pub(crate) type Bound = Query<'static, Sqlite, SqliteArguments>;

/// The same statement for lists of [`PADDED`] lengths.
#[derive(Clone, Debug)]
pub(crate) struct Padded([Statement; PADDED.len()]);

impl Padded {
    /// For each list `rows` of `columns` placeholders behind a number.
    fn new(columns: usize, text: impl Fn(&str) -> String) -> Self {
        Self(PADDED.map(|length| Statement::new(text(&values(length, columns)))))
    }

    /// The statement for the next part of a list of `left` rows, and the
    /// length of it with the padding.
    pub(crate) fn fitting(&self, left: usize) -> (&Statement, usize) {
        let nth = fitting(&PADDED, left);
        (&self.0[nth], PADDED[nth])
    }
}

/// Which of the lengths is the shortest that takes `left` rows; the longest if
/// none does.
fn fitting(lengths: &[usize], left: usize) -> usize {
    let nth = lengths.iter().position(|length| *length >= left);
    nth.unwrap_or(lengths.len() - 1)
}

/// A list of rows of so many placeholders, each behind its number.
fn values(length: usize, columns: usize) -> String {
    let placeholders = ", ?".repeat(columns);
    let rows: Vec<_> = (0..length)
        .map(|n| format!("({n}{placeholders})"))
        .collect();
    format!("(VALUES {})", rows.join(", "))
}

/// All statements but those that create the tables.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    /// Writer: what a group says.
    pub(crate) group: GroupSql,
    /// In a caller's transaction: takes the write lock and changes nothing.
    pub(crate) lock: Statement,
    /// Writer: removes the oldest entries of a stream.
    pub(crate) trim: Statement,
    /// Pages on any connection.
    pub(crate) packed: PageSql,
    /// Pages on connections that have the function for it.
    pub(crate) collected: PageSql,
    /// The id of the first entry of a stream at a version or above it; the
    /// last id if there is none.
    pub(crate) id_of_version: Statement,
    pub(crate) meta: Statement,
    pub(crate) stat: Statement,
    pub(crate) list: Statement,
}

impl Sql {
    /// The pages of connections with the function for it, or without.
    pub(crate) fn pages(&self, function: bool) -> &PageSql {
        match function {
            true => &self.collected,
            false => &self.packed,
        }
    }

    pub(crate) fn new(prefix: &Identifier) -> Self {
        let meta = format!("\"{prefix}_meta\"");
        let streams = format!("\"{prefix}_streams\"");
        let entries = format!("\"{prefix}_entries\"");
        Self {
            group: GroupSql::new(prefix),
            lock: Statement::new(format!("UPDATE {meta} SET last_id = last_id WHERE false")),
            trim: Statement::new(format!(
                "DELETE FROM {entries} WHERE id IN (SELECT id FROM {entries} \
                 WHERE stream_id = (SELECT stream_id FROM {streams} WHERE name = ?1) \
                 AND id <= ?2 ORDER BY id LIMIT ?3)"
            )),
            packed: PageSql::new(prefix, Packing::Text),
            collected: PageSql::new(prefix, Packing::Function),
            // Ids and versions grow together, so the place of a version is
            // found by halving: from the first id on, jump over 2^62, 2^61, …
            // ids as long as what is there is older. Each jump is one look
            // into the index. (An index on versions would have to be written
            // for each entry.)
            id_of_version: Statement::new(format!(
                "WITH RECURSIVE s (id, first_id, last_id) AS MATERIALIZED (\
                 SELECT stream_id, (SELECT min(e.id) FROM {entries} e \
                 WHERE e.stream_id = {streams}.stream_id), last_id \
                 FROM {streams} WHERE name = ?1), \
                 search (id, jump) AS (\
                 SELECT coalesce(first_id, last_id), 1 << 62 FROM s UNION ALL \
                 SELECT id + iif(id + jump - 1 <= (SELECT last_id FROM s) \
                 AND (SELECT e.version FROM {entries} e WHERE e.stream_id = (SELECT id FROM s) \
                 AND e.id >= search.id + jump - 1 ORDER BY e.id LIMIT 1) < ?2, jump, 0), jump / 2 \
                 FROM search WHERE jump > 0) \
                 SELECT coalesce((SELECT e.id FROM {entries} e WHERE e.stream_id = s.id \
                 AND e.id >= search.id ORDER BY e.id LIMIT 1), s.last_id) \
                 FROM search CROSS JOIN s WHERE jump = 0"
            )),
            meta: Statement::new(format!("SELECT format, last_id, store_id FROM {meta}")),
            stat: Statement::new(format!(
                "SELECT s.version, \
                 (SELECT min(id) FROM {entries} WHERE stream_id = s.stream_id), \
                 (SELECT max(id) FROM {entries} WHERE stream_id = s.stream_id), \
                 (SELECT version FROM {entries} WHERE stream_id = s.stream_id ORDER BY id LIMIT 1) \
                 FROM {streams} s WHERE s.name = ?1"
            )),
            list: Statement::new(format!(
                "SELECT name FROM {streams} WHERE name > ?1 ORDER BY name LIMIT ?2"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_into_known_lengths() {
        let sql = Sql::new(&Identifier::DEFAULT_PREFIX);
        let padded = |left| sql.group.originals.fitting(left).1;
        assert_eq!(
            [1, 2, 5, 17, 64, 65, 900].map(padded),
            [1, 4, 16, 64, 64, 64, 64]
        );
    }
}
