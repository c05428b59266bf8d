//! Reading the whole store.
//!
//! A reader first sweeps over the streams by their numbers, then follows the
//! change stream of the entries from where the sweep began, which brings them
//! in the order of their commits. What both bring is told apart by versions:
//! for each stream the place knows how far it was given out.
//!
//! The change stream says only *that* an entry was committed. The entry itself
//! is read from the collection, after that moment.

mod events;
mod page;
mod place;
mod sweep;

pub(crate) use page::{head, page};
pub(crate) use place::Place;
