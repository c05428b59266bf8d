//! Odd histories that break no promise: the checker must not cry wolf.

use ledger_core::StoreOrder;

use super::{Forge, Forged, conflict, dup, e, k, new, refused, unknown};
use crate::history::End::{CaughtUp, More, Undecided};
use crate::history::Expect::{Any, Exactly, NoStream, StreamExists};
use crate::history::{Outcome, Seen};

pub(super) fn all() -> Vec<Forged> {
    let mut all = appends();
    all.extend(repeats());
    all.extend(reads());
    all.extend(trims());
    all
}

fn two() -> Forge {
    Forge::new()
        .ok("s", 10..20, Any, [(e(1), new(1))])
        .ok("s", 30..40, Any, [(e(2), new(2))])
}

fn appends() -> Vec<Forged> {
    let one = |outcome| Forge::new().append("s", 10..20, Any, &[e(1)], outcome);
    let sparse = |id, version, number| Seen {
        id,
        version,
        number: Some(number),
    };
    vec![
        Forge::new().holds("nothing was done"),
        Forge::new()
            .ok("s", 10..50, Any, [(e(1), new(1))])
            .ok("s", 20..40, Any, [(e(2), new(2))])
            .log("s", 1, [1, 2])
            .holds("overlapping, the first asked first"),
        Forge::new()
            .ok("s", 10..50, Any, [(e(1), new(2))])
            .ok("s", 20..40, Any, [(e(2), new(1))])
            .log("s", 1, [2, 1])
            .holds("overlapping, the last asked first"),
        one(unknown()).log("s", 1, [1]).holds("unknown, and there"),
        one(unknown())
            .log("s", 1, [])
            .holds("unknown, and not there"),
        Forge::new()
            .append(
                "s",
                10..u64::MAX,
                Any,
                &[e(1), e(2)],
                Outcome::NeverReturned,
            )
            .ok("s", 30..40, Any, [(e(3), new(1))])
            .log("s", 1, [3, 1, 2])
            .holds("dropped, and committed much later"),
        one(refused())
            .ok("s", 30..40, Any, [(e(1), new(1))])
            .log("s", 1, [1])
            .holds("not applied, then retried without a key"),
        Forge::new()
            .append("s", 10..20, Any, &[e(1)], unknown())
            .append("s", 11..20, Any, &[e(2)], unknown())
            .view(
                "s",
                2,
                vec![sparse(1 << 40, 1, 1), sparse((1 << 40) + 7, 2, 2)],
            )
            .holds("sparse ids"),
        two()
            .append("s", 25..90, Exactly(9), &[e(3)], conflict(1))
            .append("s", 25..90, NoStream, &[e(4)], conflict(2))
            .log("s", 1, [1, 2])
            .holds("conflicts at what was true during the call"),
        Forge::new()
            .append("s", 10..20, StreamExists, &[e(1)], conflict(0))
            .ok("s", 30..40, NoStream, [(e(2), new(1)), (e(3), new(2))])
            .ok("s", 50..60, Exactly(2), [(e(4), new(3))])
            .ok("s", 70..80, Any, [])
            .log("s", 1, [2, 3, 4])
            .holds("every expectation, and an empty batch"),
        Forge::new()
            .ok("a", 10..20, Any, [(e(1), new(1))])
            .ok("b", 30..40, Any, [(e(2), new(1))])
            .log("a", 1, [1])
            .log("b", 1, [2])
            .order([1, 0])
            .tail(50..60, [("b", 1, 2), ("a", 1, 1)], CaughtUp)
            .forged("streams interleaved freely", StoreOrder::PerStream, None),
    ]
}

fn repeats() -> Vec<Forged> {
    vec![
        Forge::new()
            .ok("s", 10..20, NoStream, [(k(1, "k"), new(1))])
            .ok("s", 30..40, Any, [(e(2), new(2))])
            .ok("s", 50..60, NoStream, [(k(1, "k"), dup(1))])
            .log("s", 1, [1, 2])
            .holds("a retry with a stale expectation"),
        Forge::new()
            .append("s", 10..20, NoStream, &[k(1, "k"), k(2, "l")], unknown())
            .ok(
                "s",
                30..40,
                NoStream,
                [(k(1, "k"), dup(1)), (k(2, "l"), dup(2))],
            )
            .log("s", 1, [1, 2])
            .holds("a retry finds what the lost one stored"),
        Forge::new()
            .append("s", 10..20, NoStream, &[k(1, "k"), k(2, "l")], unknown())
            .ok(
                "s",
                30..40,
                NoStream,
                [(k(1, "k"), new(1)), (k(2, "l"), new(2))],
            )
            .log("s", 1, [1, 2])
            .holds("a retry stores what the lost one did not"),
        Forge::new()
            .ok("s", 10..20, Any, [(k(1, "k"), new(1))])
            .ok(
                "s",
                30..40,
                Exactly(1),
                [(k(2, "k"), dup(1)), (e(3), new(2)), (k(4, "m"), new(3))],
            )
            .ok(
                "s",
                50..60,
                Exactly(3),
                [(e(5), new(4)), (k(6, "m"), dup(3)), (e(7), new(5))],
            )
            .log("s", 1, [1, 3, 4, 5, 7])
            .holds("partly repeated: the rest begins behind the expected version"),
        Forge::new()
            .ok(
                "s",
                10..20,
                Any,
                [(k(1, "k"), new(1)), (k(2, "k"), dup(1)), (e(3), new(2))],
            )
            .log("s", 1, [1, 3])
            .holds("a repeat inside of a batch"),
        Forge::new()
            .ok("s", 10..20, Any, [(k(1, "k"), new(1))])
            .append("s", 30..40, Any, &[k(2, "k"), e(3), k(4, "k")], unknown())
            .log("s", 1, [1, 3])
            .holds("unknown, and there but for the repeats"),
        Forge::new()
            .ok("s", 10..60, Any, [(k(1, "k"), new(1))])
            .ok("s", 20..30, Any, [(k(2, "k"), dup(1))])
            .log("s", 1, [1])
            .holds("the repeat is answered before the original"),
        Forge::new()
            .ok("a", 10..20, Any, [(k(1, "k"), new(1))])
            .ok("b", 30..40, Any, [(k(2, "k"), new(1))])
            .log("a", 1, [1])
            .log("b", 1, [2])
            .holds("one key in two streams"),
        Forge::new()
            .ok("s", 10..20, Any, [(k(1, "k"), new(1))])
            .append("s", 30..40, NoStream, &[k(2, "k"), e(3)], conflict(1))
            .log("s", 1, [1])
            .holds("a partly repeated batch may conflict"),
    ]
}

