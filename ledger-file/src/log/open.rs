//! Opening a log. Nothing is removed, and nothing written, before it is known
//! that the log opens.

use std::sync::Arc;

use ledger_core::backend::{StoreId, event};
use ledger_core::{Error, Kind, Result};

use super::facts::Facts;
use super::keeper::{Background, Keeper};
use super::mark::Anchor;
use super::replay::{Replayed, replay};
use super::{Appender, Env, Files, Log, State};
use crate::BACKEND;
use crate::error::{convert, corrupt, misconfigured};
use crate::format::anchor::Mark;
use crate::format::header::SegmentHeader;
use crate::format::sector::{file_len, physical};
use crate::fs::{Fs, LockGuard, read_up_to, write_all};
use crate::index::Hash;
use crate::mutants::Mutant;
use crate::options::Durability;
use crate::segment::{ANCHOR, Failed, LOCK, Name, Segment, SegmentFile, create, segment_name};

/// How a log is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) create: bool,
    pub(crate) segment_bytes: u64,
    pub(crate) durability: Durability,
    pub(crate) background: Background,
    /// Which bits of the hashes of keys count.
    pub(crate) hash_mask: u64,
}

/// Opens a log, or makes one.
pub(crate) fn open(fs: Arc<dyn Fs>, settings: &Settings) -> Result<(Arc<Log>, Appender)> {
    let no_store = || misconfigured("there is no store in this folder; open it with `create`");
    if !settings.create {
        // Not even the lock's file is made where nothing is to be made.
        let names = fs.list().map_err(|e| convert(e, "."))?;
        let ours = |name: &String| matches!(Name::of(name), Name::Fixed | Name::Segment(_));
        if !names.iter().any(ours) {
            return Err(no_store());
        }
    }
    let lock = fs
        .lock(LOCK)
        .map_err(|e| convert(e, LOCK))?
        .or_else(|| Mutant::NoLock.runs().then(|| Box::new(()) as LockGuard))
        .ok_or_else(|| {
            Error::new(
                Kind::Locked,
                "the store is open for writing elsewhere; close it there first",
            )
        })?;
    let names = fs.list().map_err(|e| convert(e, "."))?;
    let last = names.iter().filter_map(|name| match Name::of(name) {
        Name::Segment(number) => Some(number),
        _ => None,
    });
    let last = last.max();
    let anchor = match (Anchor::load(&*fs)?, last) {
        (Some(anchor), Some(_)) => anchor,
        (Some(_), None) => return Err(corrupt(&segment_name(1), 0, "the segment is missing")),
        (None, None) if settings.create => make(&*fs, settings)?,
        (None, None) => return Err(no_store()),
        (None, Some(last)) => finish_making(&*fs, last)?,
    };
    let last = last.unwrap_or(1);
    let files = Arc::new(Files::new(fs.clone()));
    let env = Arc::new(Env {
        fs,
        files,
        store: anchor.store,
        hash: Hash::new(anchor.store, settings.hash_mask),
    });
    assemble(&env, anchor, last, &names, lock, settings)
}

fn assemble(
    env: &Arc<Env>,
    anchor: Anchor,
    last: u64,
    names: &[String],
    lock: LockGuard,
    settings: &Settings,
) -> Result<(Arc<Log>, Appender)> {
    let name = segment_name(last);
    let file = env.fs.open(&name).map_err(|e| convert(e, &name))?;
    let active = SegmentFile::open(file, &name, env.store, last)?;
    let len = active.file.size().map_err(|e| convert(e, &name))?;
    if len != active.header.file_len {
        return Err(corrupt(
            &name,
            len,
            "the file has another length than it was made with",
        ));
    }
    if anchor.mark.segment > last {
        let missing = segment_name(anchor.mark.segment);
        return Err(corrupt(&missing, 0, "the segment is missing"));
    }
    let read = replay(&active, &anchor.mark, &env.hash)?;
    let sealed: Result<Vec<_>> = read
        .facts
        .segments()
        .map(|facts| Segment::check(env, *facts).map(Arc::new))
        .collect();
    let sealed = sealed?;
    check_mark(&anchor.mark, &sealed)?;
    check_order(&sealed, active.header.base_id)?;
    check_names(env, names, last, &read.facts)?;

    harden(env, &active, &read)?;
    remove_leftovers(env, names, &read.facts, last);
    if let Some(cut) = &read.cut {
        tracing::warn!(
            target: "ledger",
            backend = BACKEND,
            file = %cut.file,
            offset = cut.offset,
            bytes = cut.bytes,
            "unfinished end left out"
        );
    }
    event::opened(BACKEND, env.store);
    let keeper = Keeper::start(env.clone(), settings.background).map_err(|e| convert(e, "."))?;
    let Replayed {
        facts,
        index,
        end,
        last,
        crc,
        cut,
        ..
    } = read;
    let state = State {
        facts,
        sealed: Arc::new(sealed),
        active,
        index,
        end,
    };
    let log = Arc::new(Log {
        env: env.clone(),
        cut,
        state: state.into(),
        poisoned: false.into(),
    });
    let appender = Appender::new(log.clone(), lock, anchor, keeper, settings, last, crc);
    Ok((log, appender))
}

