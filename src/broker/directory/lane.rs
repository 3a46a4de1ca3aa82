//! One lane: the route to a worker, and what waits for one.

use crate::broker::context::recipes::Recipe;
use crate::ids::Epoch;
use crate::transport::Connection;
use crate::wire::message::{Envelope, EnvelopeRef};
use std::collections::VecDeque;
use std::sync::Arc;

/// A message of this process on its way to a worker, with what its sender waits for.
///
/// Its envelope is an [`EnvelopeRef`] while its parts belong to JavaScript, and an [`Envelope`] where it waits for a route.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<E = Envelope> {
    pub envelope: E,
    /// The number under which JavaScript waits: for the answer to an ask, or until a tell is handed over. 0: it does not.
    pub slot: u64,
    pub is_ask: bool,
    /// When an ask ends, or a tell stops to look for a route, in ms of the local clock.
    pub deadline: u64,
    /// Where there is no worker it is made from the lane's recipe.
    pub makes: bool,
}

impl<E> Outgoing<E> {
    /// The call of an ask; 0 for a tell.
    pub fn call(&self) -> u64 {
        if self.is_ask {
            self.slot
        } else {
            0
        }
    }

    /// The promise of a tell that has not been handed over yet; 0: nobody waits.
    pub fn tell_slot(&self) -> u64 {
        if self.is_ask {
            0
        } else {
            self.slot
        }
    }
}

impl Outgoing {
    /// A message that was handed over and came back. `call`: of an ask; 0 for a tell, whose sender does not wait any more.
    pub fn again(envelope: Envelope, call: u64, deadline: u64) -> Self {
        Self { envelope, slot: call, is_ask: call > 0, deadline, makes: false }
    }

    /// The same message, borrowed, for the activation of this epoch.
    pub fn to(&self, epoch: Epoch) -> Outgoing<EnvelopeRef<'_>> {
        let Self { slot, is_ask, deadline, makes, .. } = *self;
        Outgoing { envelope: EnvelopeRef { epoch, ..self.envelope.as_ref() }, slot, is_ask, deadline, makes }
    }
}

impl Outgoing<EnvelopeRef<'_>> {
    /// The same message with copies of all parts, so that it can wait.
    pub fn copied(&self) -> Outgoing {
        let Self { envelope, slot, is_ask, deadline, makes } = *self;
        Outgoing { envelope: envelope.copied(), slot, is_ask, deadline, makes }
    }
}

#[derive(Clone)]
pub enum Route {
    None,
    /// The worker lives in this broker.
    Local {
        epoch: Epoch,
    },
    Remote {
        connection: Arc<Connection>,
        epoch: Epoch,
    },
    /// A call over it got no answer in time: it is looked up anew before anything more is written to it.
    Doubted {
        connection: Arc<Connection>,
        epoch: Epoch,
    },
    /// Waits until everything written to this connection (`None`: given to this broker's inbox) was answered.
    Fence {
        connection: Option<Arc<Connection>>,
        sync: u64,
    },
}

impl Route {
    pub fn uses(&self, id: u64) -> bool {
        match self {
            Route::Remote { connection, .. }
            | Route::Doubted { connection, .. }
            | Route::Fence { connection: Some(connection), .. } => connection.id() == id,
            Route::None | Route::Local { .. } | Route::Fence { connection: None, .. } => false,
        }
    }
}

pub struct Lane {
    /// Names it where its worker's id would be too long.
    pub number: u64,
    pub route: Route,
    pub queue: VecDeque<Outgoing>,
    sequence: u32,
    /// The first message that was written to the last route over which any was.
    first_written: Option<u32>,
    /// A route was found since, and nothing was written to it yet.
    is_new: bool,
    pub used: u64,
    /// A task looks for a route.
    pub resolving: bool,
    /// A task looks after the tells that wait behind a fence.
    pub watched: bool,
    /// The connection that last sent a message back: it does not hold the worker unless it is told to take it up.
    pub bounced: Option<u64>,
    /// What the worker is made from, once an agent has sent a message that may do so.
    pub recipe: Option<Arc<Recipe>>,
}

impl Lane {
    pub fn new(number: u64, now: u64) -> Self {
        Self {
            number,
            route: Route::None,
            queue: VecDeque::new(),
            sequence: 0,
            first_written: None,
            is_new: true,
            used: now,
            resolving: false,
            watched: false,
            bounced: None,
            recipe: None,
        }
    }

    /// The place of the next message.
    pub fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Whether a message got this place already.
    pub fn has_sent(&self, sequence: u32) -> bool {
        !before(self.sequence, sequence)
    }

    /// This message was written to the route.
    pub fn wrote(&mut self, sequence: u32) {
        if std::mem::take(&mut self.is_new) {
            self.first_written = Some(sequence);
        }
    }

    /// A route was found; what waits is written to it now, over the lane of this number.
    pub fn attach(&mut self) -> u64 {
        self.is_new = true;
        self.number
    }

    /// The first deadline of the tells that wait behind a fence; `None`: there are none.
    pub fn next_of_fence(&self) -> Option<u64> {
        let tells = self.queue.iter().filter(|parked| !parked.is_ask).map(|parked| parked.deadline);
        matches!(self.route, Route::Fence { .. }).then_some(tells)?.min()
    }

    /// Whether later messages were written to a newer route than the one that this comes back from.
    pub fn is_overtaken(&self, sequence: u32) -> bool {
        self.first_written.is_some_and(|first| before(sequence, first))
    }
}

/// Whether `a` was sent before `b`; sequences wrap.
pub fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_got_a_place_was_sent() {
        let mut lane = Lane::new(1, 0);
        assert!(!lane.has_sent(1));
        assert_eq!((lane.next_sequence(), lane.next_sequence()), (1, 2));
        assert!(lane.has_sent(1) && lane.has_sent(2) && !lane.has_sent(3));
        lane.sequence = u32::MAX;
        assert_eq!(lane.next_sequence(), 0);
        assert!(lane.has_sent(u32::MAX) && lane.has_sent(0) && !lane.has_sent(1));
    }

    #[test]
    fn a_message_is_overtaken_once_a_later_one_was_written_to_a_newer_route() {
        let mut lane = Lane::new(1, 0);
        lane.attach();
        (1..=4).for_each(|sequence| lane.wrote(sequence));
        assert!(!lane.is_overtaken(1));
        lane.attach();
        assert!(!lane.is_overtaken(1), "nothing was written to the new route");
        lane.wrote(3);
        assert!(lane.is_overtaken(2) && !lane.is_overtaken(3));
        lane.attach();
        assert!(lane.is_overtaken(2), "it stays so when one more route is found");
    }
}
