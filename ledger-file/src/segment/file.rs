//! Reading a segment.

use std::sync::Arc;

use bytes::Bytes;
use ledger_core::Result;
use ledger_core::backend::StoreId;

use crate::error::{convert, corrupt};
use crate::format::frame::Place;
use crate::format::header::SegmentHeader;
use crate::format::sector::{BadGuard, SECTOR, capacity, physical, unguard};
use crate::fs::{File, read_up_to};

/// The file of a segment whose header was checked.
#[derive(Clone, Debug)]
pub(crate) struct SegmentFile {
    pub(crate) file: Arc<dyn File>,
    pub(crate) name: Arc<str>,
    pub(crate) header: SegmentHeader,
    /// The checksum of the header.
    pub(crate) header_crc: u32,
}

impl SegmentFile {
    /// Reads the header, and checks that it is the one of this segment.
    pub(crate) fn open(
        file: Arc<dyn File>,
        name: &str,
        store: StoreId,
        number: u64,
    ) -> Result<Self> {
        let mut sector = vec![0; SECTOR as usize];
        let len = read_up_to(&*file, &mut sector, 0).map_err(|e| convert(e, name))?;
        let (header, header_crc) = SegmentHeader::read(name, &sector[..len])?;
        if header.store != store {
            return Err(corrupt(name, 12, "the segment is one of another store"));
        }
        if header.number != number {
            return Err(corrupt(
                name,
                28,
                "the segment has another number than its name says",
            ));
        }
        Ok(Self {
            file,
            name: name.into(),
            header,
            header_crc,
        })
    }

    pub(crate) fn place(&self) -> Place {
        self.header.place()
    }

    /// How much content fits.
    pub(crate) fn capacity(&self) -> u64 {
        capacity(self.header.file_len)
    }

    /// Damage at a logical offset.
    pub(crate) fn corrupt(&self, at: u64, why: &'static str) -> ledger_core::Error {
        corrupt(&self.name, physical(at), why)
    }

    /// Reads content, or less where the file ends, and tells of the guards that
    /// are not there.
    pub(crate) fn read_any(&self, from: u64, to: u64) -> Result<(Bytes, Vec<BadGuard>)> {
        let (start, end) = (physical(from), physical(to));
        let mut bytes = vec![0; (end - start) as usize];
        let len = read_up_to(&*self.file, &mut bytes, start).map_err(|e| convert(e, &self.name))?;
        bytes.truncate(len);
        let mut bad = Vec::new();
        unguard(from, &mut bytes, |guard| bad.push(guard));
        Ok((bytes.into(), bad))
    }

    /// Reads content that has to be there, whole.
    pub(crate) fn read(&self, from: u64, to: u64) -> Result<Bytes> {
        let (bytes, bad) = self.read_any(from, to)?;
        if let Some(guard) = bad.first() {
            return Err(self.corrupt(guard.end - 1, "the end of a sector is damaged"));
        }
        if (bytes.len() as u64) < to - from {
            return Err(self.corrupt(from + bytes.len() as u64, "the file is too short"));
        }
        Ok(bytes)
    }
}
