//! Data and timers that outlive their worker's process: what is stored, and how it is written and read.

use crate::ids::{Epoch, ServerTime, WorkerId};

/// Bytes of JSON that the data of one worker takes at most, where the application sets no lower limit.
pub const MAX_DATA: usize = 1 << 20;

/// The data of a worker as its owner stored it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Of the worker's class, when it was written.
    pub version: u32,
    /// Grows with every write.
    pub revision: u64,
    /// JSON text, never interpreted here; empty where only its timers are stored.
    pub text: String,
    pub timers: Timers,
}

/// The timers of a worker. One that sleeps is woken by the next of them.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Timers {
    /// When the next one is due; zero: there is none.
    pub next: ServerTime,
    /// JSON text, never interpreted here; empty without any.
    pub text: String,
}

/// What an activation finds of a worker's data.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum Loaded {
    /// Nothing was ever stored.
    #[default]
    Nothing,
    /// Something was stored, and is not there or cannot be read: the worker must not begin anew over it.
    Missing,
    Stored(Stored),
}

/// What of a worker outlives its process.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Lasting {
    /// Only its own end deletes the worker, no death or departure of its broker.
    pub kept: bool,
    /// Something is stored.
    pub has_data: bool,
    /// That, as an activation found it. Nobody else fills this in.
    pub data: Loaded,
}

/// One write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    pub id: WorkerId,
    pub epoch: Epoch,
    pub data: Stored,
}

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Committed {
    /// It is stored, now or by an earlier try.
    Written,
    /// Another activation of the worker, or none, stands in the registry: this one may write nothing any more.
    Fenced,
    /// The registry may have forgotten something: the entry is put back first, then the write is tried again.
    Unsettled,
}

/// What became of a worker that was to be deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Erasure {
    /// There is no such worker, or it has another epoch than the one asked for.
    Gone,
    /// It has an owner, which has to end it. Nothing changed.
    Owned(Epoch),
    /// There is no entry, and it may have been forgotten: ask again soon.
    Unsettled,
}
