//! The workers that live here and the messages that they handle: the two tables, and what others may ask of them.

use crate::broker::activation::catalog::{Admission, Creator, Resident, Residents, State};
use crate::broker::activation::registrar::Registrar;
use crate::broker::activation::requests::{AskPlace, Inbound, Scope};
use crate::broker::calls::in_flight::InFlight;
use crate::broker::context::numbers::Numbers;
use crate::broker::context::shared::Context;
use crate::broker::directory::lane::Route;
use crate::broker::directory::routes::Routes;
use crate::broker::js::delivery::{Delivery, Handle, Origin};
use crate::broker::js::event::Event;
use crate::broker::lease::room::Lease;
use crate::broker::membership::members::Members;
use crate::broker::output::gate::Output;
use crate::clock::boot_millis;
use crate::coordination::{CoordinationResult, Held, CHUNK, MAX_LOAD};
use crate::ids::{Epoch, WorkerId};
use crate::lock::lock;
use crate::wire::call_chain::Chain;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::futures::Notified;
use tokio::sync::Notify;

/// The workers of one incarnation. Where two locks are held, those of lanes come before residents, and residents before
/// requests.
pub struct Workers {
    pub(super) context: Arc<Context>,
    pub(super) lease: Arc<Lease>,
    pub(super) members: Arc<Members>,
    pub(super) calls: Arc<InFlight>,
    pub(super) output: Arc<Output>,
    pub(super) routes: Arc<Routes>,
    pub(super) residents: Mutex<Residents>,
    pub(super) inbound: Mutex<Inbound>,
    pub(super) registrar: Registrar,
    /// A resident left, for whoever waits until all have.
    pub(super) departed: Notify,
    /// What stands under this incarnation should be compared with what lives here.
    audit: Notify,
}

impl Workers {
    pub(super) fn new(
        context: &Arc<Context>,
        lease: &Arc<Lease>,
        members: &Arc<Members>,
        calls: &Arc<InFlight>,
        output: &Arc<Output>,
        routes: &Arc<Routes>,
        numbers: &Numbers,
    ) -> Arc<Self> {
        Arc::new(Self {
            context: context.clone(),
            lease: lease.clone(),
            members: members.clone(),
            calls: calls.clone(),
            output: output.clone(),
            routes: routes.clone(),
            residents: Mutex::new(Residents::new(numbers.handles(), numbers.inbound())),
            inbound: Mutex::new(Inbound::new(numbers.inbound())),
            registrar: Registrar::default(),
            departed: Notify::new(),
            audit: Notify::new(),
        })
    }

    /// Whether the worker lives here.
    pub fn is_here(&self, worker: &WorkerId) -> bool {
        lock(&self.residents).handle(worker.as_str()).is_some()
    }

    /// How many workers live here.
    pub fn count(&self) -> usize {
        lock(&self.residents).len()
    }

    /// The workers that live here.
    pub fn handles(&self) -> Vec<Handle> {
        lock(&self.residents).iter().map(|(handle, _)| handle).collect()
    }

    /// The workers that are active.
    pub fn active(&self) -> Vec<Handle> {
        let residents = lock(&self.residents);
        let active = residents.iter().filter(|(_, resident)| resident.state == State::Active);
        active.map(|(handle, _)| handle).collect()
    }

    /// Workers that ended for good, as the registry is to have them.
    pub fn finished(&self) -> Vec<Held> {
        let mut residents = lock(&self.residents);
        residents.iter_mut().filter(|resident| resident.finished).map(Resident::finish).collect()
    }

    /// Looks at every worker that lives here.
    pub fn inspect<T>(&self, look: impl FnMut((Handle, &Resident)) -> T) -> Vec<T> {
        lock(&self.residents).iter().map(look).collect()
    }

