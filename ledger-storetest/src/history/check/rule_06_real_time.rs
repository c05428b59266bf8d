//! Rule 6: order follows real time (P6).
//!
//! If somebody was told that an entry is there before the append of another
//! one was asked for, it comes first: in its stream always, and in the whole
//! store if that has one order. Going up the log, the latest asking so far
//! must not be later than the acknowledgement of what follows.

use std::fmt::Debug;

use ledger_core::{StoreOrder, StreamName};

use super::facts::{Facts, Place};
use super::violation::Broken;

pub(super) fn holds<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    for (name, stream) in &facts.streams {
        let mut sweep = Sweep::default();
        for (version, place) in &stream.places {
            sweep.pass(name, *version, place)?;
        }
    }
    let Some(store) = facts.store.filter(|_| facts.order == StoreOrder::Total) else {
        return Ok(());
    };
    let mut sweep = Sweep::default();
    for seen in store {
        let version = seen.record.version;
        let stream = facts.streams.get(&seen.stream);
        if let Some(place) = stream.and_then(|s| s.places.get(&version)) {
            sweep.pass(&seen.stream, version, place)?;
        }
    }
    Ok(())
}

#[derive(Default)]
struct Sweep<'h> {
    /// The latest asking of all that was passed.
    latest: u64,
    what: Option<(&'h StreamName, u64, usize)>,
}

impl<'h> Sweep<'h> {
    fn pass<I>(
        &mut self,
        stream: &'h StreamName,
        version: u64,
        place: &Place<'h, I>,
    ) -> Result<(), Broken> {
        if let Some((other, earlier, asked)) = self.what
            && place.acked < self.latest
        {
            let why = format!(
                "version {version} of {stream:?} was there before version {earlier} of {other:?} \
                 was asked for, and is ordered behind it"
            );
            let told = place.acked_by.into_iter().chain(place.writer);
            return Err(Broken::new("P6", [asked].into_iter().chain(told), why));
        }
        if let Some(writer) = place.writer.filter(|_| place.invoked >= self.latest) {
            self.latest = place.invoked;
            self.what = Some((stream, version, writer));
        }
        Ok(())
    }
}
