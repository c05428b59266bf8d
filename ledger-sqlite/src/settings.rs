//! The settings of a database and a connection that the promises rest on.

use ledger_core::{Error, Result};
use sqlx::{Row, SqliteConnection};

use crate::error::{convert, misconfigured};
use crate::options::Durability;

/// The first release of SQLite in which several connections cannot lose
/// commits when the write-ahead log is reset.
const SAFE_SQLITE: (u32, u32, u32) = (3, 51, 3);
/// The first release that has everything the statements use.
const KNOWN_SQLITE: (u32, u32, u32) = (3, 44, 0);

/// Checks what cannot change while the database is open: its encoding and the
/// release of SQLite.
pub(crate) async fn check_database(conn: &mut SqliteConnection, connections: u32) -> Result<()> {
    let row = sqlx::query("SELECT sqlite_version(), (SELECT encoding FROM pragma_encoding)")
        .fetch_one(conn)
        .await
        .map_err(convert)?;
    let release: &str = row.try_get(0).map_err(convert)?;
    let encoding: &str = row.try_get(1).map_err(convert)?;
    check_release(release, connections)?;
    if encoding != "UTF-8" {
        let error = misconfigured(
            "the encoding of the database has to be UTF-8; copy its data into a new one",
        );
        return Err(error.with("encoding", encoding));
    }
    Ok(())
}

fn check_release(release: &str, connections: u32) -> Result<()> {
    let mut parts = release.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let found = (next(), next(), next());
    if found < KNOWN_SQLITE {
        let error = misconfigured("this release of SQLite is too old; use 3.51.3 or later");
        return Err(error.with("sqlite", release));
    }
    if connections > 1 && found < SAFE_SQLITE {
        let error = misconfigured(
            "this release of SQLite can lose commits when several connections are open; \
             use 3.51.3 or later",
        );
        return Err(error.with("sqlite", release));
    }
    Ok(())
}

/// The settings of a connection.
#[derive(Debug)]
pub(crate) struct Settings {
    synchronous: i64,
    journal_mode: String,
}

impl Settings {
    /// The columns that [`of_row`](Self::of_row) reads.
    pub(crate) const COLUMNS: &str = "(SELECT synchronous FROM pragma_synchronous), \
         (SELECT journal_mode FROM pragma_journal_mode)";

    pub(crate) async fn read(conn: &mut SqliteConnection) -> Result<Self> {
        let row = sqlx::query(
            "SELECT (SELECT synchronous FROM pragma_synchronous), \
             (SELECT journal_mode FROM pragma_journal_mode)",
        )
        .fetch_one(conn)
        .await
        .map_err(convert)?;
        Self::of_row(&row, 0)
    }

    pub(crate) fn of_row(row: &sqlx::sqlite::SqliteRow, first: usize) -> Result<Self> {
        Ok(Self {
            synchronous: row.try_get(first).map_err(convert)?,
            journal_mode: row.try_get(first + 1).map_err(convert)?,
        })
    }

    /// Checks that the connection keeps what was asked for.
    pub(crate) fn check(&self, durability: Durability) -> Result<()> {
        self.check_journal()?;
        if self.synchronous < durability.level() {
            return Err(self.weaker(durability));
        }
        Ok(())
    }

    /// Checks the part that is a property of the file.
    pub(crate) fn check_journal(&self) -> Result<()> {
        if self.is_wal() {
            return Ok(());
        }
        let error =
            misconfigured("the database has to be in WAL mode; run PRAGMA journal_mode = WAL once");
        Err(error.with("journal_mode", &self.journal_mode))
    }

    pub(crate) fn is_wal(&self) -> bool {
        self.journal_mode.eq_ignore_ascii_case("wal")
    }

    fn weaker(&self, durability: Durability) -> Error {
        misconfigured(
            "the connection is less durable than asked for; \
             set synchronous in the options of the pool, or ask for less",
        )
        .with("synchronous", self.synchronous)
        .with("asked for", format_args!("{durability:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_sqlite_is_refused_for_several_connections() {
        for release in ["3.51.2", "3.50.7", "3.44.0"] {
            assert!(check_release(release, 2).is_err(), "{release}");
            assert!(check_release(release, 1).is_ok(), "{release}");
        }
        for release in ["3.43.2", "3.7.17", "2.8", ""] {
            assert!(check_release(release, 1).is_err(), "{release}");
        }
        for release in ["3.51.3", "3.52.0", "4.0"] {
            assert!(check_release(release, 2).is_ok(), "{release}");
        }
    }

    #[test]
    fn the_bundled_sqlite_is_safe() {
        let bundled = libsqlite3_sys::SQLITE_VERSION_NUMBER;
        assert!(bundled >= 3_051_003, "{bundled}");
    }
}
