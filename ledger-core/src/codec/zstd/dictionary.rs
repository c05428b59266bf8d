//! The dictionaries a codec knows.

use std::fmt;
use std::sync::Arc;

use zstd::zstd_safe::{self, CDict, DDict};

use crate::error::{Error, Kind, Result};

/// The one to write with, and all to read with. A clone shares them.
#[derive(Clone, Default)]
pub(super) struct Dictionaries {
    current: Option<Arc<Current>>,
    known: Vec<Arc<Known>>,
}

struct Current {
    bytes: Box<[u8]>,
    prepared: CDict<'static>,
}

struct Known {
    id: u32,
    prepared: DDict<'static>,
}

impl Dictionaries {
    pub(super) fn add_current(&mut self, bytes: &[u8], level: i32) -> Result<()> {
        self.add_former(bytes)?;
        self.current = Some(Arc::new(Current::new(bytes.into(), level)?));
        Ok(())
    }

    pub(super) fn add_former(&mut self, bytes: &[u8]) -> Result<()> {
        let id = zstd_safe::get_dict_id_from_dict(bytes).ok_or_else(invalid)?;
        let prepared = DDict::try_create(bytes).ok_or_else(invalid)?;
        self.known.push(Arc::new(Known {
            id: id.get(),
            prepared,
        }));
        Ok(())
    }

    /// Prepares the current one for another level.
    pub(super) fn compress_at(&mut self, level: i32) {
        if let Some(current) = &self.current
            && let Ok(prepared) = Current::new(current.bytes.clone(), level)
        {
            self.current = Some(Arc::new(prepared));
        }
    }

    pub(super) fn has_current(&self) -> bool {
        self.current.is_some()
    }

    pub(super) fn current(&self) -> Option<&CDict<'static>> {
        self.current.as_deref().map(|current| &current.prepared)
    }

    pub(super) fn find(&self, id: u32) -> Option<&DDict<'static>> {
        let known = self.known.iter().find(|known| known.id == id)?;
        Some(&known.prepared)
    }
}

impl Current {
    fn new(bytes: Box<[u8]>, level: i32) -> Result<Self> {
        let prepared = CDict::try_create(&bytes, level).ok_or_else(invalid)?;
        Ok(Self { bytes, prepared })
    }
}

#[cold]
fn invalid() -> Error {
    Error::new(
        Kind::Misconfigured,
        "not a Zstandard dictionary with an id; `zstd --train` makes one",
    )
}

impl fmt::Debug for Dictionaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.known.iter().map(|known| known.id);
        f.debug_list().entries(ids).finish()
    }
}
