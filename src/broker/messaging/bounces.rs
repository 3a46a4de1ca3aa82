//! A message that was not handled goes back to its sender, or is given up there.

use crate::broker::calls::table::Place;
use crate::broker::directory::lane::Outgoing;
use crate::broker::directory::lanes::Returned;
use crate::broker::lease::room::suspended;
use crate::broker::messaging::outgoing::Messages;
use crate::clock::boot_millis;
use crate::error::{Code, Delivered, Failure};
use crate::ids::WorkerId;
use crate::transport::Connection;
use crate::wire::message::{Envelope, Message};
use std::sync::Arc;

impl Messages {
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
        let worker = envelope.worker.clone();
        if !matches!(code, Code::WorkerNotFound | Code::Suspended) {
            self.routes.give_up(&worker, call, code);
            return;
        }
        self.calls.route(call, Place::Nowhere);
        if code == Code::Suspended {
            self.calls.blame([call].into_iter(), &Arc::new(suspended(&worker)));
        }
        let sync = self.context.next_call();
        let message = Outgoing::again(envelope, call, deadline);
        let returned = self.routes.lanes().returned(worker.as_str(), from, sync, message);
        match returned {
            Returned::Parked { fence: true } => self.output.reply_to(from, &Message::Sync { call: sync, worker }),
            Returned::Parked { fence: false } => self.routes.look_for_route(&worker),
            Returned::TooLate => self.routes.give_up(&worker, call, code),
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
        let mut lanes = self.routes.lanes();
        self.calls.route(call, Place::Nowhere);
        if lanes.lane(envelope.worker.as_str(), boot_millis()).is_overtaken(envelope.sequence) {
            drop(lanes);
            self.routes.give_up(&envelope.worker, call, Code::Unreachable);
            return None;
        }
        let worker = envelope.worker.clone();
        lanes.park_again(worker.as_str(), Outgoing::again(envelope, call, deadline));
        Some(worker)
    }
}
