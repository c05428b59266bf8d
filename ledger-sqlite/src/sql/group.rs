//! What the writer says to SQLite for a group.
//!
//! Each command is a way to another thread and back, which costs as much as
//! several inserts. So a group on the writer's own connection is two of them,
//! if it is small: one that takes the write lock and reads what the group is
//! decided by, and one that writes and commits.

use ledger_core::Identifier;

use super::{PADDED, Padded, Statement, fitting, values};
use crate::settings::Settings;

/// The lengths of lists that end a group; rows that are not bound are NULL.
const LAST: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Longer lists are written in parts of this length before.
pub(crate) const CHUNK: usize = 64;

/// The statements of a group.
#[derive(Clone, Debug)]
pub(crate) struct GroupSql {
    /// By the lengths of the lists of names and of keys.
    opening: Vec<Vec<Statement>>,
    /// Heads of streams by name.
    pub(crate) heads: Padded,
    /// The same with the settings of the connection.
    pub(crate) heads_and_settings: Padded,
    /// Stored entries by stream and dedup key.
    pub(crate) originals: Padded,
    /// Which stored entries have this content.
    pub(crate) same_content: Padded,
    /// [`CHUNK`] entries.
    pub(crate) insert_chunk: Statement,
    /// [`CHUNK`] heads.
    pub(crate) upsert_chunk: Statement,
    /// By the lengths of the lists of heads and of entries.
    ending: Vec<Vec<Statement>>,
    ending_with_commit: Vec<Vec<Statement>>,
    pub(crate) commit: Statement,
    pub(crate) rollback: Statement,
}

impl GroupSql {
    pub(super) fn new(prefix: &Identifier) -> Self {
        let meta = format!("\"{prefix}_meta\"");
        let streams = format!("\"{prefix}_streams\"");
        let entries = format!("\"{prefix}_entries\"");
        let by_dedup_key = format!("INDEXED BY \"{prefix}_entries_dedup\"");
        // Padding gives no rows; the numbers of the store come in any case.
        let heads = |settings: &str, rows: &str| {
            format!(
                "SELECT {settings}, (SELECT format FROM {meta}), (SELECT last_id FROM {meta}), \
                 (SELECT max(stream_id) FROM {streams}), \
                 k.column1, s.stream_id, s.version, s.last_at \
                 FROM {rows} k LEFT JOIN {streams} s ON s.name = k.column2 \
                 WHERE k.column1 = 0 OR k.column2 IS NOT NULL"
            )
        };
        let originals_by_name = |rows: &str| {
            format!(
                "SELECT k.column1, e.id, e.version FROM {rows} k \
                 CROSS JOIN {streams} s ON s.name = k.column2 \
                 CROSS JOIN {entries} e {by_dedup_key} \
                 ON e.stream_id = s.stream_id AND e.dedup_key = k.column3"
            )
        };
        let opening = |names: usize, keys: usize| {
            let heads = heads("NULL, NULL", &values(names, 1));
            match keys {
                0 => format!("BEGIN IMMEDIATE; {heads}"),
                _ => {
                    let originals = originals_by_name(&values(keys, 2));
                    format!("BEGIN IMMEDIATE; {heads}; {originals}")
                }
            }
        };
        let insert_entries = |rows: &str| {
            format!(
                "INSERT INTO {entries} (id, stream_id, version, schema_version, content_type, \
                 recorded_at, order_key, dedup_key, metadata, payload) {rows}"
            )
        };
        let upsert_streams = |rows: &str| {
            format!(
                "INSERT INTO {streams} (stream_id, name, version, last_id, last_at) {rows} \
                 ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version, \
                 last_id = excluded.last_id, last_at = excluded.last_at"
            )
        };
        let ending = |commit: &str| {
            let ending = |heads: usize, entries: usize| {
                let heads = upsert_streams(&padded_rows(heads, 5));
                // Last, since only here what is not bound is NULL.
                let entries = insert_entries(&padded_rows(entries, 10));
                let last_id = format!("UPDATE {meta} SET last_id = ?");
                Statement::new(format!("{heads}; {last_id}; {entries}{commit}"))
            };
            PADDED.map(|heads| LAST.map(|entries| ending(heads, entries)).to_vec())
        };
        Self {
            opening: PADDED
                .map(|names| {
                    let keys = std::iter::once(0).chain(PADDED);
                    keys.map(|keys| Statement::new(opening(names, keys)))
                        .collect()
                })
                .to_vec(),
            heads: Padded::new(1, |rows| heads("NULL, NULL", rows)),
            heads_and_settings: Padded::new(1, |rows| heads(Settings::COLUMNS, rows)),
            originals: Padded::new(2, |rows| {
                format!(
                    "SELECT k.column1, e.id, e.version FROM {rows} k CROSS JOIN {entries} e \
                     {by_dedup_key} ON e.stream_id = k.column2 AND e.dedup_key = k.column3"
                )
            }),
            same_content: Padded::new(4, |rows| {
                format!(
                    "SELECT k.column1 FROM {rows} k CROSS JOIN {entries} e ON e.id = k.column2 \
                     WHERE e.payload = k.column3 AND e.content_type = k.column4 \
                     AND e.schema_version = k.column5"
                )
            }),
            insert_chunk: Statement::new(insert_entries(&rows(CHUNK, 10))),
            upsert_chunk: Statement::new(upsert_streams(&rows(CHUNK, 5))),
            ending: ending("").to_vec(),
            ending_with_commit: ending("; COMMIT").to_vec(),
            commit: Statement::new("COMMIT".to_owned()),
            rollback: Statement::new("ROLLBACK".to_owned()),
        }
    }

