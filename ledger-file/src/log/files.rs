//! Files that are open for reading. There may be more segments than a process
//! may have open files.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ledger_core::Result;

use crate::error::convert;
use crate::fs::{File, Fs};

/// How many files are kept open.
const MOST: usize = 128;

#[derive(Debug)]
pub(crate) struct Files {
    fs: Arc<dyn Fs>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    files: HashMap<String, (Arc<dyn File>, u64)>,
    clock: u64,
}

impl Files {
    pub(crate) fn new(fs: Arc<dyn Fs>) -> Self {
        Self {
            fs,
            open: Mutex::default(),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Result<Arc<dyn File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.clock += 1;
        let now = open.clock;
        if let Some((file, used)) = open.files.get_mut(name) {
            *used = now;
            return Ok(file.clone());
        }
        let file = self.fs.open(name).map_err(|e| convert(e, name))?;
        if open.files.len() >= MOST {
            let oldest = open.files.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                open.files.remove(&oldest);
            }
        }
        open.files.insert(name.to_owned(), (file.clone(), now));
        Ok(file)
    }

    /// Closes a file that was replaced or removed. Who reads it goes on.
    pub(crate) fn forget(&self, name: &str) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.files.remove(name);
    }
}
