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
//!
//! | what you look for | file |
//! | --- | --- |
//! | every operation, and what it promises | `contract.rs` |
//! | brokers: records, leases, joining | `members.rs`; following their changes: `roll.rs` |
//! | workers: entries, states, loads | `workers.rs`; their deaths: `history.rs` |
//! | placements, claims | `placement.rs` |
//! | data of workers | `stored.rs` |
//! | workers that are idle | `idle.rs` |
//! | evictions | `death.rs` |
//! | what is put back after a wipe | `restoration.rs` |
//! | lists of brokers and workers | `inventory.rs` |
//! | hints | `signal.rs` |
//! | keys in Redis | `keys.rs` |

mod contract;
mod death;
pub mod history;
mod idle;
mod inventory;
pub mod keys;
mod members;
pub mod memory;
mod placement;
pub mod redis;
mod restoration;
mod roll;
mod signal;
mod stored;
mod workers;

pub use contract::Coordinator;
pub use death::{Death, Eviction};
pub use idle::{Ring, RingRequest, Sleep, Slept};
pub use inventory::{Cursor, Inventory, ListedBroker, ListedWorker, WorkerFilter, WorkerPage, WorkerState};
pub use members::{BrokerRecord, Holder, Joined, Member, Membership, Registration, Renewal};
pub use placement::{Claim, ClaimRequest, PlaceRequest, Placement, Purpose};
pub use restoration::{Announcement, Held, Restoration};
pub use roll::{Changes, Departure, Expiry, Known, Look, Sighting, DEPARTURES, OVERDUE};
pub use signal::{Complaint, Signal};
pub use stored::{Commit, Committed, Erasure, Lasting, Loaded, Stored, Timers, MAX_DATA};
pub use workers::{Activation, Cause, Entry, EntryState, Fate, LoadChange, Location, Owned, Owner, Release};

use std::time::Duration;

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
/// How long an asleep worker whose last activation failed is left alone.
pub const REST: Duration = Duration::from_secs(1);
/// A larger load counts as this: the sum of a million such loads is still exact in a sorted set's double.
pub const MAX_LOAD: u64 = 1 << 32;

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
