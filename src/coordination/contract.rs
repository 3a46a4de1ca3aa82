//! The contract of the shared state: every operation, and what it promises.

use super::{
    Activation, Announcement, BrokerRecord, Claim, ClaimRequest, Commit, Committed, Complaint, CoordinationResult,
    Death, Erasure, Eviction, Fate, Held, Inventory, Joined, Known, LoadChange, Location, Look, Membership, Owned,
    PlaceRequest, Placement, Registration, Release, Renewal, Restoration, Ring, RingRequest, Sighting, Signal, Sleep,
    Slept,
};
use crate::ids::{Epoch, Incarnation, ServerId, ServerTime, WorkerId};
use async_trait::async_trait;
use std::time::Duration;
use tokio::sync::broadcast;

/// The cluster's shared state. Every method is one atomic step, except where `limit` cuts it in several.
#[async_trait]
pub trait Coordinator: Inventory + Send + Sync + 'static {
    /// Connects, and checks that the namespace is ours ([`CoordinationError::Schema`](super::CoordinationError::Schema) otherwise; also when brokers of
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
    /// [`SLOWEST_RESTORATION`](super::SLOWEST_RESTORATION), up to the patience from now on: who makes progress is not given up. Each counts by itself, and more than [`CHUNK`](super::CHUNK) may be several steps.
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
    /// ones each has its turn. The chosen broker's load rises by [`RESERVED_LOAD`](super::RESERVED_LOAD) at once. Looked at in this order: the
    /// asking broker's lease, the entry, whether the tables are settled, the brokers.
    async fn place(&self, request: &PlaceRequest) -> CoordinationResult<Placement>;

    /// The owner takes up workers that stand under it: `Placing` becomes `Active`. One answer an id, in order: the
    /// entry when it stands under `owner` (whatever its state; repeating is harmless), else `None`. Here and in
    /// [`Coordinator::release`] and [`Coordinator::set_load`]: no lease is asked for, each item counts by itself, and
    /// more than [`CHUNK`](super::CHUNK) items may be several steps.
    async fn activate(&self, owner: &Incarnation, ids: &[WorkerId]) -> CoordinationResult<Activation>;

    /// The activation of these workers ended well: they are not `New` when they are made again, and their attempts
    /// count from 1. `true` where the entry stood under (owner, epoch); repeating it is harmless.
    async fn confirm(&self, owner: &Incarnation, activations: &[(WorkerId, Epoch)]) -> CoordinationResult<Vec<bool>>;

    /// The owner gives workers up. `true` where the entry stood under (owner, epoch). The owner's load falls by the
    /// entry's. Signals `Pending` when something went there.
    async fn release(&self, owner: &Incarnation, releases: &[Release]) -> CoordinationResult<Vec<bool>>;

    /// Idle workers leave memory: their entries have no owner until a message wakes them, whether they are
    /// [kept](super::Lasting::kept) or not. One answer a worker, in order; each counts by itself, and more than
    /// [`CHUNK`](super::CHUNK) may be several steps. No lease is asked for. After a lost answer a repeated call says
    /// [`Slept::Elsewhere`] of one that is asleep.
    async fn sleep(&self, owner: &Incarnation, sleeps: &[Sleep]) -> CoordinationResult<Vec<Slept>>;

    /// Workers of these classes that are asleep and whose timers are due are pending from now on, and [`Cause::Wake`](super::Cause::Wake) is why they
    /// are activated next. Signals `Pending` of each class, and `Timer`, when there were any. `Timer` is also signalled whenever a worker
    /// falls asleep whose next timer is the first of its class. A worker whose activations fail is not rung for 1, 2, 4 … 60 s.
    async fn ring(&self, request: &RingRequest) -> CoordinationResult<Ring>;

    /// A placement that was provably not delivered is taken back by its creator: `true` when the entry still was
    /// `Placing` under (owner, epoch). On its first attempt ever: deleted. Else back to pending, and signals `Pending`.
    async fn withdraw(&self, owner: &Incarnation, id: &WorkerId, epoch: Epoch) -> CoordinationResult<bool>;

    /// New loads of workers; the owner's sum follows. `true` where the entry stood under (owner, epoch).
    async fn set_load(&self, owner: &Incarnation, changes: &[LoadChange]) -> CoordinationResult<Vec<bool>>;

    /// Where a worker is.
    async fn locate(&self, id: &WorkerId) -> CoordinationResult<Location>;

    /// Takes pending workers over: a claim is the change of owner. Signals `Claimed` when none of these classes wait any
    /// more, and until then once in [`CLAIM_HINT_INTERVAL`](super::CLAIM_HINT_INTERVAL).
    async fn claim(&self, request: &ClaimRequest) -> CoordinationResult<Claim>;

    /// Removes a dead incarnation (its lease cut as in [`Coordinator::scan`] before it is looked at) and salvages up to `limit` (at most [`CHUNK`](super::CHUNK)) of its workers, oldest first, then by
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

    /// Leaves the namespace: removes one's own lease and record, then salvages up to `limit` (at most [`CHUNK`](super::CHUNK)) entries
    /// with this fate, oldest first; returns how many are left. Repeated until none is. Signals `Members`, and `Pending` when something went there.
    async fn leave(&self, incarnation: &Incarnation, fate: Fate, limit: usize) -> CoordinationResult<u64>;

    /// Frees a worker that is quarantined, or that waits for its time or its trial: it is pending, without a history.
    /// `false`: it is neither. Signals `Pending`.
    async fn pardon(&self, id: &WorkerId) -> CoordinationResult<bool>;

    /// Stores data of workers of this owner, and keeps them from then on ([`Lasting`](super::Lasting)). One answer a write, in order; each counts
    /// by itself, and more than [`CHUNK`](super::CHUNK) may be several steps.
    async fn commit(&self, owner: &Incarnation, commits: &[Commit]) -> CoordinationResult<Vec<Committed>>;

    /// Deletes a worker that has no owner, with all that is stored of it. `epoch`: only where it still is this activation's.
    async fn erase(&self, id: &WorkerId, epoch: Option<Epoch>) -> CoordinationResult<Erasure>;

    /// What stands under an owner, oldest first, then by id; `limit` (at most [`CHUNK`](super::CHUNK)) from `offset`. While the owner is
    /// awaited each of these prolongs that, as in [`Coordinator::restore`].
    async fn owned(&self, owner: &Incarnation, offset: usize, limit: usize) -> CoordinationResult<Vec<Owned>>;

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
