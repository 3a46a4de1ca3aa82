//! Workers that leave memory while nobody needs them, and timers that wake them.

use crate::ids::{ClassName, ClusterName, Epoch, Incarnation, ServerTime, WorkerId};
use std::collections::BTreeSet;

/// A worker whose instance has ended because it was idle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sleep {
    pub id: WorkerId,
    pub epoch: Epoch,
}

/// What became of its entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slept {
    /// It has no owner until a message wakes it.
    Asleep,
    /// Another activation of the worker, or none, is in the registry. Nothing changed.
    Elsewhere,
    /// The registry may have forgotten something, or has no such worker. Nothing changed: ask again soon.
    Unsettled,
}

/// A request to wake the workers whose timers are due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RingRequest {
    pub by: Incarnation,
    pub cluster: ClusterName,
    /// Those that the asking broker hosts.
    pub classes: BTreeSet<ClassName>,
    /// Workers at most.
    pub limit: usize,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ring {
    Rung {
        /// So many workers wait for an owner now.
        rung: u64,
        /// Of each class that was asked for, in order: when the next timer of a sleeping worker is due. That worker may be awake by now.
        next: Vec<Option<ServerTime>>,
    },
    /// The asking broker has no valid lease. Nothing changed.
    NotMember,
    /// What sleeps here may live somewhere. Nothing changed.
    Unsettled,
}
