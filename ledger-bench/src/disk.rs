//! A slower disk: a small library, preloaded, makes each flush take 1 ms
//! longer. A fast disk hides every lock that is held across a commit.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

const MARK: &str = "LEDGER_BENCH_SLOW_FLUSH";
const SOURCE: &str = include_str!("slow_flush.c");

/// Whether this process runs with it.
pub(crate) fn is_slow() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Compiles the library and runs this program anew with it.
pub(crate) fn again_with_a_slow_flush() -> Result<ExitCode> {
    let dir = tempfile::tempdir()?;
    let (source, library) = (dir.path().join("flush.c"), dir.path().join("flush.so"));
    std::fs::write(&source, SOURCE)?;
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library);
    let compiled = cc.arg(&source).arg("-ldl").status();
    ensure!(
        compiled.context("a C compiler is needed: cc")?.success(),
        "cc failed"
    );
    let mut again = Command::new(std::env::current_exe()?);
    again
        .args(std::env::args_os().skip(1))
        .env("LD_PRELOAD", &library)
        .env(MARK, "1");
    let status = again.status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}
