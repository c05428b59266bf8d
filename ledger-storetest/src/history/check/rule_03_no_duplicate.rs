//! Rule 3: nothing is there twice (P9, P10).
//!
//! An entry is in the log once, whatever the outcome of its append, and at
//! most one retained entry of a stream carries a given dedup key.

use std::collections::HashMap;
use std::fmt::Debug;

use super::facts::{Content, Facts};
use super::violation::Broken;

pub(super) fn holds<I: Ord + Debug>(facts: &Facts<'_, I>) -> Result<(), Broken> {
    let mut numbers = HashMap::new();
    for (name, stream) in &facts.streams {
        let mut keys = HashMap::new();
        for seen in stream.log() {
            let Some(number) = seen.number else { continue };
            let version = seen.version;
            if let Some((other, earlier)) = numbers.insert(number, (*name, version)) {
                let why = format!(
                    "entry #{number} is there twice: {other:?} version {earlier} and {name:?} \
                     version {version}"
                );
                return Err(Broken::new("P10", facts.writers(number), why));
            }
            let Some(key) = facts.key_of(Content::Number(number)) else {
                continue;
            };
            if let Some((other, earlier)) = keys.insert(key, (number, version)) {
                let why = format!(
                    "two entries of {name:?} carry the key {key:?}: versions {earlier} and \
                     {version}"
                );
                let ops = facts.writers(other).chain(facts.writers(number));
                return Err(Broken::new("P9", ops, why));
            }
        }
    }
    Ok(())
}
