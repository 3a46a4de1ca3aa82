//! Workers that leave memory while nobody needs them.

use crate::ids::{Epoch, WorkerId};

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
