//! Asks that JavaScript is handling: whom the answer goes to.

use crate::transport::Connection;
use std::collections::HashMap;
use std::sync::Arc;

/// Asks that one connection may have in flight here at most (DESIGN 5); beyond it the caller gets OVERLOADED.
pub const MAX_PER_CONNECTION: usize = 4096;

/// Where a message came from.
#[derive(Clone)]
pub enum Origin {
    /// This broker; `slot` is JavaScript's, 0 for a tell.
    Local { slot: u64 },
    /// A peer; `call` is the peer's, 0 for a tell.
    Remote { connection: Arc<Connection>, call: u64 },
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Local { slot } => write!(f, "Local({slot})"),
            Origin::Remote { connection, call } => write!(f, "Remote({}, {call})", connection.id()),
        }
    }
}

struct Open {
    origin: Origin,
    /// On the local clock: nobody waits for the answer after it.
    deadline: u64,
}

/// See the module. Numbers grow and are never used again.
#[derive(Default)]
pub struct Inbound {
    open: HashMap<u64, Open>,
    last: u64,
}

impl Inbound {
    pub fn open(&mut self, origin: Origin, deadline: u64) -> u64 {
        self.last += 1;
        self.open.insert(self.last, Open { origin, deadline });
        self.last
    }

    /// Whom to answer; `None` when it was answered or dropped already.
    pub fn close(&mut self, inbound: u64) -> Option<Origin> {
        self.open.remove(&inbound).map(|open| open.origin)
    }

    /// Forgets asks of this connection that nobody waits for any more; how many those were.
    pub fn forget_expired(&mut self, connection: u64, now: u64) -> usize {
        let before = self.open.len();
        self.open.retain(|_, open| match &open.origin {
            Origin::Remote { connection: from, .. } => from.id() != connection || now <= open.deadline,
            Origin::Local { .. } => true,
        });
        before - self.open.len()
    }

    /// The number of an open ask of this peer's call, for a cancel.
    pub fn find(&self, connection: u64, call: u64) -> Option<u64> {
        self.open.iter().find_map(|(inbound, open)| match &open.origin {
            Origin::Remote { connection: from, call: of } if from.id() == connection && *of == call => Some(*inbound),
            _ => None,
        })
    }
}
