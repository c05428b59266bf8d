//! Rule 2: what is there was asked for (P10, P9, P16).
//!
//! Every entry that anybody ever saw belongs to an append to that stream which
//! was acknowledged as having stored it, or whose outcome is unknown. None
//! belongs to an append that was reported as not applied, and none to one that
//! called it a duplicate.

use std::fmt::Debug;

use super::facts::{Content, Facts};
use super::violation::Broken;

pub(super) fn holds<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    for (name, stream) in &facts.streams {
        for (version, place) in &stream.places {
            let number = match place.content {
                Content::Unseen => continue,
                Content::Foreign => {
                    let why =
                        format!("version {version} of {name:?} has a payload that nobody appended");
                    return Err(Broken::new("P16", place.acked_by, why));
                }
                Content::Number(number) => number,
            };
            let Some(origin) = facts.origins.get(&number).filter(|o| o.stream == *name) else {
                let why = format!(
                    "version {version} of {name:?} has entry #{number}, which nobody appended \
                     there"
                );
                return Err(Broken::new("P10", place.acked_by, why));
            };
            if place.writer.is_none() {
                let why = format!(
                    "version {version} of {name:?} has entry #{number}, which no append says it \
                     stored: all were not applied, or called it a duplicate"
                );
                let shown = place
                    .acked_by
                    .into_iter()
                    .chain(origin.attempts.iter().copied());
                return Err(Broken::new("P10", shown, why));
            }
        }
    }
    Ok(())
}
