//! A server from the binaries of this machine.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use super::answers;
use super::tls::Identity;
use crate::error::{Error, Result};
use crate::watched::{Watched, free_port};

/// How long a server may take to start. Longer than [`PATIENCE`](super::PATIENCE),
/// since it is the last resort and shares the machine with a build.
pub(super) const START: Duration = Duration::from_secs(60);

const PASSWORD: &str = "only-for-tests";

/// What every test server has.
const SETTINGS: [&str; 5] = [
    "max_connections=200",
    "max_prepared_transactions=20",
    "shared_buffers=128MB",
    "unix_socket_permissions=0700",
    "log_min_messages=warning",
];

/// A running server. It ends when this is dropped, or the process ends.
#[derive(Debug)]
pub(super) struct LocalServer {
    port: u16,
    watched: Watched,
}

impl LocalServer {
    pub(super) async fn start(settings: &[&str], primary: Option<&Self>) -> Result<Self> {
        Self::start_as(settings, primary, None).await
    }

    /// Starts a server that speaks TLS, if it is given what it shows.
    pub(super) async fn start_as(
        settings: &[&str],
        primary: Option<&Self>,
        identity: Option<&Identity>,
    ) -> Result<Self> {
        let binaries = binaries()?;
        let port = free_port()?;
        let mut arguments = vec![
            binaries.display().to_string(),
            port.to_string(),
            PASSWORD.to_owned(),
            primary.map_or_else(String::new, |p| p.port.to_string()),
        ];
        for setting in SETTINGS.iter().chain(settings) {
            arguments.extend(["-c".to_owned(), (*setting).to_owned()]);
        }
        let mut launcher = unprivileged();
        if let Some(identity) = identity {
            launcher.env("LEDGER_TLS_CERTIFICATE", &identity.certificate);
            launcher.env("LEDGER_TLS_KEY", &identity.key);
        }
        let script = include_str!("local.sh");
        let (watched, _) = Watched::start(launcher, script, &arguments).await?;
        let server = Self { port, watched };
        answers(&server.options(), START).await?;
        Ok(server)
    }

    pub(super) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("ledger")
            .password(PASSWORD)
            .database("postgres")
            .disable_statement_logging()
    }

    pub(super) async fn command(&self, command: &'static str) -> Result<()> {
        let answer = self.watched.command(command).await?;
        if answer != "restarted" {
            return Err(Error::new(format!("no restart of the server: {answer}")));
        }
        answers(&self.options(), START).await
    }
}

/// The directory with `initdb` and `postgres`.
pub(super) fn binaries() -> Result<PathBuf> {
    let mut found = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        found.push(PathBuf::from(
            String::from_utf8_lossy(&output.stdout).trim(),
        ));
    }
    // Debian keeps them out of the path, by major version.
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|dirs| dirs.flatten().map(|dir| dir.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    found.extend(versions.into_iter().rev());
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path));
    let complete = |dir: &PathBuf| dir.join("initdb").is_file() && dir.join("postgres").is_file();
    found.into_iter().find(complete).ok_or_else(|| {
        Error::new(
            "initdb and postgres are not installed (Debian, Ubuntu: apt-get install postgresql)",
        )
    })
}

/// PostgreSQL and PgBouncer refuse to run as root: then another user runs them.
pub(super) fn unprivileged() -> Command {
    let root = std::fs::metadata("/proc/self")
        .is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    if !root {
        return Command::new("env");
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |user: &str| {
        let line = users.lines().find_map(|line| line.strip_prefix(user))?;
        let mut fields = line.split(':').skip(1);
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    };
    let (uid, gid) = ids("postgres:")
        .or_else(|| ids("nobody:"))
        .unwrap_or_else(|| ("65534".into(), "65534".into()));
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={uid}"));
    command.arg(format!("--regid={gid}"));
    command.arg("--clear-groups");
    command
}
