//! The bounded queue between the core's threads and JavaScript: many push, one wake a batch, JavaScript takes.

use crate::broker::event::Event;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{self, Mutex};
use std::collections::VecDeque;
use std::sync::{MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Messages that wait for JavaScript at most, before sockets are read no further: about 100 ms of work at 300 000/s.
pub const MAX_MESSAGES: usize = 32_768;
/// Bytes of payload that wait for JavaScript at most, before sockets are read no further.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Locks, also after a panic elsewhere: the tables behind our locks are sound between any two statements.
pub fn lock<T>(mutex: &std::sync::Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Queues {
    /// Results, lifecycle, logs: never held back.
    control: VecDeque<Event>,
    /// Asks and tells: held back while the broker cannot prove that it lives.
    messages: VecDeque<Event>,
    bytes: usize,
}

/// See the module.
pub struct Inbox {
    queues: Mutex<Queues>,
    wake: Box<dyn Fn() + Send + Sync>,
    /// A wake is under way: JavaScript will come.
    awake: AtomicBool,
    room: Notify,
    /// Full, as readers see it without taking the lock.
    full: AtomicBool,
}

fn weight(event: &Event) -> usize {
    match event {
        Event::Message(delivery) => delivery.envelope.payload.bytes.len(),
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
        if matches!(event, Event::Message(_) | Event::Mark(_)) {
            queues.bytes += weight(&event);
            queues.messages.push_back(event);
            if queues.messages.len() >= MAX_MESSAGES || queues.bytes >= MAX_BYTES {
                self.full.store(true, Ordering::Release);
            }
        } else {
            queues.control.push_back(event);
        }
    }

    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Whether [`Inbox::take`] would return something.
    pub fn has_work(&self, gate_open: bool) -> bool {
        let queues = sync::lock(&self.queues);
        !queues.control.is_empty() || (gate_open && !queues.messages.is_empty())
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

    /// Up to `max` events into `batch`, control first; messages only when the gate is open. The gate is asked after
    /// wakes count again: one that opens later wakes.
    pub fn take(&self, max: usize, gate: impl FnOnce() -> bool, batch: &mut Vec<Event>) {
        self.awake.store(false, Ordering::SeqCst);
        let gate_open = gate();
        let mut queues = sync::lock(&self.queues);
        let control = queues.control.len().min(max);
        batch.extend(queues.control.drain(..control));
        if gate_open {
            let messages = queues.messages.len().min(max - control);
            let before = batch.len();
            batch.extend(queues.messages.drain(..messages));
            queues.bytes -= batch[before..].iter().map(weight).sum::<usize>();
        }
        if self.is_full() && queues.messages.len() < MAX_MESSAGES / 2 && queues.bytes < MAX_BYTES / 2 {
            self.full.store(false, Ordering::Release);
            self.room.notify_waiters();
        }
    }

    /// Makes JavaScript look again, e.g. when the gate opened.
    pub fn nudge(&self) {
        if !self.awake.swap(true, Ordering::SeqCst) {
            (self.wake)();
        }
    }
}
