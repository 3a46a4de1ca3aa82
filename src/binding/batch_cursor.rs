//! A broker as its JavaScript thread has it: the core, and the batch of events that JavaScript is working on.

use crate::binding::names::Names;
use crate::broker::core::Core;
use crate::broker::incarnation::Life;
use crate::broker::js::batch::BatchWriter;
use crate::broker::js::delivery::Delivery;
use crate::broker::js::event::{Event, Mark};
use crate::broker::js::queue::Inbox;
use crate::clock::boot_millis;
use crate::limits::BATCH_EVENTS;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

pub(crate) struct Station {
    pub core: Arc<Core>,
    batch: RefCell<Batch>,
    /// See [`Station::ready`].
    ready: Cell<usize>,
    /// See [`Station::left_to_send`].
    quiet: Cell<bool>,
    /// Ids of workers and names of methods that JavaScript says by number.
    pub(crate) names: Names,
}

/// The batch that JavaScript is working on.
#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    writer: BatchWriter,
    /// Passed when the batch has been worked off.
    marks: Vec<Mark>,
    /// The life that it was taken under.
    life: Option<Arc<Life>>,
    /// Events that do not start now: from the first one on, all that are left of the batch.
    held: Vec<Event>,
}

impl Batch {
    /// The batch was worked off: what was refused is on its way back, what was held goes back into the inbox.
    fn finish(&mut self, life: Option<&Arc<Life>>, inbox: &Inbox) {
        let same = life.is_some_and(|life| self.life.as_ref().is_some_and(|before| Arc::ptr_eq(life, before)));
        if !same {
            // Their life is over, and their senders know.
            self.held.clear();
        }
        if self.held.is_empty() {
            for mark in self.marks.drain(..) {
                if let Some(life) = life {
                    life.messages.marked(mark);
                }
            }
        } else {
            // A mark passes after all that came before it.
            let marks: Vec<_> = self.marks.drain(..).map(Event::Mark).collect();
            if let Some(life) = life {
                life.activation.workers.take_back_from_handlers(&self.held);
            }
            inbox.put_back(self.held.drain(..).chain(marks));
        }
    }
}

