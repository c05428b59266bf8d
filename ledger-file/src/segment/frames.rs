//! Going through the frames of a segment, one after the other.

use bytes::Bytes;
use ledger_core::Result;

use super::SegmentFile;
use crate::format::frame::{HEADER, Header};
use crate::format::sector::BadGuard;

/// How much is read at a time.
const WINDOW: u64 = 1 << 20;

/// What is at a place.
#[derive(Debug)]
pub(crate) enum Found {
    /// A frame, and where it begins.
    Frame(u64, Header, Bytes),
    /// No whole frame; perhaps a valid header.
    Bad(u64, Option<Header>),
    /// The limit.
    End,
}

/// Goes through the frames from an offset to a limit.
#[derive(Debug)]
pub(crate) struct Frames<'s> {
    segment: &'s SegmentFile,
    at: u64,
    limit: u64,
    /// The crc of the frame before.
    previous: u32,
    window: Bytes,
    window_at: u64,
    bad: Vec<BadGuard>,
}

impl<'s> Frames<'s> {
    /// From the beginning of a segment.
    pub(crate) fn new(segment: &'s SegmentFile, limit: u64) -> Self {
        Self {
            segment,
            at: 0,
            limit,
            previous: segment.header_crc,
            window: Bytes::new(),
            window_at: 0,
            bad: Vec::new(),
        }
    }

    /// What comes next. After `Bad` it comes again.
    pub(crate) fn next(&mut self) -> Result<Found> {
        let at = self.at;
        if at == self.limit {
            return Ok(Found::End);
        }
        let header = match self.bytes(at, HEADER as u64)? {
            Some(bytes) => Header::read(&self.segment.place(), at, &bytes),
            None => None,
        };
        let Some(header) = header.filter(|h| h.previous == self.previous) else {
            return Ok(Found::Bad(at, None));
        };
        let body = match self.bytes(at, header.frame_len())? {
            Some(bytes) => header.body(&bytes.slice(HEADER..)),
            None => None,
        };
        let Some(body) = body else {
            return Ok(Found::Bad(at, Some(header)));
        };
        self.at += header.frame_len();
        self.previous = header.crc;
        Ok(Found::Frame(at, header, body))
    }

    /// Content, if it is whole.
    fn bytes(&mut self, from: u64, len: u64) -> Result<Option<Bytes>> {
        let to = from + len;
        if to > self.limit {
            return Ok(None);
        }
        let window_end = self.window_at + self.window.len() as u64;
        if from < self.window_at || to > window_end {
            let end = to.max(from + WINDOW).min(self.limit);
            (self.window, self.bad) = self.segment.read_any(from, end)?;
            self.window_at = from;
        }
        let harmed = self
            .bad
            .iter()
            .any(|guard| guard.end > from && guard.end <= to);
        let start = (from - self.window_at) as usize;
        let whole = start + len as usize <= self.window.len();
        Ok((whole && !harmed).then(|| self.window.slice(start..start + len as usize)))
    }
}
