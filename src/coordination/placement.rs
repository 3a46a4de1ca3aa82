//! How a worker gets an owner: placements and claims.

use super::{Entry, EntryState, Owner};
use crate::ids::{ClassName, ClusterName, Epoch, Incarnation, WorkerId};
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlaceRequest {
    /// The broker that asks; needs a lease that has not expired.
    pub by: Incarnation,
    /// `None`: `Class#n`, n counting from 1 per namespace and class; ids that exist are skipped.
    pub id: Option<WorkerId>,
    pub class: ClassName,
    pub cluster: ClusterName,
    pub recoverable: bool,
    pub purpose: Purpose,
    pub attributes: String,
    /// Brokers that are not chosen.
    pub exclude: Vec<Incarnation>,
    /// A pending worker that was created longer ago is made new instead of recovered: from this request alone, with a
    /// new `created`. Zero: no limit.
    pub ttl: Duration,
}

/// What a placement is for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A worker that is deleted as soon as nothing keeps it. One that is asleep stays so.
    #[default]
    Create,
    /// A worker that is [kept](super::Lasting::kept), with an id. One that is asleep is woken.
    Keep,
    /// Only wakes one that is asleep; without one nothing is made.
    Wake,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Placement {
    /// The entry is now `Placing` under `owner` with `RESERVED_LOAD`, its epoch new. A pending worker of this id and
    /// class is placed too: with its own attributes, cluster and cause, its attempt one higher.
    Reserved { id: WorkerId, class: ClassName, owner: Owner, epoch: Epoch },
    /// There is an entry with an owner; nothing changed.
    Existing { id: WorkerId, class: ClassName, owner: Owner, epoch: Epoch, state: EntryState },
    /// It is asleep, and stays so: the request wakes none, or none of this class; nothing changed.
    Asleep { id: WorkerId, class: ClassName },
    /// There is no such worker, and the request makes none; nothing changed.
    Gone,
    /// It is pending, and waits for its time, or to be tried alone ([`history`](super::history)), or it is asleep and its last activation
    /// failed less than [`REST`](super::REST) ago; nothing changed.
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
pub struct ClaimRequest {
    /// The claimer; becomes the owner. Needs a lease that has not expired.
    pub by: Incarnation,
    /// The claimer's own.
    pub cluster: ClusterName,
    pub classes: BTreeSet<ClassName>,
    /// At most this many; no more than [`CHUNK`](super::CHUNK) are looked at, those deleted because of `ttl` included. Class after
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
