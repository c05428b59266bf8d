//! Writers in processes of their own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use futures_util::future::join_all;
use ledger_core::Store;
use ledger_sqlite::SqliteStore;

use crate::helpers::{Patience, S, batch, entry, millis};

/// The parameters of a child.
const FILE: &str = "LEDGER_SQLITE_TEST_FILE";
const TASKS: &str = "LEDGER_SQLITE_TEST_TASKS";

/// Not a test of its own: what the other processes run. Appends pairs in many
/// tasks and prints what was acknowledged, until its input ends. An append
/// that fails is a panic.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests, in a process of its own"]
async fn child() {
    let Ok(file) = std::env::var(FILE) else {
        return;
    };
    let tasks: u64 = std::env::var(TASKS).unwrap().parse().unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let end = ended.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().lines().count();
        end.store(true, Ordering::Release);
    });
    let store = SqliteStore::open(file).await.unwrap();
    let tasks = (0..tasks).map(|task| {
        let (store, ended) = (store.clone(), ended.clone());
        tokio::spawn(async move {
            let mut n = 0;
            while !ended.load(Ordering::Acquire) {
                let payload = format!("{}-{task}-{n}", std::process::id());
                let two = batch([entry(payload.clone()), entry(payload.clone())]);
                let receipts = store.append(&S, two).await.unwrap();
                println!("\nack {payload} {}", receipts[0].id);
                n += 1;
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
}

/// What a process was told: a payload, and the id of the first of its two
/// entries.
pub(crate) type Ack = (String, i64);

/// A process that appends until it is told to end.
pub(crate) struct Writing {
    child: Child,
    acks: Arc<Mutex<Vec<Ack>>>,
    reading: JoinHandle<()>,
}

impl Writing {
    pub(crate) fn start(file: &Path, tasks: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "children::child", "--ignored", "--nocapture"])
            .env(FILE, file)
            .env(TASKS, tasks.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acks = Arc::new(Mutex::new(Vec::new()));
        let heard = acks.clone();
        let reading = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let parts = line
                    .strip_prefix("ack ")
                    .and_then(|ack| ack.split_once(' '));
                // The last line of a killed process may be cut.
                if let Some((payload, Ok(id))) = parts.map(|(p, id)| (p, id.parse())) {
                    heard.lock().unwrap().push((payload.to_owned(), id));
                }
            }
        });
        Self {
            child,
            acks,
            reading,
        }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acks.lock().unwrap().len()
    }

    /// Waits until so many appends were acknowledged.
    pub(crate) async fn wait_for(&mut self, count: usize) {
        let patience = Patience::new();
        while self.acknowledged() < count {
            patience.check(self.acknowledged());
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "a writer has ended: {ended:?}");
            tokio::time::sleep(millis(1)).await;
        }
    }

    /// Kills the process, and tells what it had acknowledged.
    pub(crate) fn kill(mut self) -> Vec<Ack> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.rest()
    }

    /// Lets the process end; it must not have failed.
    pub(crate) fn end(mut self) -> Vec<Ack> {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        self.rest()
    }

    fn rest(self) -> Vec<Ack> {
        self.reading.join().unwrap();
        std::mem::take(&mut self.acks.lock().unwrap())
    }
}
