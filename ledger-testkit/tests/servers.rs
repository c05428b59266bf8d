//! What the process started ends with it.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ledger_testkit::Postgres;
use sqlx::{Executor, Row};

/// Not a test of its own: a process that starts a server and hangs.
#[tokio::test]
#[ignore = "started by the other test, in a process of its own"]
async fn child() {
    if std::env::var_os("LEDGER_TESTKIT_CHILD").is_none() {
        return;
    }
    let server = Postgres::private(&[]).await.unwrap();
    let mut connection = server.connect().await.unwrap();
    let sql = "SELECT current_setting('port'), current_setting('data_directory')";
    let row = connection.fetch_one(sql).await.unwrap();
    let (port, data): (String, String) = (row.get(0), row.get(1));
    println!("\nserver {port} {data}");
    std::future::pending::<()>().await;
}

/// Catches a server, or its directory, that outlives a killed test run.
#[test]
fn a_killed_process_leaves_no_server_and_no_directory() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env("LEDGER_TESTKIT_CHILD", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.map_while(Result::ok).find_map(|line| {
        let (port, data) = line.strip_prefix("server ")?.split_once(' ')?;
        Some((port.parse::<u16>().unwrap(), data.to_owned()))
    });
    let (port, data) = line.unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    let directory = Path::new(&data).parent().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while directory.exists() || TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(
            Instant::now() < end,
            "the server or {directory:?} is still there"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
