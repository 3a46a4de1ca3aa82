//! The bounded queue between the core's threads and JavaScript: many push, one wake a batch, JavaScript takes.

use crate::broker::js::delivery::{Delivery, Handle};
use crate::broker::js::event::Event;
use crate::limits::{INBOX_BYTES, INBOX_MESSAGES};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{self, Mutex};
use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use tokio::sync::Notify;

/// Messages that wait for JavaScript at most, before sockets are read no further: about 100 ms of work at 300 000/s.
pub const MAX_MESSAGES: usize = INBOX_MESSAGES;
/// Bytes that wait for JavaScript at most, before sockets are read no further.
pub const MAX_BYTES: usize = INBOX_BYTES;

#[derive(Default)]
struct Queues {
    /// Results, lifecycle, logs: never held back.
    control: VecDeque<Event>,
    /// Workers to be made: held back while the broker cannot prove that it lives.
    creations: VecDeque<Event>,
    /// Asks and tells, held back likewise; what a router's peers send.
    messages: VecDeque<Event>,
    bytes: usize,
}

impl Queues {
    fn has_work(&self, gate_open: bool) -> bool {
        !self.control.is_empty() || (gate_open && !(self.creations.is_empty() && self.messages.is_empty()))
    }
}

/// The events that wait for JavaScript: control, workers to be made, messages.
pub struct Inbox {
    queues: Mutex<Queues>,
    wake: Box<dyn Fn() + Send + Sync>,
    /// A wake is under way: JavaScript will come.
    awake: AtomicBool,
    room: Notify,
    /// How often JavaScript has looked.
    visits: AtomicU64,
    /// Full, as readers see it without taking the lock.
    full: AtomicBool,
}

fn weight(event: &Event) -> usize {
    match event {
        Event::Message(delivery) => delivery.envelope.held_bytes(),
        Event::Request { data, .. } | Event::Response { data } => data.bytes.len(),
        _ => 0,
    }
}

