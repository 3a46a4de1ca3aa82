//! The cluster's shared state, in domain words: what a broker may ask of it, whatever keeps it.
//!
//! Two implementations obey the same contract suite: [`redis`] and the embedded [`memory`]. Every write to a worker's
//! entry is conditional on its owner (incarnation, and epoch where the caller knows it); a mismatch is an answer, not
//! an error. Every operation may be repeated after a lost reply: repeating it does no harm, and the table stays sound.
//! Signals are hints: a lost one costs time, never correctness.
//!
//! The tables stand on a server that may be restarted, wiped, replaced or rolled back. The cluster agrees on the server
//! by its id. Where it is another, the tables are **unsettled**: members announce themselves and put back what they hold,
//! and until all that are awaited did so (or a lease's time has passed) nothing unknown is activated, moved or evicted.

pub mod history;
pub mod keys;
pub mod memory;
pub mod redis;
mod roll;

pub use roll::{Changes, Departure, Expiry, Known, Look, Sighting, DEPARTURES, OVERDUE};

use self::history::History;
use crate::ids::{BrokerId, ClassName, ClusterName, Endpoint, Epoch, Incarnation, ServerId, ServerTime, WorkerId};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::broadcast;

/// Version of the tables' layout, kept in the namespace's `meta`.
pub const SCHEMA_VERSION: u64 = 2;
/// Entries that one call reads or writes at most: 10 to 20 µs each on Redis 7.0, which serves nobody meanwhile.
pub const CHUNK: usize = 100;
/// Load that a placement reserves until the worker reports its own: `Worker.DEFAULT_LOAD`.
pub const RESERVED_LOAD: u64 = 1;
/// An evictor whose idea of the coordinator's clock is further off may have slept, or the clock was stepped.
pub const CLOCK_TOLERANCE: Duration = Duration::from_millis(500);
/// The longest that the brokers wait, after a wipe, for one that does not come back: leases may have been written by another
/// program.
pub const MAX_PATIENCE: Duration = Duration::from_secs(600);
/// How long the restoration of one worker may take: whoever restores 1 000 a second is awaited until it is done.
pub const SLOWEST_RESTORATION: Duration = Duration::from_millis(1);
/// Between two signals that workers were claimed while more of them wait: each goes to every broker.
pub const CLAIM_HINT_INTERVAL: Duration = Duration::from_millis(20);
/// A larger load counts as this: the sum of a million such loads is still exact in a sorted set's double.
pub const MAX_LOAD: u64 = 1 << 32;

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

/// What [`Coordinator::scan`] sees.
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
    },
    /// There is no lease under this incarnation: evicted or left, where generation and server are those known; else the
    /// database was wiped (no generation, or another one), replaced or rolled back, and announcing is the answer.
    Evicted { now: ServerTime, generation: Option<String>, server: ServerId, server_agreed: bool },
}

/// What a member knows of the namespace, to be put back into a database that may have lost it. Of all that several
/// announce the maxima win, and the first secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announcement {
    pub record: BrokerRecord,
    pub ttl: Duration,
    /// The generation that it knew, and the secret.
    pub generation: String,
    pub secret: String,
    /// The highest epoch that it saw.
    pub epoch: Epoch,
    /// The highest n of `Class#n` that it saw of each class.
    pub counters: Vec<(ClassName, u64)>,
    pub restart_number: u64,
    /// The members that it remembers: they are awaited, as it is itself.
    pub remembered: Vec<Incarnation>,
    /// They are awaited this long: the longest of their leases' ttl.
    pub patience: Duration,
}

