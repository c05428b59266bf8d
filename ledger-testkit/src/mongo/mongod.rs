//! One server from the binary of this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use mongodb::bson::doc;
use tokio::time::{Instant, sleep};

use super::wire::{LIMIT, PAUSE, command, direct, listens};
use crate::error::{Error, Result};
use crate::watched::{Watched, free_port};

/// What every test server has. Journal files are made when they are needed and
/// the oplog is small: servers come and go by the dozen.
const OPTIONS: [&str; 11] = [
    "--wiredTigerCacheSizeGB",
    "0.25",
    "--wiredTigerEngineConfigString",
    "log=(prealloc=false)",
    "--oplogSize",
    "256",
    "--setParameter",
    "enableTestCommands=1",
    "--setParameter",
    "diagnosticDataCollectionEnabled=false",
    "--quiet",
];

/// How often a new port is tried.
const PORTS: usize = 5;

/// A running server. It ends when this is dropped, or the process ends.
#[derive(Debug)]
pub(super) struct Mongod {
    port: u16,
    directory: PathBuf,
    watched: Watched,
}

impl Mongod {
    pub(super) async fn start(options: &[&str]) -> Result<Self> {
        let binary = binary()?;
        let mut last = Error::new("no port was tried");
        for _ in 0..PORTS {
            let port = free_port()?;
            let mut arguments = vec![binary.display().to_string(), port.to_string()];
            arguments.extend(OPTIONS.iter().chain(options).map(|&o| o.to_owned()));
            let script = include_str!("local.sh");
            let (watched, directory) =
                Watched::start(Command::new("env"), script, &arguments).await?;
            let server = Self {
                port,
                directory: directory.into(),
                watched,
            };
            match server.answers().await {
                Ok(()) => return Ok(server),
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn url(&self) -> String {
        direct(self.port)
    }

    /// Where its data and its log are.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// As kill -9. Returns when it has ended.
    pub(super) async fn kill(&self) -> Result<()> {
        self.done("kill").await
    }

    /// Starts it again after [`kill`](Self::kill); returns when it answers.
    pub(super) async fn start_again(&self) -> Result<()> {
        self.done("start").await?;
        self.answers().await
    }

    /// Stops it where it stands, as a machine that is out of breath.
    pub(super) async fn freeze(&self) -> Result<()> {
        self.done("freeze").await
    }

    pub(super) async fn thaw(&self) -> Result<()> {
        self.done("thaw").await
    }

    async fn done(&self, command: &'static str) -> Result<()> {
        match self.watched.command(command).await?.as_str() {
            "done" => Ok(()),
            other => Err(Error::new(format!("{command}: {other}"))),
        }
    }

    /// Waits until it answers, and makes sure that it is this one: another
    /// process may have taken the port.
    async fn answers(&self) -> Result<()> {
        let end = Instant::now() + LIMIT;
        while !listens(self.port).await {
            let state = self.watched.command("state").await?;
            if state != "running" {
                return Err(Error::new(format!("mongod {state}")));
            }
            if Instant::now() > end {
                return Err(Error::new(format!("no mongod within {LIMIT:?}")));
            }
            sleep(PAUSE).await;
        }
        let answer = command(&self.url(), doc! { "getCmdLineOpts": 1 }).await?;
        let path = answer
            .get_document("parsed")
            .and_then(|parsed| parsed.get_document("storage"))
            .and_then(|storage| storage.get_str("dbPath"));
        if path.is_ok_and(|path| Path::new(path) == self.directory.join("data")) {
            return Ok(());
        }
        Err(Error::new("another server has the port"))
    }
}

/// The program: what `LEDGER_MONGOD` names, or one in the path, or the one that
/// `scripts/servers` has fetched.
pub(super) fn binary() -> Result<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    if let Some(named) = std::env::var_os("LEDGER_MONGOD").filter(|named| !named.is_empty()) {
        found.push(named.into());
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        found.extend(std::env::split_paths(&path).map(|folder| folder.join("mongod")));
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .filter(|cache| !cache.is_empty())
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
        found.extend(cache.map(|cache| cache.join("ledger/mongod-6.0.5/mongod")));
    }
    found
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Error::new(
                "there is no mongod (scripts/servers fetches one; LEDGER_MONGOD names another)",
            )
        })
}