    /// For whoever waits until a worker has left.
    pub fn next_departure(&self) -> Notified<'_> {
        self.departed.notified()
    }

    /// The load of the workers that live here, as the registry counts it.
    pub fn load(&self) -> u64 {
        lock(&self.residents).iter().map(|(_, resident)| resident.load.min(MAX_LOAD)).sum()
    }

    /// JavaScript reports what a worker costs.
    pub fn set_load(&self, handle: Handle, load: u64) {
        let mut residents = lock(&self.residents);
        let Some(resident) = residents.get_mut(handle) else { return };
        if resident.load != load {
            resident.load = load;
            let (id, epoch) = (resident.id.clone(), resident.epoch);
            drop(residents);
            self.registrar.load(id, epoch, load);
        }
    }

    /// What stands under this incarnation should be compared with what lives here.
    pub fn audit(&self) {
        self.audit.notify_one();
    }

    /// Waits until that comparison is wanted.
    pub(super) async fn audit_wanted(&self) {
        self.audit.notified().await;
    }

    /// What stands under this incarnation in the registry.
    pub(super) async fn read_own(&self) -> CoordinationResult<HashMap<WorkerId, Epoch>> {
        let mut own = HashMap::new();
        loop {
            let page = self.context.coordinator.owned(&self.context.incarnation, own.len(), CHUNK).await?;
            let full = page.len() == CHUNK;
            own.extend(page.into_iter().map(|owned| (owned.id, owned.epoch)));
            if !full {
                return Ok(own);
            }
        }
    }

    /// Takes up a worker that stands under this incarnation.
    pub fn take_up(&self, worker: WorkerId, creator: Option<Creator>) {
        self.registrar.take_up(worker, creator);
    }

    /// Lets a message in, or says why not.
    pub fn admit(&self, delivery: Delivery) -> Admission {
        lock(&self.residents).admit(delivery)
    }

    /// Waits until a worker that is just leaving has given back what waited for it.
    pub fn wait_for_departures(&self) {
        drop(lock(&self.residents));
    }

    /// An ask begins; its number.
    pub fn open_ask(&self, place: AskPlace, deadline: u64, chain: Chain) -> u64 {
        lock(&self.inbound).open(place, deadline, chain)
    }

    /// Its `onCreate` or `onDestroy` begins to make calls: a number for them, so that they know who waits. Given back by
    /// [`Workers::handled`].
    pub fn open_step(&self, handle: Handle) -> u64 {
        lock(&self.inbound).open_step(handle)
    }

    /// The number of an open ask of this peer's call.
    pub fn find_ask(&self, connection: u64, call: u64) -> Option<u64> {
        lock(&self.inbound).find(connection, call)
    }

    /// Forgets asks of this connection that nobody waits for any more; how many.
    pub fn forget_expired(&self, connection: u64) -> usize {
        lock(&self.inbound).forget_expired(connection, boot_millis())
    }

    /// What a call of this handler takes over; `None` when it has ended.
    pub fn scope(&self, inbound: u64) -> Option<Scope> {
        lock(&self.inbound).scope(inbound)
    }

    /// A handler made this call.
    pub fn add_call(&self, inbound: u64, call: u64) {
        lock(&self.inbound).add_call(inbound, call, |call| self.calls.is_waiting(call));
    }

    /// JavaScript wants to hear when nobody waits for this ask any more. Its deadline, its origin, whether that is so.
    pub fn watch(&self, inbound: u64) -> Option<(u64, Origin, bool)> {
        lock(&self.inbound).watch(inbound)
    }

    /// No handler started for this ask after all.
    pub fn not_started(&self, inbound: u64) {
        lock(&self.inbound).give_to(inbound, 0);
    }

    /// Whether there are asks that nobody waits for: only then it pays to look at each.
    pub fn has_cancelled(&self) -> bool {
        lock(&self.inbound).has_cancelled()
    }

    /// This broker leaves: no worker waits for the asks that it handles.
    pub fn await_no_end(&self) {
        lock(&self.inbound).await_no_end();
    }

    /// When JavaScript may give messages of its broker to a worker of the same broker without the core: as long as nothing
    /// else is on its way from this broker to that worker; then the order is JavaScript's own. Only for workers that handle
    /// messages side by side: turns are kept here. JavaScript ends it by itself, before it reports that the worker goes,
    /// and when this broker cannot prove that it lives.
    ///
    /// `true`: an event comes behind all that this broker has sent to the worker. From the JavaScript thread.
    pub fn open_direct(&self, worker: &str, handle: Handle) -> bool {
        let mut lanes = self.routes.lanes();
        let lane = lanes.lane(worker, boot_millis());
        let Route::Local { epoch } = lane.route else { return false };
        if !lane.queue.is_empty() || self.lease.is_suspended() {
            return false;
        }
        let is_open = lock(&self.residents).by_id_mut(worker).is_some_and(|(here, resident)| {
            here == handle && resident.epoch == epoch && resident.state == State::Active && resident.turns.is_none()
        });
        if is_open {
            self.context.inbox.push_quietly(Event::Direct { handle });
        }
        is_open
    }

    /// Whether an idle worker may leave memory now: not while the registry is not reached or is being restored, because it could not be
    /// woken then.
    pub fn may_sleep(&self) -> bool {
        let server = self.context.coordinator.server();
        !self.context.is_leaving()
            && self.lease.holds()
            && self.lease.was_renewed_recently()
            && server.is_some_and(|server| self.members.is_server(&server))
    }

    /// Whether this incarnation holds the worker, and can prove that it lives.
    pub fn proves(&self, handle: Handle) -> bool {
        self.lease.holds() && lock(&self.residents).get_mut(handle).is_some()
    }
}
