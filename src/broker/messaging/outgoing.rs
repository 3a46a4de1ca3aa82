//! The way of a message out: on the JavaScript thread, straight into the peer's outbox where the route is known.

use crate::broker::activation::cancellation::aborted;
use crate::broker::activation::creators::Creators;
use crate::broker::activation::workers::Workers;
use crate::broker::calls::in_flight::InFlight;
use crate::broker::calls::table::Waiter;
use crate::broker::context::shared::Context;
use crate::broker::directory::lane::{Outgoing, Route};
use crate::broker::directory::routes::Routes;
use crate::broker::js::event::{Event, Mark};
use crate::broker::lease::room::Lease;
use crate::broker::membership::eviction::Deaths;
use crate::broker::membership::heartbeat::Watch;
use crate::broker::membership::members::Members;
use crate::broker::messaging::refusals::Refusals;
use crate::broker::output::failure::send_failure;
use crate::broker::output::gate::Output;
use crate::clock::boot_millis;
use crate::error::{Code, Delivered, Failure, Outcome};
use crate::ids::WorkerId;
use crate::transport::SendError;
use crate::wire::message::{EnvelopeRef, PayloadRef};
use std::ptr;
use std::sync::Arc;

#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Sent {
    /// It is in the transport's hands, or the worker's.
    HandedOver,
    /// It waits for a route.
    Parked,
}

/// Asks, tells and answers of one incarnation.
pub struct Messages {
    pub(super) context: Arc<Context>,
    pub(super) lease: Arc<Lease>,
    pub(super) members: Arc<Members>,
    pub(super) watch: Arc<Watch>,
    pub(super) deaths: Arc<Deaths>,
    pub(super) calls: Arc<InFlight>,
    pub(super) output: Arc<Output>,
    pub(super) routes: Arc<Routes>,
    pub(super) workers: Arc<Workers>,
    pub(super) creators: Arc<Creators>,
    /// Whose messages go back because this incarnation was suspended, or the worker was not here.
    pub(super) refusals: Refusals,
}

impl Messages {
    #[allow(clippy::too_many_arguments)] // Each is a room below, handed over once.
    pub fn new(
        context: &Arc<Context>,
        lease: &Arc<Lease>,
        members: &Arc<Members>,
        watch: &Arc<Watch>,
        deaths: &Arc<Deaths>,
        calls: &Arc<InFlight>,
        output: &Arc<Output>,
        routes: &Arc<Routes>,
        workers: &Arc<Workers>,
        creators: &Arc<Creators>,
    ) -> Arc<Self> {
        Arc::new(Self {
            context: context.clone(),
            lease: lease.clone(),
            members: members.clone(),
            watch: watch.clone(),
            deaths: deaths.clone(),
            calls: calls.clone(),
            output: output.clone(),
            routes: routes.clone(),
            workers: workers.clone(),
            creators: creators.clone(),
            refusals: Refusals::default(),
        })
    }

    /// Asks: the answer comes as an event under the slot.
    pub fn ask(
        self: &Arc<Self>,
        worker: &str,
        method: &str,
        payload: PayloadRef<'_>,
        slot: u64,
        timeout: u64,
        recipe: u32,
    ) {
        let now = boot_millis();
        let deadline = now.saturating_add(timeout);
        let envelope = EnvelopeRef::new(worker, method, payload);
        self.send_ask(Outgoing { envelope, slot, is_ask: true, deadline, makes: recipe > 0 }, recipe, now);
    }

    /// The same of a message that is complete. `recipe`: the number of what its worker is made from; 0: it makes none.
    pub fn send_ask(self: &Arc<Self>, outgoing: Outgoing<EnvelopeRef<'_>>, recipe: u32, now: u64) {
        self.calls.open(outgoing.slot, outgoing.deadline, Waiter::JavaScript);
        if let Err(failure) = self.send(outgoing, recipe, now) {
            self.calls.fail(outgoing.slot, failure);
        }
    }

    /// Tells. `true`: handed over; otherwise an event comes under the slot.
    pub fn tell(self: &Arc<Self>, worker: &str, method: &str, payload: PayloadRef<'_>, slot: u64, recipe: u32) -> bool {
        let now = boot_millis();
        let deadline = now.saturating_add(self.context.config.retries.duration);
        let envelope = EnvelopeRef::new(worker, method, payload);
        let outgoing = Outgoing { envelope, slot, is_ask: false, deadline, makes: recipe > 0 };
        match self.send(outgoing, recipe, now) {
            Ok(sent) => sent == Sent::HandedOver,
            Err(failure) => {
                self.context.inbox.push(Event::failed(slot, failure));
                false
            }
        }
    }

