//! The tables of format 1, and what is found where they should be.
//!
//! | table | holds |
//! |---|---|
//! | `…_meta` | one row: format, id of the store, highest id ever assigned |
//! | `…_streams` | one row a stream: its name, last version, last id, last time |
//! | `…_entries` | one row an entry; the rowid is the order of the store |
//! | `…_checkpoints` | the places of consumers |

use ledger_core::backend::StoreId;
use ledger_core::{Error, Identifier, Kind, Result};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::error::{convert, corrupt, misconfigured};

/// The format that this release writes, and the newest that it knows.
pub(crate) const FORMAT: u32 = 1;

const TABLES: [&str; 4] = ["meta", "streams", "entries", "checkpoints"];
const INDEXES: [&str; 3] = ["entries_stream", "entries_dedup", "entries_order"];

/// The statements that create the tables of a store with this prefix, to be
/// printed or run by an administrator. Opening a store runs the same ones
/// where none of its tables exist.
///
/// ```
/// use ledger_core::Identifier;
///
/// let sql = ledger_sqlite::schema_sql(&Identifier::DEFAULT_PREFIX);
/// assert!(sql.contains(r#"CREATE TABLE "ledger_entries""#));
/// ```
#[must_use]
pub fn schema_sql(prefix: &Identifier) -> String {
    let create = tables(prefix);
    format!(
        "{create}\n\n-- One row; the id is a random UUID.\n\
         INSERT INTO \"{prefix}_meta\" (one, format, store_id, last_id) VALUES (1, {FORMAT},\n  \
         lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2)\n    \
         || '-a' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))), 0);\n"
    )
}

/// The (stream_id) index is in truth (stream_id, id): it serves pages of a
/// stream in both directions. One on (stream_id, version) would sort the whole
/// stream for each page.
fn tables(prefix: &Identifier) -> String {
    format!(
        r#"CREATE TABLE "{prefix}_meta" (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  format INTEGER NOT NULL,
  store_id TEXT NOT NULL,
  last_id INTEGER NOT NULL
) STRICT;
CREATE TABLE "{prefix}_streams" (
  stream_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL COLLATE BINARY UNIQUE,
  version INTEGER NOT NULL,
  last_id INTEGER NOT NULL,
  last_at INTEGER NOT NULL
) STRICT;
CREATE TABLE "{prefix}_entries" (
  id INTEGER PRIMARY KEY,
  stream_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  schema_version INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  recorded_at INTEGER NOT NULL,
  order_key TEXT COLLATE BINARY,
  dedup_key TEXT COLLATE BINARY,
  metadata TEXT,
  payload BLOB NOT NULL
) STRICT;
CREATE INDEX "{prefix}_entries_stream" ON "{prefix}_entries" (stream_id);
CREATE UNIQUE INDEX "{prefix}_entries_dedup" ON "{prefix}_entries" (stream_id, dedup_key)
  WHERE dedup_key IS NOT NULL;
CREATE INDEX "{prefix}_entries_order" ON "{prefix}_entries" (stream_id, order_key)
  WHERE order_key IS NOT NULL;
CREATE TABLE "{prefix}_checkpoints" (
  name TEXT NOT NULL COLLATE BINARY PRIMARY KEY,
  value BLOB NOT NULL,
  version INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  holder TEXT,
  lease_until INTEGER
) STRICT, WITHOUT ROWID;"#
    )
}

/// Looks for the store's tables. `None` if there are none of them.
pub(crate) async fn inspect(
    conn: &mut SqliteConnection,
    prefix: &Identifier,
) -> Result<Option<StoreId>> {
    let found = existing(conn, prefix).await?;
    let has = |name: &str| found.iter().any(|found| found == name);
    if found.is_empty() {
        return Ok(None);
    }
    if !has("meta") {
        let error = misconfigured(
            "some tables of the store exist, but the one that says their format does not; \
             restore it, or choose another prefix",
        );
        return Err(error.with("missing table", format_args!("{prefix}_meta")));
    }
    let id = read_meta(conn, prefix).await?;
    if let Some(missing) = TABLES.iter().chain(&INDEXES).find(|name| !has(name)) {
        let error = corrupt("a table or an index of the store is missing");
        return Err(error.with("missing", format_args!("{prefix}_{missing}")));
    }
    Ok(Some(id))
}

