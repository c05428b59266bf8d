//! The checker under test.

use ledger_core::EntryId;

use super::forged::{self, Forged};
use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::history::{Checker, Rule};
use crate::lab::Lab;

/// The history checker rejects each of some fifty forged histories by the rule
/// it is meant for, accepts some thirty odd ones that hold, and needs every
/// one of its rules. Nothing is asked of the store. Catches a checker that
/// cannot fail, and one that cries wolf.
pub(in crate::cases) async fn r06_checker_selftest<I: EntryId>(lab: &Lab<I>) -> Verdict {
    lab.step("forged histories");
    let all = forged::all();
    for forged in &all {
        judged_rightly(forged)?;
    }
    for rule in Rule::ALL.into_iter().skip(1) {
        let needed = all.iter().any(|forged| {
            let checker = Checker::new(forged.order).without(rule);
            forged.rule == Some(rule) && checker.check(&forged.history).is_ok()
        });
        check::that(
            "P3",
            format!("the checker without rule {}", rule.number()),
            needed,
            "a forged history that nothing else rejects",
            rule,
        )?;
    }
    Ok(Ran::Whole)
}

fn judged_rightly(forged: &Forged) -> Result<(), Failure> {
    let found = Checker::new(forged.order).check(&forged.history);
    let rule = found.as_ref().err().map(|violation| violation.rule);
    check::that(
        "P3",
        format!("the check of a forged history: {}", forged.title),
        rule == forged.rule,
        match forged.rule {
            Some(rule) => format!("rejected by rule {}, {rule:?}", rule.number()),
            None => "accepted".to_owned(),
        },
        found,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forged_histories_are_judged_rightly() {
        let all = forged::all();
        let wrong: Vec<String> = all
            .iter()
            .filter_map(|forged| judged_rightly(forged).err())
            .map(|failure| failure.to_string())
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
        let broken = all.iter().filter(|f| f.rule.is_some()).count();
        assert!(broken >= 50 && all.len() - broken >= 25);
    }

    #[test]
    fn a_history_survives_json_lines() {
        for forged in forged::all() {
            let mut lines = Vec::new();
            forged.history.write_to(&mut lines).unwrap();
            let again = crate::history::History::read_from(lines.as_slice()).unwrap();
            assert_eq!(forged.history, again, "{}", forged.title);
        }
    }
}
