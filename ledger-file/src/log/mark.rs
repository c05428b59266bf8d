//! The file `STORE`, while the log is open.

use std::sync::Arc;

use ledger_core::Result;
use ledger_core::backend::StoreId;

use crate::error::convert;
use crate::format::anchor::{ANCHOR_LEN, Mark, read_anchor, write_anchor};
use crate::fs::{File, Fs, read_up_to, write_all};
use crate::segment::{ANCHOR, ANCHOR_TMP};

#[derive(Debug)]
pub(super) struct Anchor {
    file: Arc<dyn File>,
    pub(super) store: StoreId,
    pub(super) mark: Mark,
}

impl Anchor {
    /// Reads it; `None` if there is none.
    pub(super) fn load(fs: &dyn Fs) -> Result<Option<Self>> {
        let file = match fs.open(ANCHOR) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(convert(e, ANCHOR)),
        };
        let mut bytes = vec![0; ANCHOR_LEN + 1];
        let len = read_up_to(&*file, &mut bytes, 0).map_err(|e| convert(e, ANCHOR))?;
        let (store, mark) = read_anchor(ANCHOR, &bytes[..len])?;
        Ok(Some(Self { file, store, mark }))
    }

    /// Makes it. A store is there once this file is.
    pub(super) fn create(fs: &dyn Fs, store: StoreId, mark: Mark) -> Result<Self> {
        let make = || {
            let file = fs.create(ANCHOR_TMP)?;
            write_all(&*file, &write_anchor(store, &mark), 0)?;
            file.sync()?;
            fs.rename(ANCHOR_TMP, ANCHOR)?;
            fs.sync()?;
            Ok(file)
        };
        let file = make().map_err(|e| convert(e, ANCHOR))?;
        Ok(Self { file, store, mark })
    }

    /// Notes that the log was flushed up to a frame.
    pub(super) fn write(&mut self, segment: u64, end: u64, crc: u32, closed: bool) -> Result<()> {
        let mark = Mark {
            generation: self.mark.generation + 1,
            segment,
            end,
            crc,
            closed,
        };
        let (at, bytes) = mark.write(self.store);
        write_all(&*self.file, &bytes, at)
            .and_then(|()| self.file.sync())
            .map_err(|e| convert(e, ANCHOR))?;
        self.mark = mark;
        Ok(())
    }
}
