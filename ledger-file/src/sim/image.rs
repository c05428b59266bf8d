//! What a disk holds after a loss of power.

use std::collections::BTreeMap;

use super::disk::{Op, SimDisk};

/// What becomes of the operations that were not flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All are there: only the process died.
    Nothing,
    /// None is there.
    Everything,
    /// Some sectors and names are there, at random.
    Some,
    /// The same, and of one sector only the beginning.
    Torn,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Everything, Self::Some, Self::Torn];
}

const SECTOR: usize = 512;

#[derive(Debug, Default)]
struct OneFile {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Debug)]
enum NameChange {
    Create(String, usize),
    Rename(String, String, usize),
    Unlink(String),
}

/// What is certain of a disk, and what is not.
#[derive(Debug, Default)]
pub(super) struct Image {
    files: Vec<OneFile>,
    names: BTreeMap<String, usize>,
    pending: Vec<NameChange>,
}

impl Image {
    pub(super) fn of(ops: &[Op]) -> Self {
        let mut image = Self::default();
        for op in ops {
            image.apply(op);
        }
        image
    }

    fn file(&mut self, file: usize) -> &mut OneFile {
        while self.files.len() <= file {
            self.files.push(OneFile::default());
        }
        &mut self.files[file]
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { name, file } => {
                self.file(*file);
                self.pending.push(NameChange::Create(name.clone(), *file));
            }
            Op::Write { file, at, bytes } => {
                let (at, bytes) = (*at as usize, bytes.to_vec());
                self.file(*file).pending.push(Change::Write { at, bytes });
            }
            Op::SetLen { file, len } => {
                self.file(*file).pending.push(Change::SetLen(*len as usize));
            }
            Op::Sync { file } => {
                let file = self.file(*file);
                for change in std::mem::take(&mut file.pending) {
                    change.apply(&mut file.durable);
                }
            }
            // The system believes it wrote them, and never tries again.
            Op::SyncFailed { file } => self.file(*file).pending.clear(),
            Op::Rename { from, to, file } => {
                self.pending
                    .push(NameChange::Rename(from.clone(), to.clone(), *file));
            }
            Op::Unlink { name } => self.pending.push(NameChange::Unlink(name.clone())),
            Op::SyncFolder => {
                for change in std::mem::take(&mut self.pending) {
                    change.apply(&mut self.names);
                }
            }
        }
    }

    pub(super) fn disk(mut self, loss: Loss, seed: u64) -> SimDisk {
        let mut rng = Rng(seed);
        for file in &mut self.files {
            let pending = std::mem::take(&mut file.pending);
            match loss {
                Loss::Nothing => pending.iter().for_each(|c| c.apply(&mut file.durable)),
                Loss::Everything => {}
                Loss::Some => scatter(&pending, &mut file.durable, &mut rng, None),
                Loss::Torn => {
                    let sectors: usize = pending.iter().map(Change::sectors).sum();
                    let torn = (sectors > 0).then(|| rng.below(sectors));
                    scatter(&pending, &mut file.durable, &mut rng, torn);
                }
            }
        }
        // Some file systems keep the order of names, some do not.
        let in_order = rng.below(2) == 0;
        let kept = rng.below(self.pending.len() + 1);
        for (nth, change) in self.pending.iter().enumerate() {
            let there = match loss {
                Loss::Nothing => true,
                Loss::Everything => false,
                Loss::Some | Loss::Torn if in_order => nth < kept,
                Loss::Some | Loss::Torn => rng.below(2) == 0,
            };
            if there {
                change.apply(&mut self.names);
            }
        }
        let files = self.files.into_iter().map(|file| file.durable).collect();
        SimDisk::of(files, self.names)
    }
}

/// Applies some of the sectors of changes; of the one called `torn`, the
/// beginning.
fn scatter(pending: &[Change], content: &mut Vec<u8>, rng: &mut Rng, torn: Option<usize>) {
    // Often nearly all or nearly none is there.
    let odds = [1, 4, 8][rng.below(3)];
    let mut nth = 0;
    for change in pending {
        match change {
            Change::SetLen(_) => {
                if rng.below(2) == 0 {
                    change.apply(content);
                }
            }
            Change::Write { at, bytes } => {
                let mut from = 0;
                while from < bytes.len() {
                    let end = ((at + from) / SECTOR + 1) * SECTOR - at;
                    let to = end.min(bytes.len());
                    let len = match torn == Some(nth) {
                        true => rng.below(to - from),
                        false if rng.below(9) < odds => to - from,
                        false => 0,
                    };
                    if len > 0 {
                        write(content, at + from, &bytes[from..from + len]);
                    }
                    from = to;
                    nth += 1;
                }
            }
        }
    }
}

fn write(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if content.len() < at + bytes.len() {
        content.resize(at + bytes.len(), 0);
    }
    content[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => write(content, *at, bytes),
            Self::SetLen(len) => content.resize(*len, 0),
        }
    }

    fn sectors(&self) -> usize {
        match self {
            Self::Write { at, bytes } if !bytes.is_empty() => {
                (at + bytes.len() - 1) / SECTOR - at / SECTOR + 1
            }
            _ => 0,
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Create(name, file) => drop(names.insert(name.clone(), *file)),
            // Also where the making of the file's old name was lost.
            Self::Rename(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
            Self::Unlink(name) => drop(names.remove(name)),
        }
    }
}

/// A few random numbers (SplitMix64), without a dependency.
struct Rng(u64);

impl Rng {
    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}
