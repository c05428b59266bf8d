//! Faults of servers and networks, under a load that is recorded and judged by
//! the history checker.
//!
//! Every test waits until what it is about has happened, as often as it wants,
//! and fails if it has not. `LEDGER_LONG=1` repeats it far more often.

mod commit;
mod failover;
mod frozen;
mod load;
mod naive;
mod network;
mod partition;

/// How often something is done: so often in the gate, ten times as often if
/// `LEDGER_LONG` is set.
fn times(gate: u64) -> u64 {
    match std::env::var("LEDGER_LONG") {
        Ok(long) if !long.is_empty() => 10 * gate,
        _ => gate,
    }
}
