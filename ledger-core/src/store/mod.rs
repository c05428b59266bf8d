//! The contract between streams and databases.

mod ext;
mod forward;

use async_trait::async_trait;

pub use ext::StoreExt;

use crate::batch::Batch;
use crate::capabilities::Capabilities;
use crate::cursor::StoreCursor;
use crate::error::{Error, Result};
use crate::id::EntryId;
use crate::limits::Limits;
use crate::name::StreamName;
use crate::page::{Page, StorePage};
use crate::receipt::Receipts;
use crate::record::Record;
use crate::request::{ListStreams, Read, ReadAll};
use crate::stat::{Health, Holdup, StreamStat};

/// An append-only store of streams. Payloads are bytes; types live in
/// [`Stream`](crate::Stream).
///
/// # The contract
///
/// Whoever implements this trait keeps these promises, and proves them with
/// the conformance suite in the crate `ledger-storetest`. An operation that a
/// store cannot do is not claimed in its [`Capabilities`] and answers
/// [`Unsupported`](crate::Kind::Unsupported); it is never silently weaker.
///
/// *Order.* The first entry of a stream has version 1, the next one 2, and so
/// on in commit order, without gaps. A version or an id is never given twice,
/// also after a trim, a reopening or a failed append. Ids grow within a stream
/// and may have gaps.
///
/// *No skip.* Once a reader was given the entry at some place, nothing at or
/// before that place becomes visible later. So reading behind the last one,
/// repeated for ever, yields each committed entry exactly once and in order:
/// within a stream by id, in the whole store by cursor as far as
/// [`store_order`](Capabilities::store_order) says. This holds for any number
/// of writers, processes and clocks.
///
/// *Acknowledged means there.* A read of a stream that starts after an append
/// was acknowledged sees it. Nothing that was ever read is absent later,
/// except by a trim. If one append was acknowledged before another started,
/// it is ordered before it.
///
/// *Atomic.* The entries of a batch are visible all or not at all, at
/// contiguous versions in the given order: also after errors, dropped futures
/// and crashes.
///
/// *Errors* tell whether the operation was applied. What is reported as not
/// applied never appears later. A store repeats on its own only what was not
/// applied, until the deadline of the call.
///
/// *Futures.* Dropping the future of an append means an unknown outcome, and
/// nothing worse: no half batch, no lock held, no other caller disturbed.
/// Reads can be dropped freely. A future that is not being polled holds
/// nothing that another call needs; where that is not so, as in a store bound
/// to a caller's transaction, `detached_reads` is not claimed.
///
/// *Fidelity.* Payloads, names, keys and metadata come back byte for byte.
/// Names compare by bytes.
///
/// # Implementing it
///
/// Only the first few methods are required; the others refuse by default.
/// Requests arrive checked: their types have no other constructor than the one
/// that applies the [`Limits`]. [`backend`](crate::backend) has the parts that
/// backends share, such as the decision of what an append does
/// ([`backend::plan`](crate::backend::plan)).
/// [`MemoryStore`](crate::MemoryStore) is the implementation to read first.
///
/// A wrapper around a store must forward *every* method, the ones with
/// defaults too; `#[deny(clippy::missing_trait_methods)]` on the impl finds
/// the forgotten ones.
#[async_trait]
pub trait Store<I: EntryId>: Send + Sync {
    /// What this store can do.
    fn capabilities(&self) -> Capabilities;

    /// The limits of this store: [`Limits::TABLE`] unless a layer raises them.
    fn limits(&self) -> &Limits {
        &Limits::TABLE
    }

    /// Appends a batch to a stream, which exists from its first entry on.
    ///
    /// Duplicates are decided before the expected version: an entry whose
    /// dedup key is carried by a retained entry of the stream, or by an
    /// earlier one of the batch, is not stored, and its receipt names the
    /// original. The expected version applies to the rest. If nothing is left
    /// the append succeeds whatever it expected, so that the retry of a lost
    /// acknowledgement never becomes a conflict. An empty batch does nothing.
    ///
    /// The receipts are in the order of the entries.
    ///
    /// # Errors
    ///
    /// `Conflict` and `DedupMismatch`, both with no effect; `LimitReached` at
    /// the last version; whatever the database reports, with the outcome
    /// (not applied, or unknown).
    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<I>>;

