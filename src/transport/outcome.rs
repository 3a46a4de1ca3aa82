//! How sending, connecting and a connection's life can end.

use crate::error::Code;
use crate::wire::codec::TooLarge;
use std::fmt;

/// Nothing of the frame was accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// The peer does not take what waits for it already.
    #[error("too much waits for this peer")]
    Overloaded,
    /// The connection is closed, or about to be.
    #[error("the connection is closed")]
    Closed,
    #[error("{length} bytes where at most {max} are allowed")]
    TooLarge { length: usize, max: usize },
}

impl From<TooLarge> for SendError {
    fn from(TooLarge { length, max }: TooLarge) -> Self {
        SendError::TooLarge { length, max }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    #[error("{0}")]
    Unreachable(String),
    #[error("no answer in time")]
    Timeout,
    /// One side did not accept the other.
    #[error("{0}")]
    Unauthorized(String),
    /// Somebody who belongs here answered, but not the expected life of a broker.
    #[error("another incarnation answers")]
    WrongIncarnation,
    /// The peer has no place for one more.
    #[error("it is connected to as many brokers as it allows")]
    PeerFull,
    /// This side is connected to so many peers already, which is its limit.
    #[error("{0} are connected already, which is the limit of this side")]
    Full(usize),
    /// The operating system gives this process no further socket.
    #[error("no file descriptor is left in this process")]
    NoDescriptor,
    /// This transport is closed.
    #[error("the transport is closed")]
    Closed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// `close()` here.
    Local { code: Code, message: String },
    /// The peer said that it closes.
    Peer { code: Code, message: String },
    /// No frame for the idle time. Both sides are well.
    Idle,
    /// It broke without a word.
    Lost(String),
    /// The peer sent what is no frame, or our own handler of it failed.
    Protocol(String),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseReason::Local { message, .. } => write!(f, "closed here: {message}"),
            CloseReason::Peer { message, .. } => write!(f, "closed by the peer: {message}"),
            CloseReason::Idle => f.write_str("idle"),
            CloseReason::Lost(text) => write!(f, "lost: {text}"),
            CloseReason::Protocol(text) => write!(f, "broken frame: {text}"),
        }
    }
}
