//! Rule 1: what was acknowledged is there (P12, P1).
//!
//! Each entry of an acknowledged append is in the log at the version and the
//! id that its receipt tells, unless a trim may have removed it. There is one
//! receipt for each entry.

use std::fmt::Debug;

use super::facts::{Facts, NEVER};
use super::violation::Broken;

pub(super) fn holds<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    for (index, _, append, receipts) in facts.acknowledged() {
        if receipts.len() != append.entries.len() {
            let (given, told) = (append.entries.len(), receipts.len());
            let why = format!("{told} receipts for {given} entries");
            return Err(Broken::new("P7", [index], why));
        }
        let Some(stream) = facts.streams.get(&append.stream) else {
            continue;
        };
        for (entry, receipt) in append.entries.iter().zip(receipts) {
            if receipt.is_duplicate() {
                continue;
            }
            let (number, version) = (entry.number, receipt.version);
            if version < stream.first && stream.maybe_trimmed(version, NEVER) {
                continue;
            }
            let at = version.checked_sub(stream.first);
            let at = at.and_then(|at| usize::try_from(at).ok());
            let found = at.and_then(|at| stream.log().get(at));
            let found = found.filter(|seen| seen.version == version);
            // With gaps in the log the index is not the version.
            let found = found.or_else(|| stream.log().iter().find(|s| s.version == version));
            if found.is_some_and(|s| s.number == Some(number) && s.id == receipt.id) {
                continue;
            }
            let why = format!(
                "entry #{number} was acknowledged at version {version} and id {:?}, and there is \
                 {}",
                receipt.id,
                found.map_or("nothing".to_owned(), |seen| format!("{seen:?}"))
            );
            return Err(Broken::new("P12", [index], why));
        }
    }
    Ok(())
}
