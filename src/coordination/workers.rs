//! Workers as the shared state knows them: entries, their states and owners, and what changes them.

use super::history::History;
use super::stored::Lasting;
use super::{Held, MAX_LOAD};
use crate::ids::{ClassName, ClusterName, Endpoint, Epoch, Incarnation, ServerTime, WorkerId};

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
    /// It came from another broker, with its memory.
    Handover = 2,
    /// It was asleep.
    Wake = 3,
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
    /// Activations since the last one that ended well ([`Coordinator::confirm`](super::Coordinator::confirm)), this one included: from 1.
    pub attempt: u32,
    /// When the worker was first created.
    pub created: ServerTime,
    pub recoverable: bool,
    pub attributes: String,
    pub history: History,
    pub lasting: Lasting,
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
    /// Has no owner until a message wakes it.
    Asleep {
        class: ClassName,
        cluster: ClusterName,
    },
    /// Waits to be made again, and is tried alone: its owners died shortly after it was activated.
    Suspected {
        class: ClassName,
        deaths: u32,
    },
    /// Is not made again until [`Coordinator::pardon`](super::Coordinator::pardon).
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

/// An entry that stands under an owner, as much of it as its owner can have changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owned {
    pub id: WorkerId,
    pub epoch: Epoch,
    pub state: EntryState,
    pub cause: Cause,
    pub recoverable: bool,
    pub load: u64,
    pub attempt: u32,
}

impl Owned {
    /// What stands under the owner once this worker has been restored.
    pub fn of(held: &Held) -> Self {
        let entry = &held.entry;
        Self {
            id: entry.id.clone(),
            epoch: entry.epoch,
            state: held.state,
            cause: entry.cause,
            recoverable: entry.recoverable,
            load: held.load.min(MAX_LOAD),
            attempt: entry.attempt,
        }
    }
}

/// What becomes of an entry that its owner gives up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Deleted, or asleep when it is [kept](Lasting::kept).
    Delete,
    /// To pending when the entry is recoverable, else as [`Fate::Delete`]. A kept worker that is a suspect is pending in any case.
    Recover,
    /// The same, by the worker's own doing: it waits first when that happens again and again ([`history`](super::history)).
    Return,
    /// The same, because its process died: that may be its own doing ([`history`](super::history)).
    Crash,
    /// Deleted with all that is stored of it: the worker ended for good.
    End,
    /// Its activation failed: deleted, but a kept one is asleep where that was not its first activation or something is stored.
    Fail,
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
    /// More than [`MAX_LOAD`](super::MAX_LOAD) counts as that.
    pub load: u64,
}
