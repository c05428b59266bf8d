//! Stores that are odd and keep the contract: every case must let them pass.

use std::sync::Arc;

use ledger_core::Timestamp;
use ledger_core::backend::{Clock, SystemClock};

/// A row is: the variant, what is odd.
macro_rules! quirks {
    ($( $quirk:ident $odd:literal; )*) => {
        /// What is odd about a store.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Quirk { $( $quirk, )* }

        impl Quirk {
            pub(crate) const ALL: &[(Self, &'static str)] = &[ $( (Self::$quirk, $odd), )* ];
        }

        #[expect(non_snake_case, reason = "a test is named like its quirk")]
        mod passes {
            use crate::plain::Twist;
            #[test] fn Nothing() { crate::must_pass(Twist::Nothing); }
            $( #[test] fn $quirk() { crate::must_pass(Twist::Quirk(crate::benign::Quirk::$quirk)); } )*
        }
    };
}

quirks! {
    SparseIds "ids go up by 1,000";
    HighIds "ids begin at 10^12";
    Latency "each call takes 0 to 5 ms";
    Milliseconds "recorded_at in whole milliseconds";
    JumpingClock "the clock jumps by up to an hour, both ways";
    ShortPages "pages are shorter than asked for and say More";
    FullSaysMore "a full page at the end says More";
    Undecided "pages of the whole store are undecided now and then";
    NothingOptional "claims nothing but to append, to read and to stat";
    RetriesInside "the first attempt of each append fails inside, and takes ids";
    PerStreamOrder "the whole store is read stream by stream";
}

/// The clock of a store with a quirk, given the one that a case sets.
pub(crate) fn clock(quirk: Quirk, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
    match quirk {
        Quirk::Milliseconds => Arc::new(Milliseconds(clock)),
        Quirk::JumpingClock => Arc::new(Jumping),
        _ => clock,
    }
}

#[derive(Debug)]
struct Milliseconds(Arc<dyn Clock>);

impl Clock for Milliseconds {
    fn now(&self) -> Timestamp {
        let now = self.0.now();
        Timestamp::from_micros(now.as_micros() / 1000 * 1000).unwrap_or(now)
    }
}

#[derive(Debug)]
struct Jumping;

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        let by = std::time::Duration::from_millis(fastrand::u64(..3_600_000));
        let now = SystemClock.now();
        if fastrand::bool() {
            now.saturating_add(by)
        } else {
            now.saturating_sub(by)
        }
    }
}
