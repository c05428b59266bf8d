//! Work that nobody waits for: zeroed files for later segments, indexes of
//! sealed ones, and the removal of what is not needed any more.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::Env;
use crate::format::sector::physical;
use crate::segment::{Blank, NEXT, SPARE, Segment, index_name, segment_name};

/// Where such work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Background {
    /// On a thread.
    Thread,
    /// At once, so that tests see every operation in one order.
    #[cfg_attr(not(feature = "sim"), expect(dead_code, reason = "for tests"))]
    Inline,
}

#[derive(Debug)]
enum Job {
    /// A segment was sealed.
    Sealed(Arc<Segment>),
    /// A segment was removed from the log.
    Remove(u64),
    /// A segment of this length will be needed.
    Spare(u64),
}

#[derive(Debug)]
pub(super) struct Keeper {
    env: Arc<Env>,
    spare: Arc<Mutex<Option<Blank>>>,
    thread: Option<(Sender<Job>, JoinHandle<()>)>,
}

impl Keeper {
    pub(super) fn start(env: Arc<Env>, background: Background) -> std::io::Result<Self> {
        let spare = Arc::new(Mutex::new(None));
        let thread = match background {
            Background::Inline => None,
            Background::Thread => {
                let (jobs, queue) = channel::<Job>();
                let (env, spare) = (env.clone(), spare.clone());
                let work = move || queue.iter().for_each(|job| run(&env, &spare, job));
                let named = std::thread::Builder::new().name("ledger-file-keeper".into());
                Some((jobs, named.spawn(work)?))
            }
        };
        Ok(Self { env, spare, thread })
    }

    fn give(&self, job: Job) {
        match &self.thread {
            // It ends only with us.
            Some((jobs, _)) => drop(jobs.send(job)),
            None => run(&self.env, &self.spare, job),
        }
    }

    pub(super) fn sealed(&self, segment: Arc<Segment>) {
        self.give(Job::Sealed(segment));
    }

    pub(super) fn remove(&self, segment: u64) {
        self.give(Job::Remove(segment));
    }

    /// Asks for a file in advance. Without a thread that would be no advance.
    pub(super) fn prepare(&self, len: u64) {
        if self.thread.is_some() {
            self.give(Job::Spare(len));
        }
    }

    /// A file that was prepared, if there is one and it is long enough. It gets
    /// another name, under which nobody prepares the next one.
    pub(super) fn spare(&self, len: u64) -> Option<Blank> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let blank = spare.take()?;
        if blank.len < len || self.env.fs.rename(SPARE, NEXT).is_err() {
            let _ = self.env.fs.unlink(SPARE);
            return None;
        }
        Some(Blank {
            name: NEXT,
            ..blank
        })
    }
}

impl Drop for Keeper {
    /// Waits for what is begun: after this the folder may belong to another.
    fn drop(&mut self) {
        if let Some((jobs, thread)) = self.thread.take() {
            drop(jobs);
            // A panic there harmed nothing but what it was doing.
            let _ = thread.join();
        }
        let spare = self
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if spare.is_some() {
            let _ = self.env.fs.unlink(SPARE);
        }
    }
}

/// Failures change nothing: the work is done again when the store is opened, or
/// when it is needed.
fn run(env: &Env, spare: &Mutex<Option<Blank>>, job: Job) {
    match job {
        Job::Sealed(segment) => {
            segment.store_index();
            if let Ok(file) = segment.file() {
                let _ = file.file.set_len(physical(segment.facts.end));
            }
        }
        Job::Remove(number) => {
            for name in [index_name(number), segment_name(number)] {
                // In this order: nobody opens it once more, and its space is free.
                let _ = env.fs.unlink(&name);
                env.files.forget(&name);
            }
        }
        Job::Spare(len) => {
            let is_there = || {
                spare
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .is_some()
            };
            if is_there() {
                return;
            }
            if let Ok(blank) = Blank::make(&*env.fs, SPARE, len) {
                // The zeros are on disk before the segment is needed.
                if blank.file.sync().is_ok() {
                    *spare.lock().unwrap_or_else(PoisonError::into_inner) = Some(blank);
                }
            }
        }
    }
}
