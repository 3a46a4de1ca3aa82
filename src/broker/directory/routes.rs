//! The routes of one incarnation: one lane a worker, and the messages that wait in it.

use crate::broker::calls::in_flight::InFlight;
use crate::broker::calls::table::{Call, Place};
use crate::broker::context::shared::Context;
use crate::broker::directory::complaints::Reports;
use crate::broker::directory::lane::Outgoing;
use crate::broker::directory::lanes::Lanes;
use crate::broker::js::event::Event;
use crate::broker::lease::room::Lease;
use crate::broker::membership::members::Members;
use crate::clock::boot_millis;
use crate::coordination::{Owner, PlaceRequest};
use crate::error::{Code, Failure};
use crate::ids::{Epoch, WorkerId};
use crate::level::Level;
use crate::lock::lock;
use crate::wire::call_chain::Chain;
use crate::wire::message::Envelope;
use std::collections::HashSet;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

/// The workers of this broker, which live in a room above: what a search for a route needs of them.
#[async_trait::async_trait]
pub trait Local: Send + Sync {
    /// Whether the worker lives here.
    fn is_here(&self, worker: &WorkerId) -> bool;
    /// Takes up a worker that the registry gives to this broker. `chain`: the workers that wait for that. `None`: the
    /// broker ended meanwhile.
    async fn take_up(&self, worker: &WorkerId, chain: Chain) -> Option<Result<(), Failure>>;
    /// Gives a message to a worker that lives here. `call` and its deadline: of an ask; 0 for a tell. `Err(None)`: the worker
    /// does not live here, or not under this epoch.
    fn deliver(&self, call: u64, deadline: u64, envelope: Envelope) -> Result<(), Option<Failure>>;
}

/// What makes workers, in a room above.
#[async_trait::async_trait]
pub trait Maker: Send + Sync {
    /// Makes or wakes the worker that this request names, and waits until it is active somewhere: its owner and epoch. `chain`: the
    /// workers that wait for that.
    async fn activate(self: Arc<Self>, request: PlaceRequest, chain: Chain) -> Result<(Owner, Epoch), Failure>;
}

/// Routes to workers, and the messages that wait for one.
pub struct Routes {
    pub(super) context: Arc<Context>,
    pub(super) lease: Arc<Lease>,
    pub(super) members: Arc<Members>,
    pub(super) calls: Arc<InFlight>,
    pub(super) reports: Arc<Reports>,
    lanes: Mutex<Lanes>,
    /// Workers whose broker is looked for.
    pub(super) resolving: AtomicUsize,
    /// Set once, before the incarnation is known to anybody else. Weak: it owns this.
    local: OnceLock<Weak<dyn Local>>,
    /// The same.
    maker: OnceLock<Weak<dyn Maker>>,
}

impl Routes {
    pub(super) fn new(
        context: &Arc<Context>,
        lease: &Arc<Lease>,
        members: &Arc<Members>,
        calls: &Arc<InFlight>,
        reports: &Arc<Reports>,
    ) -> Arc<Self> {
        let routes = &context.config.routes;
        Arc::new(Self {
            context: context.clone(),
            lease: lease.clone(),
            members: members.clone(),
            calls: calls.clone(),
            reports: reports.clone(),
            lanes: Mutex::new(Lanes::new(routes.max, routes.max_age)),
            resolving: AtomicUsize::new(0),
            local: OnceLock::new(),
            maker: OnceLock::new(),
        })
    }

    /// The workers of this broker, set once.
    pub fn set_local(&self, local: Weak<dyn Local>) {
        let _ = self.local.set(local);
    }

    /// What makes workers, set once.
    pub fn set_maker(&self, maker: Weak<dyn Maker>) {
        let _ = self.maker.set(maker);
    }

    pub(super) fn maker(&self) -> Option<Arc<dyn Maker>> {
        self.maker.get()?.upgrade()
    }

    /// `None` while the incarnation is dropped.
    pub(super) fn local(&self) -> Option<Arc<dyn Local>> {
        self.local.get()?.upgrade()
    }

