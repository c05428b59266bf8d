//! Segments: the files that entries are in.

mod file;
mod frames;
mod names;
mod sealed;
mod tail;
mod write;

pub(crate) use file::SegmentFile;
pub(crate) use frames::{Found, Frames};
pub(crate) use names::{
    ANCHOR, ANCHOR_TMP, LOCK, NEXT, Name, SPARE, index_name, index_tmp, segment_name,
};
pub(crate) use sealed::{Segment, is_missing};
pub(crate) use tail::{Tail, judge};
pub(crate) use write::{Blank, Failed, blank_now, create, snapshot_len};
