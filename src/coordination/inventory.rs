//! What can be read of the tables without changing them: which brokers and which workers there are.

use super::{CoordinationResult, Entry, Member};
use crate::ids::{BrokerId, ClassName, ClusterName, Incarnation, ServerTime, WorkerId};
use async_trait::async_trait;

/// A broker, and how many workers it owns.
#[derive(Clone, PartialEq, Debug)]
pub struct ListedBroker {
    pub member: Member,
    pub workers: u64,
}

/// What becomes of a worker now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WorkerState {
    /// Placed on its owner, which has not confirmed it yet.
    Placing,
    /// Confirmed by its owner.
    Active,
    /// Without an owner, until a broker recovers it.
    Pending,
    /// Without an owner, until a message wakes it.
    Asleep,
    /// Without an owner, until it is released: it ended its processes.
    Quarantined,
}

impl WorkerState {
    /// All of them, for what compares their names.
    pub const ALL: [WorkerState; 5] = [
        WorkerState::Placing,
        WorkerState::Active,
        WorkerState::Pending,
        WorkerState::Asleep,
        WorkerState::Quarantined,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            WorkerState::Placing => "placing",
            WorkerState::Active => "active",
            WorkerState::Pending => "pending",
            WorkerState::Asleep => "asleep",
            WorkerState::Quarantined => "quarantined",
        }
    }

    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A worker as the tables have it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedWorker {
    /// In a list without its attributes.
    pub entry: Entry,
    pub state: WorkerState,
    pub load: u64,
    /// While it has an owner: the incarnation, and the broker's id unless that incarnation is gone.
    pub owner: Option<(Incarnation, Option<BrokerId>)>,
}

/// Which workers are wanted; an absent field wants all.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct WorkerFilter {
    pub class: Option<ClassName>,
    pub cluster: Option<ClusterName>,
    pub broker: Option<BrokerId>,
    pub state: Option<WorkerState>,
}

impl WorkerFilter {
    pub fn accepts(&self, worker: &ListedWorker) -> bool {
        let owner = worker.owner.as_ref().and_then(|(_, broker)| broker.as_ref());
        self.class.as_ref().is_none_or(|class| *class == worker.entry.class)
            && self.cluster.as_ref().is_none_or(|cluster| *cluster == worker.entry.cluster)
            && self.broker.as_ref().is_none_or(|broker| Some(broker) == owner)
            && self.state.is_none_or(|state| state == worker.state)
    }
}

/// Where a list goes on. Each implementation writes and reads its own; `None` when the text is none of its cursors.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor(pub String);

/// A part of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerPage {
    /// At most as many as wanted; fewer, or none, also where more follow.
    pub workers: Vec<ListedWorker>,
    /// Absent at the end.
    pub cursor: Option<Cursor>,
}

/// Reading the tables page by page. Nothing is activated, placed or renewed, and no lease is needed.
#[async_trait]
pub trait Inventory {
    /// All brokers that are registered, by id; also those whose lease has expired and that nobody has evicted yet.
    async fn list_brokers(&self) -> CoordinationResult<(ServerTime, Vec<ListedBroker>)>;

    /// The next page of the workers that the filter accepts, at most `limit` (at least 1) of them. A worker that is there from the first page to the
    /// last is in one of them, whatever happens to it meanwhile; where the server moves its keys to a larger or smaller table meanwhile,
    /// or is replaced, it may be in several. The answer is `None` when the cursor is not one of this coordinator.
    async fn list_workers(
        &self,
        filter: &WorkerFilter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> CoordinationResult<Option<WorkerPage>>;

    /// One worker with its attributes.
    async fn describe(&self, id: &WorkerId) -> CoordinationResult<Option<ListedWorker>>;
}