    fn send(self: &Arc<Self>, mut outgoing: Outgoing<EnvelopeRef<'_>>, recipe: u32, now: u64) -> Outcome<Sent> {
        let (worker, size) = (outgoing.envelope.worker, outgoing.envelope.payload.bytes.len());
        if size > self.context.config.max_message_bytes {
            return Err(send_failure(SendError::TooLarge { length: size, max: self.context.config.max_message_bytes }));
        }
        let mut lanes = self.routes.lanes();
        let lane = lanes.lane(worker, now);
        if outgoing.makes && lane.recipe.is_none() {
            lane.recipe = self.context.recipe(recipe);
        }
        let mut sequence = None;
        if lane.queue.is_empty() {
            match &lane.route {
                Route::Remote { connection, epoch } if connection.is_open() => {
                    let connection = connection.clone();
                    outgoing.envelope.epoch = *epoch;
                    let number = lane.next_sequence();
                    outgoing.envelope.sequence = number;
                    match self.routes.write(&connection, lane.number, &outgoing, now) {
                        Ok(()) => {
                            lane.wrote(number);
                            self.output.mark_dirty(&connection);
                            return Ok(Sent::HandedOver);
                        }
                        Err(SendError::Closed) => {
                            lane.route = Route::None;
                            sequence = Some(number);
                        }
                        Err(error) => return Err(send_failure(error)),
                    }
                }
                // A worker here gets nothing at the moment: the search for a route waits for the lease.
                Route::Local { epoch } if !self.lease.is_suspended() => {
                    outgoing.envelope.epoch = *epoch;
                    let number = lane.next_sequence();
                    outgoing.envelope.sequence = number;
                    if self.context.inbox.is_full() {
                        return Err(Failure::new(
                            Code::Overloaded,
                            "The queue of messages for this process's JavaScript is full.",
                        ));
                    }
                    let envelope = outgoing.envelope.copied();
                    match self.workers.deliver_here(outgoing.call(), outgoing.deadline, envelope) {
                        Ok(()) => {
                            lane.wrote(number);
                            return Ok(Sent::HandedOver);
                        }
                        Err(Some(failure)) => return Err(failure),
                        Err(None) => {
                            let sync = self.context.next_call();
                            lanes.fence_here(worker, sync);
                            self.context.inbox.push(Event::Mark(Mark::Local { sync }));
                            sequence = Some(number);
                        }
                    }
                }
                _ => {}
            }
        }
        if !lanes.has_room(worker, size) {
            return Err(Failure::new(Code::Overloaded, "The queue of messages whose route is not known yet is full."));
        }
        let lane = lanes.lane(worker, now);
        outgoing.envelope.sequence = sequence.unwrap_or_else(|| lane.next_sequence());
        let resolve = !lane.resolving && !matches!(lane.route, Route::Fence { .. });
        lane.resolving |= resolve;
        lanes.park(worker, outgoing.copied());
        if !outgoing.is_ask {
            self.routes.watch_fence(&mut lanes, worker);
        }
        drop(lanes);
        if resolve {
            self.context.spawn("resolve", self.routes.clone().resolve(WorkerId::new(worker)));
        }
        Ok(Sent::Parked)
    }

    /// An ask of the handler of `inbound`, which a broker of the same process handles: it ends with the call that is being
    /// handled, and names the workers that wait for it. `home`: the workers of the handler's broker.
    pub fn ask_for(self: &Arc<Self>, home: &Workers, inbound: u64, outgoing: Outgoing<EnvelopeRef<'_>>, recipe: u32) {
        let chain;
        let mut outgoing = outgoing;
        let now = boot_millis();
        let scope = home.scope(inbound);
        if let Some(scope) = scope {
            outgoing.deadline = outgoing.deadline.min(scope.deadline);
            let failure = if scope.cancelled {
                Some(aborted(
                    "The caller no longer waits for the answer to the call that is being handled.",
                    Delivered::No,
                ))
            } else if outgoing.deadline <= now {
                let text = "The deadline of the call that is being handled has passed.";
                Some(Failure::new(Code::Timeout, text).with_delivered(Delivered::No))
            } else {
                None
            };
            if let Some(failure) = failure {
                self.context.inbox.push(Event::failed(outgoing.slot, failure));
                return;
            }
            chain = home.chain_of_ask(inbound, &scope);
            outgoing.envelope.chain = &chain;
            // A call of another broker ends at its deadline: its number means nothing to the handler's own.
            if ptr::eq(&*self.workers, home) {
                home.add_call(inbound, outgoing.slot);
            }
        }
        self.send_ask(outgoing, recipe, now);
    }
}
