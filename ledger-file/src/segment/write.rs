//! Making a segment.

use std::sync::Arc;

use ledger_core::Result;

use super::{NEXT, SegmentFile, segment_name};
use crate::error::convert;
use crate::format::frame::{Group, Kind};
use crate::format::header::SegmentHeader;
use crate::format::sector::{SECTOR, guarded};
use crate::fs::{File, Fs, fill_with_zeros, write_all};
use crate::mutants::Mutant;

/// A file of zeros that is to become a segment.
#[derive(Debug)]
pub(crate) struct Blank {
    pub(crate) file: Arc<dyn File>,
    pub(crate) name: &'static str,
    pub(crate) len: u64,
}

impl Blank {
    /// Makes one; removes it again if that fails, as on a full disk.
    pub(crate) fn make(fs: &dyn Fs, name: &'static str, len: u64) -> Result<Self> {
        let file = fs.create(name).map_err(|e| convert(e, name))?;
        if let Err(e) = fill_with_zeros(&*file, len) {
            drop(file);
            // Of a file that cannot be removed nothing depends.
            let _ = fs.unlink(name);
            return Err(convert(e, name));
        }
        Ok(Self { file, name, len })
    }
}

/// A segment that is ready to be written to.
#[derive(Debug)]
pub(crate) struct Created {
    pub(crate) segment: SegmentFile,
    /// The end of the snapshot.
    pub(crate) end: u64,
    /// The crc of the last frame, and where it begins.
    pub(crate) crc: u32,
    pub(crate) last: u64,
}

/// Why a segment could not be made.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It is not there.
    Clean(ledger_core::Error),
    /// It may be there.
    Unsure(ledger_core::Error),
}

/// Turns a blank file into the segment of this header, whose `snapshot_end` and
/// `file_len` are filled in.
pub(crate) fn create(
    fs: &dyn Fs,
    blank: Blank,
    mut header: SegmentHeader,
    snapshot: &[Vec<u8>],
) -> Result<Created, Failed> {
    header.file_len = blank.len;
    header.snapshot_end = snapshot_len(snapshot);
    let name = segment_name(header.number);
    let (sector, header_crc) = header.write();
    let mut group = Group::new(header.place(), 0, 0, header_crc);
    for (nth, body) in snapshot.iter().enumerate() {
        let last = nth + 1 == snapshot.len();
        group.push(Kind::Snapshot, last, |_, out| out.extend_from_slice(body));
    }
    let filled = write_all(&*blank.file, &sector, 0)
        .and_then(|()| write_all(&*blank.file, &guarded(0, group.bytes()), SECTOR))
        .and_then(|()| blank.file.sync());
    if let Err(e) = filled {
        drop(blank.file);
        let _ = fs.unlink(blank.name);
        return Err(Failed::Clean(convert(e, blank.name)));
    }
    if let Err(e) = fs.rename(blank.name, &name) {
        let error = convert(e, &name);
        // A rename happens or not; only who can look knows which.
        return Err(match fs.open(&name) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let _ = fs.unlink(blank.name);
                Failed::Clean(error)
            }
            _ => Failed::Unsure(error),
        });
    }
    if !Mutant::NoFolderFlush.runs() {
        fs.sync().map_err(|e| Failed::Unsure(convert(e, &name)))?;
    }
    let segment = SegmentFile {
        file: blank.file,
        name: name.into(),
        header,
        header_crc,
    };
    Ok(Created {
        segment,
        end: group.end(),
        crc: group.previous,
        last: group.last,
    })
}

/// The bytes that the frames of a snapshot take.
pub(crate) fn snapshot_len(snapshot: &[Vec<u8>]) -> u32 {
    let len: u64 = snapshot
        .iter()
        .map(|body| crate::format::frame::frame_len(body.len() as u64))
        .sum();
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// A blank file for a segment that cannot wait.
pub(crate) fn blank_now(fs: &dyn Fs, len: u64) -> Result<Blank> {
    Blank::make(fs, NEXT, len)
}

impl Failed {
    pub(crate) fn into_error(self) -> ledger_core::Error {
        match self {
            Self::Clean(error) | Self::Unsure(error) => error,
        }
    }
}
