//! Messages that no handler of this broker starts for: they go back to their senders, or their callers are told why.

use crate::broker::activation::catalog::State;
use crate::broker::activation::turns::ending;
use crate::broker::activation::workers::Workers;
use crate::broker::calls::table::Place;
use crate::broker::directory::lane::Outgoing;
use crate::broker::directory::lanes::{Lanes, Returned};
use crate::broker::js::delivery::{Delivery, Origin};
use crate::broker::js::event::{Event, Mark};
use crate::clock::boot_millis;
use crate::error::{Code, Delivered, Failure};
use crate::lock::lock;
use crate::wire::message::Message;
use bytes::Bytes;
use std::sync::Arc;

impl Workers {
    /// A message that was not handled goes back to where it came from.
    pub fn send_back(self: &Arc<Self>, delivery: Delivery, code: Code) {
        let connection = match &delivery.origin {
            Origin::Remote { connection, .. } => Some(connection.clone()),
            Origin::Local { .. } => None,
        };
        self.return_to_sender(&mut self.routes.lanes(), delivery, code);
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
                let bounce = Message::Bounce { call, code, envelope: delivery.envelope };
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
        let sync = self.context.next_call();
        let returned = match code {
            Code::WorkerNotFound => {
                lanes.returned_here(worker.as_str(), sync, Outgoing::again(delivery.envelope, slot, deadline))
            }
            _ => Returned::TooLate,
        };
        match returned {
            Returned::TooLate => self.routes.give_up(&worker, slot, code),
            Returned::Parked { fence: true } => self.context.inbox.push(Event::Mark(Mark::Local { sync })),
            Returned::Parked { fence: false } => self.routes.look_for_route_in(lanes, &worker),
        }
    }

    /// An ask that never starts: its caller is told why.
    pub fn refuse_ask(&self, delivery: &Delivery, failure: Failure) {
        let closed = lock(&self.inbound).close(delivery.inbound);
        match closed.as_ref().map(|closed| closed.place.origin()) {
            None => {}
            Some(Origin::Local { slot }) => self.calls.fail(*slot, failure.with_delivered(Delivered::No)),
            Some(Origin::Remote { connection, call }) => {
                let message = Bytes::copy_from_slice(failure.message.as_bytes());
                let Failure { code, body, .. } = failure;
                self.output.reply_to(connection, &Message::Failure { call: *call, code, message, body });
            }
        }
    }

    /// JavaScript got a message for a worker that takes none (any more).
    pub fn refuse(self: &Arc<Self>, delivery: Delivery) {
        let mut residents = lock(&self.residents);
        match residents.get_mut(delivery.handle) {
            Some(resident) if resident.state == State::Leaving => match resident.refusal(&delivery) {
                None => {
                    lock(&self.inbound).give_to(delivery.inbound, 0);
                    resident.mailbox.put_back(delivery);
                }
                Some(refusal) => {
                    drop(residents);
                    self.refuse_ask(&delivery, ending(&delivery, refusal));
                }
            },
            _ => {
                drop(residents);
                let (turn, worker, inbound) = (delivery.turn, delivery.handle, delivery.inbound);
                self.send_back(delivery, Code::WorkerNotFound);
                if turn {
                    self.next_turn(worker, inbound, false);
                }
            }
        }
    }
}
