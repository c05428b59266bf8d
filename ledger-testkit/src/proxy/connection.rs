//! One connection and its twin to the server.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::sleep;

use super::control::{Control, Event, Mode, Orders};
use super::cut::{Direction, Place};
use super::search::Search;

/// Why a connection ended before its ends wanted it.
enum Ended {
    Cut,
    Broken,
}

/// A reply that is awaited and not passed on, and what it ends with.
type Awaited = Arc<Mutex<Option<Search>>>;

/// Serves one connection to its end.
pub(super) async fn serve(mut client: TcpStream, server: String, control: Arc<Control>) {
    let mut orders = control.orders();
    let began = *orders.borrow_and_update();
    let reset = {
        let mut orders = control.orders();
        async move {
            let other = |now: &Orders| now.resets != began.resets;
            // An error means that the proxy is gone, and the connection with it.
            let _ = orders.wait_for(other).await;
        }
    };
    if began.mode == Mode::BlackHole {
        control.count(Event::Swallowed);
        // Not taken up later: the server never saw it.
        let _ = orders.wait_for(|now| now.mode != Mode::BlackHole).await;
        return;
    }
    let Ok(mut twin) = TcpStream::connect(server).await else {
        abort(&client);
        return;
    };
    let _ = (client.set_nodelay(true), twin.set_nodelay(true));
    let was_reset = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = twin.split();
        let awaited = Awaited::default();
        let pump = |direction| Pump {
            direction,
            control: control.clone(),
            orders: control.orders(),
            awaited: awaited.clone(),
            searches: Vec::new(),
            bytes: 0,
        };
        let there = pump(Direction::ToServer).run(from_client, to_server);
        let back = pump(Direction::ToClient).run(from_server, to_client);
        tokio::select! {
            ended = async { tokio::try_join!(there, back) } => {
                if matches!(ended, Err(Ended::Cut)) {
                    control.count(Event::Cut);
                }
                false
            }
            () = reset => true,
        }
    };
    if was_reset {
        control.count(Event::Reset);
        abort(&client);
        abort(&twin);
    }
}

/// Makes its end a reset instead of an orderly one.
fn abort(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

struct Pump {
    direction: Direction,
    control: Arc<Control>,
    orders: watch::Receiver<Orders>,
    awaited: Awaited,
    /// A search for each cut that was seen armed.
    searches: Vec<(Place, Search)>,
    bytes: u64,
}

/// What becomes of a piece.
enum Verdict {
    Pass,
    Drop,
    /// So much of it, and then the end.
    CutAt(usize),
}

impl Pump {
    async fn run(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<(), Ended> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from.read(&mut buffer).await.map_err(|_| Ended::Broken)?;
            if read == 0 {
                return to.shutdown().await.map_err(|_| Ended::Broken);
            }
            let piece = &buffer[..read];
            self.hold().await?;
            let (pass, cut) = match self.judge(piece) {
                Verdict::Pass => (piece, false),
                Verdict::Drop => (&piece[..0], false),
                Verdict::CutAt(end) => (&piece[..end], true),
            };
            to.write_all(pass).await.map_err(|_| Ended::Broken)?;
            if cut {
                return Err(Ended::Cut);
            }
        }
    }

    /// Keeps a piece back for as long as the orders say.
    async fn hold(&mut self) -> Result<(), Ended> {
        let Orders { mode, delay, .. } = *self.orders.borrow_and_update();
        if !delay.is_zero() {
            self.control.count(Event::Delayed);
            sleep(delay).await;
        }
        if mode == Mode::BlackHole {
            self.control.count(Event::Swallowed);
            let passes = |now: &Orders| now.mode != Mode::BlackHole;
            let gone = self.orders.wait_for(passes).await.is_err();
            if gone {
                return Err(Ended::Broken);
            }
        }
        Ok(())
    }

    fn judge(&mut self, piece: &[u8]) -> Verdict {
        let before = self.bytes;
        self.bytes += piece.len() as u64;
        if self.direction == Direction::ToClient {
            let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(end) = awaited.as_mut() {
                return if end.feed(piece) {
                    Verdict::CutAt(0)
                } else {
                    Verdict::Drop
                };
            }
        }
        let armed = self.control.armed();
        self.searches.retain(|(place, _)| armed.contains(place));
        for place in &armed {
            if let Some(verdict) = self.meets(place, piece, before) {
                return verdict;
            }
        }
        Verdict::Pass
    }

    /// What becomes of the piece if this is a place in it.
    fn meets(&mut self, place: &Place, piece: &[u8], before: u64) -> Option<Verdict> {
        let pattern = match (place, self.direction) {
            (Place::After(direction, end), mine) if *direction == mine => {
                let left = end.saturating_sub(before);
                let inside = left < piece.len() as u64;
                return (inside && self.control.take(place))
                    .then(|| Verdict::CutAt(usize::try_from(left).unwrap_or(0)));
            }
            (Place::Request(pattern), Direction::ToServer)
            | (Place::Reply(pattern), Direction::ToClient)
            | (
                Place::ReplyTo {
                    request: pattern, ..
                },
                Direction::ToServer,
            ) => pattern,
            _ => return None,
        };
        let at = match self.searches.iter().position(|(known, _)| known == place) {
            Some(at) => at,
            None => {
                self.searches.push((place.clone(), Search::new(pattern)));
                self.searches.len() - 1
            }
        };
        if !(self.searches[at].1.feed(piece) && self.control.take(place)) {
            return None;
        }
        if let Place::ReplyTo { end, .. } = place {
            let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
            *awaited = Some(Search::new(end));
            return Some(Verdict::Pass);
        }
        Some(Verdict::CutAt(0))
    }
}
