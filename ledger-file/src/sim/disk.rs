//! A disk in memory that knows what was flushed, and can lose the rest.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::image::{Image, Loss};
use crate::fs::{File, Fs, LockGuard};

/// What was done to a disk, in order.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Create {
        name: String,
        file: usize,
    },
    Write {
        file: usize,
        at: u64,
        bytes: Arc<[u8]>,
    },
    SetLen {
        file: usize,
        len: u64,
    },
    Sync {
        file: usize,
    },
    /// What was not flushed before is not flushed by a later one either.
    SyncFailed {
        file: usize,
    },
    Rename {
        from: String,
        to: String,
        file: usize,
    },
    Unlink {
        name: String,
    },
    SyncFolder,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// With an I/O error, once.
    Io,
    /// For want of space, once.
    Full,
    /// A write writes half of its bytes, and the next one fails.
    Short,
}

/// Which flush a disk reports but does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Those of files.
    Files,
    /// Those of the folder.
    Folder,
}

/// A disk of one folder. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// What the processes of the machine see.
    files: Vec<Vec<u8>>,
    names: BTreeMap<String, usize>,
    ops: Vec<Op>,
    /// How many calls were made that can fail.
    calls: u64,
    fault: Option<(u64, Fault)>,
    /// How often a fault struck.
    struck: u64,
    /// Nothing can grow.
    full: bool,
    lie: Option<Lie>,
    locked: bool,
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn of(files: Vec<Vec<u8>>, names: BTreeMap<String, usize>) -> Self {
        let mut ops: Vec<Op> = Vec::new();
        for (name, file) in &names {
            let (name, file) = (name.clone(), *file);
            let bytes = files[file].as_slice().into();
            ops.push(Op::Create { name, file });
            ops.push(Op::Write { file, at: 0, bytes });
            ops.push(Op::Sync { file });
        }
        ops.push(Op::SyncFolder);
        let inner = Inner {
            files,
            names,
            ops,
            ..Inner::default()
        };
        Self(Arc::new(Mutex::new(inner)))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations were done that change the disk.
    #[must_use]
    pub fn ops(&self) -> usize {
        self.lock().ops.len()
    }

    /// How many calls were made that can fail.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// Makes the call of this number fail, counted from 0 over the life of the
    /// disk.
    pub fn fail_at(&self, call: u64, fault: Fault) {
        self.lock().fault = Some((call, fault));
    }

    /// How often a call failed on purpose.
    #[must_use]
    pub fn struck(&self) -> u64 {
        self.lock().struck
    }

    /// From now on no file can be made or grow, or all can again.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// From now on the disk does not flush what it says it did.
    pub fn lie(&self, lie: Lie) {
        self.lock().lie = Some(lie);
    }

    /// Whether the store on it is open.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.lock().locked
    }

    /// The disk as it is after the power failed behind so many operations.
    #[must_use]
    pub fn after_crash(&self, ops: usize, loss: Loss, seed: u64) -> Self {
        let image = Image::of(&self.lock().ops[..ops]);
        image.disk(loss, seed)
    }

    /// The names of the files.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }

    /// The bytes of a file.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let inner = self.lock();
        inner.names.get(name).map(|file| inner.files[*file].clone())
    }

    /// Another disk with the same files.
    #[must_use]
    pub fn copy(&self) -> Self {
        let inner = self.lock();
        Self::of(inner.files.clone(), inner.names.clone())
    }

    /// Puts a file in place of what is there, or removes it.
    pub fn put(&self, name: &str, content: Option<Vec<u8>>) {
        let mut inner = self.lock();
        match content {
            Some(content) => {
                let file = inner.files.len();
                inner.files.push(content);
                inner.names.insert(name.to_owned(), file);
            }
            None => drop(inner.names.remove(name)),
        }
    }
}

/// What a call does to its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Read,
    Write,
    Change,
}

