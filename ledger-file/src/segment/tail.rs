//! What to make of bytes that are not a frame: the end of the log, a write that
//! the last crash cut short, or damage.

use ledger_core::Result;

use super::SegmentFile;
use crate::error::convert;
use crate::format::frame::{HEADER, HEADER_END, Header};
use crate::format::sector::{GUARD, SECTOR, physical, sector_end};
use crate::fs::read_up_to;
use crate::mutants::Mutant;

const WINDOW: u64 = 1 << 20;

/// How a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing follows.
    Clean,
    /// The last group was written in part. `bytes` of it are in the file, from
    /// where it begins to the last that is not zero.
    Unfinished { bytes: u64 },
}

/// Judges what is at `at`, where no whole frame is.
///
/// `group` is where the group begins that the frame would belong to, `sure` up
/// to where the segment was flushed for certain.
///
/// Sound is only what the loss of the last, unacknowledged write explains: a
/// sector of it is missing, and nothing was ever written after a flush that
/// covered it. All else is `Corrupt`.
pub(crate) fn judge(
    segment: &SegmentFile,
    at: u64,
    header: Option<&Header>,
    group: u64,
    sure: u64,
) -> Result<Tail> {
    if Mutant::DamageIsTheEnd.runs() {
        return Ok(Tail::Unfinished { bytes: 1 });
    }
    let Some(last) = last_byte(segment, physical(at))? else {
        return match (at < sure, at == group) {
            (true, _) => Err(segment.corrupt(at, "the log ends before a place it had reached")),
            (false, true) => Ok(Tail::Clean),
            (false, false) => Ok(Tail::Unfinished {
                bytes: physical(at) - physical(group),
            }),
        };
    };
    if at < sure {
        return Err(segment.corrupt(at, "a frame that was flushed is damaged"));
    }
    let len = header.map_or(HEADER as u64, Header::frame_len);
    if at + len > segment.capacity() || !has_lost_sector(segment, at, at + len)? {
        return Err(segment.corrupt(at, "a frame is damaged, and no part of it is missing"));
    }
    if flushed_later(segment, at)? {
        return Err(segment.corrupt(at, "a frame is damaged, and others were written after it"));
    }
    Ok(Tail::Unfinished {
        bytes: last + 1 - physical(group),
    })
}

/// The last byte from an offset of the file on that is not zero.
fn last_byte(segment: &SegmentFile, from: u64) -> Result<Option<u64>> {
    let mut buf = vec![0; WINDOW as usize];
    let mut last = None;
    let mut at = from;
    loop {
        let len = read_up_to(&*segment.file, &mut buf, at);
        let len = len.map_err(|e| convert(e, &segment.name))?;
        if len == 0 {
            return Ok(last);
        }
        if let Some(found) = buf[..len].iter().rposition(|b| *b != 0) {
            last = Some(at + found as u64);
        }
        at += len as u64;
    }
}

/// Whether a sector of the bytes `from..to`, which end with a byte that is not
/// zero when written, has not arrived.
fn has_lost_sector(segment: &SegmentFile, from: u64, to: u64) -> Result<bool> {
    let mut at = from;
    while at < to {
        let end = sector_end(at);
        // The guard, or the last byte before it that belongs to the frame.
        let place = match end <= to {
            true => physical(end - 1) + 1,
            false => physical(to - 1),
        };
        let mut byte = [0];
        read_up_to(&*segment.file, &mut byte, place).map_err(|e| convert(e, &segment.name))?;
        if byte[0] == 0 {
            return Ok(true);
        }
        if end <= to && byte[0] != GUARD {
            let why = "the end of a sector is damaged";
            return Err(crate::error::corrupt(&segment.name, place, why));
        }
        at = end;
    }
    Ok(false)
}

/// Whether a frame further on was written after what is at `damaged` had been
/// flushed.
fn flushed_later(segment: &SegmentFile, damaged: u64) -> Result<bool> {
    let (place, limit) = (segment.place(), segment.capacity());
    let mut from = damaged;
    while from + HEADER as u64 <= limit {
        let to = (from + WINDOW).min(limit);
        let (bytes, _) = segment.read_any(from, to)?;
        let mut at = 0;
        while at + HEADER <= bytes.len() {
            // Frames begin at multiples of eight.
            if bytes[at + HEADER - 1] == HEADER_END {
                let header = Header::read(&place, from + at as u64, &bytes[at..]);
                if header.is_some_and(|h| u64::from(h.flushed) > damaged) {
                    return Ok(true);
                }
            }
            at += 8;
        }
        from += at.max(8) as u64;
        if bytes.len() < HEADER {
            break;
        }
    }
    Ok(false)
}

/// Sectors are what disks write; the header of a file is one.
const _: () = assert!(SECTOR == 512);
