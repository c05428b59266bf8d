//! The floor of the scan: the segments, read block by block from their
//! beginning to their end, and not looked at.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::Result;

use crate::work::Work;

const BLOCK: usize = 128 * 1024;

pub(super) struct Scan {
    files: Vec<File>,
    entries: usize,
    block: Vec<u8>,
}

impl Scan {
    /// `entries` lie in the segments of the folder. The last of them is full of
    /// zeros at its end, which are not read.
    pub(super) fn open(folder: &Path, entries: usize) -> Result<Self> {
        let mut files = Vec::new();
        for file in std::fs::read_dir(folder)? {
            let path = file?.path();
            if path.extension().is_some_and(|kind| kind == "seg") {
                files.push(File::open(path)?);
            }
        }
        Ok(Self {
            files,
            entries,
            block: vec![0; BLOCK],
        })
    }
}

impl Work for Scan {
    type Input = ();

    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    async fn run(&mut self, (): ()) -> Result<usize> {
        for file in &self.files {
            let mut at = 0;
            loop {
                let len = file.read_at(&mut self.block, at)?;
                let block = std::hint::black_box(&self.block[..len]);
                let is_unused = |b: &[u8]| b[0] == 0 && b[b.len() - 1] == 0;
                if len == 0 || is_unused(block) {
                    break;
                }
                at += len as u64;
            }
        }
        Ok(self.entries)
    }
}
