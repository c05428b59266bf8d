//! Where servers come from.

use crate::error::{Error, Result};

/// Where a server comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The URL in the environment.
    Url,
    /// A container.
    Docker,
    /// Binaries of this machine.
    Local,
}

impl Way {
    /// The way that `LEDGER_TEST_SERVERS` forces.
    pub(crate) fn forced() -> Result<Option<Self>> {
        match std::env::var("LEDGER_TEST_SERVERS").as_deref() {
            Ok("url") => Ok(Some(Self::Url)),
            Ok("docker") => Ok(Some(Self::Docker)),
            Ok("local") => Ok(Some(Self::Local)),
            Ok("") | Err(_) => Ok(None),
            Ok(other) => Err(Error::new(format!(
                "LEDGER_TEST_SERVERS is url, docker or local, not {other:?}"
            ))),
        }
    }
}

/// The first way that leads to a server, and what it found; `attempt` is told
/// whether it is the only one that may be tried.
pub(crate) async fn first<T>(
    what: &str,
    advice: &str,
    attempt: impl AsyncFn(Way, bool) -> Result<T>,
) -> Result<(Way, T)> {
    let forced = Way::forced()?;
    let mut why_not = Vec::new();
    for way in [Way::Url, Way::Docker, Way::Local] {
        if forced.is_some_and(|forced| forced != way) {
            continue;
        }
        match attempt(way, forced.is_some()).await {
            Ok(found) => return Ok((way, found)),
            Err(why) => {
                passed_over(way, &why);
                why_not.push(format!("  {way:?}: {why}"));
            }
        }
    }
    let why_not = why_not.join("\n");
    Err(Error::new(format!(
        "no {what} for the tests:\n{why_not}\n{advice}"
    )))
}

/// Says what was passed over: a test run must not look better than it is.
#[expect(clippy::print_stderr, reason = "what was passed over must be seen")]
fn passed_over(way: Way, why: &Error) {
    eprintln!("ledger-testkit: {way:?} passed over: {why}");
}
