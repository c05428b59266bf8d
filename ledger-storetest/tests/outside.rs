//! The suite serves a crate outside of this workspace.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use ledger_storetest::all_cases;

/// What a stranger's crate has to write: two dependencies, a harness, one line.
const LIB: &str = r#"
#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use ledger_core::{Capabilities, MemoryStore, Result, Store};
    use ledger_storetest::{Harness, Setup};

    struct Mine;

    #[async_trait]
    impl Harness for Mine {
        type Id = i64;
        type Place = MemoryStore;

        async fn fresh(&self) -> Result<MemoryStore> {
            Ok(MemoryStore::new())
        }

        async fn open(&self, place: &MemoryStore, setup: &Setup) -> Result<Arc<dyn Store<i64>>> {
            Ok(Arc::new(place.reopen().with_clock(setup.clock.clone())))
        }

        fn capabilities(&self) -> Capabilities {
            MemoryStore::new().capabilities()
        }
    }

    ledger_storetest::conformance!(Mine);
}
"#;

/// Makes such a crate, builds it with nothing but what this workspace has
/// locked, and runs every case. Catches a macro that names what only we can
/// see, and a dependency that users would have to guess.
#[test]
fn a_crate_outside_of_the_workspace_runs_every_case() -> Result<(), Box<dyn Error>> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = ours.parent().ok_or("the workspace")?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside");
    fs::create_dir_all(folder.join("src"))?;
    let manifest = format!(
        "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\nasync-trait = \"0.1\"\nledger-core = {{ path = {:?} }}\n\
         ledger-storetest = {{ path = {ours:?} }}\n\n\
         [profile.dev]\ndebug = false\nincremental = false\n\n[workspace]\n",
        root.join("ledger-core"),
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/lib.rs"), LIB)?;
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;

    let output = Command::new(env!("CARGO"))
        .args(["test", "--offline", "--lib", "--target-dir"])
        .arg(folder.join("target"))
        .current_dir(&folder)
        .env_remove("CARGO_TARGET_DIR")
        .output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");
    // Each case on two runtimes.
    let expected = format!("test result: ok. {} passed", 2 * all_cases::<i64>().len());
    assert!(told.contains(&expected), "{expected}\n{told}");
    Ok(())
}