/// A worker that lives with its owner, whatever the tables say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    pub entry: Entry,
    pub state: EntryState,
    pub load: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Restoration {
    /// One a worker: `true` when it stands under (owner, epoch) now, `false` when a higher epoch stands, or another
    /// owner under the same: this instance is fenced.
    Restored(Vec<bool>),
    /// The owner is not registered: it announces itself first. Nothing changed (beyond the chunks before).
    NotMember,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Activation {
    /// One an id: the entry when it stands under the owner, else `None`.
    Answers(Vec<Option<Entry>>),
    /// What stands here may be from the past. Nothing changed (beyond the chunks before).
    Unsettled,
}

/// Who owns a worker, and where that is. `address` is `None` when the owner's record is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    pub incarnation: Incarnation,
    pub address: Option<Endpoint>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// No activation of the worker has ended well yet.
    New = 0,
    Recovery = 1,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryState {
    /// Reserved for its owner, which has not confirmed yet.
    Placing,
    /// Confirmed by its owner.
    Active,
}

/// Everything that is needed to make a worker. `attributes` is the creator's JSON text, never interpreted here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub id: WorkerId,
    pub class: ClassName,
    pub cluster: ClusterName,
    pub epoch: Epoch,
    pub cause: Cause,
    /// Activations since the last one that ended well ([`Coordinator::confirm`]), this one included: from 1.
    pub attempt: u32,
    /// When the worker was first created.
    pub created: ServerTime,
    pub recoverable: bool,
    pub attributes: String,
    pub history: History,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlaceRequest {
    /// The broker that asks; needs a lease that has not expired.
    pub by: Incarnation,
    /// `None`: `Class#n`, n counting from 1 per namespace and class; ids that exist are skipped.
    pub id: Option<WorkerId>,
    pub class: ClassName,
    pub cluster: ClusterName,
    pub recoverable: bool,
    pub attributes: String,
    /// Brokers that are not chosen.
    pub exclude: Vec<Incarnation>,
    /// A pending worker that was created longer ago is made new instead of recovered: from this request alone, with a
    /// new `created`. Zero: no limit.
    pub ttl: Duration,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Placement {
    /// The entry is now `Placing` under `owner` with `RESERVED_LOAD`, its epoch new. A pending worker of this id and
    /// class is placed too: with its own attributes, cluster and cause, its attempt one higher.
    Reserved { id: WorkerId, class: ClassName, owner: Owner, epoch: Epoch },
    /// There is an entry with an owner; nothing changed.
    Existing { id: WorkerId, class: ClassName, owner: Owner, epoch: Epoch, state: EntryState },
    /// It is pending, and waits for its time, or to be tried alone ([`history`]); nothing changed.
    Later { class: ClassName, deaths: u32 },
    /// It is quarantined; nothing changed.
    Quarantined { class: ClassName, deaths: u32 },
    /// No incarnation of this cluster (that of the entry, if one waits) with a valid lease that is not draining hosts
    /// the class; nothing changed.
    NoBroker { cluster: ClusterName },
    /// A worker of this id waits to be made again, and is of this other class; nothing changed.
    OtherClassWaits { id: WorkerId, class: ClassName, cluster: ClusterName },
    /// The asking broker has no valid lease; nothing changed.
    NotMember,
    /// There is no entry with an owner, and it may have been forgotten: nothing changed, ask again soon.
    Unsettled,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Location {
    None,
    /// There is no entry, and it may have been forgotten: ask again soon.
    Unsettled,
    /// Waits to be made again.
    Pending {
        class: ClassName,
        cluster: ClusterName,
    },
    /// Waits to be made again, and is tried alone: its owners died shortly after it was activated.
    Suspected {
        class: ClassName,
        deaths: u32,
    },
    /// Is not made again until [`Coordinator::pardon`].
    Quarantined {
        class: ClassName,
        deaths: u32,
    },
    Owned {
        class: ClassName,
        owner: Owner,
        epoch: Epoch,
        state: EntryState,
    },
}

/// What becomes of an entry that its owner gives up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Delete,
    /// To pending when the entry is recoverable, else deleted.
    Recover,
    /// The same, by the worker's own doing: it waits first when that happens again and again ([`history`]).
    Return,
    /// The same, because its process died: that may be its own doing ([`history`]).
    Crash,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Release {
    pub id: WorkerId,
    pub epoch: Epoch,
    pub fate: Fate,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadChange {
    pub id: WorkerId,
    pub epoch: Epoch,
    /// More than [`MAX_LOAD`] counts as that.
    pub load: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimRequest {
    /// The claimer; becomes the owner. Needs a lease that has not expired.
    pub by: Incarnation,
    /// The claimer's own.
    pub cluster: ClusterName,
    pub classes: BTreeSet<ClassName>,
    /// At most this many; no more than [`CHUNK`] are looked at, those deleted because of `ttl` included. Class after
    /// class in their order, oldest created first within a class, then by id. Of each class so many that all brokers that
    /// host it and are not draining end up with the same load.
    pub limit: usize,
    /// Takes one part in so many of what waits of each class at least, however loaded the claimer is: others may be slow
    /// or gone. Zero: nothing beyond its share.
    pub overflow: u64,
    /// A worker created longer ago is deleted instead. Zero: no limit.
    pub ttl: Duration,
    /// The last suspect that the claimer took has passed its trial, or there was none: one more may be taken, beside `limit`.
    pub trial_over: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claim {
    /// The entries are now `Active` under the claimer with `RESERVED_LOAD`, epochs new, attempts one higher.
    /// `remaining`: how many of these classes still wait in the cluster, whose time has come. `expired`: deleted because of `ttl`.
    Claimed {
        entries: Vec<Entry>,
        remaining: u64,
        expired: u64,
    },
    NotMember,
    /// What waits may live somewhere; nothing changed.
    Unsettled,
}

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
    /// The clock is more than [`CLOCK_TOLERANCE`] away from what was expected; nothing changed.
    ClockOff { now: ServerTime },
}

/// Why a broker cannot use another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Complaint {
    /// No connection can be made.
    Unreachable,
    /// One of them does not accept the other: another secret, or certificates.
    Refused,
    /// It does not answer, or takes nothing more.
    Silent,
}

impl Complaint {
    pub fn as_str(self) -> &'static str {
        match self {
            Complaint::Unreachable => "unreachable",
            Complaint::Refused => "refused",
            Complaint::Silent => "silent",
        }
    }
    pub fn from_text(text: &str) -> Option<Self> {
        [Complaint::Unreachable, Complaint::Refused, Complaint::Silent].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A hint to look again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Signal {
    /// A broker joined, left, or changed what it hosts.
    Members,
    /// So many workers of this class wait to be made again in this cluster; one of them is this.
    Pending { cluster: ClusterName, class: ClassName, waiting: u64, worker: WorkerId },
    /// This incarnation is dead, which took the members from the first version to the second.
    Dead { incarnation: Incarnation, before: u64, version: u64 },
    /// Workers that waited to be made again have an owner now.
    Claimed,
    /// One broker says that it cannot use another.
    Unusable { about: Incarnation, by: Incarnation, complaint: Complaint },
    /// `restartAll()` was called.
    Restart,
    /// The tables are settled again: what had to wait may go on.
    Settled,
    /// Workers of this incarnation were put back by another under a higher epoch: restoring again tells which.
    Overruled(Incarnation),
    /// A value of another type stood under this key; it was removed.
    Foreign(String),
    /// The entry under this key could not be read; it was deleted.
    Unreadable(String),
    /// The connection to the coordinator was lost and is back: anything may have been missed.
    Resync,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CoordinationError {
    /// Not reachable, or no answer in time; the operation may have been applied.
    #[error("{0}")]
    Unavailable(String),
    /// The namespace belongs to another version.
    #[error("{0}")]
    Schema(String),
    /// It answered with something else than expected (a refused command, a foreign type under a key).
    #[error("{0}")]
    Refused(String),
}

pub type CoordinationResult<T> = Result<T, CoordinationError>;

/// The cluster's shared state. Every method is one atomic step, except where `limit` cuts it in several.
#[async_trait]
pub trait Coordinator: Send + Sync + 'static {
    /// Connects, and checks that the namespace is ours ([`CoordinationError::Schema`] otherwise; also when brokers of
    /// dworker 0.9 are registered in it). May be called again, but not after [`Coordinator::close`]. The other methods
    /// need it: before, they fail as `Unavailable`.
    async fn open(&self) -> CoordinationResult<()>;

    /// The local IP address towards the coordinator: where a broker listens by default. Embedded: none.
    fn local_host(&self) -> Option<String>;

    /// Ends connections and subscriptions for good. Later calls fail as `Unavailable`, `open` too. Idempotent.
    async fn close(&self);

    /// Hints from now on. A receiver that lags gets [`Signal::Resync`]'s meaning from the lag error.
    fn signals(&self) -> broadcast::Receiver<Signal>;

    /// The coordinator's clock.
    async fn time(&self) -> CoordinationResult<ServerTime>;

    /// The server that commands go to now; `None` while there is none.
    fn server(&self) -> Option<ServerId>;

    /// What is wrong with the settings of the server; `None`: nothing, or it cannot be told.
    fn warning(&self) -> Option<String>;

    /// The secret of the namespace, so that a broker knows it before any other broker can find it. In an empty
    /// namespace the first call makes the secret and the generation.
    async fn secret(&self) -> CoordinationResult<String>;

    /// Joins the namespace with a lease of `ttl`. On a server that the cluster has not agreed on all who have a lease
    /// there are awaited, run out or not (after an outage the living look expired too); with none it is agreed at once. Refused while another incarnation has this broker id, its lease valid
    /// or expired: whoever wants the id evicts that one first. Repeating it renews and replaces the record.
    /// Signals `Members`.
    async fn register(&self, record: &BrokerRecord, ttl: Duration) -> CoordinationResult<Registration>;

    /// Puts back what a member knows of the namespace: its lease and record, maxima, secret. On a server or in a
    /// generation that the cluster has not agreed on, this is where it agrees: who is remembered and who has a lease
    /// there is awaited. Refused as in [`Coordinator::register`]: a life that started meanwhile may have the id.
    /// Repeating it is harmless. Signals `Members`.
    async fn announce(&self, announcement: &Announcement) -> CoordinationResult<Registration>;

    /// Puts back workers that live with `owner`, over anything that stands under a lower epoch: a pending one, or
    /// another owner's (signals `Overruled`). While the owner is awaited each worker prolongs that by
    /// [`SLOWEST_RESTORATION`], up to the patience from now on: who makes progress is not given up. Each counts by itself, and more than [`CHUNK`] may be several steps.
    async fn restore(&self, owner: &Incarnation, held: &[Held]) -> CoordinationResult<Restoration>;

    /// The owner has put back everything and given up what stands under it without living there. When it was the last
    /// that was awaited the tables are settled: signals `Settled`. `false`: the database is no longer the one that
    /// answered the announcement.
    async fn settle(&self, owner: &Incarnation, joined: &Joined) -> CoordinationResult<bool>;

    /// Sets the lease to now + `ttl`. An expired lease that nobody evicted is extended too. When patience with the
    /// awaited ran out the tables are settled here: signals `Settled`.
    async fn renew(&self, incarnation: &Incarnation, ttl: Duration) -> CoordinationResult<Renewal>;

    /// Replaces the record of an incarnation that is registered, its lease valid or not; `false` when it is not.
    /// Signals `Members` when the record is another.
    async fn update(&self, record: &BrokerRecord) -> CoordinationResult<bool>;

    /// Follows the members: what changed since the state that the asking broker knows, everything when it knows none or one
    /// of another generation or server. Costs the same however many members there are, but for what changed. The lease
    /// that is furthest away is cut as in [`Coordinator::scan`].
    async fn look(&self, by: &Incarnation, known: Option<&Known>) -> CoordinationResult<Look>;

    /// One incarnation alone; its lease is cut as in [`Coordinator::scan`].
    async fn find_member(&self, incarnation: &Incarnation) -> CoordinationResult<Sighting>;

    /// Everything about the members in one step, which costs as much as there are members; `by` tells whose claimable workers are counted (none when it is not
    /// registered). A lease further away than its record's `lease_ttl` (the clock stepped back) is cut to that.
    async fn scan(&self, by: &Incarnation) -> CoordinationResult<Membership>;

    /// Finds the worker of the id, or reserves it on the least loaded broker that hosts the class. Of equally loaded
    /// ones each has its turn. The chosen broker's load rises by [`RESERVED_LOAD`] at once. Looked at in this order: the
    /// asking broker's lease, the entry, whether the tables are settled, the brokers.
    async fn place(&self, request: &PlaceRequest) -> CoordinationResult<Placement>;

    /// The owner takes up workers that stand under it: `Placing` becomes `Active`. One answer an id, in order: the
    /// entry when it stands under `owner` (whatever its state; repeating is harmless), else `None`. Here and in
    /// [`Coordinator::release`] and [`Coordinator::set_load`]: no lease is asked for, each item counts by itself, and
    /// more than [`CHUNK`] items may be several steps.
    async fn activate(&self, owner: &Incarnation, ids: &[WorkerId]) -> CoordinationResult<Activation>;

    /// The activation of these workers ended well: they are not `New` when they are made again, and their attempts
    /// count from 1. `true` where the entry stood under (owner, epoch); repeating it is harmless.
    async fn confirm(&self, owner: &Incarnation, activations: &[(WorkerId, Epoch)]) -> CoordinationResult<Vec<bool>>;

    /// The owner gives workers up. `true` where the entry stood under (owner, epoch). The owner's load falls by the
    /// entry's. Signals `Pending` when something went there.
    async fn release(&self, owner: &Incarnation, releases: &[Release]) -> CoordinationResult<Vec<bool>>;

    /// A placement that was provably not delivered is taken back by its creator: `true` when the entry still was
    /// `Placing` under (owner, epoch). On its first attempt ever: deleted. Else back to pending, and signals `Pending`.
    async fn withdraw(&self, owner: &Incarnation, id: &WorkerId, epoch: Epoch) -> CoordinationResult<bool>;

    /// New loads of workers; the owner's sum follows. `true` where the entry stood under (owner, epoch).
    async fn set_load(&self, owner: &Incarnation, changes: &[LoadChange]) -> CoordinationResult<Vec<bool>>;

    /// Where a worker is.
    async fn locate(&self, id: &WorkerId) -> CoordinationResult<Location>;

    /// Takes pending workers over: a claim is the change of owner. Signals `Claimed` when none of these classes wait any
    /// more, and until then once in [`CLAIM_HINT_INTERVAL`].
    async fn claim(&self, request: &ClaimRequest) -> CoordinationResult<Claim>;

    /// Removes a dead incarnation (its lease cut as in [`Coordinator::scan`] before it is looked at) and salvages up to `limit` (at most [`CHUNK`]) of its workers, oldest first, then by
    /// id; what is still `Placing` like the rest.
    /// Idempotent, resumable by anyone (also when the lease is gone already and entries are left: those go as whoever
    /// began wanted, see [`Coordinator::leave`]).
    /// Signals `Dead` when the incarnation was registered, and `Pending` when something went there.
    async fn evict(
        &self,
        by: &Incarnation,
        dead: &Incarnation,
        death: &Death,
        limit: usize,
    ) -> CoordinationResult<Eviction>;

    /// Leaves the namespace: removes one's own lease and record, then salvages up to `limit` (at most [`CHUNK`]) entries
    /// with this fate, oldest first; returns how many are left. Repeated until none is. Signals `Members`, and `Pending` when something went there.
    async fn leave(&self, incarnation: &Incarnation, fate: Fate, limit: usize) -> CoordinationResult<u64>;

    /// Frees a worker that is quarantined, or that waits for its time or its trial: it is pending, without a history.
    /// `false`: it is neither. Signals `Pending`.
    async fn pardon(&self, id: &WorkerId) -> CoordinationResult<bool>;

    /// Ids and epochs that stand under an owner, oldest first, then by id; `limit` (at most [`CHUNK`]) from `offset`.
    async fn owned(
        &self,
        owner: &Incarnation,
        offset: usize,
        limit: usize,
    ) -> CoordinationResult<Vec<(WorkerId, Epoch)>>;

    /// Increments the restart number and signals `Restart`; returns the new number.
    async fn request_restart(&self) -> CoordinationResult<u64>;

    /// Tells `about` that `by` cannot use it: signals `Unusable`.
    async fn complain(&self, about: &Incarnation, by: &Incarnation, complaint: Complaint) -> CoordinationResult<()>;

    /// Whether anybody still listens as this incarnation: on its signal channel, or on that of its lease's thread.
    /// Embedded: whether a handle that does so is open.
    async fn is_listening(&self, incarnation: &Incarnation) -> CoordinationResult<bool>;

    /// Starts or stops to listen as this incarnation, so that [`Coordinator::is_listening`] tells. One at a time.
    async fn listen_as(&self, incarnation: Option<&Incarnation>) -> CoordinationResult<()>;
}