/// A new store: a first segment, then the file that says that there is one.
fn make(fs: &dyn Fs, settings: &Settings) -> Result<Anchor> {
    let header = SegmentHeader {
        store: StoreId::random(),
        number: 1,
        base_id: 1,
        file_len: 0,
        snapshot_end: 0,
    };
    let snapshot = crate::format::snapshot::write_snapshot(Facts::new(1).items());
    let len = file_len(settings.segment_bytes);
    let blank = crate::segment::blank_now(fs, len)?;
    let created = create(fs, blank, header, &snapshot).map_err(Failed::into_error)?;
    let mark = Mark {
        generation: 1,
        segment: 1,
        end: created.end,
        crc: created.crc,
        closed: false,
    };
    let anchor = Anchor::create(fs, header.store, mark)?;
    event::migrated(BACKEND, 0, crate::format::FORMAT);
    Ok(anchor)
}

/// The making of a store was cut short between its two files. Only a first
/// segment without entries can be left of that.
fn finish_making(fs: &dyn Fs, last: u64) -> Result<Anchor> {
    let name = segment_name(1);
    let lost = || corrupt(ANCHOR, 0, "the file is missing, and there are entries");
    if last != 1 {
        return Err(lost());
    }
    let file = fs.open(&name).map_err(|e| convert(e, &name))?;
    let mut sector = vec![0; 512];
    let len = read_up_to(&*file, &mut sector, 0).map_err(|e| convert(e, &name))?;
    let (header, _) = SegmentHeader::read(&name, &sector[..len])?;
    let segment = SegmentFile::open(file, &name, header.store, 1)?;
    let mark = Mark {
        generation: 1,
        segment: 1,
        end: header.snapshot_end.into(),
        crc: 0,
        closed: false,
    };
    let read = replay(
        &segment,
        &Mark { segment: 0, ..mark },
        &Hash::new(header.store, 0),
    )?;
    if read.end != mark.end || read.cut.is_some() || read.facts.next_id != 1 {
        return Err(lost());
    }
    Anchor::create(
        fs,
        header.store,
        Mark {
            crc: read.crc,
            ..mark
        },
    )
}

/// A mark in an older segment was reached if that segment ends behind it; one in
/// a removed segment, if that was removed.
fn check_mark(mark: &Mark, sealed: &[Arc<Segment>]) -> Result<()> {
    let marked = sealed
        .iter()
        .find(|segment| segment.number() == mark.segment);
    match marked {
        Some(segment) if segment.facts.end < mark.end => Err(corrupt(
            &segment_name(mark.segment),
            physical(segment.facts.end),
            "the segment ends before a place it had reached",
        )),
        _ => Ok(()),
    }
}

/// Segments hold the ids between the first of theirs and the first of the next.
fn check_order(sealed: &[Arc<Segment>], active_base: i64) -> Result<()> {
    let next = sealed.iter().skip(1).map(|s| s.facts.base_id);
    for (segment, next) in sealed.iter().zip(next.chain([active_base])) {
        if segment.end_id() > next {
            let name = segment_name(segment.number());
            return Err(corrupt(&name, 36, "the ids of two segments overlap"));
        }
    }
    Ok(())
}

/// A segment that is not known was removed earlier, and the crash came before
/// its file was gone. Then it is one of this store.
fn check_names(env: &Env, names: &[String], last: u64, facts: &Facts) -> Result<()> {
    for name in names {
        if let Name::Segment(number) = Name::of(name)
            && number != last
            && !facts.segments().any(|segment| segment.number == number)
        {
            let file = env.fs.open(name).map_err(|e| convert(e, name))?;
            SegmentFile::open(file, name, env.store, number)?;
        }
    }
    Ok(())
}

/// Makes sure that what is read from now on is on disk: a process may have died
/// between writing and flushing, and after a flush that failed the system may
/// hold for flushed what it has only in memory. So the last group is written
/// again, as it is.
fn harden(env: &Env, active: &SegmentFile, read: &Replayed) -> Result<()> {
    let (from, to) = (physical(read.flushed), physical(read.end));
    let mut bytes = vec![0; (to - from) as usize];
    let mut rewrite = || {
        let len = read_up_to(&*active.file, &mut bytes, from)?;
        write_all(&*active.file, &bytes[..len], from)?;
        active.file.sync()?;
        env.fs.sync()
    };
    rewrite().map_err(|e| convert(e, &active.name))
}

/// Removes what a crash left behind. What cannot be removed stays.
fn remove_leftovers(env: &Env, names: &[String], facts: &Facts, last: u64) {
    let known = |number| number == last || facts.segments().any(|s| s.number == number);
    for name in names {
        let remove = match Name::of(name) {
            Name::Unfinished => true,
            Name::Segment(number) => !known(number),
            Name::Index(number) => !known(number) || number == last,
            Name::Fixed | Name::Stray => false,
        };
        if remove {
            let _ = env.fs.unlink(name);
        }
    }
}
