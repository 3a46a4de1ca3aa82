//! `NativeBroker`: a broker's core as JavaScript calls it.

use crate::binding::event_loop::Wakeup;
use crate::binding::text;
use crate::binding::{environment, event_loop, hot, log, runtime, wake};
use crate::broker::batch::BatchWriter;
use crate::broker::core::Core;
use crate::broker::event::{Delivery, Event, Handle, Mark};
use crate::broker::hosting::{Creation, Ended};
use crate::broker::inbox::{lock, Inbox};
use crate::broker::joining::Home;
use crate::broker::life::Life;
use crate::clock::boot_millis;
use crate::config::{BrokerConfig, CoordinatorConfig, Credentials, Sockets};
use crate::coordination::{Fate, PlaceRequest};
use crate::error::Failure;
use crate::ids::{ClassName, ClusterName, Incarnation, WorkerId};
use napi::bindgen_prelude::Function;
use napi::{Env, Error, JsString, Status};
use napi_derive::napi;
use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// Events that one batch holds at most, so that the application's own I/O gets its turns.
const MAX_BATCH: usize = 256;

/// The batch that JavaScript is working on.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    writer: BatchWriter,
    /// Passed when the batch has been worked off.
    marks: Vec<Mark>,
    /// The life that it was taken under.
    life: Option<Arc<Life>>,
    /// Events that the gate kept from starting: from the first one on, all that are left of the batch.
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
                    life.marked(mark);
                }
            }
        } else {
            // A mark passes after all that came before it.
            let marks: Vec<_> = self.marks.drain(..).map(Event::Mark).collect();
            if let Some(life) = life {
                life.take_back_from_handlers(&self.held);
            }
            inbox.put_back(self.held.drain(..).chain(marks));
        }
    }
}

#[napi]
pub struct NativeBroker {
    pub(super) core: Arc<Core>,
    wanted: log::Wanted,
    pub(super) batch: RefCell<Batch>,
    wakeup: Option<Wakeup>,
    number: u32,
}

