//! Histories with an anomaly of appends.

use super::{Forge, Forged, conflict, dup, e, k, new, refused, unknown};
use crate::history::End::{CaughtUp, More};
use crate::history::Expect::{Any, Exactly, NoStream, StreamExists};
use crate::history::{Outcome, Rule, Seen};

pub(super) fn all() -> Vec<Forged> {
    let mut all = appends();
    all.extend(order());
    all.extend(answers());
    all
}

/// Version 1 by entry #1 and version 2 by #2, one after the other.
pub(super) fn two() -> Forge {
    Forge::new()
        .ok("s", 10..20, Any, [(e(1), new(1))])
        .ok("s", 30..40, Any, [(e(2), new(2))])
}

/// Rules 0 to 4.
fn appends() -> Vec<Forged> {
    let mut disagree = two().log("s", 1, [1, 2]);
    let say = "stream by pages of 7".to_owned();
    disagree.observed.disagreements.push(say);
    let one = |outcome| Forge::new().append("s", 10..20, Any, &[e(1)], outcome);
    let batch = |entries: &[_]| Forge::new().append("s", 10..20, Any, entries, unknown());
    vec![
        disagree.broken("page sizes disagree", Rule::WellFormed),
        two()
            .log("s", 1, [1, 2])
            .order([0])
            .broken("the store lacks an entry of a stream", Rule::WellFormed),
        two()
            .log("s", 1, [1])
            .broken("an acknowledged entry is lost", Rule::NoLostAck),
        two()
            .append("s", 50..60, Any, &[e(3)], unknown())
            .log("s", 1, [1, 3])
            .broken("another took its place", Rule::NoLostAck),
        Forge::new()
            .ok("s", 10..20, Any, [(e(1), new(1)), (e(2), new(2))])
            .log("s", 2, [2])
            .broken("the first one is lost, and nobody trimmed", Rule::NoLostAck),
        one(refused())
            .log("s", 1, [1])
            .broken("not applied, and there", Rule::NoPhantom),
        one(conflict(0))
            .log("s", 1, [1])
            .broken("a conflict with an effect", Rule::NoPhantom),
        one(unknown())
            .log("other", 1, [1])
            .broken("in another stream", Rule::NoPhantom),
        Forge::new()
            .ok("s", 10..20, Any, [(k(1, "k"), new(1))])
            .ok("s", 30..40, Any, [(k(2, "k"), dup(1))])
            .log("s", 1, [1, 2])
            .broken("called a duplicate, and stored", Rule::NoPhantom),
        one(unknown())
            .view(
                "s",
                1,
                vec![Seen {
                    id: 10,
                    version: 1,
                    number: None,
                }],
            )
            .broken("a payload that nobody appended", Rule::NoPhantom),
        one(unknown())
            .log("s", 1, [1, 1])
            .broken("a lost acknowledgement was stored twice", Rule::NoDuplicate),
        Forge::new()
            .ok("s", 10..20, Any, [(k(1, "k"), new(1))])
            .append("s", 15..60, Any, &[k(2, "k")], unknown())
            .log("s", 1, [1, 2])
            .broken("a key is carried twice", Rule::NoDuplicate),
        batch(&[e(1), e(2)])
            .log("s", 1, [1])
            .broken("half a batch", Rule::WholeBatches),
        batch(&[e(1), e(2)])
            .log("s", 1, [2])
            .broken("the other half of a batch", Rule::WholeBatches),
        batch(&[e(1), e(2), e(3)])
            .log("s", 1, [1, 3, 2])
            .broken("a batch out of order", Rule::WholeBatches),
        batch(&[e(1), e(2)])
            .append("s", 11..20, Any, &[e(3)], unknown())
            .log("s", 1, [1, 3, 2])
            .broken("a batch in two pieces", Rule::WholeBatches),
        Forge::new()
            .ok("s", 10..20, Any, [(e(1), new(2)), (e(2), new(1))])
            .log("s", 1, [2, 1])
            .broken("receipts out of order", Rule::WholeBatches),
        Forge::new()
            .ok("s", 10..50, Any, [(e(1), new(1)), (e(2), new(2))])
            .read("s", 20..30, 0, [(1, 1)], CaughtUp)
            .log("s", 1, [1, 2])
            .broken("half a batch was seen", Rule::WholeBatches),
        Forge::new()
            .ok("s", 10..50, Any, [(e(1), new(1)), (e(2), new(2))])
            .stat("s", 20..30, 1)
            .log("s", 1, [1, 2])
            .broken("half a batch was counted", Rule::WholeBatches),
    ]
}

