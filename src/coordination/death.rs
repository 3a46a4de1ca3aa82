//! The eviction of a dead broker.

use crate::ids::{ServerId, ServerTime, WorkerId};

/// Why an evictor holds an incarnation for dead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Death {
    /// Its lease ran out on the server's clock, which the evictor expects to show about this.
    Expired { expected: ServerTime },
    /// It was proven dead, and its lease was seen to expire at this time: a renewal since, any other time, disproves
    /// it, also when that one looks run out (the clock may have jumped). No proof counts against the valid lease of a strict broker.
    /// `server` is the one on which its connection was seen to break.
    Proven { lease_expires: ServerTime, server: ServerId },
    /// The same, by the next life of its broker id: that has no lease yet and needs none, and need not wait until the
    /// tables are settled. The dead one is awaited no more.
    Succeeded { lease_expires: ServerTime },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Eviction {
    /// Its lease is valid and it is strict, or the lease was renewed since it was seen: nothing changed.
    Alive { lease_expires: ServerTime },
    /// It is evicted: no lease, no record; also one that never was. Of its entries up to `limit` were moved to pending or deleted in this call;
    /// `remaining` are left for the next one.
    /// `quarantined`: of these, with the number of their deaths, that was one too many.
    Evicted { recovered: u64, deleted: u64, remaining: u64, quarantined: Vec<(WorkerId, u32)> },
    /// The evictor has no valid lease; nothing changed.
    NotMember,
    /// The server is not the one agreed on (or not the one of the proof), or some are awaited: nothing changed.
    Unsettled,
    /// More than half of three or more leases ran out within half a lease of each other: rather the server or the network
    /// was away. Nothing changed; whoever has not renewed at this time can be evicted.
    Outage { until: ServerTime },
    /// The clock is more than [`CLOCK_TOLERANCE`](super::CLOCK_TOLERANCE) away from what was expected; nothing changed.
    ClockOff { now: ServerTime },
}
