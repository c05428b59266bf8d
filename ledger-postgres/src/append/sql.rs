//! The statements of an append.
//!
//! All arrays go through a materialized CTE: bound directly to `unnest`, the
//! custom plan sees arrays of one element, always looks cheaper than the
//! generic plan, and the statement is planned anew on every call.
//!
//! Each statement writes nothing where `synchronous_commit` is weaker than
//! asked for: the session's setting can change after the store was opened, and
//! a caller's transaction can have one of its own.

use crate::config::Durability;
use crate::schema::Names;
use crate::statement::Statement;

/// `$n` of the expected version where the stream has to exist; other negative
/// numbers do not occur, and NULL is any version.
pub(crate) const EXISTS: i64 = -1;

/// The statements.
#[derive(Clone, Debug)]
pub(crate) struct AppendSql {
    /// One entry after the other, any version. Raises 23505 on a repeat.
    pub(super) lean_any: Statement,
    /// The same with an expected version, `$8`.
    pub(super) lean: Statement,
    /// Looks for repeats first, and answers for each entry.
    pub(super) one: Statement,
    /// Head, commit setting and originals of the keys, in one snapshot.
    pub(super) look: Statement,
    /// Locks the row of a stream.
    pub(super) lock: Statement,
    /// Makes the row of a stream, or waits for whoever is making it.
    pub(super) make: Statement,
    /// The index that knows the dedup keys.
    pub(crate) dedup_index: String,
    /// What an append has to survive.
    pub(super) durability: Durability,
}

impl AppendSql {
    pub(crate) fn new(names: &Names, durability: Durability) -> Self {
        Self {
            lean_any: names.statement(lean(names, durability, "", "")),
            lean: names.statement(lean(
                names,
                durability,
                &format!(
                    "WHERE $8::bigint = 0 OR EXISTS (SELECT 1 FROM {} x WHERE x.name = a.s)",
                    names.streams
                ),
                "WHERE t.head = $8 OR ($8 = -1 AND t.head > 0)",
            )),
            one: names.statement(one(names, durability)),
            look: names.statement(look(names)),
            lock: names.statement(format!(
                "SELECT 1 FROM {} WHERE name = $1 FOR NO KEY UPDATE",
                names.streams
            )),
            make: names.statement(format!(
                "INSERT INTO {} (name) VALUES ($1) ON CONFLICT (name) DO NOTHING",
                names.streams
            )),
            dedup_index: names.dedup_index.clone(),
            durability,
        }
    }
}

/// The row lock, the version check and the numbers come from the upsert of the
/// head. The clock is read in its SET clause, so under that lock: a
/// statement's own start time would run backwards while writers queue.
///
/// No `ON CONFLICT DO NOTHING` on the entries: it would swallow a repeat, and
/// leave a hole in the versions.
fn lean(names: &Names, durability: Durability, source: &str, check: &str) -> String {
    let Names {
        streams, entries, ..
    } = names;
    let accepted = durability.accepted();
    format!(
        "WITH a AS MATERIALIZED (\
           SELECT $1::text AS s, $2::bytea[] AS p, $3::text[] AS ok, $4::text[] AS dk, \
                  $5::int4[] AS sv, $6::text[] AS meta, $7::text[] AS ct \
           WHERE current_setting('synchronous_commit') IN ({accepted})), \
         st AS (\
           INSERT INTO {streams} AS t (name, head, last_at) \
           SELECT a.s, cardinality(a.p), clock_timestamp() FROM a {source} \
           ON CONFLICT (name) DO UPDATE SET head = t.head + EXCLUDED.head, \
             last_at = greatest(t.last_at, clock_timestamp()) {check} \
           RETURNING t.id, t.head, t.last_at) \
         INSERT INTO {entries} (stream_id, seq, recorded_at, schema_version, content_type, \
                                order_key, dedup_key, metadata, payload) \
         SELECT st.id, st.head - cardinality(a.p) + x.ord, st.last_at, x.sv, x.ct, \
                x.ok, x.dk, x.meta::jsonb, x.p \
         FROM st, a, unnest(a.p, a.ok, a.dk, a.sv, a.meta, a.ct) \
              WITH ORDINALITY AS x(p, ok, dk, sv, meta, ct, ord) \
         RETURNING seq, pos"
    )
}

