//! A file system whose writes can be kept waiting.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use async_trait::async_trait;
use ledger_core::Result;
use ledger_file::sim::{File, Fs, LockGuard};
use ledger_storetest::Hold;

/// Open unless it was shut.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// This file system, its writes behind the gate.
    pub(super) fn fs(&self, fs: Arc<dyn Fs>) -> Arc<dyn Fs> {
        Arc::new(Gated {
            fs,
            gate: self.clone(),
        })
    }

    pub(super) fn shut(&self) -> Box<dyn Hold> {
        self.set(true);
        Box::new(Shut(self.clone()))
    }

    fn set(&self, shut: bool) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = shut;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let mut shut = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        while *shut {
            shut = self.0.1.wait(shut).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Shut(Gate);

#[async_trait]
impl Hold for Shut {
    async fn release(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

impl Drop for Shut {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[derive(Debug)]
struct Gated<T: ?Sized> {
    gate: Gate,
    fs: Arc<T>,
}

impl Gated<dyn Fs> {
    fn file(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        let gate = self.gate.clone();
        Arc::new(Gated { gate, fs: file })
    }
}

impl Fs for Gated<dyn Fs> {
    fn list(&self) -> io::Result<Vec<String>> {
        self.fs.list()
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(self.file(self.fs.open(name)?))
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(self.file(self.fs.create(name)?))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.fs.rename(from, to)
    }
    fn unlink(&self, name: &str) -> io::Result<()> {
        self.fs.unlink(name)
    }
    fn sync(&self) -> io::Result<()> {
        self.fs.sync()
    }
    fn lock(&self, name: &str) -> io::Result<Option<LockGuard>> {
        self.fs.lock(name)
    }
}

impl File for Gated<dyn File> {
    fn size(&self) -> io::Result<u64> {
        self.fs.size()
    }
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        self.fs.read_at(buf, at)
    }
    fn write_at(&self, buf: &[u8], at: u64) -> io::Result<usize> {
        self.gate.pass();
        self.fs.write_at(buf, at)
    }
    fn sync(&self) -> io::Result<()> {
        self.fs.sync()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fs.set_len(len)
    }
}
