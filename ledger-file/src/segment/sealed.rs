//! A segment that is not written any more.

use std::sync::{Arc, Mutex, PoisonError};

use ledger_core::{Error, Kind, Result};

use super::{Found, Frames, SegmentFile, index_name, index_tmp, segment_name};
use crate::error::{convert, corrupt};
use crate::format::entry::read_batch;
use crate::format::frame::{HEADER, Header};
use crate::format::header::SegmentHeader;
use crate::format::sector::physical;
use crate::format::snapshot::SegmentFacts;
use crate::fs::write_all;
use crate::index::{DiskIndex, Index, MemoryIndex, encode};
use crate::log::Env;
use crate::log::indexed;

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) facts: SegmentFacts,
    env: Arc<Env>,
    name: Arc<str>,
    header: SegmentHeader,
    header_crc: u32,
    /// Opened when it is first needed, so that opening a store does not depend
    /// on how many entries it has.
    index: Mutex<Option<Arc<Index>>>,
}

impl Segment {
    /// A segment that was just sealed.
    pub(crate) fn new(
        env: &Arc<Env>,
        file: &SegmentFile,
        facts: SegmentFacts,
        index: Option<MemoryIndex>,
    ) -> Self {
        Self {
            facts,
            env: env.clone(),
            name: file.name.clone(),
            header: file.header,
            header_crc: file.header_crc,
            index: Mutex::new(index.map(|index| Arc::new(Index::Memory(index)))),
        }
    }

    /// Checks that the file is the one that these facts are about, and neither
    /// an older copy of it nor another one.
    pub(crate) fn check(env: &Arc<Env>, facts: SegmentFacts) -> Result<Self> {
        let name = segment_name(facts.number);
        let file = match env.files.get(&name) {
            Err(e) if is_missing(&e) => return Err(corrupt(&name, 0, "the segment is missing")),
            file => file?,
        };
        let file = SegmentFile::open(file, &name, env.store, facts.number)?;
        if file.header.base_id != facts.base_id {
            return Err(corrupt(&name, 36, "the segment begins with another id"));
        }
        let size = file.file.size().map_err(|e| convert(e, &name))?;
        if size < physical(facts.end) {
            return Err(corrupt(&name, size, "the file is too short"));
        }
        let last = file.read(facts.last, facts.last + HEADER as u64)?;
        let header = Header::read(&file.place(), facts.last, &last);
        let ends = |h: &Header| h.crc == facts.crc && facts.last + h.frame_len() == facts.end;
        if !header.as_ref().is_some_and(ends) {
            let why = "the segment does not end as it was sealed; is it an older copy?";
            return Err(file.corrupt(facts.last, why));
        }
        Ok(Self::new(env, &file, facts, None))
    }

    pub(crate) fn number(&self) -> u64 {
        self.facts.number
    }

    /// The id behind its last entry.
    pub(crate) fn end_id(&self) -> i64 {
        self.facts.base_id.saturating_add_unsigned(self.facts.count)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What the filters know a stream by.
    pub(crate) fn stream_hash(&self, stream: u32) -> u64 {
        self.env.hash.stream(stream)
    }

    pub(crate) fn file(&self) -> Result<SegmentFile> {
        Ok(SegmentFile {
            file: self.env.files.get(&self.name)?,
            name: self.name.clone(),
            header: self.header,
            header_crc: self.header_crc,
        })
    }

    /// Asks the index; one that turns out to be damaged is rebuilt.
    pub(crate) fn look<T>(&self, ask: impl Fn(&Index) -> Result<T>) -> Result<T> {
        let index = self.index()?;
        match ask(&index) {
            Err(e) if matches!(*index, Index::Disk(_)) && (is_corrupt(&e) || is_missing(&e)) => {
                tracing::warn!(target: "ledger", segment = %self.name, why = %e, "index rebuilt");
                ask(&self.set(Index::Memory(self.rebuild()?)))
            }
            answer => answer,
        }
    }

    fn index(&self) -> Result<Arc<Index>> {
        if let Some(index) = &*self.index.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(index.clone());
        }
        match self.open_index() {
            Ok(index) => Ok(self.set(Index::Disk(index))),
            Err(e) if is_corrupt(&e) || is_missing(&e) => {
                tracing::warn!(target: "ledger", segment = %self.name, why = %e, "index rebuilt");
                let index = self.rebuild()?;
                self.set(Index::Memory(index));
                self.store_index();
                self.index()
            }
            Err(e) => Err(e),
        }
    }

