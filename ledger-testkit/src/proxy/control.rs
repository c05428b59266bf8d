//! What the proxy is told, and what it has done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::cut::{Cut, Place};

/// How connections are treated, those that are open as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Pass,
    /// Bytes are held back, new connections are accepted and get no answer.
    BlackHole,
    /// Nobody listens; what is open goes on.
    Refuse,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Orders {
    pub(super) mode: Mode,
    pub(super) delay: Duration,
    /// Connections that began under another number are reset.
    pub(super) resets: u64,
}

/// What a proxy has done since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyCounts {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections that were cut where a [`Cut`] says.
    pub cut: u64,
    /// Connections that were reset.
    pub reset: u64,
    /// Connections that were accepted into a black hole, and pieces of open
    /// ones that were held back by it.
    pub swallowed: u64,
    /// Pieces that were delayed.
    pub delayed: u64,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    cut: AtomicU64,
    reset: AtomicU64,
    swallowed: AtomicU64,
    delayed: AtomicU64,
}

/// Which count goes up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Accepted,
    Cut,
    Reset,
    Swallowed,
    Delayed,
}

#[derive(Debug)]
pub(super) struct Control {
    orders: watch::Sender<Orders>,
    /// Whether somebody listens at the port.
    pub(super) listening: watch::Sender<bool>,
    cuts: Mutex<Vec<Armed>>,
    counters: Counters,
}

#[derive(Debug)]
struct Armed {
    place: Place,
    left: u64,
}

impl Control {
    pub(super) fn new() -> Self {
        let orders = Orders {
            mode: Mode::Pass,
            delay: Duration::ZERO,
            resets: 0,
        };
        Self {
            orders: watch::Sender::new(orders),
            listening: watch::Sender::new(false),
            cuts: Mutex::default(),
            counters: Counters::default(),
        }
    }

    pub(super) fn order(&self, change: impl FnOnce(&mut Orders)) {
        self.orders.send_modify(change);
    }

    pub(super) fn orders(&self) -> watch::Receiver<Orders> {
        self.orders.subscribe()
    }

    pub(super) fn arm(&self, cut: Cut, times: u64) {
        let armed = Armed {
            place: cut.0,
            left: times,
        };
        self.lock().push(armed);
    }

    pub(super) fn disarm(&self) {
        self.lock().clear();
    }

    /// The places of the cuts that are armed.
    pub(super) fn armed(&self) -> Vec<Place> {
        let cuts = self.lock();
        cuts.iter().map(|armed| armed.place.clone()).collect()
    }

    /// Takes one of the times of a cut; false if another connection was faster.
    pub(super) fn take(&self, wanted: &Place) -> bool {
        let mut cuts = self.lock();
        let Some(at) = cuts.iter().position(|armed| armed.place == *wanted) else {
            return false;
        };
        cuts[at].left -= 1;
        if cuts[at].left == 0 {
            cuts.remove(at);
        }
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Armed>> {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, event: Event) {
        let c = &self.counters;
        let counter = match event {
            Event::Accepted => &c.accepted,
            Event::Cut => &c.cut,
            Event::Reset => &c.reset,
            Event::Swallowed => &c.swallowed,
            Event::Delayed => &c.delayed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> ProxyCounts {
        let c = &self.counters;
        ProxyCounts {
            accepted: c.accepted.load(Ordering::Relaxed),
            cut: c.cut.load(Ordering::Relaxed),
            reset: c.reset.load(Ordering::Relaxed),
            swallowed: c.swallowed.load(Ordering::Relaxed),
            delayed: c.delayed.load(Ordering::Relaxed),
        }
    }
}
