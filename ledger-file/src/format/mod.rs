//! What the files are made of, byte by byte; the whole picture is in
//! `docs/file-format.md`.

pub(crate) mod anchor;
mod bytes;
pub(crate) mod entry;
pub(crate) mod facts;
pub(crate) mod frame;
pub(crate) mod header;
pub(crate) mod sector;
pub(crate) mod snapshot;

/// The format that this release writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

/// What the number of a format is read from: the first bytes of every file.
pub(crate) const MAGIC_LEN: usize = 8;