    /// Reads a page of a stream. A stream that does not exist is empty.
    ///
    /// The page holds at most the limit, and ends early at
    /// [`page_bytes`](Limits::page_bytes); it says how it ended. One that ends
    /// with `More` is not empty: a reader goes on behind its last record.
    ///
    /// # Errors
    ///
    /// `InvalidCursor` for an `after` beyond the highest id the store ever
    /// assigned: the store was replaced by an older one, or the id belongs to
    /// another. `InvalidInput` for an id that no store of this type gives out.
    async fn read(&self, stream: &StreamName, read: &Read<I>) -> Result<Page<Record<I>>>;

    /// The state of a stream; `None` if nothing was ever appended.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<I>>>;

    /// Looks whether the store can work: that the database answers and that
    /// the tables or files are those of this format. Writes nothing.
    ///
    /// A store that cannot work is `Ok` with `ok: false`.
    ///
    /// # Errors
    ///
    /// `Closed`; `Unsupported` from a store that is bound to a transaction.
    async fn health(&self) -> Result<Health>;

    /// Waits for the appends that are running, then closes this handle and all
    /// its clones; never a pool or client that belongs to the application.
    /// Afterwards every call but this one answers `Closed`.
    ///
    /// # Errors
    ///
    /// Whatever the database reports. The handle is closed all the same.
    /// `Unsupported` from a store that is bound to a transaction, whose end is
    /// the caller's.
    async fn close(&self) -> Result<()>;

    /// A page of the names of all streams, in byte order. A stream whose
    /// entries were all trimmed is listed.
    ///
    /// # Errors
    ///
    /// `Unsupported` unless claimed.
    async fn list(&self, list: &ListStreams) -> Result<Page<StreamName>> {
        let _ = list;
        Err(Error::unsupported("list"))
    }

    /// Removes the entries of a stream up to an id, inclusive, and tells how
    /// many. Beyond the last entry it removes all, of an unknown stream none.
    ///
    /// Versions and ids go on as before. Dedup keys of removed entries are
    /// free again. Works oldest first and may do so in steps: what was removed
    /// before an error stays removed, and the call can be repeated.
    ///
    /// # Errors
    ///
    /// `Unsupported` unless claimed; `InvalidInput` for an id that no store of
    /// this type gives out.
    async fn trim(&self, stream: &StreamName, through: &I) -> Result<u64> {
        let _ = (stream, through);
        Err(Error::unsupported("trim"))
    }

    /// Reads a page of the whole store.
    ///
    /// A descending read starts at the settled end. [`StorePage::next`] counts
    /// even when no record came.
    ///
    /// # Errors
    ///
    /// `Unsupported` unless claimed; `InvalidCursor` for a cursor of another
    /// store or the other direction, one ahead of this store, or garbage.
    async fn read_all(&self, read: &ReadAll) -> Result<StorePage<I>> {
        let _ = read;
        Err(Error::unsupported("read_all"))
    }

    /// The settled end of the whole store: a reader that starts here sees each
    /// later entry once.
    ///
    /// # Errors
    ///
    /// `Unsupported` unless claimed.
    async fn store_head(&self) -> Result<StoreCursor> {
        Err(Error::unsupported("store_head"))
    }

    /// The place of a reader that asked for the page `read` and has consumed
    /// the entries `seen` of it, in their order. A computation, no I/O.
    ///
    /// # Errors
    ///
    /// `Unsupported` unless claimed; `InvalidInput` if nothing was seen.
    fn cursor_after(&self, read: &ReadAll, seen: &[(StreamName, I)]) -> Result<StoreCursor> {
        let _ = (read, seen);
        Err(Error::unsupported("cursor_after"))
    }

    /// What keeps the end of the whole store undecided right now; empty if
    /// nothing does. For operators: who makes readers of the whole store wait,
    /// and for how long.
    ///
    /// # Errors
    ///
    /// `Unsupported` unless [`store_order`](Capabilities::store_order) is
    /// claimed and the store can have undecided places.
    async fn explain_head(&self) -> Result<Vec<Holdup>> {
        Err(Error::unsupported("explain_head"))
    }
}
