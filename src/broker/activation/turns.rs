//! Workers that take one message at a time: when a turn begins, how it ends, what comes next.

use crate::broker::activation::catalog::{Admission, Refusal};
use crate::broker::activation::requests::AskPlace;
use crate::broker::activation::workers::Workers;
use crate::broker::calls::table::Place;
use crate::broker::js::delivery::{Delivery, Handle, Origin};
use crate::broker::js::event::Event;
use crate::clock::boot_millis;
use crate::error::{Code, Failure};
use crate::lock::lock;
use crate::wire::message::Envelope;

/// What the sender of a message is told that its own turn's worker would have to take.
pub(crate) fn cycle(delivery: &Delivery) -> Failure {
    let envelope = &delivery.envelope;
    Failure::new(Code::Cycle, format!("The call would wait for itself: {} → \"{}\".", envelope.chain, envelope.worker))
}

/// What the sender of an ask is told that cannot wait for a worker which starts no handler any more.
pub(crate) fn ending(delivery: &Delivery, refusal: Refusal) -> Failure {
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

impl Workers {
    /// A message is the worker's from now on: before JavaScript can hear of it.
    pub fn begin_turn(&self, delivery: &Delivery) {
        if delivery.turn {
            lock(&self.inbound).begin(delivery.inbound, delivery.handle, &delivery.origin);
        }
    }

    /// A handler ended: whom its answer goes to, if anybody waits. The worker's next turn begins.
    pub fn handled(&self, inbound: u64) -> Option<AskPlace> {
        let closed = lock(&self.inbound).close(inbound)?;
        if closed.turn_of > 0 {
            self.next_turn(closed.turn_of, inbound, true);
        }
        (!closed.cancelled).then_some(closed.place)
    }

    /// The handler of this ask ended, and its answer waits for something else: the worker's next turn begins.
    pub fn end_turn(&self, inbound: u64) {
        let worker = lock(&self.inbound).end_turn(inbound);
        if worker > 0 {
            self.next_turn(worker, inbound, true);
        }
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
        // Its place is given back where it is dropped.
        let closed = lock(&self.inbound).close(delivery.inbound);
        drop(closed);
    }

    /// A message of this broker to a worker of its own: no socket, still a copy, still its mailbox. `call` and its deadline:
    /// of an ask; 0 for a tell. `Err(None)`: the worker does not live here, or not under this epoch.
    pub fn deliver_here(&self, call: u64, deadline: u64, envelope: Envelope) -> Result<(), Option<Failure>> {
        let origin = Origin::Local { slot: call };
        let (inbound, deadline) = if call > 0 {
            let place = AskPlace::beyond_limit(origin.clone());
            (lock(&self.inbound).open(place, deadline, envelope.chain.clone()), deadline)
        } else {
            (0, u64::MAX)
        };
        // A call that is in the worker's hands may have run: it counts as written.
        self.calls.route(call, Place::Here { inbound });
        let delivery = Delivery { handle: 0, inbound, turn: false, origin, deadline, envelope };
        let admission = lock(&self.residents).admit(delivery);
        let failure = match admission {
            Admission::Ready(delivery) => {
                self.begin_turn(&delivery);
                self.context.inbox.push_quietly(Event::Message(delivery));
                return Ok(());
            }
            Admission::Held => return Ok(()),
            Admission::Full(_) => Some(Failure::new(Code::Overloaded, "The queue of messages for the worker is full.")),
            Admission::Absent(_) => None,
            Admission::Cycle(delivery) => Some(cycle(&delivery)),
            Admission::Ending(delivery, refusal) => Some(ending(&delivery, refusal)),
        };
        lock(&self.inbound).close(inbound);
        self.calls.route(call, Place::Nowhere);
        Err(failure)
    }

    /// JavaScript is given these events.
    pub fn hand_out(&self, events: &[Event]) {
        let mut inbound = lock(&self.inbound);
        asks(events).for_each(|delivery| inbound.give_to(delivery.inbound, delivery.handle));
    }

    /// No handler was started for these.
    pub fn take_back_from_handlers(&self, events: &[Event]) {
        let mut inbound = lock(&self.inbound);
        asks(events).for_each(|delivery| inbound.give_to(delivery.inbound, 0));
    }
}

fn asks(events: &[Event]) -> impl Iterator<Item = &Delivery> {
    events.iter().filter_map(|event| match event {
        Event::Message(delivery) if delivery.origin.is_ask() => Some(delivery),
        _ => None,
    })
}
