//! A message on its way to a worker of this broker, and where it came from.

use crate::transport::Connection;
use crate::wire::message::Envelope;
use std::sync::Arc;

/// Names a live worker instance to JavaScript; never used again while the process lives.
pub type Handle = u32;

/// Where a message came from.
#[derive(Clone)]
pub enum Origin {
    /// This broker; `slot` is JavaScript's, 0 for a tell.
    Local { slot: u64 },
    /// A peer; `call` is the peer's, 0 for a tell.
    Remote { connection: Arc<Connection>, call: u64 },
}

impl Origin {
    /// Whether an answer is wanted.
    pub fn is_ask(&self) -> bool {
        match self {
            Origin::Local { slot } => *slot > 0,
            Origin::Remote { call, .. } => *call > 0,
        }
    }

    /// The connection of a peer's ask.
    pub fn asker(&self) -> Option<&Arc<Connection>> {
        match self {
            Origin::Remote { connection, call } if *call > 0 => Some(connection),
            _ => None,
        }
    }

    /// Connection and call of a peer's ask.
    pub fn key(&self) -> Option<(u64, u64)> {
        match self {
            Origin::Remote { connection, call } if *call > 0 => Some((connection.id(), *call)),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Local { slot } => write!(f, "Local({slot})"),
            Origin::Remote { connection, call } => write!(f, "Remote({}, {call})", connection.id()),
        }
    }
}

/// A message that is on its way to a worker that lives here.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub handle: Handle,
    /// 0 for a tell, unless it is a turn.
    pub inbound: u64,
    /// The worker takes nothing else until this one is done.
    pub turn: bool,
    /// Who gets it back when it cannot be handled.
    pub origin: Origin,
    /// On the local clock; an ask is dropped unexecuted after it. `u64::MAX` for a tell.
    pub deadline: u64,
    pub envelope: Envelope,
}
