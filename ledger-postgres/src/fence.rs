//! Up to where the order of the whole store is settled.
//!
//! Ids come from a sequence and are drawn before the commit: one that is
//! visible may have a lower one still to come. The *reader* finds out, at no
//! cost to writers.
//!
//! Why it is right:
//!
//! * Every transaction takes `RowExclusiveLock` on the table of entries before
//!   it draws its first id, and gives it back only after its commit is visible.
//! * Take `L`, the highest visible id. Each id below was drawn before `L` was.
//!   So its owner is done by the time the holders of that lock are read
//!   *afterwards*, or it is one of them.
//! * Once all those holders are gone, every *later* snapshot sees each entry
//!   up to `L` that will ever be. New holders do not matter: they cannot draw
//!   an id below `L`.
//!
//! `L`, the holders, and the entries are read by separate statements in this
//! order, each with a snapshot of its own. In one statement, or in a
//! transaction with one snapshot, readers skip entries.
//!
//! What must not mislead it: a standby shows no holders; a restart changes the
//! name of a prepared transaction (and so may a crash, which the start time of
//! the server does not tell), so every prepared transaction counts as a holder
//! while a fence waits.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ledger_core::{Error, Kind, Result};
use sqlx::PgConnection;

use crate::error::{During, convert};
use crate::row::{Micros, get};
use crate::schema::Names;
use crate::statement::Statement;

/// The fence of one handle, shared by its readers. It survives between their
/// polls, so that writers that never end cannot starve them.
#[derive(Debug)]
pub(crate) struct Fence {
    state: Mutex<State>,
    highest: Statement,
    holders: Statement,
    fences: AtomicU64,
    waits: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// When the server that all this is about was started.
    started: Option<i64>,
    /// Everything up to here is final; `None` until a first fence cleared.
    settled: Option<i64>,
    pending: Option<Pending>,
    next: u64,
}

/// A fence that waits.
#[derive(Clone, Debug)]
struct Pending {
    number: u64,
    /// `L`.
    through: i64,
    holders: Vec<Holder>,
}

/// A transaction that may own an undecided id.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    /// Its name while the server runs.
    transaction: String,
    /// Its session; `None` for a prepared transaction.
    pub(crate) pid: Option<i32>,
    since: Instant,
}

impl Holder {
    pub(crate) fn seen_for(&self) -> Duration {
        self.since.elapsed()
    }

    fn is_prepared(&self) -> bool {
        self.transaction.starts_with("-1/")
    }
}

/// What the server says of itself and of who holds the lock.
struct Seen {
    started: i64,
    holders: Vec<Holder>,
}

/// How often readers of the whole store met an undecided place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FenceStats {
    /// How often the settled end had to be found out.
    pub fences: u64,
    /// How often a page stopped short because a writer was still at work.
    pub waits: u64,
}

impl Fence {
    pub(crate) fn new(names: &Names) -> Self {
        let entries = &names.entries;
        // A sequence cannot be asked instead: its last number may belong to a
        // transaction whose entry will never be.
        let highest = format!("SELECT max(pos) FROM {entries}");
        // Prepared transactions have no pid, hence IS DISTINCT FROM. What ends
        // in /0 is in no transaction.
        let holders = format!(
            "SELECT pg_is_in_recovery(), pg_postmaster_start_time(), \
                    l.virtualtransaction, l.pid \
             FROM (SELECT 1) AS one LEFT JOIN pg_locks l ON l.locktype = 'relation' \
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
               AND l.relation = '{entries}'::regclass AND l.mode = 'RowExclusiveLock' \
               AND l.granted AND l.virtualtransaction NOT LIKE '%/0' \
               AND l.pid IS DISTINCT FROM pg_backend_pid()"
        );
        Self {
            state: Mutex::default(),
            highest: names.statement(highest),
            holders: names.statement(holders),
            fences: AtomicU64::new(0),
            waits: AtomicU64::new(0),
        }
    }

    /// Everything up to here is final; what a reader takes has to be read by a
    /// statement that begins after this was asked.
    pub(crate) fn settled(&self) -> Option<i64> {
        self.state().settled
    }

