//! Hints that the shared state sends to brokers.

use crate::ids::{ClassName, ClusterName, Incarnation, ServerTime, WorkerId};

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
    /// When the next timer of a worker of this class is due that is asleep in this cluster; `None`: there is none.
    Timer { cluster: ClusterName, class: ClassName, next: Option<ServerTime> },
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