/// Which tables and indexes of the store exist, without their prefix.
async fn existing(conn: &mut SqliteConnection, prefix: &Identifier) -> Result<Vec<String>> {
    let rows = sqlx::query(
        "SELECT lower(name) FROM sqlite_schema WHERE type IN ('table', 'index', 'view')",
    )
    .fetch_all(conn)
    .await
    .map_err(convert)?;
    let mut found = Vec::new();
    for row in rows {
        let name: String = row.try_get(0).map_err(convert)?;
        let rest = name
            .strip_prefix(prefix.as_str())
            .and_then(|n| n.strip_prefix('_'));
        if let Some(known) = TABLES
            .iter()
            .chain(&INDEXES)
            .find(|known| rest == Some(**known))
        {
            found.push((*known).to_owned());
        }
    }
    Ok(found)
}

async fn read_meta(conn: &mut SqliteConnection, prefix: &Identifier) -> Result<StoreId> {
    let table = format!("{prefix}_meta");
    let columns = format!(r#"SELECT 1 FROM pragma_table_info('{table}') WHERE name = 'format'"#);
    let ours = sqlx::query(AssertSqlSafe(columns))
        .fetch_optional(&mut *conn)
        .await
        .map_err(convert)?;
    if ours.is_none() {
        let error = misconfigured(
            "a table of this name exists but is not the ledger's; choose another prefix",
        );
        return Err(error.with("table", table));
    }
    let format = sqlx::query(AssertSqlSafe(format!(r#"SELECT format FROM "{table}""#)))
        .fetch_optional(&mut *conn)
        .await
        .map_err(convert)?;
    let Some(format) = format else {
        return Err(corrupt("the row that says the format is missing").with("table", table));
    };
    check_format(format.try_get(0).map_err(convert)?)?;
    let row = sqlx::query(AssertSqlSafe(format!(r#"SELECT store_id FROM "{table}""#)))
        .fetch_one(conn)
        .await
        .map_err(convert)?;
    let id: &str = row.try_get(0).map_err(convert)?;
    id.parse().map_err(|e: Error| e.with("table", table))
}

/// Whether tables of this format can be used.
pub(crate) fn check_format(format: i64) -> Result<()> {
    match u32::try_from(format) {
        Ok(FORMAT) => Ok(()),
        Ok(found) if found > FORMAT => {
            let known = FORMAT;
            Err(Error::new(
                Kind::NewerFormat { known, found },
                "update this program",
            ))
        }
        _ => Err(corrupt("no such format").with("format", format)),
    }
}

/// Creates the tables. To be called inside a transaction.
pub(crate) async fn create(conn: &mut SqliteConnection, prefix: &Identifier) -> Result<StoreId> {
    let id = StoreId::random();
    sqlx::raw_sql(AssertSqlSafe(tables(prefix)))
        .execute(&mut *conn)
        .await
        .map_err(convert)?;
    let row = format!(
        r#"INSERT INTO "{prefix}_meta" (one, format, store_id, last_id) VALUES (1, ?, ?, 0)"#
    );
    sqlx::query(AssertSqlSafe(row))
        .bind(FORMAT)
        .bind(id.to_string())
        .execute(conn)
        .await
        .map_err(convert)?;
    Ok(id)
}

/// SQLite keeps names that begin with `sqlite_` for itself.
pub(crate) fn check_prefix(prefix: &Identifier) -> Result<()> {
    if prefix.as_str() == "sqlite" || prefix.as_str().starts_with("sqlite_") {
        return Err(misconfigured(
            "SQLite keeps names that begin with sqlite_ for itself; choose another prefix",
        ));
    }
    Ok(())
}
