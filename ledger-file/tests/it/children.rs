//! A process that appends and trims, and says what it was told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use ledger_core::{Batch, Store};
use ledger_file::{Durability, FileOptions, FileStore};
use ledger_testkit::Patience;

use crate::place::{batch, entry, name, open_with};

/// The parameters of a child.
const FOLDER: &str = "LEDGER_FILE_TEST_FOLDER";
const DURABILITY: &str = "LEDGER_FILE_TEST_DURABILITY";

/// Streams that several tasks append to, and the one that is trimmed.
pub(crate) const SHARED: u64 = 3;
pub(crate) const CUT: &str = "cut";
const TASKS: u64 = 8;

pub(crate) fn options() -> FileOptions {
    FileOptions::new().with_segment_bytes(16 * 1024)
}

/// The batch of a tag, which says how many entries it has. Each payload says
/// where it belongs, and each entry carries a dedup key.
pub(crate) fn tagged(tag: &str) -> Batch {
    let count = count_of(tag);
    batch((0..count).map(|n| {
        let text = format!("{tag}/{n}/{}", ".".repeat(40 * n + 200));
        entry(text).with_dedup_key(format!("{tag}/{n}"))
    }))
}

/// Tags are `stream:process:task:n:count`.
pub(crate) fn stream_of(tag: &str) -> &str {
    tag.split(':').next().unwrap()
}

pub(crate) fn count_of(tag: &str) -> usize {
    tag.rsplit(':').next().unwrap().parse().unwrap()
}

/// Not a test of its own: what the other process runs, until it is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests, in a process of its own"]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let durability = match std::env::var_os(DURABILITY) {
        Some(_) => Durability::ProcessDeath,
        None => Durability::PowerLoss,
    };
    println!("\nopening");
    let options = options().with_durability(durability);
    let store = open_with(Path::new(&folder), options).await.unwrap();
    println!("opened");
    let tasks = (0..TASKS).map(|task| tokio::spawn(write(store.clone(), task)));
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

async fn write(store: FileStore, task: u64) {
    let stream = match task {
        0 => CUT.to_owned(),
        _ => format!("shared-{}", task % SHARED),
    };
    let (stream_name, process) = (name(&stream), std::process::id());
    for n in 0u64.. {
        let tag = format!("{stream}:{process}:{task}:{n}:{}", 1 + (n + task) % 4);
        println!("send {tag}");
        let receipts = store.append(&stream_name, tagged(&tag)).await.unwrap();
        println!("ack {tag} {}", receipts[0].id);
        if task == 0 && n % 5 == 4 {
            let last = receipts.last().unwrap().id;
            println!("cutting {last}");
            store.trim(&stream_name, &last).await.unwrap();
            println!("cut {last}");
        }
    }
}

/// What a process has said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) opening: bool,
    pub(crate) opened: bool,
    /// Tags, and the id of the first entry once it was acknowledged.
    pub(crate) appends: BTreeMap<String, Option<i64>>,
    /// Ids through which the one stream was to be trimmed, and was.
    pub(crate) cutting: i64,
    pub(crate) cut: i64,
}

impl Heard {
    fn line(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        match *words {
            ["opening"] => self.opening = true,
            ["opened"] => self.opened = true,
            ["send", tag] => drop(self.appends.insert(tag.to_owned(), None)),
            ["ack", tag, id] => {
                let id = id.parse().unwrap();
                self.appends.insert(tag.to_owned(), Some(id));
            }
            ["cutting", id] => self.cutting = id.parse().unwrap(),
            ["cut", id] => self.cut = id.parse().unwrap(),
            _ => {}
        }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.appends.values().flatten().count()
    }
}

/// A process that works until it is killed.
pub(crate) struct Working {
    child: Arc<Mutex<Child>>,
    heard: Arc<Mutex<Heard>>,
    reading: JoinHandle<()>,
}

impl Working {
    /// Starts it; it is killed a while after it began to open the store, if so
    /// asked.
    pub(crate) fn start(
        folder: &Path,
        durability: Durability,
        kill_opening: Option<Duration>,
    ) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "children::child", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if durability == Durability::ProcessDeath {
            command.env(DURABILITY, "process");
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let child = Arc::new(Mutex::new(child));
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (killing, hearing) = (child.clone(), heard.clone());
        let reading = std::thread::spawn(move || {
            let mut line = String::new();
            // The last line of a killed process may be cut.
            while lines.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
                if let ("opening\n", Some(wait)) = (&*line, kill_opening) {
                    std::thread::sleep(wait);
                    killing.lock().unwrap().kill().unwrap();
                }
                hearing.lock().unwrap().line(line.trim_end());
                line.clear();
            }
        });
        Self {
            child,
            heard,
            reading,
        }
    }

    /// Waits until so many appends were acknowledged.
    pub(crate) async fn wait_for(&self, count: usize) {
        let patience = Patience::new();
        loop {
            let acknowledged = self.heard.lock().unwrap().acknowledged();
            if acknowledged >= count {
                return;
            }
            patience.check(acknowledged);
            let ended = self.child.lock().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the process has ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn kill(self) -> Heard {
        self.child.lock().unwrap().kill().unwrap();
        self.ended()
    }

    /// Waits for the end of a process that is killed while it opens.
    pub(crate) fn ended(self) -> Heard {
        self.reading.join().unwrap();
        let status = self.child.lock().unwrap().wait().unwrap();
        assert!(!status.success(), "the process was not killed");
        assert!(status.code().is_none(), "the process failed: {status}");
        self.heard.lock().unwrap().clone()
    }
}
