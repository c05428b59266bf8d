//! The few operations on files that the log is made of, so that tests can put a
//! simulated disk in their place.

mod os;

use std::any::Any;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;

pub(crate) use os::OsFs;

/// One folder. Names are those of files directly in it.
pub trait Fs: Debug + Send + Sync {
    /// The names of all files, in no order.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens a file that exists, to read and to write.
    ///
    /// # Errors
    ///
    /// `NotFound`, and others of the file system.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// Makes an empty file, in the place of one that exists.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// Renames a file, over one that exists.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    ///
    /// `NotFound`, and others of the file system.
    fn unlink(&self, name: &str) -> io::Result<()>;
    /// Flushes the folder: which names there are.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn sync(&self) -> io::Result<()>;
    /// Locks a file, which is created if it is missing, until the guard is
    /// dropped; `None` if another has it.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn lock(&self, name: &str) -> io::Result<Option<LockGuard>>;
}

/// Holds a lock until it is dropped.
pub type LockGuard = Box<dyn Any + Send + Sync>;

/// An open file.
pub trait File: Debug + Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn size(&self) -> io::Result<u64>;
    /// Reads at a place; fewer bytes than asked for is not an error.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;
    /// Writes at a place; fewer bytes than given is not an error.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn write_at(&self, buf: &[u8], at: u64) -> io::Result<usize>;
    /// Flushes the content, and of the rest what is needed to read it.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file or lengthens it by zeros.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn set_len(&self, len: u64) -> io::Result<()>;
}

/// Reads until the buffer is full or the file ends; tells how much came.
pub(crate) fn read_up_to(file: &dyn File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match file.read_at(&mut buf[done..], at + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Writes all, or fails after some.
pub(crate) fn write_all(file: &dyn File, buf: &[u8], at: u64) -> io::Result<()> {
    let mut done = 0;
    while done < buf.len() {
        match file.write_at(&buf[done..], at + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Fills a new file with zeros. Zeros that are written, and not merely
/// allocated: a later write then changes no metadata, and its flush costs half.
pub(crate) fn fill_with_zeros(file: &dyn File, len: u64) -> io::Result<()> {
    const BLOCK: u64 = 1 << 20;
    let zeros = vec![0; usize::try_from(BLOCK.min(len)).unwrap_or(0)];
    let mut at = 0;
    while at < len {
        let part = BLOCK.min(len - at);
        write_all(file, &zeros[..part as usize], at)?;
        at += part;
    }
    Ok(())
}