#[napi]
impl NativeBroker {
    /// `config`: the options as JSON text (`src/config.rs`); `wake` is called when `drain()` has something.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, config: String, wake: Function<'_, (), ()>) -> napi::Result<Self> {
        let config: BrokerConfig = serde_json::from_str(&config)
            .map_err(|error| Error::new(Status::InvalidArg, format!("Expected a broker's config: {error}")))?;
        let home = match &config.coordinator {
            CoordinatorConfig::Memory { name } => environment::memory(name),
            CoordinatorConfig::Redis(redis) => Home::Redis(redis.clone()),
        };
        let sockets = match config.sockets {
            Sockets::Loop => event_loop::sockets(&env),
            Sockets::Task => None,
        };
        let wakeup = sockets.as_ref().and_then(|_| Wakeup::new(&wake));
        let inbox = Arc::new(Inbox::new(wake::waker(&wake, wakeup)?));
        let wanted = log::Wanted::default();
        let (sink, wanted_here) = (Arc::downgrade(&inbox), wanted.clone());
        let on_life = Box::new(move |incarnation: &Incarnation| log::attach(incarnation, &sink, &wanted_here));
        let core = Core::new(config, inbox, home, runtime::handle(), sockets, on_life);
        environment::adopt(&env, &core)?;
        let number = hot::enter(&core);
        Ok(Self { core, wanted, batch: RefCell::default(), wakeup, number })
    }

    /// What the functions of `hot` know this broker by.
    #[napi(getter, catch_unwind)]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// `credentials`: JSON text (`src/config.rs`). They hold for the handshakes that begin from now on.
    #[napi(catch_unwind)]
    pub fn set_credentials(&self, credentials: String) -> napi::Result<()> {
        // The parser's own error might show what it read.
        let credentials: Credentials = serde_json::from_str(&credentials)
            .map_err(|_| Error::new(Status::InvalidArg, "Expected a broker's credentials".to_owned()))?;
        let wrong = |why| Error::new(Status::InvalidArg, format!("Expected usable certificates for tls: {why}"));
        self.core.set_credentials(credentials).map_err(wrong)
    }

    #[napi(catch_unwind)]
    pub fn start(&self, slot: f64) {
        self.core.start(slot as u64);
    }

    #[napi(catch_unwind)]
    pub fn destroy(&self, slot: f64, no_recover: bool) {
        self.core.destroy(slot as u64, no_recover);
    }

    #[napi(catch_unwind)]
    pub fn host(&self, class: String) {
        self.core.host(ClassName::new(class));
    }

    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments)]
    pub fn create(
        &self,
        slot: f64,
        class: String,
        cluster: String,
        id: Option<String>,
        recoverable: bool,
        attributes: String,
        timeout: f64,
    ) {
        match self.core.life() {
            Err(failure) => self.fail_slot(slot, failure),
            Ok(life) => {
                let request = PlaceRequest {
                    by: life.incarnation.clone(),
                    id: id.map(WorkerId::new),
                    class: ClassName::new(class),
                    cluster: ClusterName::new(cluster),
                    recoverable,
                    attributes,
                    ttl: Duration::from_millis(self.core.config.ttl),
                };
                life.create(slot as u64, request, timeout as u64);
            }
        }
    }

    #[napi(catch_unwind)]
    pub fn find(&self, slot: f64, id: String) {
        match self.core.life() {
            Err(failure) => self.fail_slot(slot, failure),
            Ok(life) => life.find(slot as u64, WorkerId::new(id)),
        }
    }

    #[napi(catch_unwind)]
    pub fn restart_all(&self, slot: f64) {
        match self.core.life() {
            Err(failure) => self.fail_slot(slot, failure),
            Ok(life) => life.restart_all(slot as u64),
        }
    }

    /// `outcome`: 0 made, 1 the constructor threw, 2 the class is not registered. `max_queue` of a worker that takes one
    /// message at a time, else 0.
    #[napi(catch_unwind)]
    pub fn created(&self, handle: Handle, outcome: u32, message: String, max_queue: u32) {
        let creation = match outcome {
            0 => Creation::Done,
            1 => Creation::Threw,
            _ => Creation::ClassMissing,
        };
        if let Ok(life) = self.core.life() {
            if creation == Creation::ClassMissing {
                self.core.unhost(&life, handle);
            }
            life.created(handle, creation, &message, (max_queue > 0).then_some(max_queue as usize));
        }
    }

    #[napi(catch_unwind)]
    pub fn destroying(&self, handle: Handle) {
        if let Ok(life) = self.core.life() {
            life.destroying(handle);
        }
    }

    #[napi(catch_unwind)]
    /// `by_itself`: `worker.destroy()` ended it. `next`: the first event of the current batch that was not looked at.
    pub fn destroyed(&self, handle: Handle, recover: bool, by_itself: bool, next: u32) {
        if let Ok(life) = self.core.life() {
            for event in self.batch.borrow().events.iter().skip(next as usize) {
                if let Event::Message(delivery) = event {
                    if delivery.handle == handle {
                        lock(&life.inbound).give_to(delivery.inbound, 0);
                    }
                }
            }
            let recover = recover && !life.no_recover.load(Ordering::Acquire);
            let (fate, ended) = match recover {
                true => (Fate::Recover, Ended::Moved),
                false if by_itself => (Fate::Delete, Ended::ByItself),
                false => (Fate::Delete, Ended::Moved),
            };
            life.destroyed(handle, fate, ended);
        }
    }

    #[napi(catch_unwind)]
    pub fn set_load(&self, handle: Handle, load: f64) {
        if let Ok(life) = self.core.life() {
            life.set_load(handle, load as u64);
        }
    }

    /// The next batch of events as JSON text; `null` when there are none.
    #[napi(catch_unwind)]
    pub fn drain<'env>(&self, env: &'env Env) -> napi::Result<Option<JsString<'env>>> {
        let life = self.core.life().ok();
        let gate = || life.as_ref().is_some_and(|life| life.lease.holds());
        let mut batch = self.batch.borrow_mut();
        batch.finish(life.as_ref(), &self.core.inbox);
        batch.life.clone_from(&life);
        let Batch { events, writer, marks, .. } = &mut *batch;
        loop {
            events.clear();
            self.core.inbox.take(MAX_BATCH, gate, events);
            let full = events.len() == MAX_BATCH;
            if events.is_empty() {
                if let Some(life) = &life {
                    marks.drain(..).for_each(|mark| life.marked(mark));
                }
                return Ok(None);
            }
            let now = boot_millis();
            let cancelled = life.as_ref().is_some_and(|life| lock(&life.inbound).has_cancelled());
            let is_wanted = |delivery: &Delivery, life: &Life| {
                (!cancelled && delivery.deadline >= now) || life.is_wanted(delivery, now)
            };
            events.retain(|event| match event {
                Event::Message(delivery) => {
                    let lost = life.as_ref().filter(|life| !is_wanted(delivery, life));
                    lost.inspect(|life| life.drop_message(delivery)).is_none()
                }
                Event::Mark(mark) => {
                    marks.push(mark.clone());
                    false
                }
                _ => true,
            });
            if !events.is_empty() {
                if full || !marks.is_empty() {
                    // After a batch that is not full, JavaScript does not come again by itself.
                    self.core.inbox.nudge();
                }
                if let Some(life) = &life {
                    life.hand_out(events);
                }
                writer.write(events);
                return text::to_js(env, &writer.text).map(Some);
            }
        }
    }

    /// Whether the handler that this event of the current batch asks for may start. If not, it and all after it come
    /// again when the lease has been renewed.
    #[napi(catch_unwind)]
    pub fn may_start(&self, index: u32) -> bool {
        self.core.inbox.visit();
        let mut batch = self.batch.borrow_mut();
        if batch.held.is_empty() && batch.life.as_ref().is_some_and(|life| life.lease.holds()) {
            return true;
        }
        let event = batch.events.get(index as usize).cloned();
        batch.held.extend(event);
        false
    }

    /// Whether this broker can prove that it lives.
    #[napi(catch_unwind)]
    pub fn holds(&self) -> bool {
        self.core.life().is_ok_and(|life| life.lease.holds())
    }

    /// The text of a large payload of the current batch.
    #[napi(catch_unwind)]
    pub fn take<'env>(&self, env: &'env Env, index: u32) -> napi::Result<Option<JsString<'env>>> {
        let batch = self.batch.borrow();
        batch.writer.large.get(index as usize).map(|apart| text::to_js(env, apart.text())).transpose()
    }

    /// Writes what this turn left to send; `true`: there are events to drain.
    #[napi(catch_unwind)]
    pub fn flush(&self) -> bool {
        let life = self.core.life().ok();
        if let Some(life) = &life {
            life.flush();
        }
        self.core.inbox.has_work(life.is_some_and(|life| life.lease.holds()))
    }

    /// Whether anybody listens to the broker's `'log'`: without a listener no log event is made.
    #[napi(catch_unwind)]
    pub fn logging(&self, wanted: bool) {
        self.wanted.set(wanted);
    }

    /// The coordinator's clock in ms, as far as known.
    #[napi(catch_unwind)]
    pub fn redis_time(&self) -> f64 {
        self.core.life().map_or(0.0, |life| lock(&life.clock).at(boot_millis()).0 as f64)
    }

    /// Tests and the demo: drops everything at once, as a kill does.
    #[napi(catch_unwind)]
    pub fn crash(&self) {
        self.core.crash();
    }

    #[napi(catch_unwind)]
    pub fn dispose(&self) {
        hot::leave(self.number);
        drop(self.core.dispose());
        self.wakeup.into_iter().for_each(Wakeup::forget);
    }

    pub(super) fn fail_slot(&self, slot: f64, failure: Failure) {
        self.core.inbox.push(Event::failed(slot as u64, failure));
    }
}

impl Drop for NativeBroker {
    fn drop(&mut self) {
        self.wanted.set(false);
        self.dispose();
    }
}
