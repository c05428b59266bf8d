//! Statements, and how they are sent.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Postgres, SqlStr};

/// A statement with places for values.
///
/// It is kept prepared on its connection, unless a pooler deals out the
/// sessions behind it anew for each transaction.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    text: SqlStr,
    kept: bool,
}

impl Statement {
    pub(crate) fn new(text: SqlStr, kept: bool) -> Self {
        Self { text, kept }
    }

    pub(crate) fn query<'q>(&self) -> Query<'q, Postgres, PgArguments> {
        sqlx::query(self.text.clone()).persistent(self.kept)
    }
}
