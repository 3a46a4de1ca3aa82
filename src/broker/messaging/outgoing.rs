//! The way of a message out: on the JavaScript thread, straight into the peer's outbox where the route is known.

use crate::broker::activation::catalog::Admission;
use crate::broker::activation::turns::{cycle, ending};
use crate::broker::calls::table::{time_left, Place, Waiter};
use crate::broker::directory::lane::{Parked, Route};
use crate::broker::incarnation::Life;
use crate::broker::js::delivery::Delivery;
use crate::broker::js::delivery::Origin;
use crate::broker::js::event::{Event, Mark};
use crate::broker::output::failure::send_failure;
use crate::clock::boot_millis;
use crate::error::{Code, Failure, Outcome};
use crate::ids::{Epoch, WorkerId};
use crate::lock::lock;
use crate::transport::{Connection, SendError};
use crate::wire::call_chain::Chain;
use crate::wire::codec::{self, Address};
use crate::wire::message::{Envelope, PayloadRef};
use bytes::Bytes;
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

impl Life {
    /// Asks: the answer comes as an event under the slot.
    pub fn ask(self: &Arc<Self>, worker: &str, method: &str, payload: PayloadRef<'_>, slot: u64, timeout: u64) {
        let now = boot_millis();
        let deadline = now.saturating_add(timeout);
        self.send_ask(&Outgoing { worker, method, payload, slot, ask: true, deadline, chain: Chain::EMPTY }, now);
    }

    pub fn send_ask(self: &Arc<Self>, outgoing: &Outgoing<'_>, now: u64) {
        self.calls.open(outgoing.slot, outgoing.deadline, Waiter::JavaScript);
        if let Err(failure) = self.send(outgoing, now) {
            self.calls.fail(outgoing.slot, failure);
        }
    }

    /// Tells. `true`: handed over; otherwise an event comes under the slot.
    pub fn tell(self: &Arc<Self>, worker: &str, method: &str, payload: PayloadRef<'_>, slot: u64) -> bool {
        let now = boot_millis();
        let deadline = now.saturating_add(self.context.config.retries.duration);
        let outgoing = Outgoing { worker, method, payload, slot, ask: false, deadline, chain: Chain::EMPTY };
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
        let mut lanes = self.directory.routes.lanes();
        let lane = lanes.lane(outgoing.worker, now);
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
                        return Err(Failure::new(Code::Overloaded, "Too many messages wait for this process."));
                    }
                    match self.deliver_here(outgoing.worker, epoch, &outgoing.parked(number)) {
                        Admission::Ready(_) | Admission::Held => {
                            lane.wrote(number);
                            return Ok(Sent::HandedOver);
                        }
                        Admission::Full(_) => {
                            return Err(Failure::new(Code::Overloaded, "The worker's mailbox is full."))
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
            return Err(Failure::new(Code::Overloaded, "Too many messages wait for a route."));
        }
        let lane = lanes.lane(outgoing.worker, now);
        let sequence = sequence.unwrap_or_else(|| lane.next_sequence());
        let resolve = !lane.resolving && !matches!(lane.route, Route::Fence { .. });
        lane.resolving |= resolve;
        lanes.park(outgoing.worker, outgoing.parked(sequence));
        if !outgoing.ask {
            self.directory.routes.watch_fence(&mut lanes, outgoing.worker);
        }
        drop(lanes);
        if resolve {
            self.context.spawn("resolve", self.directory.routes.clone().resolve(WorkerId::new(outgoing.worker)));
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

    /// A message of this broker to a worker in this broker: no socket, still a copy, still its mailbox.
    pub fn deliver_here(&self, worker: &str, epoch: Epoch, parked: &Parked) -> Admission {
        let origin = Origin::Local { slot: parked.call };
        let inbound = if parked.call > 0 {
            lock(&self.inbound).open(origin.clone(), parked.deadline, parked.chain.clone())
        } else {
            0
        };
        let delivery = Delivery {
            handle: 0,
            inbound,
            turn: false,
            origin,
            deadline: if parked.call > 0 { parked.deadline } else { u64::MAX },
            envelope: Envelope {
                worker: WorkerId::new(worker),
                epoch,
                sequence: parked.sequence,
                method: parked.method.clone(),
                chain: parked.chain.clone(),
                payload: parked.payload.clone(),
            },
        };
        // A call that is in the worker's hands may have run: it counts as written.
        self.calls.route(parked.call, Place::Here { inbound });
        let admission = lock(&self.residents).admit(delivery);
        match admission {
            Admission::Ready(delivery) => {
                self.begin_turn(&delivery);
                self.context.inbox.push_quietly(Event::Message(delivery.clone()));
                Admission::Ready(delivery)
            }
            Admission::Held => Admission::Held,
            back => {
                lock(&self.inbound).close(inbound);
                self.calls.route(parked.call, Place::Nowhere);
                back
            }
        }
    }
}
