//! The statements of pages.

use ledger_core::Identifier;

use super::Statement;

/// The name of the function that collects a page, see `read::collect`.
pub(crate) const COLLECT: &str = "ledger_collect";

/// The direction of a page.
const DESCENDING: bool = true;

/// How a page becomes one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// By SQL alone, on any connection.
    Text,
    /// By a function of ours, on connections that have it: cheaper.
    Function,
}

/// Pages of each kind, ascending and descending.
///
/// ?1 and ?2 are the ids that a page is after and up to, ?3 is its limit. ?4 is
/// the most that metadata and payload of an entry may have together to be part
/// of it; of larger ones the lengths are.
#[derive(Clone, Debug)]
pub(crate) struct PageSql {
    /// Of the stream ?5.
    pub(crate) stream: [Statement; 2],
    /// Of the stream ?5 by the order key ?6.
    pub(crate) order_key: [Statement; 2],
    /// Of the store.
    pub(crate) all: [Statement; 2],
}

impl PageSql {
    pub(super) fn new(prefix: &Identifier, packing: Packing) -> Self {
        let streams = format!("\"{prefix}_streams\"");
        let entries = format!("\"{prefix}_entries\"");
        let stream = format!("stream_id = (SELECT stream_id FROM {streams} WHERE name = ?5)");
        // Named, since the planner goes by guesses, or by the statistics of
        // whatever else is in the database.
        let [by_stream, by_order_key] =
            ["stream", "order"].map(|i| format!("INDEXED BY \"{prefix}_entries_{i}\""));
        let both = |text: &dyn Fn(bool) -> String| {
            [false, DESCENDING].map(|way| Statement::new(text(way)))
        };
        // Where the page ends is looked up first, in the index alone: a LIMIT
        // would make SQLite carry the columns of each row through a subquery.
        let page = |index: &str, of: &str, way: bool, named: bool| {
            let last = format!(
                "SELECT id FROM {entries} {index} WHERE {of} AND id > ?1 AND id <= ?2 \
                 ORDER BY id {} LIMIT 1 OFFSET ?3",
                if way == DESCENDING { "DESC" } else { "ASC" }
            );
            let (low, high) = match way {
                DESCENDING => (format!("coalesce(({last}) - 1, ?1)"), "?2".to_owned()),
                _ => ("?1".to_owned(), format!("coalesce(({last}), ?2)")),
            };
            let (name, join) = match named {
                true => (
                    "s.name",
                    format!("LEFT JOIN {streams} s ON s.stream_id = e.stream_id"),
                ),
                false => ("NULL", String::new()),
            };
            let pack = match packing {
                Packing::Text => packed(name),
                Packing::Function => collected(name),
            };
            format!(
                "SELECT {pack} FROM {entries} e {index} {join} \
                 WHERE {of} AND e.id > {low} AND e.id <= {high}"
            )
        };
        Self {
            stream: both(&|way| page(&by_stream, &stream, way, false)),
            order_key: both(&|way| {
                page(
                    &by_order_key,
                    &format!("{stream} AND order_key = ?6"),
                    way,
                    false,
                )
            }),
            all: both(&|way| page("", "true", way, true)),
        }
    }
}

/// Whether metadata and payload are part of the page.
const FITS: &str = "octet_length(e.payload) + coalesce(octet_length(e.metadata), 0) <= ?4";

/// The entries as text: numbers and lengths, and then the parts.
fn packed(stream: &str) -> String {
    let numbers = [
        "e.id",
        "e.version",
        "e.schema_version",
        "e.recorded_at",
        "octet_length(e.content_type)",
        "octet_length(e.order_key)",
        "octet_length(e.dedup_key)",
        &format!("octet_length({stream})"),
        "octet_length(e.metadata)",
        "octet_length(e.payload)",
    ];
    format!(
        "CAST(group_concat(concat({}, ' ', e.content_type, e.order_key, e.dedup_key, {stream}, \
         iif({FITS}, e.metadata, NULL), iif({FITS}, e.payload, NULL)), '') AS BLOB)",
        numbers.join(", ' ', ")
    )
}

/// The entries by the function.
fn collected(stream: &str) -> String {
    format!(
        "{COLLECT}(e.id, e.version, e.schema_version, e.recorded_at, e.content_type, \
         e.order_key, e.dedup_key, {stream}, octet_length(e.metadata), octet_length(e.payload), \
         iif({FITS}, e.metadata, NULL), iif({FITS}, e.payload, NULL))"
    )
}
