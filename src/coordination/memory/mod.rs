//! The embedded coordinator: what joins one broker's handle to the tables that all handles of a name share.
//!
//! What is decided stands in the pure files: [`tables`] keeps sets and sums in step, [`membership`] knows brokers,
//! [`roll`] tells how they changed, [`placement`] finds owners, [`entries`] does what owners do, [`idle`] lets their workers sleep, [`healing`] makes whole what was lost. They take `now` and know neither locks nor tasks.

mod entries;
mod healing;
mod idle;
mod inventory;
mod membership;
mod placement;
mod roll;
mod tables;

use self::tables::Tables;
use super::*;
use crate::ids::{Epoch, Incarnation, ServerId, ServerTime, WorkerId};
use async_trait::async_trait;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::broadcast;

/// Hints that wait for a slow receiver; one that lags behind more looks at everything again.
const SIGNALS: usize = 256;

/// Milliseconds since the epoch, as the coordinator's clock tells them.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// One embedded cluster: shared tables, their clock, and the handles that hear of changes. Clones are the same cluster.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    tables: Mutex<Tables>,
    clock: Clock,
    handles: Mutex<Vec<Weak<Handle>>>,
    muted: AtomicBool,
}

/// What the other handles see of one.
struct Handle {
    state: Mutex<HandleState>,
    signals: broadcast::Sender<Signal>,
}

enum HandleState {
    New,
    Open { listening: Option<Incarnation> },
    Closed,
}

impl Handle {
    /// Does something with what an open handle listens as; fails on any other.
    fn with_listening<T>(&self, act: impl FnOnce(&mut Option<Incarnation>) -> T) -> CoordinationResult<T> {
        match &mut *lock(&self.state) {
            HandleState::Open { listening } => Ok(act(listening)),
            HandleState::New => Err(CoordinationError::Unavailable("the embedded coordinator is not open".into())),
            HandleState::Closed => Err(CoordinationError::Unavailable("the embedded coordinator is closed".into())),
        }
    }
}

impl MemoryStore {
    /// An empty one on the system's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(|| {
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
        }))
    }

    /// An empty one on the caller's clock, which may jump.
    pub fn with_clock(clock: Clock) -> Self {
        let shared = Shared {
            tables: Mutex::new(Tables::new(new_server())),
            clock,
            handles: Mutex::default(),
            muted: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// From now on no hint reaches anybody. For tests.
    pub fn mute(&self) {
        self.shared.muted.store(true, Ordering::Relaxed);
    }

    /// What FLUSHALL does to a server: everything is gone. For tests.
    pub fn wipe(&self) {
        let mut tables = lock(&self.shared.tables);
        *tables = Tables::new(tables.server.clone());
    }

    /// What a restart of the server does: its data is as it was, its life is another. For tests.
    pub fn restart(&self) {
        lock(&self.shared.tables).server = new_server();
    }

    /// What is there now, to roll back to. For tests.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(lock(&self.shared.tables).clone())
    }

    /// Another life of the server, on the data of a snapshot. For tests.
    pub fn roll_back(&self, to: &Snapshot) {
        let mut tables = to.0.clone();
        tables.server = new_server();
        *lock(&self.shared.tables) = tables;
    }

    fn live_handles(&self) -> Vec<Arc<Handle>> {
        let mut handles = lock(&self.shared.handles);
        handles.retain(|handle| handle.strong_count() > 0);
        handles.iter().filter_map(Weak::upgrade).collect()
    }
}

/// The tables at a point of time.
pub struct Snapshot(Tables);