/// Rules 5 and 6.
fn order() -> Vec<Forged> {
    let both = || {
        Forge::new()
            .append("s", 10..20, Any, &[e(1)], unknown())
            .append("s", 11..20, Any, &[e(2)], unknown())
    };
    let at = |id, version, number| Seen {
        id,
        version,
        number: Some(number),
    };
    let streams = || {
        Forge::new()
            .ok("a", 10..20, Any, [(e(1), new(1))])
            .ok("b", 30..40, Any, [(e(2), new(1))])
            .log("a", 1, [1])
            .log("b", 1, [2])
    };
    vec![
        both()
            .view("s", 3, vec![at(10, 1, 1), at(30, 3, 2)])
            .broken("a gap in the versions", Rule::Contiguity),
        both()
            .view("s", 3, vec![at(10, 1, 1), at(20, 2, 2)])
            .broken("stat counts more than there is", Rule::Contiguity),
        both()
            .view("s", 2, vec![at(20, 1, 1), at(10, 2, 2)])
            .broken("ids that do not grow", Rule::Contiguity),
        both()
            .log("s", 2, [1, 2])
            .broken("it begins at 2, and nobody trimmed", Rule::Contiguity),
        Forge::new()
            .ok("s", 10..20, Any, [(e(1), new(1))])
            .trim("s", 30..40, 1, Outcome::Ok(1))
            .ok("s", 50..60, Any, [(e(2), new(1))])
            .log("s", 2, [])
            .broken("a version was given again after a trim", Rule::Contiguity),
        Forge::new()
            .ok("s", 30..40, Any, [(e(2), new(1))])
            .ok("s", 10..20, Any, [(e(1), new(2))])
            .log("s", 1, [2, 1])
            .broken("a later append is ordered first", Rule::RealTime),
        streams().order([1, 0]).broken(
            "a later append is ordered first in the store",
            Rule::RealTime,
        ),
        Forge::new()
            .append("s", 10..u64::MAX, Any, &[e(1)], Outcome::NeverReturned)
            .append("s", 50..60, Any, &[e(2)], unknown())
            .newest("s", 31..40, None, [(2, 1)], More)
            .log("s", 1, [2, 1])
            .broken("what was seen first is ordered last", Rule::RealTime),
    ]
}

/// Rules 7 and 8.
fn answers() -> Vec<Forged> {
    let three = || two().ok("s", 50..60, Any, [(e(3), new(3))]);
    let refused = |time, expected, outcome| {
        three()
            .append("s", time, expected, &[e(4)], outcome)
            .log("s", 1, [1, 2, 3])
    };
    let keyed = || Forge::new().ok("s", 10..20, Any, [(k(1, "k"), new(1))]);
    vec![
        two()
            .ok("s", 50..60, Exactly(5), [(e(3), new(3))])
            .log("s", 1, [1, 2, 3])
            .broken(
                "stored at another version than expected",
                Rule::ExpectedVersion,
            ),
        two()
            .ok("s", 50..60, NoStream, [(e(3), new(3))])
            .log("s", 1, [1, 2, 3])
            .broken(
                "no stream was expected, and there was one",
                Rule::ExpectedVersion,
            ),
        Forge::new()
            .append("s", 10..20, StreamExists, &[e(1)], unknown())
            .log("s", 1, [1])
            .broken(
                "a stream was expected, and there was none",
                Rule::ExpectedVersion,
            ),
        refused(70..80, Exactly(3), conflict(3))
            .broken("a conflict with what was expected", Rule::ExpectedVersion),
        refused(70..80, Any, conflict(3)).broken(
            "a conflict of an append that expects nothing",
            Rule::ExpectedVersion,
        ),
        refused(70..80, Exactly(3), conflict(2))
            .broken("a conflict at a version long passed", Rule::ExpectedVersion),
        refused(25..28, Exactly(1), conflict(3)).broken(
            "a conflict at a version of the future",
            Rule::ExpectedVersion,
        ),
        refused(70..80, Exactly(3), conflict(4)).broken(
            "a conflict at a version that never was",
            Rule::ExpectedVersion,
        ),
        Forge::new()
            .ok("s", 10..50, Any, [(e(1), new(1)), (e(2), new(2))])
            .append("s", 20..30, Exactly(7), &[e(3)], conflict(1))
            .log("s", 1, [1, 2])
            .broken("a conflict in the middle of a batch", Rule::ExpectedVersion),
        keyed()
            .ok("s", 30..40, Any, [(k(2, "x"), new(2))])
            .ok("s", 50..60, Any, [(k(3, "k"), dup(2))])
            .log("s", 1, [1, 2])
            .broken("a duplicate names the wrong entry", Rule::Dedup),
        keyed()
            .ok("s", 30..40, Any, [(k(2, "k"), dup(2))])
            .log("s", 1, [1])
            .broken("a duplicate names its own place", Rule::Dedup),
        keyed()
            .ok("s", 2..5, Any, [(k(2, "k"), dup(1))])
            .log("s", 1, [1])
            .broken("a duplicate of what nobody had asked for", Rule::Dedup),
        Forge::new()
            .ok("s", 10..20, Any, [(e(1), new(1))])
            .ok("s", 30..40, Any, [(e(2), dup(1))])
            .log("s", 1, [1])
            .broken("a duplicate without a key", Rule::Dedup),
        keyed()
            .ok("s", 30..40, Any, [(k(1, "k"), new(1))])
            .log("s", 1, [1])
            .broken("stored once, and twice said to be new", Rule::Dedup),
        keyed()
            .append("s", 30..40, NoStream, &[k(1, "k")], conflict(1))
            .log("s", 1, [1])
            .broken("a retry became a conflict", Rule::Dedup),
    ]
}
