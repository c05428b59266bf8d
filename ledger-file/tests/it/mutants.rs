//! Logs that are wrong on purpose: each is caught by the test that is named for
//! it, and that test passes without.

use std::process::{Command, Output, Stdio};

const IMAGES: &str = "crash::images::whatever_is_lost_what_was_acknowledged_is_there";
const FAULTS: &str = "crash::faults::an_error_at_any_call_leaves_what_was_acknowledged";
const WRITES: &str = "poison::after_a_failed_write_nothing_is_written_until_the_next_opening";
const FLIPS: &str = "crash::damage::no_flipped_bit_gives_wrong_data_or_loses_any";
const UNMARKED: &str = "crash::damage::no_flipped_bit_loses_what_is_not_marked_yet";
const INDEXES: &str = "crash::damage::indexes_that_are_missing_or_another_ones_are_rebuilt";
const COLLISIONS: &str = "collisions::streams_and_keys_with_the_same_hash_stay_apart";
const LOCK: &str = "refused::who_comes_second_is_refused_until_the_first_has_closed";
const KILL: &str = "kill::what_a_killed_process_had_acknowledged_is_there_once_and_whole";

const KILLED_BY: [(&str, &str); 12] = [
    ("NoFlush", IMAGES),
    ("NoFolderFlush", IMAGES),
    ("FlushErrorIgnored", FAULTS),
    ("TailNotCut", IMAGES),
    ("HeadersUnchecked", FLIPS),
    ("DamageIsTheEnd", UNMARKED),
    ("IndexBelieved", INDEXES),
    ("PartialWriteKept", WRITES),
    ("HashIsDedupKey", COLLISIONS),
    ("HashIsOrderKey", COLLISIONS),
    ("NoLock", LOCK),
    ("Buffered", KILL),
];

fn run(test: &str, mutant: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env("LEDGER_FILE_MUTANT", mutant)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
#[ignore = "takes minutes: just file-mutants"]
fn each_is_killed_by_the_test_named_for_it() {
    let mut wrong = 0;
    for (mutant, test) in KILLED_BY {
        let without = run(test, "");
        let said = String::from_utf8_lossy(&without.stdout);
        assert!(said.contains("1 passed"), "{test} fails without: {said}");
        let with = run(test, mutant);
        let said = String::from_utf8_lossy(&with.stdout);
        let killed = said.contains("1 failed");
        wrong += usize::from(!killed);
        println!(
            "{} {mutant:18} {test}",
            if killed { "killed " } else { "SURVIVES" }
        );
    }
    assert_eq!(wrong, 0, "mutants survive");
}