/// `LATERAL … LIMIT 1` pins the plan to the index of the keys; `= ANY` was
/// planned as a scan of the whole stream.
fn one(names: &Names, durability: Durability) -> String {
    let Names {
        streams, entries, ..
    } = names;
    let accepted = durability.accepted();
    format!(
        "WITH a AS MATERIALIZED (\
           SELECT $2::bytea[] AS p, $3::text[] AS ok, $4::text[] AS dk, \
                  $5::int4[] AS sv, $6::text[] AS meta, $7::text[] AS ct), \
         u AS MATERIALIZED (\
           SELECT x.* FROM a, unnest(a.p, a.ok, a.dk, a.sv, a.meta, a.ct) \
             WITH ORDINALITY AS x(p, ok, dk, sv, meta, ct, ord)), \
         old AS MATERIALIZED (\
           SELECT u.ord, o.seq, o.pos, o.same FROM u CROSS JOIN LATERAL (\
             SELECT e.seq, e.pos, NOT $9::bool OR (e.payload = u.p AND e.content_type = u.ct \
                    AND e.schema_version = u.sv) AS same \
             FROM {entries} e \
             WHERE e.stream_id = (SELECT id FROM {streams} WHERE name = $1) \
               AND e.dedup_key = u.dk LIMIT 1) o \
           WHERE u.dk IS NOT NULL), \
         fresh AS MATERIALIZED (\
           SELECT u.*, row_number() OVER (ORDER BY u.ord) AS rn FROM u \
           WHERE NOT EXISTS (SELECT 1 FROM old WHERE old.ord = u.ord)), \
         n AS MATERIALIZED (SELECT count(*) AS n FROM fresh), \
         st AS (\
           INSERT INTO {streams} AS t (name, head, last_at) \
           SELECT $1::text, n.n, clock_timestamp() FROM n \
           WHERE n.n > 0 AND NOT EXISTS (SELECT 1 FROM old WHERE NOT old.same) \
             AND current_setting('synchronous_commit') IN ({accepted}) \
             AND (COALESCE($8::bigint, 0) = 0 \
                  OR EXISTS (SELECT 1 FROM {streams} WHERE name = $1)) \
           ON CONFLICT (name) DO UPDATE SET head = t.head + EXCLUDED.head, \
             last_at = greatest(t.last_at, clock_timestamp()) \
             WHERE $8 IS NULL OR t.head = $8 OR ($8 = -1 AND t.head > 0) \
           RETURNING t.id, t.head - (SELECT n FROM n) AS base, t.last_at), \
         ins AS (\
           INSERT INTO {entries} (stream_id, seq, recorded_at, schema_version, content_type, \
                                  order_key, dedup_key, metadata, payload) \
           SELECT st.id, st.base + f.rn, st.last_at, f.sv, f.ct, f.ok, f.dk, f.meta::jsonb, f.p \
           FROM st CROSS JOIN fresh f ORDER BY f.rn \
           RETURNING seq, pos) \
         SELECT u.ord, COALESCE(old.seq, ins.seq) AS seq, COALESCE(old.pos, ins.pos) AS pos, \
                old.ord IS NOT NULL AS dup, COALESCE(old.same, true) AS same \
         FROM u LEFT JOIN old ON old.ord = u.ord LEFT JOIN fresh f ON f.ord = u.ord \
              LEFT JOIN ins ON ins.seq = (SELECT base FROM st) + f.rn"
    )
}

fn look(names: &Names) -> String {
    let Names {
        streams, entries, ..
    } = names;
    format!(
        "WITH a AS MATERIALIZED (\
           SELECT $2::text[] AS dk, $3::bytea[] AS p, $4::text[] AS ct, $5::int4[] AS sv), \
         s AS MATERIALIZED (SELECT id, head FROM {streams} WHERE name = $1) \
         SELECT (SELECT head FROM s) AS head, current_setting('synchronous_commit') AS setting, \
                f.ord, f.seq, f.pos, f.same \
         FROM (SELECT 1) AS one LEFT JOIN LATERAL (\
           SELECT u.ord, o.seq, o.pos, o.same FROM a, unnest(a.dk, a.p, a.ct, a.sv) \
             WITH ORDINALITY AS u(dk, p, ct, sv, ord) CROSS JOIN LATERAL (\
             SELECT e.seq, e.pos, (e.payload = u.p AND e.content_type = u.ct \
                    AND e.schema_version = u.sv) AS same \
             FROM {entries} e WHERE e.stream_id = (SELECT id FROM s) \
               AND e.dedup_key = u.dk LIMIT 1) o) f ON true"
    )
}
