//! What a harness may offer beyond opening stores: the means to put a store
//! into a state that its own operations do not lead to.

use async_trait::async_trait;
use ledger_core::{EntryId, Result, Store};

/// An application that keeps rows of its own in the database of a store, and
/// appends inside of its own transactions.
#[async_trait]
pub trait Application<I: EntryId>: Send + Sync {
    /// Begins a transaction that may write. One application has at most one at
    /// a time in the suite.
    ///
    /// # Errors
    ///
    /// Whatever stands in the way; the case fails with it.
    async fn begin(&self) -> Result<Box<dyn Transaction<I>>>;

    /// The committed rows of the application, in any order.
    ///
    /// # Errors
    ///
    /// Whatever stands in the way; the case fails with it.
    async fn rows(&self) -> Result<Vec<i64>>;
}

/// A transaction of an [`Application`]. Dropped without an end it is rolled
/// back, as the database's client does it.
#[async_trait]
pub trait Transaction<I: EntryId>: Send {
    /// The store, bound to this transaction.
    fn store(&mut self) -> Box<dyn Store<I> + '_>;

    /// Writes a row of the application's own.
    ///
    /// # Errors
    ///
    /// Whatever stands in the way; the case fails with it.
    async fn write(&mut self, row: i64) -> Result<()>;

    /// Commits it.
    ///
    /// # Errors
    ///
    /// Whatever stands in the way; the case fails with it.
    async fn commit(self: Box<Self>) -> Result<()>;

    /// Rolls it back.
    ///
    /// # Errors
    ///
    /// Whatever stands in the way; the case fails with it.
    async fn rollback(self: Box<Self>) -> Result<()>;
}

/// Keeps appends from being committed, such as a lock that another session
/// holds on the tables. Dropped, it lets them go on as well, but perhaps later.
#[async_trait]
pub trait Hold: Send + Sync {
    /// Lets them go on, and returns when it has.
    ///
    /// # Errors
    ///
    /// Whatever stands in the way; the case fails with it.
    async fn release(self: Box<Self>) -> Result<()>;
}

/// Something at a place that a store must not be opened over in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Obstacle {
    /// The tables or files say that a newer release wrote them. To be refused
    /// as `NewerFormat`.
    NewerFormat,
    /// A part of them is missing. To be refused as `Corrupt` or
    /// `Misconfigured`.
    MissingPart,
    /// Settings that durability or order depend on are weaker than asked for.
    /// To be refused as `Misconfigured`.
    WeakSettings,
    /// Another process has the store open, and the backend allows one only.
    /// The suite holds a handle while it asks. To be refused as `Locked`.
    OtherProcess,
}
