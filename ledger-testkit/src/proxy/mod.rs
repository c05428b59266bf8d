//! A TCP proxy that does to a connection what networks do.

mod connection;
mod control;
mod cut;
mod search;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

pub use self::control::ProxyCounts;
use self::control::{Control, Event, Mode};
pub use self::cut::{Cut, Direction};
use crate::error::{Error, Result};
use crate::watched::free_port;

/// How long a count is waited for.
const LIMIT: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// A proxy on 127.0.0.1 in front of one server. It passes everything on until
/// it is told otherwise. It has a thread of its own, so that a test which blocks
/// its runtime does not stop it, and ends when it is dropped, with all its
/// connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    control: Arc<Control>,
    _end: oneshot::Sender<()>,
}

impl Proxy {
    /// Starts a proxy in front of `server`, a host and a port.
    ///
    /// # Errors
    ///
    /// If no port is free.
    pub async fn start(server: impl Into<String>) -> Result<Self> {
        let server = server.into();
        let port = free_port()?;
        let control = Arc::new(Control::new());
        let (end, ended) = oneshot::channel::<()>();
        let ours = control.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                tokio::select! {
                    () = listen(port, server, ours) => {}
                    _ = ended => {}
                }
            });
        });
        let proxy = Self {
            port,
            control,
            _end: end,
        };
        proxy.listening(true).await?;
        Ok(proxy)
    }

    /// The port to connect to, at 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Passes on again, what was held back as well; forgets the delay and all
    /// cuts. Connections that a black hole accepted are closed.
    ///
    /// # Errors
    ///
    /// If the port was taken meanwhile.
    pub async fn pass(&self) -> Result<()> {
        self.control.disarm();
        self.control.order(|orders| {
            orders.mode = Mode::Pass;
            orders.delay = Duration::ZERO;
        });
        self.listening(true).await
    }

    /// Delays each piece, in both directions.
    pub fn delay(&self, delay: Duration) {
        self.control.order(|orders| orders.delay = delay);
    }

    /// Answers nothing: holds back what open connections send, on both sides,
    /// and accepts new ones without a word.
    pub fn black_hole(&self) {
        self.control.order(|orders| orders.mode = Mode::BlackHole);
    }

    /// Refuses new connections, as a machine does where nobody listens.
    ///
    /// # Errors
    ///
    /// If the proxy does not follow within a minute.
    pub async fn refuse(&self) -> Result<()> {
        self.control.order(|orders| orders.mode = Mode::Refuse);
        self.listening(false).await
    }

    /// Resets all connections that are open.
    pub fn reset(&self) {
        self.control.order(|orders| orders.resets += 1);
    }

    /// Cuts connections at that place, so often.
    pub fn cut(&self, cut: Cut, times: u64) {
        if times > 0 {
            self.control.arm(cut, times);
        }
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> ProxyCounts {
        self.control.counts()
    }

    /// Waits until the counts are as wanted: a test that has not reached its
    /// rare state proves nothing.
    ///
    /// # Errors
    ///
    /// If they are not within a minute: what they are.
    pub async fn wait(&self, reached: impl Fn(&ProxyCounts) -> bool) -> Result<ProxyCounts> {
        let seen = async {
            loop {
                let counts = self.counts();
                if reached(&counts) {
                    return counts;
                }
                sleep(PAUSE).await;
            }
        };
        timeout(LIMIT, seen)
            .await
            .map_err(|_| Error::new(format!("the proxy has only done {:?}", self.counts())))
    }

    async fn listening(&self, wanted: bool) -> Result<()> {
        let mut listening = self.control.listening.subscribe();
        let done = listening.wait_for(|is| *is == wanted);
        match timeout(LIMIT, done).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Error::new("the proxy does not follow")),
        }
    }
}

/// Accepts connections, where the orders allow it.
async fn listen(port: u16, server: String, control: Arc<Control>) {
    let mut orders = control.orders();
    loop {
        while orders.borrow_and_update().mode == Mode::Refuse {
            control.listening.send_replace(false);
            if orders.changed().await.is_err() {
                return;
            }
        }
        let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await else {
            sleep(PAUSE).await;
            continue;
        };
        control.listening.send_replace(true);
        while orders.borrow_and_update().mode != Mode::Refuse {
            tokio::select! {
                accepted = listener.accept() => if let Ok((client, _)) = accepted {
                    control.count(Event::Accepted);
                    tokio::spawn(connection::serve(client, server.clone(), control.clone()));
                },
                changed = orders.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }
}
