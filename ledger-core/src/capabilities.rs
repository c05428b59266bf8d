//! What a store can do, as data.

/// In which order a store can be read as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreOrder {
    /// Not at all.
    #[default]
    None,
    /// Each entry once, each stream in order, streams interleaved freely.
    PerStream,
    /// One order for all entries, which is the order of their commits.
    Total,
}

/// What a store can do. The default is the weakest: an operation that is not
/// claimed here answers [`Unsupported`](crate::Kind::Unsupported).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Capabilities {
    /// Reading the whole store: [`read_all`](crate::Store::read_all),
    /// [`store_head`](crate::Store::store_head) and
    /// [`cursor_after`](crate::Store::cursor_after).
    pub store_order: StoreOrder,
    /// [`list`](crate::Store::list).
    pub list: bool,
    /// [`trim`](crate::Store::trim).
    pub trim: bool,
    /// A read goes on while its future is not polled, and then holds nothing
    /// that another call needs. Pages are read ahead only from such a store.
    pub detached_reads: bool,
}

impl Capabilities {
    /// The weakest: append, read and stat of single streams.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            store_order: StoreOrder::None,
            list: false,
            trim: false,
            detached_reads: false,
        }
    }

    /// Claims reading of the whole store.
    #[must_use]
    pub const fn with_store_order(mut self, order: StoreOrder) -> Self {
        self.store_order = order;
        self
    }

    /// Claims listing.
    #[must_use]
    pub const fn with_list(mut self, list: bool) -> Self {
        self.list = list;
        self
    }

    /// Claims trimming.
    #[must_use]
    pub const fn with_trim(mut self, trim: bool) -> Self {
        self.trim = trim;
        self
    }

    /// Claims detached reads.
    #[must_use]
    pub const fn with_detached_reads(mut self, detached: bool) -> Self {
        self.detached_reads = detached;
        self
    }
}
