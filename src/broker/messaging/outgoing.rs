//! The way of a message out: on the JavaScript thread, straight into the peer's outbox where the route is known.

use crate::broker::activation::cancellation::aborted;
use crate::broker::activation::catalog::Admission;
use crate::broker::activation::creators::Creators;
use crate::broker::activation::turns::{cycle, ending};
use crate::broker::activation::workers::Workers;
use crate::broker::calls::in_flight::InFlight;
use crate::broker::calls::table::{time_left, Place, Waiter};
use crate::broker::context::shared::Context;
use crate::broker::directory::lane::{Parked, Route};
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
use crate::ids::{Epoch, WorkerId};
use crate::transport::{Connection, SendError};
use crate::wire::call_chain::Chain;
use crate::wire::codec::{self, Address};
use crate::wire::message::PayloadRef;
use bytes::Bytes;
use std::ptr;
use std::sync::Arc;

/// A message as JavaScript gives it.
pub struct Outgoing<'a> {
    pub worker: &'a str,
    pub method: &'a str,
    pub payload: PayloadRef<'a>,
    /// The number under which JavaScript waits.
    pub slot: u64,
    pub ask: bool,
    /// On the local clock: when an ask ends; until when a tell looks for a route.
    pub deadline: u64,
    /// Whose turns wait for the answer.
    pub chain: Chain,
    /// The number of what its worker is made from, where there is none; 0: it makes none.
    pub recipe: u32,
}

impl Outgoing<'_> {
    fn parked(&self, sequence: u32) -> Parked {
        Parked {
            sequence,
            call: if self.ask { self.slot } else { 0 },
            tell_slot: if self.ask { 0 } else { self.slot },
            deadline: self.deadline,
            method: Bytes::copy_from_slice(self.method.as_bytes()),
            chain: self.chain.clone(),
            payload: self.payload.copied(),
            makes: self.recipe > 0,
        }
    }
}

