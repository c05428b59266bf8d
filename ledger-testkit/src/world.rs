//! Tests that need a world of their own: a small disk, a limit on files. Such a
//! test is run by another one, in a process of its own, for which a shell has
//! prepared the world. Both are real, and nothing outside the process changes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FOLDER: &str = "LEDGER_TEST_WORLD";

/// What is different for the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// The folder is a file system with room for this many KiB, in namespaces of
    /// users and mounts. Not every kernel allows that.
    SmallDisk(u32),
    /// A write beyond this many KiB of a file fails.
    SmallFiles(u32),
}

impl World {
    fn shell(self) -> Command {
        match self {
            Self::SmallDisk(kib) => {
                let mount = format!(
                    "mount -t tmpfs -o size={kib}k none \"${FOLDER}\" && exec \"$0\" \"$@\""
                );
                let mut shell = Command::new("unshare");
                shell.args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount]);
                shell
            }
            Self::SmallFiles(kib) => {
                // The signal would end the process instead. Blocks are of 512 bytes.
                let limit = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", 2 * kib);
                let mut shell = Command::new("sh");
                shell.args(["-c", &limit]);
                shell
            }
        }
    }

    fn is_allowed(self, folder: &Path) -> bool {
        let mut shell = self.shell();
        let tried = shell.arg("true").env(FOLDER, folder).output();
        tried.is_ok_and(|output| output.status.success())
    }

    /// Runs an ignored test of the same binary in this world, with a folder to
    /// work in, and tells what it said. `None` if there can be no such world
    /// here, which was told.
    ///
    /// # Panics
    ///
    /// If the test failed.
    #[must_use]
    pub fn run(self, test: &str, folder: &Path) -> Option<String> {
        if !self.is_allowed(folder) {
            not_run(test, &format!("{self:?} is refused here"));
            return None;
        }
        let this = std::env::current_exe().unwrap_or_default();
        let output = self
            .shell()
            .arg(this)
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .stdin(Stdio::null())
            .output();
        let output = output.unwrap_or_else(|e| panic!("{test} cannot be started: {e}"));
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.contains("1 passed"), "{test} is no test: {said}");
        Some(said)
    }

    /// The folder that a test is to work in that was started by [`run`](Self::run);
    /// `None` if it was started by anything else.
    #[must_use]
    pub fn folder() -> Option<PathBuf> {
        std::env::var_os(FOLDER).map(PathBuf::from)
    }
}

/// Has `scripts/test` tell at its end what was not run. Where nobody would be
/// told, the test fails.
///
/// # Panics
///
/// If there is no list to write to.
pub fn not_run(what: &str, why: &str) {
    let list = std::env::var_os("LEDGER_NOT_RUN_LIST");
    let list = list.unwrap_or_else(|| panic!("{what} cannot be tested here: {why}"));
    let told = std::fs::OpenOptions::new()
        .append(true)
        .open(list)
        .and_then(|mut list| writeln!(list, "  {what}: {why}"));
    told.unwrap_or_else(|e| panic!("{what} cannot be tested here: {why}; {e}"));
}
