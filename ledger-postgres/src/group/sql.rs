//! The statements of groups.
//!
//! As in the statements of single appends, arrays go through a materialized
//! CTE, nothing is written where `synchronous_commit` is too weak, and the
//! clock is read under the lock of the stream.

use crate::append::EXISTS;
use crate::config::Durability;
use crate::schema::Names;
use crate::statement::Statement;

#[derive(Clone, Debug)]
pub(crate) struct GroupSql {
    /// Heads and entries, where no version is expected.
    pub(super) any: Statement,
    /// The same, where the first request of a stream may expect a version,
    /// `$12`.
    pub(super) expecting: Statement,
    /// Makes and locks the rows of streams.
    pub(super) lock: Statement,
    /// The originals of dedup keys.
    pub(super) originals: Statement,
    /// Heads and entries with the versions that were decided.
    pub(super) write: Statement,
}

impl GroupSql {
    pub(crate) fn new(names: &Names, durability: Durability) -> Self {
        Self {
            any: names.statement(one_statement(names, durability, false)),
            expecting: names.statement(one_statement(names, durability, true)),
            lock: names.statement(lock(names)),
            originals: names.statement(originals(names)),
            write: names.statement(write(names)),
        }
    }
}

/// `$11` is how long it waits for a lock; the setting ends with the statement.
///
/// A stream whose version is not the expected one gives no row, and neither do
/// its entries; the others are not concerned.
///
/// `ON CONFLICT … WHERE` sees only columns of the table, so the expected
/// version is looked up by the name: a group has few streams.
fn one_statement(names: &Names, durability: Durability, expecting: bool) -> String {
    let Names {
        streams, entries, ..
    } = names;
    let accepted = durability.accepted();
    let (expected, source, check) = match expecting {
        false => ("NULL::int8[]", String::new(), String::new()),
        true => (
            "$12::int8[]",
            format!(
                "WHERE COALESCE(s.e, 0) = 0 \
                 OR EXISTS (SELECT 1 FROM {streams} x WHERE x.name = s.name)"
            ),
            format!(
                "WHERE (SELECT s.e IS NULL OR t.head = s.e OR (s.e = {EXISTS} AND t.head > 0) \
                        FROM s WHERE s.name = t.name)"
            ),
        ),
    };
    format!(
        "WITH a AS MATERIALIZED (\
           SELECT $1::text[] AS s, $2::int8[] AS n, $3::int4[] AS part, $4::int8[] AS nth, \
                  $5::bytea[] AS p, $6::text[] AS ok, $7::text[] AS dk, $8::int4[] AS sv, \
                  $9::text[] AS meta, $10::text[] AS ct, {expected} AS e \
           WHERE current_setting('synchronous_commit') IN ({accepted}) \
             AND set_config('lock_timeout', \
                            COALESCE($11, current_setting('lock_timeout')), true) <> ''), \
         s AS MATERIALIZED (\
           SELECT x.name, x.n, x.e, x.part FROM a, unnest(a.s, a.n, a.e) \
             WITH ORDINALITY AS x(name, n, e, part)), \
         st AS (\
           INSERT INTO {streams} AS t (name, head, last_at) \
           SELECT s.name, s.n, clock_timestamp() FROM s {source} ORDER BY s.part \
           ON CONFLICT (name) DO UPDATE SET head = t.head + EXCLUDED.head, \
             last_at = greatest(t.last_at, clock_timestamp()) {check} \
           RETURNING t.id, t.name, t.head, t.last_at), \
         known AS MATERIALIZED (\
           SELECT s.part, s.n, st.id, st.head, st.last_at FROM st JOIN s ON s.name = st.name), \
         ins AS (\
           INSERT INTO {entries} (stream_id, seq, recorded_at, schema_version, content_type, \
                                  order_key, dedup_key, metadata, payload) \
           SELECT k.id, k.head - k.n + x.nth, k.last_at, x.sv, x.ct, x.ok, x.dk, \
                  x.meta::jsonb, x.p \
           FROM a, unnest(a.part, a.nth, a.p, a.ok, a.dk, a.sv, a.meta, a.ct) \
                WITH ORDINALITY AS x(part, nth, p, ok, dk, sv, meta, ct, ord) \
           JOIN known k ON k.part = x.part ORDER BY x.ord \
           RETURNING stream_id, seq, pos) \
         SELECT k.part, ins.seq - k.head + k.n, ins.seq, ins.pos \
         FROM ins JOIN known k ON k.id = ins.stream_id"
    )
}

/// One pass in the order of the names, which makes what is not there: two
/// passes would lock in two orders.
fn lock(names: &Names) -> String {
    format!(
        "INSERT INTO {} AS t (name) \
         SELECT x.name FROM unnest($1::text[]) WITH ORDINALITY AS x(name, ord) ORDER BY x.ord \
         ON CONFLICT (name) DO UPDATE SET head = t.head \
         RETURNING t.name, t.id, t.head, current_setting('synchronous_commit')",
        names.streams
    )
}

/// Contents go along only where they are compared.
fn originals(names: &Names) -> String {
    format!(
        "WITH a AS MATERIALIZED (\
           SELECT $1::int8[] AS sid, $2::text[] AS dk, $3::bytea[] AS p, $4::text[] AS ct, \
                  $5::int4[] AS sv) \
         SELECT u.ord, o.seq, o.pos, o.same FROM a, unnest(a.sid, a.dk, a.p, a.ct, a.sv) \
           WITH ORDINALITY AS u(sid, dk, p, ct, sv, ord) CROSS JOIN LATERAL (\
           SELECT e.seq, e.pos, u.p IS NULL OR (e.payload = u.p AND e.content_type = u.ct \
                  AND e.schema_version = u.sv) AS same \
           FROM {} e WHERE e.stream_id = u.sid AND e.dedup_key = u.dk LIMIT 1) o",
        names.entries
    )
}

fn write(names: &Names) -> String {
    let Names {
        streams, entries, ..
    } = names;
    format!(
        "WITH a AS MATERIALIZED (\
           SELECT $1::int8[] AS id, $2::int8[] AS head, $3::int8[] AS sid, $4::int8[] AS seq, \
                  $5::bytea[] AS p, $6::text[] AS ok, $7::text[] AS dk, $8::int4[] AS sv, \
                  $9::text[] AS meta, $10::text[] AS ct), \
         h AS (\
           UPDATE {streams} t SET head = v.head, \
             last_at = greatest(t.last_at, clock_timestamp()) \
           FROM a, unnest(a.id, a.head) AS v(id, head) WHERE t.id = v.id \
           RETURNING t.id, t.last_at), \
         ins AS (\
           INSERT INTO {entries} (stream_id, seq, recorded_at, schema_version, content_type, \
                                  order_key, dedup_key, metadata, payload) \
           SELECT h.id, x.seq, h.last_at, x.sv, x.ct, x.ok, x.dk, x.meta::jsonb, x.p \
           FROM a, unnest(a.sid, a.seq, a.p, a.ok, a.dk, a.sv, a.meta, a.ct) \
                WITH ORDINALITY AS x(sid, seq, p, ok, dk, sv, meta, ct, ord) \
           JOIN h ON h.id = x.sid ORDER BY x.ord \
           RETURNING stream_id, seq, pos) \
         SELECT stream_id, seq, pos FROM ins"
    )
}
