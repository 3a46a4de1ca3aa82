//! Brokers as the shared state knows them: records, leases, and what joining and renewing answer.

use super::Expiry;
use crate::config::Process;
use crate::ids::{BrokerId, ClassName, ClusterName, Endpoint, Incarnation, ServerId, ServerTime};
use std::collections::BTreeSet;
use std::time::Duration;

/// What a broker says of itself. Broker id and cluster stay the same for the life of an incarnation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerRecord {
    pub incarnation: Incarnation,
    pub broker: BrokerId,
    pub cluster: ClusterName,
    pub address: Endpoint,
    /// Worker classes of this broker's cluster that are registered here.
    pub classes: BTreeSet<ClassName>,
    /// Lowest and highest version of the wire protocol that it speaks.
    pub protocol: (u16, u16),
    /// For how long it leases at each renewal: tells when it last renewed.
    pub lease_ttl: Duration,
    /// Its lease is waited for, whatever looks like its death.
    pub strict: bool,
    /// Leaving, or its event loop stands still: gets nothing new.
    pub draining: bool,
    /// For people who look at the cluster; nothing is decided by it.
    pub process: Process,
}

/// A broker as the others see it.
#[derive(Clone, PartialEq, Debug)]
pub struct Member {
    pub record: BrokerRecord,
    /// Valid before this time; at it the lease has expired.
    pub lease_expires: ServerTime,
    /// Sum of its workers' loads, reservations included; also of what stood under it before it was evicted or left
    /// and registered again.
    pub load: u64,
}

/// What [`Coordinator::scan`](super::Coordinator::scan) sees.
#[derive(Clone, PartialEq, Debug)]
pub struct Membership {
    pub now: ServerTime,
    /// Every incarnation that is registered, by incarnation; expired leases included.
    pub members: Vec<Member>,
    /// Workers that wait to be made again and that the asking broker could claim.
    pub claimable: u64,
    /// Counts `restartAll()` calls.
    pub restart_number: u64,
    /// Tells a wiped or replaced database from the one that was there before.
    pub generation: String,
    /// Whether nothing of the tables is awaited, on a server that the cluster has agreed on.
    pub settled: bool,
    /// Gone while workers of theirs are left: whoever began to evict them, or they themselves when they left, came to an
    /// end. Evicting them goes on where that was.
    pub unsalvaged: Vec<Incarnation>,
}

/// What a broker learns when it joins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    pub now: ServerTime,
    pub lease_expires: ServerTime,
    pub restart_number: u64,
    pub generation: String,
    /// The namespace's secret; made by the first broker.
    pub secret: String,
    /// The server that answered.
    pub server: ServerId,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Registration {
    Joined(Joined),
    /// Another incarnation has this broker id.
    IdInUse(Holder),
}

/// The life that has a broker id, whether its lease is valid or has expired: until it is evicted it may renew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    pub incarnation: Incarnation,
    pub address: Endpoint,
    pub lease_expires: ServerTime,
    /// The coordinator's clock at the answer.
    pub now: ServerTime,
    /// For how long it leases.
    pub lease_ttl: Duration,
    /// Only the end of its lease frees the id.
    pub strict: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Renewal {
    Renewed {
        now: ServerTime,
        lease_expires: ServerTime,
        /// The next lease of any other incarnation to run out; already expired ones included. Of several the lowest
        /// incarnation's.
        next_expiry: Option<Expiry>,
        generation: String,
        /// The server that answered, and whether the cluster has agreed on it.
        server: ServerId,
        server_agreed: bool,
        /// Until when the tables surely wait for what this incarnation restores: nothing unknown is placed, claimed or
        /// evicted before. `None`: they do not wait for it.
        awaited_until: Option<ServerTime>,
    },
    /// There is no lease under this incarnation: evicted or left, where generation and server are those known; else the
    /// database was wiped (no generation, or another one), replaced or rolled back, and announcing is the answer.
    Evicted { now: ServerTime, generation: Option<String>, server: ServerId, server_agreed: bool },
}