    fn set(&self, index: Index) -> Arc<Index> {
        let index = Arc::new(index);
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = Some(index.clone());
        index
    }

    fn open_index(&self) -> Result<DiskIndex> {
        let name = index_name(self.number());
        DiskIndex::open(
            self.env.files.clone(),
            &name,
            self.header.place(),
            &self.facts,
        )
    }

    /// The index, from the frames.
    fn rebuild(&self) -> Result<MemoryIndex> {
        let mut index = MemoryIndex::default();
        self.scan(|at, header, body| {
            if header.kind == crate::format::frame::Kind::Batch {
                let batch = read_batch(body).ok_or("a batch is not one")?;
                for entry in indexed(&batch, at, &self.env.hash) {
                    index.add(&entry);
                }
            }
            Ok(())
        })?;
        if index.count() != self.facts.count {
            let file = self.file()?;
            return Err(file.corrupt(0, "the segment has another number of entries than known"));
        }
        Ok(index)
    }

    /// Goes through all frames, checking each.
    pub(crate) fn scan(
        &self,
        mut each: impl FnMut(u64, &Header, &bytes::Bytes) -> Result<(), &'static str>,
    ) -> Result<()> {
        let file = self.file()?;
        let mut frames = Frames::new(&file, self.facts.end);
        loop {
            match frames.next()? {
                Found::Frame(at, header, body) => {
                    each(at, &header, &body).map_err(|why| file.corrupt(at, why))?;
                }
                Found::Bad(at, _) => return Err(file.corrupt(at, "a frame is damaged")),
                Found::End => return Ok(()),
            }
        }
    }

    /// Writes an index that is in memory to its file, and goes on with that. If
    /// the disk is full the index stays in memory.
    pub(crate) fn store_index(&self) {
        let index = self
            .index
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(Index::Memory(memory)) = index.as_deref() else {
            return;
        };
        let bytes = encode(memory, &self.header.place(), &self.facts, &self.env.hash);
        let (tmp, name) = (index_tmp(self.number()), index_name(self.number()));
        let write = || {
            let file = self.env.fs.create(&tmp)?;
            write_all(&*file, &bytes, 0)?;
            file.sync()?;
            self.env.fs.rename(&tmp, &name)
        };
        match write() {
            Ok(()) => {
                self.env.files.forget(&name);
                if let Ok(index) = self.open_index() {
                    self.set(Index::Disk(index));
                }
            }
            Err(e) => {
                let _ = self.env.fs.unlink(&tmp);
                let why = convert(e, &name);
                tracing::warn!(target: "ledger", %why, "index kept in memory");
            }
        }
    }

    /// Compares the index with the frames; tells whether they agree. If not, it
    /// is written anew.
    pub(crate) fn check_index(&self) -> Result<bool> {
        let fresh = self.rebuild()?;
        let bytes = encode(&fresh, &self.header.place(), &self.facts, &self.env.hash);
        let name = index_name(self.number());
        let stored = || -> std::io::Result<bool> {
            let file = self.env.fs.open(&name)?;
            let mut stored = vec![0; bytes.len()];
            let len = crate::fs::read_up_to(&*file, &mut stored, 0)?;
            Ok(len == bytes.len() && stored == bytes && file.size()? == bytes.len() as u64)
        };
        let same = stored().unwrap_or(false);
        if !same {
            self.set(Index::Memory(fresh));
            self.store_index();
        }
        Ok(same)
    }
}

fn is_corrupt(error: &Error) -> bool {
    *error.kind() == Kind::Corrupt
}

/// Whether a file is not there.
pub(crate) fn is_missing(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound)
}
