//! A server that ends with this process.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};

/// A shell script that runs a server until its standard input ends, which it
/// does when this process dies in whatever way; takes commands there, one a
/// line, and answers each by a line.
pub(crate) struct Watched {
    pipes: Arc<Mutex<Pipes>>,
}

struct Pipes {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Pipes {
    fn answer(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Watched {
    /// Starts `sh -c script` by way of `launcher`, which runs the command that
    /// its arguments make; returns what the script says after `started`.
    pub(crate) async fn start(
        mut launcher: Command,
        script: &str,
        arguments: &[String],
    ) -> Result<(Self, String)> {
        launcher.args(["sh", "-c", script, "ledger-testkit"]);
        launcher.args(arguments);
        launcher.stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-C goes to the group in the foreground; the watchdog has to
        // outlive it.
        std::os::unix::process::CommandExt::process_group(&mut launcher, 0);
        let mut child = launcher
            .spawn()
            .map_err(|e| Error::new(format!("cannot start a shell: {e}")))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::new("no pipes to the shell"));
        };
        let from = BufReader::new(from);
        let pipes = Arc::new(Mutex::new(Pipes { to, from }));
        let watched = Self { pipes };
        let answer = watched.exchange(None).await?;
        match answer.strip_prefix("started ") {
            Some(rest) => Ok((watched, rest.to_owned())),
            None => Err(Error::new(format!("no server is started: {answer}"))),
        }
    }

    /// Sends a command and returns the answer.
    pub(crate) async fn command(&self, command: &'static str) -> Result<String> {
        self.exchange(Some(command)).await
    }

    async fn exchange(&self, command: Option<&'static str>) -> Result<String> {
        let pipes = self.pipes.clone();
        let work = move || {
            // One lock for both: the answer belongs to this command.
            let mut pipes = pipes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(command) = command {
                writeln!(pipes.to, "{command}")?;
            }
            pipes.answer()
        };
        let answer = tokio::task::spawn_blocking(work).await;
        Ok(answer.map_err(|e| Error::new(e.to_string()))??)
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

/// A port that nobody listens on.
///
/// Below the range that the system takes the ports of outgoing connections
/// from: a server that is down for a while finds its port free when it is
/// started again.
pub(crate) fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const LOWEST: u16 = 12_000;
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let highest = range.ok().and_then(|range| {
        let lowest_outgoing = range.split_whitespace().next()?.parse::<u16>().ok()?;
        (lowest_outgoing > LOWEST + 1_000).then_some(lowest_outgoing)
    });
    let Some(highest) = highest else {
        return Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port());
    };
    // Processes that run at a time begin far apart.
    let begin = std::process::id().wrapping_mul(2_654_435_761) >> 16;
    for _ in LOWEST..highest {
        let n = begin + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = n % u32::from(highest - LOWEST);
        let port = LOWEST + u16::try_from(offset).unwrap_or(0);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::new("no port is free"))
}
