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

/// Says what was passed over: a test run must not look better than it is.
#[expect(clippy::print_stderr, reason = "what was passed over must be seen")]
pub(crate) fn passed_over(way: Way, why: &Error) {
    eprintln!("ledger-testkit: {way:?} passed over: {why}");
}
