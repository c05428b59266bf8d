//! What the process started ends with it.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ledger_testkit::{MongoSet, Postgres};
use sqlx::{Executor, Row};

/// Not a test of its own: a process that starts servers and hangs.
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
    let set = MongoSet::start(1).await.unwrap();
    println!("server {} {}", set.port(0), set.data(0).display());
    println!("no more servers");
    std::future::pending::<()>().await;
}

/// Catches a server, or its directory, that outlives a killed test run.
#[test]
fn a_killed_process_leaves_no_server_and_no_directory() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "watchdog::child", "--ignored", "--nocapture"])
        .env("LEDGER_TESTKIT_CHILD", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let servers: Vec<(u16, String)> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .take_while(|line| line != "no more servers")
        .filter_map(|line| {
            let (port, data) = line.strip_prefix("server ")?.split_once(' ')?;
            Some((port.parse().unwrap(), data.to_owned()))
        })
        .collect();
    assert_eq!(servers.len(), 2);
    for (port, _) in &servers {
        assert!(TcpStream::connect(("127.0.0.1", *port)).is_ok());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    for (port, data) in &servers {
        let directory = Path::new(data).parent().unwrap();
        while directory.exists() || TcpStream::connect(("127.0.0.1", *port)).is_ok() {
            assert!(
                Instant::now() < end,
                "the server or {directory:?} is still there"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