    /// The lanes, until the guard is dropped. While it is held nothing is written to a worker.
    pub fn lanes(&self) -> MutexGuard<'_, Lanes> {
        lock(&self.lanes)
    }

    /// Every message that still waits is failed: the incarnation ended. (Asks fail with their calls.)
    pub fn fail_everything(&self) {
        let parked = self.lanes().drain();
        for parked in parked {
            if parked.tell_slot() > 0 {
                let failure = Failure::new(Code::State, "The broker was closed.");
                self.context.inbox.push(Event::failed(parked.tell_slot(), failure));
            }
        }
    }

    /// Calls that ended without an answer: their workers may live elsewhere.
    pub fn doubt_routes(&self, unanswered: &[(u64, Call)]) {
        let over = |(_, call): &(u64, Call)| match call.place {
            Place::There { connection } if call.lane > 0 => Some((call.lane, connection)),
            _ => None,
        };
        let unanswered: HashSet<(u64, u64)> = unanswered.iter().filter_map(over).collect();
        if !unanswered.is_empty() {
            self.lanes().doubt(&unanswered);
        }
    }

    /// Fails the tells whose time has ended.
    pub(super) fn fail_late_tells(&self, worker: &WorkerId) {
        let now = boot_millis();
        let late = |parked: &Outgoing| !parked.is_ask && parked.deadline <= now;
        let expired = self.lanes().take_if(worker.as_str(), late);
        let failure = Failure::new(
            Code::Unreachable,
            format!("No broker that runs worker \"{worker}\" was found before the deadline."),
        );
        expired.into_iter().for_each(|parked| self.fail_parked(worker, parked, &failure));
    }

    /// Behind a fence nobody looks for a route: tells whose time ends meanwhile fail then.
    pub fn watch_fence(self: &Arc<Self>, lanes: &mut Lanes, worker: &str) {
        let Some(lane) = lanes.get_mut(worker) else { return };
        if !lane.watched && lane.next_of_fence().is_some() {
            lane.watched = true;
            self.context.spawn("fence", self.clone().keep_fence(WorkerId::new(worker)));
        }
    }

    async fn keep_fence(self: Arc<Self>, worker: WorkerId) {
        loop {
            let next = {
                let mut lanes = self.lanes();
                let Some(lane) = lanes.get_mut(worker.as_str()) else { return };
                let next = lane.next_of_fence();
                lane.watched = next.is_some();
                next
            };
            let Some(next) = next else { return };
            tokio::time::sleep(Duration::from_millis(next.saturating_sub(boot_millis()))).await;
            self.fail_late_tells(&worker);
        }
    }

    /// Until the first deadline of those that wait for this worker's route; `None`: there are none.
    pub(super) fn until_next(&self, worker: &WorkerId, counts: impl Fn(&Outgoing) -> bool) -> Option<Duration> {
        let mut lanes = self.lanes();
        let waiting = lanes.get_mut(worker.as_str())?.queue.iter().filter(|parked| counts(parked));
        let next = waiting.map(|parked| parked.deadline).min()?;
        Some(Duration::from_millis(next.saturating_sub(boot_millis())))
    }

    /// A message that waited cannot be sent: its sender is told, or the log.
    pub fn fail_parked(&self, worker: &WorkerId, parked: Outgoing, failure: &Failure) {
        if parked.is_ask {
            self.calls.fail(parked.slot, failure.clone());
        } else if parked.tell_slot() > 0 {
            self.context.inbox.push(Event::failed(parked.tell_slot(), failure.clone()));
        } else {
            self.context.log(Level::Warn, format!("A tell to worker \"{worker}\" was dropped: {failure}"));
        }
    }

    /// A message came back and cannot be sent again.
    pub fn give_up(&self, worker: &WorkerId, call: u64, code: Code) {
        let code = if code == Code::WorkerNotFound { Code::Unreachable } else { code };
        let failure = Failure::new(code, format!("The broker refused the message to worker \"{worker}\"."));
        if call > 0 {
            self.calls.fail(call, failure);
        } else {
            self.context
                .log(Level::Warn, format!("A tell to worker \"{worker}\" was dropped: {}.", failure.code.as_str()));
        }
    }
}
