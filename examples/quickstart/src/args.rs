//! What the program was asked to do.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};

use crate::flights::Source;

pub(crate) const USAGE: &str = "\
usage: quickstart [--year | --data <csv>] [<database>]

  <database>    where to keep the SQLite database, one for each file of flights;
                default: a temporary file
  --year        the whole year, 336,776 flights, instead of 1 January 2013
  --data <csv>  another file of flights";

/// What to read, and where to store it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) source: Source,
    /// A temporary one if absent.
    pub(crate) database: Option<PathBuf>,
}

impl Args {
    /// Reads the arguments behind the program's name; `None` if only help is
    /// asked for.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Option<Self>> {
        let mut args = args.into_iter();
        let (mut source, mut database) = (None, None);
        while let Some(arg) = args.next() {
            let again = match arg.to_str() {
                Some("--help" | "-h") => return Ok(None),
                Some("--year") => source.replace(Source::year()).is_some(),
                Some("--data") => match args.next() {
                    Some(csv) => source.replace(Source::file(csv.into())).is_some(),
                    None => bail!("--data needs a file\n\n{USAGE}"),
                },
                Some(option) if option.starts_with('-') => bail!("unknown: {option}\n\n{USAGE}"),
                _ => database.replace(PathBuf::from(arg)).is_some(),
            };
            ensure!(!again, "one database and one file of flights\n\n{USAGE}");
        }
        let source = source.unwrap_or_else(Source::day);
        Ok(Some(Self { source, database }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Option<Args>> {
        Args::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn arguments_are_taken_in_any_order_and_refused_when_in_doubt() {
        let args = |source, database: Option<&str>| Args {
            source,
            database: database.map(PathBuf::from),
        };
        assert_eq!(parse(&[]).unwrap(), Some(args(Source::day(), None)));
        for year in [["a.db", "--year"], ["--year", "a.db"]] {
            assert_eq!(
                parse(&year).unwrap(),
                Some(args(Source::year(), Some("a.db")))
            );
        }
        assert_eq!(
            parse(&["--data", "b.csv"]).unwrap(),
            Some(args(Source::file("b.csv".into()), None))
        );
        assert_eq!(parse(&["--help"]).unwrap(), None);
        for doubtful in [
            &["--data"][..],
            &["--yaer"],
            &["a.db", "b.db"],
            &["--year", "--data", "b.csv"],
        ] {
            assert!(parse(doubtful).is_err(), "{doubtful:?}");
        }
    }
}
