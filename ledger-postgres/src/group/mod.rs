//! Group commit: small appends that are waiting anyway share a transaction.
//!
//! A commit takes a flush, and the lock of a stream is held until it is done.
//! So appends to one stream come one flush after the other, and those to many
//! streams cost a round trip and a commit each. Where they come faster than
//! that, they wait; what has waited goes as one.
//!
//! * Up to [`WORKERS`] tasks of a handle write at a time, never two to the
//!   same stream. While there is room an append begins at once, as a single
//!   statement: a lone caller pays nothing. Nobody waits for company.
//! * A group is what has come meanwhile, in its order of arrival. It goes as
//!   one statement if it can ([`fast`]), or as a transaction that decides under
//!   the locks ([`locked`]). Either takes the rows of the streams in the byte
//!   order of their names, so that groups of several processes cannot deadlock.
//! * Nobody is answered before the commit. What the commit did not apply is
//!   decided anew. If its outcome is unknown, it is so for the whole group.
//! * A stream whose lock somebody else holds for long leaves its group, so
//!   that no other stream waits for it.
//! * If a statement fails for a reason of one request, each goes on its own,
//!   and only the culprit fails.
//!
//! The tasks belong to no caller: dropping a future stops no transaction, and
//! takes a request back that has not begun.

mod draft;
mod fast;
mod locked;
mod queue;
mod sql;
mod stats;
mod ticket;
mod worker;

use std::time::Duration;

pub(crate) use queue::Groups;
pub(crate) use sql::GroupSql;
pub use stats::GroupStats;
pub(crate) use worker::append;

/// How many tasks of a handle append at a time, at most.
const WORKERS: u32 = 4;

/// What is larger goes on its own, beside the groups.
const SMALL_ENTRIES: usize = 64;
const SMALL_BYTES: usize = 64 * 1024;

/// A group takes no more requests once it holds so many, or so many bytes.
const GROUP_REQUESTS: usize = 256;
const GROUP_BYTES: usize = 1024 * 1024;

/// How long a group waits for a lock.
const PATIENCE: Duration = Duration::from_millis(200);