    pub(crate) fn stats(&self) -> FenceStats {
        FenceStats {
            fences: self.fences.load(Ordering::Relaxed),
            waits: self.waits.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn waited(&self) {
        self.waits.fetch_add(1, Ordering::Relaxed);
    }

    /// The place up to which the fence waits, and for whom.
    pub(crate) fn pending(&self) -> Option<(i64, Vec<Holder>)> {
        let pending = self.state().pending.clone();
        pending.map(|p| (p.through, p.holders))
    }

    /// If a fence waits: looks who is left, and settles if nobody is.
    pub(crate) async fn check(&self, connection: &mut PgConnection) -> Result<()> {
        let Some(pending) = self.state().pending.clone() else {
            return Ok(());
        };
        let seen = self.see(connection).await?;
        let present: HashSet<&str> = seen.holders.iter().map(|h| &*h.transaction).collect();
        let mut left = pending.holders.clone();
        left.retain(|h| present.contains(&*h.transaction));
        let known: HashSet<&str> = left.iter().map(|h| &*h.transaction).collect();
        let renamed = seen.holders.iter().filter(|h| h.is_prepared());
        let renamed = renamed.filter(|h| !known.contains(&*h.transaction));
        let renamed: Vec<Holder> = renamed.cloned().collect();
        left.extend(renamed);

        let mut state = self.state();
        if state.is_of(seen.started)
            && state
                .pending
                .as_ref()
                .is_some_and(|p| p.number == pending.number)
        {
            state.resolve(pending.number, pending.through, left);
        }
        Ok(())
    }

    /// Puts a fence at the highest visible id, unless one waits already. It
    /// settles at once if nobody is at work. `least` is a place that is known
    /// to be final, for a table without entries.
    pub(crate) async fn raise(&self, connection: &mut PgConnection, least: i64) -> Result<()> {
        if self.state().pending.is_some() {
            return Ok(());
        }
        let row = self.highest.query().fetch_one(&mut *connection).await;
        let row = row.map_err(|e| convert(&e, During::Read))?;
        let through = get::<Option<i64>>(&row, 0)?.unwrap_or(least);
        let seen = self.see(connection).await?;
        self.fences.fetch_add(1, Ordering::Relaxed);

        let mut state = self.state();
        // Both statements went to the server that runs now, or the connection
        // would have broken in between.
        state.is_of(seen.started);
        if state.pending.is_none() {
            let number = state.next;
            state.next += 1;
            state.resolve(number, through, seen.holders);
        }
        Ok(())
    }

    async fn see(&self, connection: &mut PgConnection) -> Result<Seen> {
        let rows = self.holders.query().fetch_all(connection).await;
        let rows = rows.map_err(|e| convert(&e, During::Read))?;
        let mut started = 0;
        let mut holders = Vec::new();
        for row in &rows {
            if get(row, 0)? {
                return Err(Error::new(
                    Kind::Misconfigured,
                    "the server is a standby, which does not show who is writing: read the whole \
                     store from the primary",
                ));
            }
            Micros(started) = get(row, 1)?;
            if let Some(transaction) = get(row, 2)? {
                holders.push(Holder {
                    transaction,
                    pid: get(row, 3)?,
                    since: Instant::now(),
                });
            }
        }
        Ok(Seen { started, holders })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether this is still about the same server. If not, all of it is
    /// forgotten: names of transactions mean nothing there, and it may be
    /// another machine.
    fn is_of(&mut self, started: i64) -> bool {
        if self.started == Some(started) {
            return true;
        }
        let first = self.started.is_none();
        *self = Self {
            started: Some(started),
            next: self.next + 1,
            ..Self::default()
        };
        first
    }

    fn resolve(&mut self, number: u64, through: i64, holders: Vec<Holder>) {
        if holders.is_empty() {
            // Never backwards: another reader may have come further.
            self.settled = Some(self.settled.map_or(through, |s| s.max(through)));
            self.pending = None;
        } else {
            self.pending = Some(Pending {
                number,
                through,
                holders,
            });
        }
    }
}
