//! What brokers put back into a database that lost it.

use super::{BrokerRecord, Entry, EntryState};
use crate::ids::{ClassName, Epoch, Incarnation};
use std::time::Duration;

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
