//! Checked pages: how an index lies on disk. Each page of 4096 bytes ends with
//! the CRC-32 of the store's id, the segment's number, the page's number and its
//! content, so that what is looked up is checked without reading the whole file.

use std::sync::{Arc, Mutex, PoisonError};

use ledger_core::Result;

use crate::error::{convert, corrupt};
use crate::format::frame::Place;
use crate::fs::read_up_to;
use crate::log::Files;
use crate::mutants::Mutant;

const PAGE: usize = 4096;
const DATA: usize = PAGE - 4;

fn crc(place: &Place, page: u64, content: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(place.store.as_bytes());
    crc.update(&place.segment.to_le_bytes());
    crc.update(&page.to_le_bytes());
    crc.update(content);
    crc.finalize()
}

/// Content as pages.
pub(super) fn to_pages(place: &Place, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len().div_ceil(DATA) * PAGE);
    for (nth, part) in content.chunks(DATA).enumerate() {
        out.extend_from_slice(part);
        out.resize(nth * PAGE + DATA, 0);
        let crc = crc(place, nth as u64, &out[nth * PAGE..]);
        out.extend(crc.to_le_bytes());
    }
    out
}

/// Reads content out of pages.
#[derive(Debug)]
pub(super) struct Pages {
    files: Arc<Files>,
    name: String,
    place: Place,
    /// The page that was read last: lookups go to the same one several times.
    last: Mutex<Option<(u64, Arc<[u8]>)>>,
}

impl Pages {
    pub(super) fn new(files: Arc<Files>, name: String, place: Place) -> Self {
        Self {
            files,
            name,
            place,
            last: Mutex::default(),
        }
    }

    pub(super) fn read(&self, mut at: u64, buf: &mut [u8]) -> Result<()> {
        let mut done = 0;
        while done < buf.len() {
            let (page, offset) = (at / DATA as u64, (at % DATA as u64) as usize);
            let content = self.page(page)?;
            let len = (DATA - offset).min(buf.len() - done);
            buf[done..done + len].copy_from_slice(&content[offset..offset + len]);
            done += len;
            at += len as u64;
        }
        Ok(())
    }

    pub(super) fn u32(&self, at: u64) -> Result<u32> {
        let mut bytes = [0; 4];
        self.read(at, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    pub(super) fn u64(&self, at: u64) -> Result<u64> {
        let mut bytes = [0; 8];
        self.read(at, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Numbers that lie one after the other.
    pub(super) fn u32s(&self, at: u64, count: usize) -> Result<Vec<u32>> {
        let mut bytes = vec![0; 4 * count];
        self.read(at, &mut bytes)?;
        let numbers = bytes
            .chunks_exact(4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Ok(numbers.collect())
    }

    pub(super) fn damaged(&self, page: u64) -> ledger_core::Error {
        corrupt(
            &self.name,
            page * PAGE as u64,
            "a page of the index is damaged",
        )
    }

    fn page(&self, page: u64) -> Result<Arc<[u8]>> {
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, content)) = last().as_ref().filter(|(nth, _)| *nth == page) {
            return Ok(content.clone());
        }
        let mut bytes = vec![0; PAGE];
        let file = self.files.get(&self.name)?;
        let read = read_up_to(&*file, &mut bytes, page * PAGE as u64);
        let len = read.map_err(|e| convert(e, &self.name))?;
        let (content, stored) = bytes.split_at(DATA);
        let checked = crc(&self.place, page, content).to_le_bytes() == *stored
            || Mutant::IndexBelieved.runs();
        if len < PAGE || !checked {
            return Err(self.damaged(page));
        }
        let content: Arc<[u8]> = content.into();
        *last() = Some((page, content.clone()));
        Ok(content)
    }
}