fn reads() -> Vec<Forged> {
    let there = || two().log("s", 1, [1, 2]);
    vec![
        there()
            .read("s", 25..50, 0, [(1, 1)], CaughtUp)
            .read("s", 25..50, 0, [(1, 1), (2, 2)], CaughtUp)
            .read("s", 51..60, 0, [(1, 1)], More)
            .read("s", 51..60, 2, [], CaughtUp)
            .newest("s", 51..60, Some(2), [(1, 1)], CaughtUp)
            .stat("s", 51..60, 2)
            .holds("reads beside appends, and short pages"),
        Forge::new()
            .append("a", 1..u64::MAX, Any, &[e(9)], Outcome::NeverReturned)
            .ok("s", 10..20, Any, [(e(1), new(1))])
            .tail(30..40, [], Undecided)
            .tail(50..60, [("a", 1, 9)], More)
            .tail(61..70, [("s", 1, 1)], CaughtUp)
            .log("a", 1, [9])
            .log("s", 1, [1])
            .holds("undecided pages stop short of what was acknowledged"),
        there()
            .follow("s", 25..29, 0, [(1, 1)])
            .follow("s", 31..35, 1, [])
            .follow("s", 41..45, 1, [(2, 2)])
            .holds("a reader of a stream"),
        there()
            .tail(2..5, [], CaughtUp)
            .tail(22..28, [("s", 1, 1)], CaughtUp)
            .tail(31..35, [], CaughtUp)
            .tail(41..45, [("s", 2, 2)], More)
            .holds("a reader of the store that comes and goes"),
    ]
}

fn trims() -> Vec<Forged> {
    vec![
        two()
            .read("s", 50..60, 0, [(1, 1), (2, 2)], CaughtUp)
            .trim("s", 61..70, 1, Outcome::Ok(1))
            .read("s", 71..80, 0, [(2, 2)], CaughtUp)
            .tail(71..80, [("s", 2, 2)], CaughtUp)
            .log("s", 2, [2])
            .holds("trimmed, and gone"),
        two()
            .tail(41..45, [("s", 1, 1)], More)
            .trim("s", 61..70, 2, Outcome::Ok(2))
            .ok("s", 71..80, Exactly(2), [(e(3), new(3))])
            .tail(81..90, [("s", 3, 3)], CaughtUp)
            .log("s", 3, [3])
            .holds("trimmed empty, and it goes on"),
        two()
            .trim("s", 50..60, 1, unknown())
            .log("s", 1, [1, 2])
            .holds("an unknown trim that did nothing"),
        two()
            .trim("s", 50..u64::MAX, 1, Outcome::NeverReturned)
            .read("s", 70..80, 0, [(1, 1), (2, 2)], CaughtUp)
            .log("s", 2, [2])
            .holds("a dropped trim that was done later"),
        Forge::new()
            .ok("s", 10..20, Any, [(k(1, "k"), new(1))])
            .trim("s", 30..40, 1, Outcome::Ok(1))
            .ok("s", 50..60, Any, [(k(2, "k"), new(2))])
            .ok("s", 70..80, Any, [(k(3, "k"), dup(2))])
            .log("s", 2, [2])
            .holds("a key is free again after a trim"),
        Forge::new()
            .append("s", 10..20, Any, &[e(1), e(2), e(3)], unknown())
            .read("s", 21..25, 0, [(1, 1)], More)
            .trim("s", 30..40, 2, Outcome::Ok(2))
            .log("s", 3, [3])
            .holds("a batch of which a part was trimmed"),
        Forge::new()
            .ok("s", 10..20, Any, [(e(1), new(1))])
            .trim("s", 21..90, 1 << 20, Outcome::Ok(2))
            .ok("s", 25..35, Any, [(e(2), new(2))])
            .ok("s", 40..50, Any, [(e(3), new(3))])
            .log("s", 3, [3])
            .holds("a trim beyond the head, beside appends"),
    ]
}