fn new_server() -> ServerId {
    ServerId::new(crate::ids::random_hex::<20>())
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// One broker's handle on an embedded cluster. It listens no more once it is closed or dropped.
pub struct MemoryCoordinator {
    store: MemoryStore,
    handle: Arc<Handle>,
}

impl MemoryCoordinator {
    /// A handle that is not open yet.
    pub fn new(store: MemoryStore) -> Self {
        let handle = Arc::new(Handle { state: Mutex::new(HandleState::New), signals: broadcast::channel(SIGNALS).0 });
        lock(&store.shared.handles).push(Arc::downgrade(&handle));
        Self { store, handle }
    }

    /// One atomic step on the tables, at one point of time; then everybody hears of it.
    fn step<T>(&self, decide: impl FnOnce(&mut Tables, ServerTime) -> T) -> CoordinationResult<T> {
        self.handle.with_listening(|_| ())?;
        let (answer, hints) = {
            let mut tables = lock(&self.store.shared.tables);
            let now = ServerTime((self.store.shared.clock)());
            let answer = decide(&mut tables, now);
            (answer, tables.take_hints(now))
        };
        if !hints.is_empty() && !self.store.shared.muted.load(Ordering::Relaxed) {
            let open = |handle: &Arc<Handle>| handle.with_listening(|_| ()).is_ok();
            for handle in self.store.live_handles().into_iter().filter(open) {
                for hint in &hints {
                    // Nobody listens: then nobody needs the hint.
                    let _ = handle.signals.send(hint.clone());
                }
            }
        }
        Ok(answer)
    }
}

/// The guarded values are whole between two statements, so a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[async_trait]
impl Coordinator for MemoryCoordinator {
    async fn open(&self) -> CoordinationResult<()> {
        let mut state = lock(&self.handle.state);
        if matches!(*state, HandleState::New) {
            *state = HandleState::Open { listening: None };
        }
        drop(state);
        self.handle.with_listening(|_| ())
    }

    fn local_host(&self) -> Option<String> {
        None
    }

    async fn close(&self) {
        *lock(&self.handle.state) = HandleState::Closed;
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.handle.signals.subscribe()
    }

    async fn time(&self) -> CoordinationResult<ServerTime> {
        self.step(|_, now| now)
    }

    fn server(&self) -> Option<ServerId> {
        self.handle.with_listening(|_| ()).ok().map(|()| lock(&self.store.shared.tables).server.clone())
    }

    fn warning(&self) -> Option<String> {
        None
    }

    async fn secret(&self) -> CoordinationResult<String> {
        self.step(|tables, _| membership::identity(tables, None).secret.clone())
    }

    async fn register(&self, record: &BrokerRecord, ttl: Duration) -> CoordinationResult<Registration> {
        self.step(|tables, now| membership::register(tables, record, ttl, now))
    }

    async fn announce(&self, announcement: &Announcement) -> CoordinationResult<Registration> {
        self.step(|tables, now| healing::announce(tables, announcement, now))
    }

    async fn restore(&self, owner: &Incarnation, held: &[Held]) -> CoordinationResult<Restoration> {
        self.step(|tables, now| healing::restore(tables, owner, held, now))
    }

    async fn settle(&self, owner: &Incarnation, joined: &Joined) -> CoordinationResult<bool> {
        self.step(|tables, _| healing::settle(tables, owner, joined))
    }

    async fn renew(&self, incarnation: &Incarnation, ttl: Duration) -> CoordinationResult<Renewal> {
        self.step(|tables, now| membership::renew(tables, incarnation, ttl, now))
    }

    async fn update(&self, record: &BrokerRecord) -> CoordinationResult<bool> {
        self.step(|tables, now| membership::update(tables, record, now))
    }

    async fn look(&self, by: &Incarnation, known: Option<&Known>) -> CoordinationResult<Look> {
        self.step(|tables, now| roll::look(tables, by, known, now))
    }

    async fn find_member(&self, incarnation: &Incarnation) -> CoordinationResult<Sighting> {
        self.step(|tables, now| roll::find_member(tables, incarnation, now))
    }

    async fn scan(&self, by: &Incarnation) -> CoordinationResult<Membership> {
        self.step(|tables, now| membership::scan(tables, by, now))
    }

    async fn place(&self, request: &PlaceRequest) -> CoordinationResult<Placement> {
        self.step(|tables, now| placement::place(tables, request, now))
    }

    async fn activate(&self, owner: &Incarnation, ids: &[WorkerId]) -> CoordinationResult<Activation> {
        self.step(|tables, _| entries::activate(tables, owner, ids))
    }

    async fn confirm(&self, owner: &Incarnation, activations: &[(WorkerId, Epoch)]) -> CoordinationResult<Vec<bool>> {
        self.step(|tables, _| {
            activations.iter().map(|(id, epoch)| entries::confirm(tables, owner, id, *epoch)).collect()
        })
    }

    async fn release(&self, owner: &Incarnation, releases: &[Release]) -> CoordinationResult<Vec<bool>> {
        self.step(|tables, now| releases.iter().map(|release| entries::release(tables, owner, release, now)).collect())
    }

    async fn sleep(&self, owner: &Incarnation, sleeps: &[Sleep]) -> CoordinationResult<Vec<Slept>> {
        self.step(|tables, now| sleeps.iter().map(|sleep| idle::sleep(tables, owner, sleep, now)).collect())
    }

    async fn ring(&self, request: &RingRequest) -> CoordinationResult<Ring> {
        self.step(|tables, now| idle::ring(tables, request, now))
    }

    async fn withdraw(&self, owner: &Incarnation, id: &WorkerId, epoch: Epoch) -> CoordinationResult<bool> {
        self.step(|tables, now| entries::withdraw(tables, owner, id, epoch, now))
    }

    async fn set_load(&self, owner: &Incarnation, changes: &[LoadChange]) -> CoordinationResult<Vec<bool>> {
        self.step(|tables, _| changes.iter().map(|change| entries::set_load(tables, owner, change)).collect())
    }

    async fn locate(&self, id: &WorkerId) -> CoordinationResult<Location> {
        self.step(|tables, _| entries::locate(tables, id))
    }

    async fn claim(&self, request: &ClaimRequest) -> CoordinationResult<Claim> {
        self.step(|tables, now| placement::claim(tables, request, now))
    }

    async fn evict(
        &self,
        by: &Incarnation,
        dead: &Incarnation,
        death: &Death,
        limit: usize,
    ) -> CoordinationResult<Eviction> {
        self.step(|tables, now| membership::evict(tables, by, dead, death, limit, now))
    }

    async fn leave(&self, incarnation: &Incarnation, fate: Fate, limit: usize) -> CoordinationResult<u64> {
        self.step(|tables, now| membership::leave(tables, incarnation, fate, limit, now))
    }

    async fn pardon(&self, id: &WorkerId) -> CoordinationResult<bool> {
        self.step(|tables, now| entries::pardon(tables, id, now))
    }

    async fn commit(&self, owner: &Incarnation, commits: &[Commit]) -> CoordinationResult<Vec<Committed>> {
        self.step(|tables, _| commits.iter().map(|commit| entries::commit(tables, owner, commit)).collect())
    }

    async fn erase(&self, id: &WorkerId, epoch: Option<Epoch>) -> CoordinationResult<Erasure> {
        self.step(|tables, _| entries::erase(tables, id, epoch))
    }

    async fn owned(&self, owner: &Incarnation, offset: usize, limit: usize) -> CoordinationResult<Vec<Owned>> {
        self.step(|tables, now| entries::owned(tables, owner, offset, limit, now))
    }

    async fn request_restart(&self) -> CoordinationResult<u64> {
        self.step(|tables, _| membership::request_restart(tables))
    }

    async fn complain(&self, about: &Incarnation, by: &Incarnation, complaint: Complaint) -> CoordinationResult<()> {
        let signal = Signal::Unusable { about: about.clone(), by: by.clone(), complaint };
        self.step(|tables, _| tables.hint(signal))
    }

    async fn is_listening(&self, incarnation: &Incarnation) -> CoordinationResult<bool> {
        self.handle.with_listening(|_| ())?;
        let listens =
            |handle: &Arc<Handle>| handle.with_listening(|name| name.as_ref() == Some(incarnation)) == Ok(true);
        Ok(self.store.live_handles().iter().any(listens))
    }

    async fn listen_as(&self, incarnation: Option<&Incarnation>) -> CoordinationResult<()> {
        self.handle.with_listening(|name| *name = incarnation.cloned())
    }
}
