//! Where a connection is cut.

/// A way of the bytes through a [`Proxy`](super::Proxy).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    ToServer,
    /// From the server.
    ToClient,
}

/// A place in the bytes of a connection where it is cut, on both sides.
#[derive(Clone, Debug)]
pub struct Cut(pub(super) Place);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Request(Vec<u8>),
    ReplyTo { request: Vec<u8>, end: Vec<u8> },
    Reply(Vec<u8>),
    After(Direction, u64),
}

impl Cut {
    /// Before a request that holds `pattern` is sent: the server does not get
    /// it, or only the beginning of it.
    pub fn request(pattern: impl Into<Vec<u8>>) -> Self {
        Self(Place::Request(pattern.into()))
    }

    /// After a request that holds `pattern`, and after the server's reply to
    /// it, of which the client gets nothing. The reply has come when its first
    /// byte has; see [`ending`](Self::ending).
    pub fn reply_to(pattern: impl Into<Vec<u8>>) -> Self {
        Self(Place::ReplyTo {
            request: pattern.into(),
            end: Vec::new(),
        })
    }

    /// Of [`reply_to`](Self::reply_to): the reply has come when `pattern` has.
    /// For protocols that answer in pieces: PostgreSQL has committed when it is
    /// idle again, `Z\0\0\0\x05I`.
    #[must_use]
    pub fn ending(mut self, pattern: impl Into<Vec<u8>>) -> Self {
        if let Place::ReplyTo { end, .. } = &mut self.0 {
            *end = pattern.into();
        }
        self
    }

    /// Before a reply that holds `pattern` is passed on, whatever was asked.
    pub fn reply(pattern: impl Into<Vec<u8>>) -> Self {
        Self(Place::Reply(pattern.into()))
    }

    /// After so many bytes of a connection in one direction, in the middle of a
    /// message if it comes so.
    #[must_use]
    pub fn after(direction: Direction, bytes: u64) -> Self {
        Self(Place::After(direction, bytes))
    }
}