    /// Takes the write lock, and reads the first heads and originals of a
    /// group with so many; and how many of each it reads, with the padding.
    pub(crate) fn opening(&self, names: usize, keys: usize) -> (&Statement, usize, usize) {
        let nth = fitting(&PADDED, names);
        match keys {
            0 => (&self.opening[nth][0], PADDED[nth], 0),
            _ => {
                let of_keys = fitting(&PADDED, keys);
                let statement = &self.opening[nth][1 + of_keys];
                (statement, PADDED[nth], PADDED[of_keys])
            }
        }
    }

    /// Writes the last heads of a group, the last id, and the last entries,
    /// and commits if it is told to; and how many heads it writes, with the
    /// padding. The padding of the entries need not be bound.
    pub(crate) fn ending(&self, heads: usize, entries: usize, commit: bool) -> (&Statement, usize) {
        let nth = fitting(&PADDED, heads);
        let ending = match commit {
            true => &self.ending_with_commit,
            false => &self.ending,
        };
        (&ending[nth][fitting(&LAST, entries)], PADDED[nth])
    }
}

/// Rows to insert, all of them.
fn rows(length: usize, columns: usize) -> String {
    let row = format!("(?{})", ", ?".repeat(columns - 1));
    format!("VALUES {}", vec![row.as_str(); length].join(", "))
}

/// Rows to insert, but for those whose first value is NULL.
fn padded_rows(length: usize, columns: usize) -> String {
    match length {
        1 => rows(1, columns),
        _ => format!(
            "SELECT * FROM ({}) WHERE column1 IS NOT NULL",
            rows(length, columns)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_opened_and_ended_by_statements_of_known_lengths() {
        let sql = GroupSql::new(&Identifier::DEFAULT_PREFIX);
        let opening = |names, keys| {
            let (statement, names, keys) = sql.opening(names, keys);
            let placeholders = statement.text().matches('?').count();
            assert_eq!(placeholders, names + 2 * keys);
            (names, keys)
        };
        assert_eq!(opening(1, 0), (1, 0));
        assert_eq!(opening(3, 1), (4, 1));
        assert_eq!(opening(900, 17), (64, 64));
        let ending = |heads, entries, commit| {
            let (statement, heads) = sql.ending(heads, entries, commit);
            let text = statement.text();
            assert_eq!(text.ends_with("; COMMIT"), commit);
            (heads, (text.matches('?').count() - 5 * heads - 1) / 10)
        };
        assert_eq!(ending(1, 1, true), (1, 1));
        assert_eq!(ending(2, 3, false), (4, 4));
        assert_eq!(ending(64, 33, true), (64, 64));
    }
}
