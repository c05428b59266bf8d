//! Everything that reads entries.

mod all;
mod bounds;
mod fetch;
mod page;
mod stream;

pub(crate) use all::page_of_all;
pub(crate) use fetch::Fetch;
pub(crate) use stream::page_of_stream;