impl Station {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, batch: RefCell::default(), ready: Cell::new(0), quiet: Cell::new(false), names: Names::default() }
    }

    /// How many handlers may start by a batch that comes with a wake. 0: JavaScript works on a batch, or may do so, and
    /// takes the next one itself.
    pub(crate) fn ready(&self) -> usize {
        self.ready.get()
    }

    /// JavaScript has nothing left to work on.
    pub(crate) fn set_ready(&self, starts: usize) {
        self.ready.set(starts);
    }

    /// Hands over the next batch of events as JSON text; `None` when there are none, and what this turn left to send is
    /// written. `starts`: how many of them may make handlers start.
    pub(crate) fn drain<R>(&self, starts: usize, hand_over: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.ready.set(0);
        let life = self.core.life().ok();
        let mut batch = self.batch.borrow_mut();
        batch.finish(life.as_ref(), &self.core.inbox);
        batch.life.clone_from(&life);
        let Batch { events, writer, marks, .. } = &mut *batch;
        loop {
            events.clear();
            let more = match &life {
                Some(life) => life.take_events(BATCH_EVENTS, starts, events),
                None => self.core.inbox.take(BATCH_EVENTS, starts, || false, events),
            };
            if events.is_empty() {
                if let Some(life) = &life {
                    marks.drain(..).for_each(|mark| life.messages.marked(mark));
                    life.output.flush();
                }
                return None;
            }
            let now = boot_millis();
            let cancelled = life.as_ref().is_some_and(|life| life.activation.workers.has_cancelled());
            let is_wanted = |delivery: &Delivery, life: &Life| {
                (!cancelled && delivery.deadline >= now) || life.activation.workers.is_wanted(delivery, now)
            };
            events.retain(|event| match event {
                Event::Message(delivery) => {
                    let lost = life.as_ref().filter(|life| !is_wanted(delivery, life));
                    lost.inspect(|life| life.activation.workers.drop_message(delivery)).is_none()
                }
                Event::Mark(mark) => {
                    marks.push(mark.clone());
                    false
                }
                _ => true,
            });
            if !events.is_empty() {
                if (more && events.len() < starts) || !marks.is_empty() {
                    // After fewer than it wanted, JavaScript does not come again by itself.
                    self.core.inbox.nudge();
                }
                if let Some(life) = &life {
                    life.activation.workers.hand_out(events);
                }
                self.quiet.set(events.len() == 1);
                writer.write(events);
                return Some(hand_over(&writer.text));
            }
        }
    }

    /// JavaScript has left a message to send. The end of the turn writes those of a turn together; but the first one that
    /// comes of a single event is mostly the only one, and what JavaScript still does in this turn would only delay it.
    pub(crate) fn left_to_send(&self, life: &Life) {
        if self.quiet.take() {
            life.output.flush();
        }
    }

    /// Whether the handler that this event of the current batch asks for may start. If not, it and all after it come
    /// again when the lease has been renewed.
    pub(crate) fn may_start(&self, index: u32) -> bool {
        self.core.inbox.visit();
        let mut batch = self.batch.borrow_mut();
        if batch.held.is_empty() && batch.life.as_ref().is_some_and(|life| life.lease.holds()) {
            return true;
        }
        let event = batch.events.get(index as usize).cloned();
        batch.held.extend(event);
        false
    }

    /// The event of the current batch at this place, and all after it, come again: JavaScript has no time for them.
    pub(crate) fn hold(&self, index: u32) {
        let mut batch = self.batch.borrow_mut();
        let first = batch.events.len().min(index as usize);
        let Batch { events, held, .. } = &mut *batch;
        held.extend(events.drain(first..));
        batch.finish(self.core.life().ok().as_ref(), &self.core.inbox);
    }

    /// Writes what this turn left to send; `true`: there are events to drain.
    pub(crate) fn flush(&self) -> bool {
        let life = self.core.life().ok();
        if let Some(life) = &life {
            life.output.flush();
        }
        self.core.inbox.has_work(life.is_some_and(|life| life.lease.holds()))
    }

    /// Looks at a payload that stands apart from the text of the current batch.
    pub(crate) fn apart<R>(&self, index: u32, look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.batch.borrow().writer.large.get(index as usize).map(|apart| look(apart.bytes()))
    }

    /// The messages of the current batch from this place on.
    pub(crate) fn each_message_from(&self, index: u32, mut look: impl FnMut(&Delivery)) {
        for event in self.batch.borrow().events.iter().skip(index as usize) {
            if let Event::Message(delivery) = event {
                look(delivery);
            }
        }
    }

    /// A message of the current batch came for a worker that takes none: it goes back, or waits.
    pub(crate) fn refuse(&self, index: u32) {
        let delivery = match self.batch.borrow().events.get(index as usize) {
            Some(Event::Message(delivery)) => delivery.clone(),
            _ => return,
        };
        if let Ok(life) = self.core.life() {
            life.activation.workers.refuse(delivery);
        }
    }

    /// Whether anybody waits for this ask of the current batch, and still will in so many ms; if not, it is dropped.
    pub(crate) fn wants(&self, index: u32, answer: u32) -> bool {
        let batch = self.batch.borrow();
        match (self.core.life(), batch.events.get(index as usize)) {
            (Ok(life), Some(Event::Message(delivery)))
                if !life.activation.workers.is_wanted(delivery, boot_millis() + u64::from(answer)) =>
            {
                life.activation.workers.drop_message(delivery);
                false
            }
            (Ok(life), Some(Event::Create { handle, .. })) => life.activation.lifecycle.is_to_be_made(*handle),
            _ => true,
        }
    }
}
