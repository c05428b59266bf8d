//! The check of a history, rule by rule.

mod facts;
mod gather;
mod rule_00_well_formed;
mod rule_01_no_lost_ack;
mod rule_02_no_phantom;
mod rule_03_no_duplicate;
mod rule_04_whole_batches;
mod rule_05_contiguity;
mod rule_06_real_time;
mod rule_07_expected_version;
mod rule_08_dedup;
mod rule_09_reads;
mod rule_10_readers;
mod rule_11_nothing_vanishes;
mod summary;
#[cfg(test)]
mod tests;
mod violation;

use std::fmt::Debug;

use ledger_core::StoreOrder;

use self::facts::Facts;
use super::op::History;

pub use summary::Summary;
pub(crate) use violation::Broken;
pub use violation::{Rule, Violation};

/// Searches a history for a broken promise. `order` is what the store claims.
///
/// ```
/// use ledger_core::StoreOrder;
/// use ledger_storetest::history::{History, check};
///
/// let line = r#"{"observed":{"streams":{},"store":[],"disagreements":[]}}"#;
/// let history: History<i64> = History::read_from(line.as_bytes())?;
/// assert_eq!(check(&history, StoreOrder::Total)?.reads, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The first violation found.
pub fn check<I: Ord + Debug>(
    history: &History<I>,
    order: StoreOrder,
) -> Result<Summary, Violation> {
    Checker::new(order).check(history)
}

/// A check with other than the usual demands.
#[derive(Clone, Copy, Debug)]
pub struct Checker {
    order: StoreOrder,
    stale_reads: bool,
    without: Option<Rule>,
}

impl Checker {
    /// The usual demands, for a store of this order.
    #[must_use]
    pub const fn new(order: StoreOrder) -> Self {
        Self {
            order,
            stale_reads: false,
            without: None,
        }
    }

    /// Demands of reads only what the same client knew before, not what others
    /// did. For runs in which a server was deposed without knowing it yet.
    #[must_use]
    pub const fn allowing_stale_reads(mut self) -> Self {
        self.stale_reads = true;
        self
    }

    /// Leaves out a rule, to show that it is needed.
    #[must_use]
    pub(crate) const fn without(mut self, rule: Rule) -> Self {
        self.without = Some(rule);
        self
    }

    /// Searches a history for a broken promise.
    ///
    /// # Errors
    ///
    /// The first violation found, in the order of the rules.
    pub fn check<I: Ord + Debug>(&self, history: &History<I>) -> Result<Summary, Violation> {
        let found = self.search(history);
        found.map_err(|broken| Violation::new(broken, &history.ops))
    }

    fn search<I: Ord + Debug>(&self, history: &History<I>) -> Result<Summary, Broken> {
        rule_00_well_formed::holds(history, self.order)?;
        let facts = Facts::gather(history, self.order, self.stale_reads);
        for rule in Rule::ALL {
            if Some(rule) == self.without {
                continue;
            }
            let held = match rule {
                Rule::WellFormed => Ok(()),
                Rule::NoLostAck => rule_01_no_lost_ack::holds(&facts),
                Rule::NoPhantom => rule_02_no_phantom::holds(&facts),
                Rule::NoDuplicate => rule_03_no_duplicate::holds(&facts),
                Rule::WholeBatches => rule_04_whole_batches::holds(&facts),
                Rule::Contiguity => rule_05_contiguity::holds(&facts),
                Rule::RealTime => rule_06_real_time::holds(&facts),
                Rule::ExpectedVersion => rule_07_expected_version::holds(&facts),
                Rule::Dedup => rule_08_dedup::holds(&facts),
                Rule::Reads => rule_09_reads::holds(&facts),
                Rule::Readers => rule_10_readers::holds(&facts),
                Rule::NothingVanishes => rule_11_nothing_vanishes::holds(&facts),
            };
            held.map_err(|broken| broken.by(rule))?;
        }
        Ok(Summary::of(&facts))
    }
}
