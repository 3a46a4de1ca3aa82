//! A message that was not handled goes back to its sender, or is given up there.

use crate::broker::calls::table::time_left;
use crate::broker::calls::table::Place;
use crate::broker::directory::lane::Parked;
use crate::broker::directory::lanes::{Lanes, Returned};
use crate::broker::incarnation::Life;
use crate::broker::js::delivery::Delivery;
use crate::broker::js::delivery::Origin;
use crate::broker::js::event::{Event, Mark};
use crate::broker::lease::room::suspended;
use crate::clock::boot_millis;
use crate::error::{Code, Delivered, Failure};
use crate::ids::WorkerId;
use crate::lock::lock;
use crate::transport::Connection;
use crate::wire::message::{Envelope, Message};
use std::sync::atomic::Ordering;
use std::sync::Arc;

impl Life {
    /// A message that was not handled goes back to where it came from.
    pub fn send_back(self: &Arc<Self>, delivery: Delivery, code: Code) {
        let connection = match &delivery.origin {
            Origin::Remote { connection, .. } => Some(connection.clone()),
            Origin::Local { .. } => None,
        };
        self.return_to_sender(&mut self.directory.routes.lanes(), delivery, code);
        if let Some(connection) = connection {
            self.output.flush_to(&connection);
        }
    }

    /// The same for who holds the lanes already; a peer's connection is left to be flushed.
    pub fn return_to_sender(self: &Arc<Self>, lanes: &mut Lanes, delivery: Delivery, code: Code) {
        if delivery.inbound > 0 && lock(&self.inbound).close(delivery.inbound).is_none() {
            return;
        }
        match delivery.origin {
            Origin::Remote { connection, call } => {
                if call > 0 {
                    connection.in_flight().fetch_sub(1, Ordering::AcqRel);
                }
                let time_left = time_left(delivery.deadline, boot_millis());
                let bounce = Message::Bounce { call, time_left, code, envelope: delivery.envelope };
                // A connection that is closed or full has told, or tells, its peer by itself.
                let _ = connection.answer(&bounce);
            }
            Origin::Local { slot } => self.came_back_here(lanes, slot, code, delivery),
        }
    }

    fn came_back_here(self: &Arc<Self>, lanes: &mut Lanes, slot: u64, code: Code, delivery: Delivery) {
        self.calls.route(slot, Place::Nowhere);
        let worker = delivery.envelope.worker.clone();
        let deadline = if slot > 0 { delivery.deadline } else { boot_millis() + self.context.config.retries.duration };
        let parked = Parked {
            sequence: delivery.envelope.sequence,
            call: slot,
            tell_slot: 0,
            deadline,
            method: delivery.envelope.method,
            chain: delivery.envelope.chain,
            payload: delivery.envelope.payload,
        };
        let sync = self.context.next_call();
        let returned = match code {
            Code::WorkerNotFound => lanes.returned_here(worker.as_str(), sync, parked),
            _ => Returned::TooLate,
        };
        match returned {
            Returned::TooLate => self.directory.routes.give_up(&worker, slot, code),
            Returned::Parked { fence: true } => self.context.inbox.push(Event::Mark(Mark::Local { sync })),
            Returned::Parked { fence: false } => self.directory.routes.look_for_route_in(lanes, &worker),
        }
    }

    /// A message of ours comes back unhandled.
    pub fn came_back(self: &Arc<Self>, from: &Arc<Connection>, call: u64, code: Code, mut envelope: Envelope) {
        envelope.detach();
        let deadline = if call > 0 {
            match self.calls.deadline_there(call, from.id()) {
                Some(deadline) => deadline,
                None => return,
            }
        } else {
            boot_millis() + self.context.config.retries.duration
        };
        let worker = envelope.worker;
        if !matches!(code, Code::WorkerNotFound | Code::Suspended) {
            self.directory.routes.give_up(&worker, call, code);
            return;
        }
        self.calls.route(call, Place::Nowhere);
        if code == Code::Suspended {
            self.calls.blame([call].into_iter(), &Arc::new(suspended(&worker)));
        }
        let parked = Parked {
            sequence: envelope.sequence,
            call,
            tell_slot: 0,
            deadline,
            method: envelope.method,
            chain: envelope.chain,
            payload: envelope.payload,
        };
        let sync = self.context.next_call();
        let returned = self.directory.routes.lanes().returned(worker.as_str(), from, sync, parked);
        match returned {
            Returned::Parked { fence: true } => self.output.reply_to(from, &Message::Sync { call: sync, worker }),
            Returned::Parked { fence: false } => self.directory.routes.look_for_route(&worker),
            Returned::TooLate => self.directory.routes.give_up(&worker, call, code),
        }
    }

    /// A message that surely was not sent waits for a new route in its place.
    pub fn take_back(&self, message: Message) -> Option<WorkerId> {
        let (call, deadline, envelope) = match message {
            Message::Ask { call, envelope, .. } => (call, self.calls.deadline(call)?, envelope),
            Message::Tell { envelope } => (0, boot_millis() + self.context.config.retries.duration, envelope),
            Message::Create { call, .. } => {
                let text = "The connection broke before the request was sent.";
                self.calls.fail(call, Failure::new(Code::Unreachable, text).with_delivered(Delivered::No));
                return None;
            }
            _ => return None,
        };
        let mut lanes = self.directory.routes.lanes();
        self.calls.route(call, Place::Nowhere);
        if lanes.lane(envelope.worker.as_str(), boot_millis()).is_overtaken(envelope.sequence) {
            drop(lanes);
            self.directory.routes.give_up(&envelope.worker, call, Code::Unreachable);
            return None;
        }
        let Envelope { sequence, method, chain, payload, .. } = envelope;
        let parked = Parked { sequence, call, tell_slot: 0, deadline, method, chain, payload };
        lanes.park(envelope.worker.as_str(), parked);
        Some(envelope.worker)
    }
}