impl Inner {
    /// Counts a call, and fails it if it is its turn. A short write is `Ok(true)`.
    fn call(&mut self, does: Does) -> io::Result<bool> {
        let call = self.calls;
        self.calls += 1;
        let Some((_, fault)) = self.fault.filter(|(at, _)| *at == call) else {
            return Ok(false);
        };
        self.fault = None;
        match (fault, does) {
            (Fault::Short, Does::Write) => {
                self.struck += 1;
                self.fault = Some((call + 1, Fault::Io));
                Ok(true)
            }
            // Only what writes can find the disk full, or write half.
            (Fault::Full | Fault::Short, Does::Read) | (Fault::Short, Does::Change) => Ok(false),
            (Fault::Full, _) => {
                self.struck += 1;
                Err(io::ErrorKind::StorageFull.into())
            }
            (Fault::Io, _) => {
                self.struck += 1;
                Err(io::Error::other("a fault on purpose"))
            }
        }
    }

    fn file_of(&self, name: &str) -> io::Result<usize> {
        let file = self.names.get(name).copied();
        file.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Fs for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut inner = self.lock();
        inner.call(Does::Read)?;
        Ok(inner.names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut inner = self.lock();
        inner.call(Does::Read)?;
        let file = inner.file_of(name)?;
        drop(inner);
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            file,
        }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut inner = self.lock();
        inner.call(Does::Change)?;
        if inner.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // Another file under this name: the old one may come back in a crash.
        let file = inner.files.len();
        inner.files.push(Vec::new());
        inner.names.insert(name.to_owned(), file);
        let name = name.to_owned();
        inner.ops.push(Op::Create { name, file });
        drop(inner);
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            file,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call(Does::Change)?;
        let file = inner.file_of(from)?;
        inner.names.remove(from);
        inner.names.insert(to.to_owned(), file);
        let (from, to) = (from.to_owned(), to.to_owned());
        inner.ops.push(Op::Rename { from, to, file });
        Ok(())
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call(Does::Change)?;
        inner.file_of(name)?;
        inner.names.remove(name);
        let name = name.to_owned();
        inner.ops.push(Op::Unlink { name });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.call(Does::Change)?;
        if inner.lie != Some(Lie::Folder) {
            inner.ops.push(Op::SyncFolder);
        }
        Ok(())
    }

    fn lock(&self, _name: &str) -> io::Result<Option<LockGuard>> {
        let mut inner = self.lock();
        inner.call(Does::Read)?;
        if inner.locked {
            return Ok(None);
        }
        inner.locked = true;
        Ok(Some(Box::new(Unlock(self.clone()))))
    }
}

struct Unlock(SimDisk);

impl Drop for Unlock {
    fn drop(&mut self) {
        self.0.lock().locked = false;
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
}

impl File for SimFile {
    fn size(&self) -> io::Result<u64> {
        let mut inner = self.disk.lock();
        inner.call(Does::Read)?;
        Ok(inner.files[self.file].len() as u64)
    }

    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let mut inner = self.disk.lock();
        inner.call(Does::Read)?;
        let content = inner.files[self.file]
            .get(at as usize..)
            .unwrap_or_default();
        let len = content.len().min(buf.len());
        buf[..len].copy_from_slice(&content[..len]);
        Ok(len)
    }

    fn write_at(&self, buf: &[u8], at: u64) -> io::Result<usize> {
        let mut inner = self.disk.lock();
        let short = inner.call(Does::Write)?;
        let buf = match short {
            true => &buf[..buf.len() / 2],
            false => buf,
        };
        let (at_byte, full) = (at as usize, inner.full);
        let content = &mut inner.files[self.file];
        if content.len() < at_byte + buf.len() {
            if full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            content.resize(at_byte + buf.len(), 0);
        }
        content[at_byte..at_byte + buf.len()].copy_from_slice(buf);
        let (file, bytes) = (self.file, buf.into());
        inner.ops.push(Op::Write { file, at, bytes });
        Ok(buf.len())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.disk.lock();
        let file = self.file;
        match inner.call(Does::Change) {
            Ok(_) if inner.lie == Some(Lie::Files) => Ok(()),
            Ok(_) => {
                inner.ops.push(Op::Sync { file });
                Ok(())
            }
            Err(e) => {
                inner.ops.push(Op::SyncFailed { file });
                Err(e)
            }
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut inner = self.disk.lock();
        inner.call(Does::Change)?;
        inner.files[self.file].resize(len as usize, 0);
        let file = self.file;
        inner.ops.push(Op::SetLen { file, len });
        Ok(())
    }
}
