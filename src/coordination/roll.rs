//! The members as one broker follows them: by a version and what changed since.

use super::{BrokerRecord, Member};
use crate::ids::{Incarnation, ServerId, ServerTime};

/// Departures that the coordinator remembers. A broker that missed more of them sees that members are gone, but not how.
pub const DEPARTURES: usize = 1000;
/// Leases that ran out which one look names at most.
pub const OVERDUE: usize = 16;

/// Which state of the members a broker knows. The version counts only together with the generation and the server: after a
/// failover a version may come again with other members.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    pub generation: String,
    pub server: ServerId,
    /// Grows with every change: above the last one, and not below the server's clock in µs.
    pub version: u64,
}

/// How a member ceased to be one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Departure {
    /// It was evicted.
    Dead,
    /// It left by itself.
    Left,
}

/// The members, against those that the asking broker knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changes {
    /// Whether `records` are all members; otherwise only those that are new or say something else of themselves.
    pub complete: bool,
    /// By incarnation.
    pub records: Vec<BrokerRecord>,
    /// Who departed since, by incarnation; the last [`DEPARTURES`] at most. All of them where the asking broker knows a state
    /// of another database, none where it knows none.
    pub departed: Vec<(Incarnation, Departure)>,
}

/// A lease of another broker, and when it runs out or ran out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expiry {
    pub incarnation: Incarnation,
    pub at: ServerTime,
}

/// What [`Coordinator::look`](super::Coordinator::look) sees.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Look {
    pub now: ServerTime,
    /// The state of the members after `changes`.
    pub known: Known,
    pub changes: Changes,
    /// Leases of others that have run out, the first ones first; [`OVERDUE`] at most.
    pub overdue: Vec<Expiry>,
    /// Workers that wait to be made again and that the asking broker could claim.
    pub claimable: u64,
    /// The sum of the loads of what stands under the asking broker.
    pub load: u64,
    /// The asking broker's own record; `None`: it has none, or none that can be read.
    pub record: Option<BrokerRecord>,
    /// Counts `restartAll()` calls.
    pub restart_number: u64,
    /// Whether nothing of the tables is awaited, on a server that the cluster has agreed on.
    pub settled: bool,
    /// Gone while workers of theirs are left, see [`Membership`](super::Membership).
    pub unsalvaged: Vec<Incarnation>,
}

/// What [`Coordinator::find_member`](super::Coordinator::find_member) sees.
#[derive(Clone, PartialEq, Debug)]
pub struct Sighting {
    pub now: ServerTime,
    /// Empty before the first broker joined.
    pub generation: String,
    pub settled: bool,
    /// `None`: it is not registered.
    pub member: Option<Member>,
}
