//! Where the database file is.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use ledger_core::{Error, Kind, Result};
use sqlx::sqlite::SqliteConnectOptions;

/// A file, from a path or an URL.
#[derive(Debug)]
pub(crate) struct Location {
    pub(crate) file: PathBuf,
    /// What the URL says about creating the file, if it does.
    pub(crate) create: Option<bool>,
}

impl Location {
    pub(crate) fn parse(given: &Path) -> Result<Self> {
        let Some(text) = given.to_str() else {
            return Err(refused("a path has to be UTF-8; rename the file"));
        };
        if let Some(rest) = text.strip_prefix("sqlite:") {
            return Self::from_url(text, rest);
        }
        Self::from_path(text, None)
    }

    fn from_url(url: &str, rest: &str) -> Result<Self> {
        let parameters = rest.split_once('?').map_or("", |(_, p)| p);
        let mut create = None;
        for pair in parameters.split('&').filter(|p| !p.is_empty()) {
            create = match pair {
                "mode=rw" => Some(false),
                "mode=rwc" => Some(true),
                "mode=ro" => {
                    return Err(refused(
                        "mode=ro: a store has to be opened for writing; remove the parameter",
                    ));
                }
                "mode=memory" => return Err(in_memory()),
                _ => {
                    return Err(refused(
                        "of the parameters of an URL only mode=rw and mode=rwc are known; \
                         everything else is set with SqliteOptions",
                    ));
                }
            };
        }
        let parsed = SqliteConnectOptions::from_str(url)
            .map_err(|e| refused("not an URL of a SQLite database").caused_by(e))?;
        let path = parsed.get_filename().to_str().unwrap_or_default();
        if rest.trim_start_matches('/').starts_with(":memory:") {
            return Err(in_memory());
        }
        Self::from_path(path, create)
    }

    fn from_path(path: &str, create: Option<bool>) -> Result<Self> {
        match path {
            "" => Err(refused("the path is empty; name a file")),
            ":memory:" => Err(in_memory()),
            _ if path.contains('\0') => Err(refused("a path cannot contain U+0000")),
            // SQLite itself would take it for an URI with parameters of its own.
            _ if path.starts_with("file:") => Err(refused(
                "file: URIs are not taken; give a path, or an URL that begins with sqlite:",
            )),
            _ => Ok(Self {
                file: path.into(),
                create,
            }),
        }
    }

    /// Refuses what cannot work, in clearer words than SQLite's.
    pub(crate) fn check(&self, create: bool) -> Result<()> {
        let directory = match self.file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file = self.file.display();
        if !directory.is_dir() {
            let error = refused("there is no such directory; create it first");
            return Err(error.with("directory", directory.display()));
        }
        if self.file.is_dir() {
            return Err(refused("a directory, not a file").with("file", file));
        }
        if !create && !self.file.exists() {
            let error = refused("there is no such file, and it was not to be created");
            return Err(error.with("file", file));
        }
        Ok(())
    }
}

fn refused(why: &'static str) -> Error {
    Error::new(Kind::Misconfigured, why)
}

fn in_memory() -> Error {
    refused(
        "databases in memory are not supported, since each connection would see its own; \
         use a file, or MemoryStore",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: &str) -> Result<(String, Option<bool>)> {
        let location = Location::parse(Path::new(given))?;
        Ok((
            location.file.to_str().unwrap_or_default().to_owned(),
            location.create,
        ))
    }

    #[test]
    fn paths_and_urls_name_the_same_file() {
        for (given, file, create) in [
            ("app.db", "app.db", None),
            ("dir/a b?c.db", "dir/a b?c.db", None),
            ("sqlite:app.db", "app.db", None),
            ("sqlite://app.db", "app.db", None),
            ("sqlite:///srv/app.db", "/srv/app.db", None),
            ("sqlite:a%20b%3f.db?mode=rwc", "a b?.db", Some(true)),
            ("sqlite:app.db?mode=rw", "app.db", Some(false)),
        ] {
            assert_eq!(parse(given).unwrap(), (file.to_owned(), create), "{given}");
        }
    }

    #[test]
    fn what_would_not_be_a_store_is_refused() {
        for given in [
            "",
            ":memory:",
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite:",
            "sqlite:a.db?mode=memory",
            "sqlite:a.db?mode=ro",
            "sqlite:a.db?immutable=1",
            "sqlite:a.db?cache=shared",
            "sqlite:a.db?mode=",
            "file:a.db",
            "a\0b",
        ] {
            let refused = parse(given).unwrap_err();
            assert_eq!(*refused.kind(), Kind::Misconfigured, "{given}");
        }
    }
}
