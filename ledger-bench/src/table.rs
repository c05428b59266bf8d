//! Tables in Markdown.

use std::time::Duration;

use anyhow::Result;

use crate::args::Args;
use crate::race::race;
use crate::stats::{Latency, Spread};
use crate::work::Work;

/// What a ratio should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    AtLeast(f64),
    /// None is set.
    None,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) floor: Spread,
    pub(crate) ours: Spread,
    pub(crate) ratio: Spread,
    pub(crate) latency: Latency,
    pub(crate) target: Target,
}

/// A table whose rows are printed as they are measured, and whose head comes
/// with the first of them.
pub(crate) struct Table<'a> {
    args: &'a Args,
    title: String,
    notes: String,
    begun: bool,
}

impl<'a> Table<'a> {
    pub(crate) fn new(args: &'a Args, title: impl Into<String>, notes: impl Into<String>) -> Self {
        Self {
            args,
            title: title.into(),
            notes: notes.into(),
            begun: false,
        }
    }

    /// Measures a row and prints it.
    pub(crate) async fn race<F: Work, O: Work>(
        &mut self,
        name: &str,
        target: Target,
        floor: Vec<F>,
        ours: Vec<O>,
    ) -> Result<()> {
        progress(name);
        if !self.begun {
            self.head();
            self.begun = true;
        }
        row(&race(self.args, name, target, floor, ours).await?);
        Ok(())
    }

    #[expect(clippy::print_stdout, reason = "tables are what the program is for")]
    fn head(&self) {
        let (title, line) = (&self.title, &self.args.line);
        println!("\n### {title}\n");
        println!("`{line}`. {}\n", self.notes);
        println!("Load average at the start: {}.\n", load());
        println!(
            "| row | floor/s | ours/s | ratio | spread | p50 of ours | p99 of ours | target | met |"
        );
        println!("|---|---:|---:|---:|---|---:|---:|---:|---|");
    }

    /// Prints what stands below.
    #[expect(clippy::print_stdout, reason = "tables are what the program is for")]
    pub(crate) fn end(self) {
        if self.begun {
            println!("\nLoad average at the end: {}.", load());
        }
    }
}

#[expect(clippy::print_stdout, reason = "tables are what the program is for")]
fn row(row: &Row) {
    let (target, met) = match row.target {
        Target::AtLeast(least) if row.ratio.median >= least => (format!("≥ {least}"), "yes"),
        Target::AtLeast(least) => (format!("≥ {least}"), "**no**"),
        Target::None => (String::new(), ""),
    };
    println!(
        "| {} | {} | {} | {:.2} | {:.2}–{:.2} | {} | {} | {target} | {met} |",
        row.name,
        thousands(row.floor.median),
        thousands(row.ours.median),
        row.ratio.median,
        row.ratio.min,
        row.ratio.max,
        short(row.latency.p50),
        short(row.latency.p99),
    );
}

/// Tells on stderr what is being done.
#[expect(clippy::print_stderr, reason = "rows take a while")]
pub(crate) fn progress(what: &str) {
    eprintln!("… {what}");
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first: Vec<&str> = text.split(' ').take(3).collect();
    match first.is_empty() {
        true => "unknown".to_owned(),
        false => first.join(" "),
    }
}

pub(crate) fn thousands(n: f64) -> String {
    let digits = format!("{n:.0}");
    let mut out = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn short(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..10.0 => format!("{micros:.1} µs"),
        10.0..1e3 => format!("{micros:.0} µs"),
        1e3..1e4 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.0} ms", micros / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_easy_to_read() {
        assert_eq!(thousands(1_234_567.4), "1,234,567");
        assert_eq!(thousands(999.0), "999");
        assert_eq!(short(Duration::from_nanos(1_500)), "1.5 µs");
        assert_eq!(short(Duration::from_micros(250)), "250 µs");
        assert_eq!(short(Duration::from_micros(2_500)), "2.5 ms");
    }
}
