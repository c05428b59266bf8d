//! What the program tells: a line for each step, and progress meanwhile.

#![expect(
    clippy::print_stdout,
    reason = "telling its steps is what the program is for"
)]
#![expect(clippy::print_stderr, reason = "progress is not part of the output")]

use std::cell::Cell;
use std::fmt::Display;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// A step that takes its time.
pub(crate) struct Step {
    name: &'static str,
    began: Instant,
}

impl Step {
    pub(crate) fn begin(name: &'static str) -> Self {
        Self {
            name,
            began: Instant::now(),
        }
    }

    /// So many things since it began, a second.
    pub(crate) fn rate(&self, count: usize) -> String {
        per_second(count, self.began.elapsed())
    }

    /// Tells what was done, and how long it took.
    pub(crate) fn done(self, what: impl Display) {
        let took = format!("{:.1?}", self.began.elapsed());
        println!("{:<7} {took:>8}  {what}", self.name);
    }
}

/// The help that was asked for.
pub(crate) fn usage(text: &str) {
    println!("{text}");
}

/// A line below a step's.
pub(crate) fn detail(line: impl Display) {
    println!("{:<16}  {line}", "");
}

/// How far a long step is, on standard error: one line that changes on a
/// terminal, now and then a line elsewhere.
pub(crate) struct Progress {
    total: usize,
    done: Cell<usize>,
    began: Instant,
    shown: Cell<Instant>,
    every: Duration,
    terminal: bool,
}

impl Progress {
    pub(crate) fn of(total: usize) -> Self {
        let terminal = stderr().is_terminal();
        let now = Instant::now();
        Self {
            total,
            done: Cell::new(0),
            began: now,
            shown: Cell::new(now),
            every: if terminal {
                Duration::from_millis(100)
            } else {
                Duration::from_secs(2)
            },
            terminal,
        }
    }

    /// So many more are done.
    pub(crate) fn add(&self, count: usize) {
        self.done.set(self.done.get() + count);
        if self.shown.get().elapsed() >= self.every {
            self.shown.set(Instant::now());
            self.show();
        }
    }

    fn show(&self) {
        let (done, total) = (thousands(self.done.get()), thousands(self.total));
        let rate = per_second(self.done.get(), self.began.elapsed());
        let line = format!("{done} of {total} entries, {rate}");
        if self.terminal {
            eprint!("\r\x1b[K{line}");
        } else {
            eprintln!("{line}");
        }
    }
}

/// The changing line goes when the work does, also when it fails.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}

fn per_second(count: usize, took: Duration) -> String {
    let rate = count as u128 * 1_000_000 / took.as_micros().max(1);
    format!("{}/s", thousands(rate))
}

/// A count for people: 336776 as 336,776.
pub(crate) fn thousands(n: impl Display) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_from_the_right() {
        let shown = [0, 999, 1_000, 842_000, 1_336_776].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "842,000", "1,336,776"]);
    }

    #[test]
    fn a_rate_of_no_time_is_a_number() {
        assert_eq!(per_second(500, Duration::ZERO), "500,000,000/s");
        assert_eq!(per_second(500, Duration::from_millis(250)), "2,000/s");
    }
}