#[derive(PartialEq, Eq, Debug)]
pub enum Sent {
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
        self.send_ask(
            &Outgoing { worker, method, payload, slot, ask: true, deadline, chain: Chain::EMPTY, recipe },
            now,
        );
    }

    pub fn send_ask(self: &Arc<Self>, outgoing: &Outgoing<'_>, now: u64) {
        self.calls.open(outgoing.slot, outgoing.deadline, Waiter::JavaScript);
        if let Err(failure) = self.send(outgoing, now) {
            self.calls.fail(outgoing.slot, failure);
        }
    }

    /// Tells. `true`: handed over; otherwise an event comes under the slot.
    pub fn tell(self: &Arc<Self>, worker: &str, method: &str, payload: PayloadRef<'_>, slot: u64, recipe: u32) -> bool {
        let now = boot_millis();
        let deadline = now.saturating_add(self.context.config.retries.duration);
        let outgoing = Outgoing { worker, method, payload, slot, ask: false, deadline, chain: Chain::EMPTY, recipe };
        match self.send(&outgoing, now) {
            Ok(sent) => sent == Sent::HandedOver,
            Err(failure) => {
                self.context.inbox.push(Event::failed(slot, failure));
                false
            }
        }
    }

    fn send(self: &Arc<Self>, outgoing: &Outgoing<'_>, now: u64) -> Outcome<Sent> {
        let size = outgoing.payload.bytes.len();
        if size > self.context.config.max_message_bytes {
            return Err(send_failure(SendError::TooLarge { length: size, max: self.context.config.max_message_bytes }));
        }
        let mut lanes = self.routes.lanes();
        let lane = lanes.lane(outgoing.worker, now);
        if outgoing.recipe > 0 && lane.recipe.is_none() {
            lane.recipe = self.context.recipe(outgoing.recipe);
        }
        let mut sequence = None;
        if lane.queue.is_empty() {
            match &lane.route {
                Route::Remote { connection, epoch } if connection.is_open() => {
                    let (connection, epoch) = (connection.clone(), *epoch);
                    let number = lane.next_sequence();
                    let lane_number = lane.number;
                    match self.write(&connection, lane_number, outgoing, epoch, number, now) {
                        Ok(()) => {
                            lane.wrote(number);
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
                    let epoch = *epoch;
                    let number = lane.next_sequence();
                    if self.context.inbox.is_full() {
                        return Err(Failure::new(
                            Code::Overloaded,
                            "The queue of messages for this process's JavaScript is full.",
                        ));
                    }
                    match self.workers.deliver_here(outgoing.worker, epoch, &outgoing.parked(number)) {
                        Admission::Ready(_) | Admission::Held => {
                            lane.wrote(number);
                            return Ok(Sent::HandedOver);
                        }
                        Admission::Full(_) => {
                            return Err(Failure::new(Code::Overloaded, "The queue of messages for the worker is full."))
                        }
                        Admission::Cycle(delivery) => return Err(cycle(&delivery)),
                        Admission::Ending(delivery, refusal) => return Err(ending(&delivery, refusal)),
                        Admission::Absent(_) => {
                            let sync = self.context.next_call();
                            lanes.fence_here(outgoing.worker, sync);
                            self.context.inbox.push(Event::Mark(Mark::Local { sync }));
                            sequence = Some(number);
                        }
                    }
                }
                _ => {}
            }
        }
        if !lanes.has_room(outgoing.worker, size) {
            return Err(Failure::new(Code::Overloaded, "The queue of messages whose route is not known yet is full."));
        }
        let lane = lanes.lane(outgoing.worker, now);
        let sequence = sequence.unwrap_or_else(|| lane.next_sequence());
        let resolve = !lane.resolving && !matches!(lane.route, Route::Fence { .. });
        lane.resolving |= resolve;
        lanes.park(outgoing.worker, outgoing.parked(sequence));
        if !outgoing.ask {
            self.routes.watch_fence(&mut lanes, outgoing.worker);
        }
        drop(lanes);
        if resolve {
            self.context.spawn("resolve", self.routes.clone().resolve(WorkerId::new(outgoing.worker)));
        }
        Ok(Sent::Parked)
    }

    fn write(
        &self,
        to: &Arc<Connection>,
        lane: u64,
        outgoing: &Outgoing<'_>,
        epoch: Epoch,
        sequence: u32,
        now: u64,
    ) -> Result<(), SendError> {
        let (max, payload) = (to.max_message_bytes(), outgoing.payload);
        let time_left = if outgoing.ask { time_left(outgoing.deadline, now) } else { 0 };
        let method = outgoing.method.as_bytes();
        let address = Address { time_left, epoch, sequence, worker: outgoing.worker, method, chain: &outgoing.chain };
        if outgoing.ask {
            // Before it is written: the answer may be faster than this thread.
            self.calls.route_over(outgoing.slot, to.id(), lane);
            let written = to.send_with(|out| codec::encode_ask(out, max, outgoing.slot, address, payload));
            if written.is_err() {
                self.calls.route(outgoing.slot, Place::Nowhere);
            }
            written?;
        } else {
            to.send_with(|out| codec::encode_tell(out, max, address, payload))?;
        }
        self.output.mark_dirty(to);
        Ok(())
    }

    /// An ask of the handler of `inbound`, which a broker of the same process handles: it ends with the call that is being
    /// handled, and names the workers that wait for it. `home`: the workers of the handler's broker.
    pub fn ask_for(self: &Arc<Self>, home: &Workers, inbound: u64, mut outgoing: Outgoing<'_>) {
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
            outgoing.chain = home.chain_of_ask(inbound, &scope);
            // A call of another broker ends at its deadline: its number means nothing to the handler's own.
            if ptr::eq(&*self.workers, home) {
                home.add_call(inbound, outgoing.slot);
            }
        }
        self.send_ask(&outgoing, now);
    }
}
