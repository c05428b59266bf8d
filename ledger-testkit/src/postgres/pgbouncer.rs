//! A pooler in front of a server.

use std::path::PathBuf;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tokio::time::Instant;

use super::local::{START, unprivileged};
use super::{Postgres, answers};
use crate::PATIENCE;
use crate::error::{Error, Result};
use crate::watched::{Watched, free_port};

/// PgBouncer in transaction mode. It ends when this is dropped, or the process
/// ends.
#[derive(Debug)]
pub struct PgBouncer {
    options: PgConnectOptions,
    _watched: Watched,
}

impl PgBouncer {
    /// Starts it in front of a server, from the local binary, with settings
    /// such as `default_pool_size = 1`.
    ///
    /// # Errors
    ///
    /// If there is no binary, a setting is unknown to it, or it does not reach
    /// the server.
    pub async fn start(server: &Postgres, settings: &[&str]) -> Result<Self> {
        let port = free_port()?;
        let url = server.options().to_url_lossy();
        let mut arguments = vec![
            binary()?.display().to_string(),
            port.to_string(),
            server.options().get_host().to_owned(),
            server.options().get_port().to_string(),
            unquoted(url.username()),
            unquoted(url.password().unwrap_or_default()),
        ];
        arguments.extend(settings.iter().map(|&setting| setting.to_owned()));
        let script = include_str!("pgbouncer.sh");
        let (watched, _) = Watched::start(unprivileged(), script, &arguments).await?;
        let options = server.options().clone().host("127.0.0.1").port(port);
        let end = Instant::now() + START;
        while let Err(why) = answers(&options, PATIENCE / 5).await {
            let state = watched.command("state").await?;
            if state != "running" || Instant::now() > end {
                return Err(Error::new(format!("{why}; PgBouncer {state}")));
            }
        }
        Ok(Self {
            options,
            _watched: watched,
        })
    }

    /// How to connect through it to the maintenance database, as the owner of
    /// the server; every database of the server can be named instead, and
    /// `pgbouncer` for its console.
    #[must_use]
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

/// What stands in a part of a URL, with its `%2d` and the like read.
fn unquoted(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part;
    while let Some((plain, quoted)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        let byte = quoted
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.extend(byte);
        rest = quoted.get(2..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

fn binary() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian's place, which is not in everyone's path.
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("pgbouncer"))
        .find(|path| path.is_file())
        .ok_or_else(|| Error::new("pgbouncer is not installed (scripts/servers installs it)"))
}
