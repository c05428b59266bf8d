//! The tables: names, format, and the step that makes them.

use std::sync::Arc;

use ledger_core::backend::{StoreId, event};
use ledger_core::{Error, Identifier, Kind, Result};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqlSafeStr, SqlStr};

use crate::BACKEND;
use crate::config::Config;
use crate::error::{During, bad_row, convert, corrupt};
use crate::statement::Statement;

/// The newest format of the tables that this release knows.
pub(crate) const FORMAT: u32 = 1;

/// The names of the tables of one store, quoted and qualified.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    schema: Identifier,
    prefix: Identifier,
    pub(crate) streams: String,
    pub(crate) entries: String,
    pub(crate) pos: String,
    pub(crate) meta: String,
    pub(crate) checkpoints: String,
    /// The index that knows the dedup keys, as errors name it.
    pub(crate) dedup_index: String,
    /// Whether sessions keep prepared statements.
    kept: bool,
}

impl Names {
    pub(crate) fn of(config: &Config) -> Self {
        let (schema, prefix) = (&config.schema, &config.prefix);
        let table = |name: &str| format!("\"{schema}\".\"{prefix}_{name}\"");
        Self {
            streams: table("streams"),
            entries: table("entries"),
            pos: table("pos"),
            meta: table("meta"),
            checkpoints: table("checkpoints"),
            dedup_index: format!("{prefix}_entries_dedup_key"),
            kept: !config.transaction_pooler,
            schema: schema.clone(),
            prefix: prefix.clone(),
        }
    }
}

impl Names {
    /// A statement on these tables.
    pub(crate) fn statement(&self, text: String) -> Statement {
        Statement::new(sql(text), self.kept)
    }
}

/// The only way to a statement whose text is not a constant.
///
/// The texts are made of constants of this crate, numbers, and the names
/// above, which come from [`Identifier`]s: `[a-z_][a-z0-9_]*`, so that neither
/// quotes nor anything else can get in. Values are always bound.
pub(crate) fn sql(text: String) -> SqlStr {
    AssertSqlSafe(Arc::<str>::from(text)).into_sql_str()
}

/// The script that makes the tables of format 1, as
/// [`migrate`](crate::PostgresStore::migrate) runs it.
/// Without an id the server draws one. `whole` adds the schema itself.
pub(crate) fn script(names: &Names, id: Option<StoreId>, whole: bool) -> String {
    let Names {
        schema,
        prefix,
        streams,
        entries,
        pos,
        meta,
        checkpoints,
        ..
    } = names;
    let make_schema = match schema.as_str() {
        "public" => String::new(),
        _ if !whole => String::new(),
        _ => format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\";\n"),
    };
    let id = match id {
        Some(id) => format!("'{id}'"),
        None => "gen_random_uuid()".to_owned(),
    };
    format!(
        r#"{make_schema}
-- One row for each stream. head is the last version ever assigned; it is never
-- set back, also when everything was trimmed. Half of each page stays free, so
-- that an update of the head touches no index.
CREATE TABLE {streams} (
  id      bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT "{prefix}_streams_pkey" PRIMARY KEY,
  name    text COLLATE "C" NOT NULL CONSTRAINT "{prefix}_streams_name_key" UNIQUE,
  head    bigint NOT NULL DEFAULT 0,
  last_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);

-- The ids. CACHE has to stay 1: a session that keeps numbers for later hands
-- them out in another order than it commits, and readers would skip entries.
CREATE SEQUENCE {pos} AS bigint CACHE 1 NO CYCLE;

CREATE TABLE {entries} (
  stream_id      bigint NOT NULL,
  seq            bigint NOT NULL,
  pos            bigint NOT NULL DEFAULT nextval('{pos}'),
  recorded_at    timestamptz NOT NULL,
  schema_version integer NOT NULL,
  content_type   text COLLATE "C" NOT NULL,
  order_key      text COLLATE "C" NOT NULL DEFAULT '',
  dedup_key      text COLLATE "C",
  metadata       jsonb,
  payload        bytea NOT NULL,
  CONSTRAINT "{prefix}_entries_pkey" PRIMARY KEY (stream_id, seq)
);
ALTER SEQUENCE {pos} OWNED BY {entries}.pos;
CREATE UNIQUE INDEX "{prefix}_entries_pos_key" ON {entries} (pos);
CREATE UNIQUE INDEX "{prefix}_entries_dedup_key" ON {entries} (stream_id, dedup_key)
  WHERE dedup_key IS NOT NULL;
CREATE INDEX "{prefix}_entries_order_key" ON {entries} (stream_id, order_key, seq)
  WHERE order_key <> '';

CREATE TABLE {checkpoints} (
  name        text COLLATE "C" CONSTRAINT "{prefix}_checkpoints_pkey" PRIMARY KEY,
  value       bytea,
  version     bigint NOT NULL DEFAULT 0,
  fence       bigint NOT NULL DEFAULT 0,
  holder      text COLLATE "C",
  lease_until timestamptz
);

-- One row: the format, which store this is, and the highest id that was
-- trimmed, below which no id may be given again.
CREATE TABLE {meta} (
  one     boolean DEFAULT true CONSTRAINT "{prefix}_meta_pkey" PRIMARY KEY
          CONSTRAINT "{prefix}_meta_one" CHECK (one),
  format  integer NOT NULL,
  store   uuid NOT NULL,
  trimmed bigint NOT NULL DEFAULT 0
);
INSERT INTO {meta} (format, store) VALUES ({FORMAT}, {id});
"#
    )
}

