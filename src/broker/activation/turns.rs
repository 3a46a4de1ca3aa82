//! Workers that take one message at a time: when a turn begins, how it ends, what comes next.

use crate::broker::activation::catalog::Refusal;
use crate::broker::incarnation::Life;
use crate::broker::js::delivery::Origin;
use crate::broker::js::delivery::{Delivery, Handle};
use crate::broker::js::event::Event;
use crate::clock::boot_millis;
use crate::error::{Code, Failure};
use crate::lock::lock;
use std::sync::atomic::Ordering;

/// What the sender of a message is told that its own turn's worker would have to take.
pub fn cycle(delivery: &Delivery) -> Failure {
    let envelope = &delivery.envelope;
    Failure::new(Code::Cycle, format!("The call would wait for itself: {} → \"{}\".", envelope.chain, envelope.worker))
}

/// What the sender of an ask is told that cannot wait for a worker which starts no handler any more.
pub fn ending(delivery: &Delivery, refusal: Refusal) -> Failure {
    let worker = &delivery.envelope.worker;
    match refusal {
        Refusal::Cycle => cycle(delivery),
        Refusal::Ends => {
            Failure::new(Code::WorkerNotFound, format!("The worker \"{worker}\" is ending and takes no more messages."))
        }
        Refusal::Moves => {
            let text = format!(
                "The worker \"{worker}\" is being handed over, and an onDestroy ({}) cannot wait for that.",
                delivery.envelope.chain
            );
            Failure::new(Code::Unreachable, text)
        }
    }
}

impl Life {
    /// A message is the worker's from now on: before JavaScript can hear of it.
    pub fn begin_turn(&self, delivery: &Delivery) {
        if delivery.turn {
            lock(&self.inbound).begin(delivery.inbound, delivery.handle, &delivery.origin);
        }
    }

    /// A handler ended: whom its answer goes to, if anybody waits. The worker's next turn begins.
    pub fn handled(&self, inbound: u64) -> Option<Origin> {
        let closed = lock(&self.inbound).close(inbound)?;
        if closed.turn_of > 0 {
            self.next_turn(closed.turn_of, inbound, true);
        }
        if closed.cancelled {
            free_place(&closed.origin);
            return None;
        }
        Some(closed.origin)
    }

    /// A worker is done with the message of this number, whose handler ran or not, or may begin (0). From the JavaScript
    /// thread.
    pub fn next_turn(&self, worker: Handle, ended: u64, handled: bool) {
        let (mut ended, mut handled) = (ended, handled);
        loop {
            let next = lock(&self.residents).next_turn(worker, ended, handled);
            let Some((delivery, usual)) = next else { return };
            // What would be answered too late is not begun: else, where more comes than can be done, all would be.
            if self.is_wanted(&delivery, boot_millis() + usual) {
                self.begin_turn(&delivery);
                self.context.inbox.push_quietly(Event::Message(delivery));
                return;
            }
            self.forget(&delivery);
            (ended, handled) = (delivery.inbound, false);
        }
    }

    /// Whether somebody waits for what this message leads to at this time.
    pub fn is_wanted(&self, delivery: &Delivery, time: u64) -> bool {
        delivery.deadline >= time && !lock(&self.inbound).is_cancelled(delivery.inbound)
    }

    /// Nobody waits for this message, and its handler has not started: it is dropped.
    pub fn drop_message(&self, delivery: &Delivery) {
        self.forget(delivery);
        if delivery.turn {
            self.next_turn(delivery.handle, delivery.inbound, false);
        }
    }

    fn forget(&self, delivery: &Delivery) {
        let closed = lock(&self.inbound).close(delivery.inbound);
        if let Some(closed) = closed {
            free_place(&closed.origin);
        }
    }
}

/// One call less of this peer's is in flight.
pub fn free_place(origin: &Origin) {
    if let Origin::Remote { connection, call } = origin {
        if *call > 0 {
            connection.in_flight().fetch_sub(1, Ordering::AcqRel);
        }
    }
}
