//! Which lease of another broker is the next to run out, and what the coordinator's clock showed then.

use crate::clock::boot_millis;
use crate::ids::{Incarnation, ServerTime};

/// The server's clock showed `server` when the local one showed `local`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// The time of the server.
    pub server: ServerTime,
    /// The local time.
    pub local: u64,
}

impl Reading {
    /// What the server's clock shows now, unless it jumped since. What later answers say of it does not count: a lease was
    /// seen to have run out on this clock.
    pub fn expected(&self) -> ServerTime {
        ServerTime(self.server.0 + boot_millis().saturating_sub(self.local))
    }
}

/// Whose lease is the next to run out, of all other brokers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upcoming {
    /// The holder of the lease.
    pub incarnation: Incarnation,
    /// When it runs out, on the local clock.
    pub due: u64,
    /// From the answer that told it.
    pub reading: Reading,
}