/// What is found of the tables.
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// Some of them, but not the one that names the format.
    Pieces,
    /// A store of this format.
    Store { format: u32, id: StoreId },
}

pub(crate) async fn look(connection: &mut PgConnection, names: &Names) -> Result<Found> {
    // Not to_regclass: it answers from a cache that does not learn what was
    // made while this transaction waited for the lock of the migration.
    let prefix = &names.prefix;
    let tables = ["meta", "entries", "streams", "pos"].map(|name| format!("{prefix}_{name}"));
    let query = names.statement(
        "SELECT count(*) FILTER (WHERE c.relname = $2) > 0, \
                count(*) FILTER (WHERE c.relname <> $2) > 0 \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = ANY($3)"
            .to_owned(),
    );
    let query = query
        .query()
        .bind(names.schema.as_str())
        .bind(&tables[0])
        .bind(&tables[..]);
    let row = query.fetch_one(&mut *connection).await;
    let row = row.map_err(|e| convert(&e, During::Read))?;
    let (meta, others): (bool, bool) = (get(&row, 0)?, get(&row, 1)?);
    if !meta {
        return Ok(if others {
            Found::Pieces
        } else {
            Found::Nothing
        });
    }
    let text = format!("SELECT format, store::text FROM {}", names.meta);
    let row = names
        .statement(text)
        .query()
        .fetch_optional(connection)
        .await;
    let row = row.map_err(|e| convert(&e, During::Read))?;
    let row = row.ok_or_else(|| corrupt("the row that names the format is missing"))?;
    let format = u32::try_from(get::<i32>(&row, 0)?).unwrap_or(0);
    let id = get::<String>(&row, 1)?.parse()?;
    Ok(Found::Store { format, id })
}

fn get<'r, T>(row: &'r sqlx::postgres::PgRow, index: usize) -> Result<T>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(index).map_err(|e| bad_row(&e))
}

/// Checks the format that was found.
pub(crate) fn check_format(found: u32) -> Result<()> {
    match found {
        FORMAT => Ok(()),
        newer if newer > FORMAT => {
            let known = FORMAT;
            Err(Error::new(Kind::NewerFormat { known, found }, ""))
        }
        _ => Err(corrupt("the format number of the tables")),
    }
}

/// Makes what is missing. Services that start at the same time wait for each
/// other: the whole step holds an advisory lock, and looks again under it.
pub(crate) async fn migrate(connection: &mut PgConnection, names: &Names) -> Result<StoreId> {
    let failed = |e: sqlx::Error| convert(&e, During::Write);
    // With a snapshot of before the lock, the look under it would be worthless.
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
    let mut transaction = connection.begin_with(begin).await.map_err(failed)?;
    names
        .statement("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))".to_owned())
        .query()
        .bind(format!("ledger migrates {}", names.meta))
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    let id = match look(&mut transaction, names).await? {
        Found::Store { format, id } => {
            check_format(format)?;
            return Ok(id);
        }
        Found::Pieces => return Err(pieces()),
        Found::Nothing => StoreId::random(),
    };
    // IF NOT EXISTS asks for the right to make schemas even where it is there.
    let row = names
        .statement("SELECT to_regnamespace($1) IS NULL".to_owned())
        .query()
        .bind(names.schema.as_str())
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
    let script = AssertSqlSafe(script(names, Some(id), get(&row, 0)?));
    transaction
        .execute(sqlx::raw_sql(script))
        .await
        .map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    event::migrated(BACKEND, 0, FORMAT);
    Ok(id)
}

/// Tables without the one that says what they are: never taken for an empty
/// store.
pub(crate) fn pieces() -> Error {
    Error::new(
        Kind::Misconfigured,
        "tables with the names of the ledger are there, but not all of them: restore the missing \
         ones from a backup, or choose another prefix",
    )
}
