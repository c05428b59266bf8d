//! Histories with an anomaly of reads.

use ledger_core::StoreOrder;

use super::anomalies::two;
use super::{Forge, Forged, e, id, new, unknown};
use crate::history::End::{CaughtUp, More};
use crate::history::Expect::Any;
use crate::history::{Outcome, Rule, Seen};

pub(super) fn all() -> Vec<Forged> {
    let mut all = reads();
    all.extend(readers());
    all
}

/// Rule 9.
fn reads() -> Vec<Forged> {
    let there = || two().log("s", 1, [1, 2]);
    let rule = Rule::Reads;
    vec![
        there()
            .read("s", 50..60, 0, [(1, 1)], CaughtUp)
            .broken("a read does not see what was acknowledged", rule),
        there()
            .read("s", 50..60, 0, [], CaughtUp)
            .broken("a read sees nothing at all", rule),
        there()
            .read("s", 50..60, 1, [], More)
            .broken("an empty page says that more follows", rule),
        there()
            .newest("s", 50..60, None, [(1, 1)], More)
            .broken("the newest is an old one", rule),
        there()
            .read("s", 50..60, 0, [(2, 2)], CaughtUp)
            .broken("a page begins late", rule),
        there()
            .ok("s", 50..60, Any, [(e(3), new(3))])
            .log("s", 1, [1, 2, 3])
            .order([0, 1, 4])
            .read("s", 70..80, 0, [(1, 1), (3, 3)], CaughtUp)
            .broken("a page with a gap", rule),
        there()
            .read("s", 22..28, 0, [(1, 1), (2, 2)], CaughtUp)
            .broken("a read sees what is asked for later", rule),
        there()
            .read("s", 50..60, 1, [(1, 1), (2, 2)], CaughtUp)
            .broken("a cursor that includes its entry", rule),
        there()
            .stat("s", 50..60, 1)
            .broken("stat lags behind", rule),
        there()
            .append("s", 5..90, Any, &[e(3)], unknown())
            .stat("s", 50..60, 3)
            .broken("stat counts what never was", rule),
        there()
            .tail(50..60, [("s", 1, 1)], CaughtUp)
            .broken("a reader of the store has caught up too early", rule),
        Forge::new()
            .append("s", 10..20, Any, &[e(1)], unknown())
            .read("s", 30..40, 0, [(1, 1)], CaughtUp)
            .read("s", 50..60, 0, [], CaughtUp)
            .log("s", 1, [1])
            .broken("what one read saw, a later one does not", rule),
    ]
}

/// Rules 10 and 11.
fn readers() -> Vec<Forged> {
    let there = || two().log("s", 1, [1, 2]);
    let streams = || {
        Forge::new()
            .append("a", 10..90, Any, &[e(1)], unknown())
            .append("b", 10..90, Any, &[e(2)], unknown())
            .log("a", 1, [1])
            .log("b", 1, [2])
    };
    vec![
        there()
            .tail(50..60, [("s", 2, 2)], CaughtUp)
            .broken("a reader skips an entry", Rule::Readers),
        there()
            .tail(50..60, [("s", 1, 1), ("s", 2, 2)], More)
            .tail(61..70, [("s", 2, 2)], More)
            .broken("a reader gets an entry twice", Rule::Readers),
        streams()
            .tail(50..60, [("b", 1, 2)], More)
            .tail(61..70, [("a", 1, 1)], More)
            .broken(
                "an entry appeared below a reader of the store",
                Rule::Readers,
            ),
        streams()
            .tail(50..60, [("b", 1, 2)], More)
            .broken("a reader of the store skips a stream", Rule::Readers),
        there().tail(50..60, [("s", 2, 2)], More).forged(
            "each stream in order",
            StoreOrder::PerStream,
            Some(Rule::Readers),
        ),
        there()
            .follow("s", 50..60, 0, [(1, 1), (2, 2)])
            .follow("s", 61..70, 1, [(2, 2)])
            .broken("a reader of a stream gets an entry twice", Rule::Readers),
        Forge::new()
            .append("s", 10..20, Any, &[e(1)], unknown())
            .read("s", 30..40, 0, [(1, 1)], CaughtUp)
            .log("s", 1, [])
            .broken("what was read is gone", Rule::NothingVanishes),
        Forge::new()
            .append("s", 10..20, Any, &[e(1)], unknown())
            .append("s", 11..20, Any, &[e(2)], unknown())
            .tail(12..15, [("s", 1, 1)], More)
            .log("s", 1, [2])
            .broken("what was read became another", Rule::NothingVanishes),
        there()
            .trim("s", 50..60, 1, Outcome::Ok(1))
            .broken("trimmed, and still there", Rule::NothingVanishes),
        two()
            .trim("s", 50..60, 1, Outcome::Ok(1))
            .read("s", 70..80, 0, [(1, 1), (2, 2)], CaughtUp)
            .log("s", 2, [2])
            .broken("read after it was trimmed", Rule::NothingVanishes),
        two()
            .trim("s", 50..60, 1, Outcome::Ok(1))
            .read("s", 5..70, 0, [(1, 1), (2, 2)], CaughtUp)
            .view("s", 2, Vec::new())
            .broken("more is gone than was trimmed", Rule::NoLostAck),
        Forge::new()
            .append("s", 10..20, Any, &[e(1)], unknown())
            .append("s", 12..20, Any, &[e(2)], unknown())
            .read("s", 30..40, 0, [(1, 1), (2, 2)], CaughtUp)
            .trim("s", 50..60, 1, unknown())
            .view(
                "s",
                2,
                vec![Seen {
                    id: id(3),
                    version: 2,
                    number: Some(2),
                }],
            )
            .broken("it came back under another id", Rule::NothingVanishes),
    ]
}
