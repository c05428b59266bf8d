//! The benchmarks that need no server still run. How fast is not tested.
#![expect(clippy::unwrap_used, reason = "a helper of a test may panic")]

use std::process::Command;

fn quick(group: &str, options: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ledger-bench"))
        .args([group, "--quick"])
        .args(options)
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{complaints}");
    String::from_utf8(output.stdout).unwrap()
}

/// How many rows of figures a report has.
fn rows(report: &str) -> usize {
    let lines = report.lines().filter(|line| line.starts_with("| "));
    lines.filter(|line| !line.starts_with("| row")).count()
}

#[test]
fn every_row_runs() {
    for (group, options, expected) in [
        ("sqlite", &[][..], 10),
        ("sqlite", &["--no-dedup", "--only", "lone"], 3),
        ("file", &[], 10),
        ("file-memory", &[], 3),
        ("typed", &[], 9),
    ] {
        let report = quick(group, options);
        assert_eq!(rows(&report), expected, "{report}");
    }
}