impl Inbox {
    /// `wake` makes JavaScript call [`Inbox::take`] soon; any thread.
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            queues: Mutex::default(),
            wake,
            awake: AtomicBool::new(false),
            room: Notify::new(),
            visits: AtomicU64::new(0),
            full: AtomicBool::new(false),
        }
    }

    /// From any thread.
    pub fn push(&self, event: Event) {
        self.push_quietly(event);
        if !self.awake.swap(true, Ordering::SeqCst) {
            (self.wake)();
        }
    }

    /// From the JavaScript thread, which looks for itself at the end of its turn: no wake.
    pub fn push_quietly(&self, event: Event) {
        let mut queues = sync::lock(&self.queues);
        match event {
            Event::Message(_)
            | Event::Mark(_)
            | Event::Direct { .. }
            | Event::Request { .. }
            | Event::Response { .. }
            | Event::Disconnect { .. } => {
                queues.bytes += weight(&event);
                queues.messages.push_back(event);
                self.note_full(&queues);
            }
            Event::Create { .. } => queues.creations.push_back(event),
            _ => queues.control.push_back(event),
        }
    }

    fn note_full(&self, queues: &Queues) {
        if queues.messages.len() >= MAX_MESSAGES || queues.bytes >= MAX_BYTES {
            self.full.store(true, Ordering::Release);
        }
    }

    /// What was taken and may not start now: back to where it was, before all else.
    pub fn put_back(&self, events: impl DoubleEndedIterator<Item = Event>) {
        let mut queues = sync::lock(&self.queues);
        for event in events.rev() {
            if matches!(event, Event::Create { .. }) {
                queues.creations.push_front(event);
            } else {
                queues.bytes += weight(&event);
                queues.messages.push_front(event);
            }
        }
        self.note_full(&queues);
    }

    /// These workers are gone: nothing more comes for them. The messages that they will not get, in their order.
    pub fn forget(&self, gone: impl Fn(Handle) -> bool) -> Vec<Delivery> {
        let mut forgotten = Vec::new();
        let mut queues = sync::lock(&self.queues);
        queues.creations.retain(|event| !matches!(event, Event::Create { handle, .. } if gone(*handle)));
        queues.messages.retain(|event| match event {
            Event::Message(delivery) if gone(delivery.handle) => {
                forgotten.push(delivery.clone());
                false
            }
            _ => true,
        });
        queues.bytes = queues.messages.iter().map(weight).sum();
        self.note_room(&queues);
        forgotten
    }

    fn note_room(&self, queues: &Queues) {
        if self.is_full() && queues.messages.len() < MAX_MESSAGES / 2 && queues.bytes < MAX_BYTES / 2 {
            self.full.store(false, Ordering::Release);
            self.room.notify_waiters();
        }
    }

    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Grows with every look of JavaScript's: as long as it grows when asked to, the event loop moves.
    pub fn visits(&self) -> u64 {
        self.visits.load(Ordering::Relaxed)
    }

    /// JavaScript is at work.
    pub fn visit(&self) {
        self.visits.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether [`Inbox::take`] would return something.
    pub fn has_work(&self, gate_open: bool) -> bool {
        self.visit();
        sync::lock(&self.queues).has_work(gate_open)
    }

    /// Waits until there is room for messages.
    pub async fn room(&self) {
        while self.is_full() {
            let notified = self.room.notified();
            if !self.is_full() {
                return;
            }
            notified.await;
        }
    }

    /// Up to `max` events into `batch`, control first; what makes handlers run only when the gate is open, and `starts` of
    /// those at most. The gate is asked after wakes count again: one that opens later wakes. `true`: there is more.
    pub fn take(&self, max: usize, starts: usize, gate: impl FnOnce() -> bool, batch: &mut Vec<Event>) -> bool {
        self.visit();
        self.awake.store(false, Ordering::SeqCst);
        let gate_open = gate();
        let mut queues = sync::lock(&self.queues);
        let control = queues.control.len().min(max);
        batch.extend(queues.control.drain(..control));
        if gate_open {
            let starts = starts.min(max - control);
            let creations = queues.creations.len().min(starts);
            batch.extend(queues.creations.drain(..creations));
            let messages = queues.messages.len().min(starts - creations);
            let before = batch.len();
            batch.extend(queues.messages.drain(..messages));
            queues.bytes -= batch[before..].iter().map(weight).sum::<usize>();
        }
        self.note_room(&queues);
        queues.has_work(gate_open)
    }

    /// Makes JavaScript look again where something waits for the gate: it may have been found closed although nobody
    /// noticed that it was.
    pub fn nudge_if_waiting(&self) {
        let queues = sync::lock(&self.queues);
        let waiting = !(queues.creations.is_empty() && queues.messages.is_empty());
        drop(queues);
        if waiting {
            self.nudge();
        }
    }

    /// Makes JavaScript look again, e.g. when the gate opened.
    pub fn nudge(&self) {
        if !self.awake.swap(true, Ordering::SeqCst) {
            (self.wake)();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::js::delivery::Origin;
    use crate::ids::{Epoch, WorkerId};
    use crate::level::Level;
    use crate::wire::call_chain::Chain;
    use crate::wire::message::{Envelope, Payload};

    fn inbox() -> Inbox {
        Inbox::new(Box::new(|| {}))
    }

    fn message(handle: Handle, sequence: u32) -> Event {
        let envelope = Envelope {
            worker: WorkerId::new("w"),
            epoch: Epoch::default(),
            sequence,
            method: Default::default(),
            payload: Payload::ABSENT,
            chain: Chain::EMPTY,
        };
        Event::Message(Delivery {
            handle,
            inbound: 0,
            origin: Origin::Local { slot: 0 },
            turn: false,
            deadline: u64::MAX,
            envelope,
        })
    }

    fn sequences(events: &[Event]) -> Vec<u32> {
        let sequence = |event: &Event| match event {
            Event::Message(delivery) => Some(delivery.envelope.sequence),
            _ => None,
        };
        events.iter().filter_map(sequence).collect()
    }

    #[test]
    fn a_closed_gate_holds_messages_back_and_nothing_else() {
        let inbox = inbox();
        inbox.push(message(1, 1));
        inbox.push(Event::Log { level: Level::Info, message: "m".into() });
        let mut batch = Vec::new();
        inbox.take(10, 10, || false, &mut batch);
        assert!(matches!(batch[..], [Event::Log { .. }]));
        assert!(!inbox.has_work(false) && inbox.has_work(true));
    }

    #[test]
    fn control_comes_with_the_few_messages_that_are_wanted() {
        let inbox = inbox();
        for sequence in 1..=3 {
            inbox.push(message(1, sequence));
            inbox.push(Event::done(u64::from(sequence)));
        }
        let mut batch = Vec::new();
        assert!(inbox.take(10, 2, || true, &mut batch));
        assert_eq!(batch.len(), 5);
        assert_eq!(sequences(&batch), [1, 2]);
        assert!(!inbox.take(10, 1, || true, &mut batch));
        assert_eq!(sequences(&batch), [1, 2, 3]);
    }

    #[test]
    fn what_is_put_back_comes_first_and_in_its_order() {
        let inbox = inbox();
        for sequence in 1..=4 {
            inbox.push(message(1, sequence));
        }
        let mut batch = Vec::new();
        inbox.take(3, 3, || true, &mut batch);
        inbox.put_back(batch.drain(1..));
        inbox.take(10, 10, || true, &mut batch);
        assert_eq!(sequences(&batch), [1, 2, 3, 4]);
    }

    #[test]
    fn messages_of_workers_that_are_gone_are_forgotten() {
        let inbox = inbox();
        for (handle, sequence) in [(1, 1), (2, 2), (1, 3)] {
            inbox.push(message(handle, sequence));
        }
        let forgotten = inbox.forget(|handle| handle == 1);
        assert_eq!(forgotten.iter().map(|delivery| delivery.envelope.sequence).collect::<Vec<_>>(), [1, 3]);
        let mut batch = Vec::new();
        inbox.take(10, 10, || true, &mut batch);
        assert_eq!(sequences(&batch), [2]);
    }
}
