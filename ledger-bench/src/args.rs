//! The command line.

use std::time::Duration;

use anyhow::{Context, Result, bail};

pub(crate) const USAGE: &str = "\
ledger-bench all|sqlite|postgres|mongo|file|file-memory|typed [options]

  --rows n        entries in the stores that are read (default 100000)
  --rounds n      rounds a row (default 5)
  --seconds s     time of each side a round (default 1.0)
  --only text     only rows whose name contains the text; repeatable
  --no-dedup      entries without dedup keys
  --slow-flush    each flush takes 1 ms longer, as on a cloud volume
  --quick         every row for a moment: shows that it works, not how fast

Build with --release. Tables go to stdout, progress to stderr.";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// One group after the other.
    All,
    Sqlite,
    Postgres,
    Mongo,
    File,
    FileMemory,
    Typed,
}

#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) group: Group,
    pub(crate) rows: usize,
    pub(crate) rounds: usize,
    /// Of each side, a round.
    pub(crate) time: Duration,
    pub(crate) only: Vec<String>,
    pub(crate) dedup: bool,
    pub(crate) slow_flush: bool,
    /// As it was called.
    pub(crate) line: String,
}

impl Args {
    /// `None` if only the usage is asked for.
    pub(crate) fn parse(given: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let given: Vec<String> = given.collect();
        let mut words = given.iter().map(String::as_str);
        let group = match words.next() {
            Some("all") => Group::All,
            Some("sqlite") => Group::Sqlite,
            Some("postgres") => Group::Postgres,
            Some("mongo") => Group::Mongo,
            Some("file") => Group::File,
            Some("file-memory") => Group::FileMemory,
            Some("typed") => Group::Typed,
            None | Some("help" | "-h" | "--help") => return Ok(None),
            Some(other) => bail!("no such group: {other}\n\n{USAGE}"),
        };
        let mut args = Self {
            group,
            rows: 100_000,
            rounds: 5,
            time: Duration::from_secs(1),
            only: Vec::new(),
            dedup: true,
            slow_flush: false,
            line: format!("ledger-bench {}", given.join(" ")),
        };
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match word {
                "--rows" => args.rows = value()?.parse().context("--rows")?,
                "--rounds" => args.rounds = value()?.parse().context("--rounds")?,
                "--seconds" => {
                    let seconds: f64 = value()?.parse().context("--seconds")?;
                    args.time = Duration::try_from_secs_f64(seconds).context("--seconds")?;
                }
                "--only" => args.only.push(value()?.to_owned()),
                "--no-dedup" => args.dedup = false,
                "--slow-flush" => args.slow_flush = true,
                "--quick" => {
                    args.rows = 3_000;
                    args.rounds = 1;
                    args.time = Duration::from_millis(20);
                }
                other => bail!("no such option: {other}\n\n{USAGE}"),
            }
        }
        if args.rounds == 0 || args.rows < 3_000 {
            bail!("at least one round and 3000 rows");
        }
        if args.slow_flush && args.group == Group::Mongo {
            bail!("--slow-flush does not reach a server of MongoDB");
        }
        Ok(Some(args))
    }

    /// Whether a row was asked for.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| row.contains(part))
    }
}
