//! `NativeBroker`: a broker's core as JavaScript calls it.

use crate::binding::batch_cursor::Station;
use crate::binding::event_loop::Wakeup;
use crate::binding::protocol::CREATIONS;
use crate::binding::strings;
use crate::binding::wake::Waker;
use crate::binding::{environment, event_loop, fast_calls, log, runtime};
use crate::broker::context::recipes::Recipe;
use crate::broker::core::Core;
use crate::broker::directory::inventory;
use crate::broker::home::Home;
use crate::broker::incarnation::Life;
use crate::broker::js::delivery::Handle;
use crate::broker::js::event::Event;
use crate::broker::js::queue::Inbox;
use crate::broker::js::report::{Creation, Ended};
use crate::config::{BrokerConfig, CoordinatorConfig, Credentials, Sockets};
use crate::coordination::{Cursor, Fate, PlaceRequest, Stored, Timers, WorkerFilter, WorkerState};
use crate::error::Failure;
use crate::ids::{BrokerId, ClassName, ClusterName, Epoch, Incarnation, ServerTime, WorkerId};
use napi::bindgen_prelude::Function;
use napi::{Env, Error, JsString, Status};
use napi_derive::napi;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

#[napi]
pub struct NativeBroker {
    pub(super) core: Arc<Core>,
    wanted: log::Wanted,
    pub(super) station: Rc<Station>,
    waker: Waker,
    number: u32,
}

#[napi]
impl NativeBroker {
    /// `config`: the options as JSON text (`src/config.rs`). `wake()` is called when `drain()` has something; `wake(batch)`
    /// with what it would have, and then what is to be sent is written when it returns. It returns how many handlers may
    /// start by the batch that comes with the next call; 0: it works on one already.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        env: Env,
        config: String,
        #[napi(ts_arg_type = "(batch?: string) => number")] wake: Function<'_, (), ()>,
    ) -> napi::Result<Self> {
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
        let waker = Waker::new(&wake, wakeup)?;
        let inbox = Arc::new(Inbox::new({
            let waker = waker.clone();
            Box::new(move || waker.wake())
        }));
        let wanted = log::Wanted::default();
        let (sink, wanted_here) = (Arc::downgrade(&inbox), wanted.clone());
        let on_life = Box::new(move |incarnation: &Incarnation| log::attach(incarnation, &sink, &wanted_here));
        let core = Core::new(config, inbox, home, runtime::handle(), sockets, on_life);
        environment::adopt(&env, &core)?;
        let station = Rc::new(Station::new(core.clone()));
        if let Some(wakeup) = wakeup {
            wakeup.bring(&station);
        }
        let number = fast_calls::enter(&station);
        Ok(Self { core, wanted, station, waker, number })
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

    /// `inbound`, `direct`: the handler that requests it, of the broker `home`; see [`Life::chain_of_creation`]. 0: none.
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
        inbound: f64,
        direct: Handle,
        home: &NativeBroker,
    ) {
        match self.core.life() {
            Err(failure) => self.fail_slot(slot, failure),
            Ok(life) => {
                let request = PlaceRequest {
                    purpose: Default::default(),
                    by: life.context.incarnation.clone(),
                    id: id.map(WorkerId::new),
                    class: ClassName::new(class),
                    cluster: ClusterName::new(cluster),
                    recoverable,
                    attributes,
                    exclude: Vec::new(),
                    ttl: Duration::from_millis(self.core.config.ttl),
                };
                let chain =
                    home.core.life().map(|home| home.activation.workers.chain_of_creation(inbound as u64, direct));
                life.activation.creations.create(slot as u64, request, timeout as u64, chain.unwrap_or_default());
            }
        }
    }

    #[napi(catch_unwind)]
    pub fn find(&self, slot: f64, id: String) {
        match self.core.life() {
            Err(failure) => self.fail_slot(slot, failure),
            Ok(life) => life.activation.creations.find(slot as u64, WorkerId::new(id)),
        }
    }

    #[napi(catch_unwind)]
    pub fn restart_all(&self, slot: f64) {
        match self.core.life() {
            Err(failure) => self.fail_slot(slot, failure),
            Ok(life) => life.membership.view.restart_all(slot as u64),
        }
    }

    /// This worker ends for good: the registry is told before its `onDestroy`, and an event under the slot says when it knows.
    /// `false`: there is nothing to wait for.
    #[napi(catch_unwind)]
    pub fn finish(&self, handle: Handle, slot: f64) -> bool {
        self.core.life().is_ok_and(|life| life.activation.lifecycle.finish(handle, slot as u64))
    }

    /// What workers are made from by the first message of an agent: its number, which goes with each message of the agent.
    #[napi(catch_unwind)]
    pub fn add_recipe(&self, class: String, cluster: String, recoverable: bool, attributes: String) -> u32 {
        let (class, cluster) = (ClassName::new(class), ClusterName::new(cluster));
        self.core.numbers.recipes().add(Recipe { class, cluster, recoverable, attributes })
    }

    /// No agent has this recipe any more.
    #[napi(catch_unwind)]
    pub fn remove_recipe(&self, number: u32) {
        self.core.numbers.recipes().remove(number);
    }

    /// Deletes a worker that has no owner: see [`Life::erase`](crate::broker::incarnation::Life::erase). `epoch`: digits, or empty for
    /// any.
    #[napi(catch_unwind)]
    pub fn erase(&self, slot: f64, id: String, epoch: String) {
        match self.core.life() {
            Err(failure) => self.fail_slot(slot, failure),
            Ok(life) => life.activation.creations.erase(slot as u64, WorkerId::new(id), epoch.parse().ok().map(Epoch)),
        }
    }

    /// Keeps new workers away from this broker, or lets them come again.
    #[napi(catch_unwind)]
    pub fn cordon(&self, slot: f64, cordoned: bool) {
        match self.core.life() {
            Err(failure) => self.fail_slot(slot, failure),
            Ok(life) => life.membership.view.cordon(slot as u64, cordoned),
        }
    }

    /// Whether this broker takes new workers, and the others can use it.
    #[napi(catch_unwind)]
    pub fn is_ready(&self) -> bool {
        self.core.life().is_ok_and(|life| life.is_ready())
    }

    /// Frees a quarantined worker.
    #[napi(catch_unwind)]
    pub fn pardon(&self, slot: f64, id: String) {
        match self.core.life() {
            Err(failure) => self.fail_slot(slot, failure),
            Ok(life) => life.activation.trials.pardon(slot as u64, WorkerId::new(id)),
        }
    }

    /// Answers with all brokers of the namespace.
    #[napi(catch_unwind)]
    pub fn list_brokers(&self, slot: f64) {
        match self.core.life() {
            Err(failure) => self.fail_slot(slot, failure),
            Ok(life) => inventory::list_brokers(&life.context, slot as u64),
        }
    }

    /// Answers with a page of workers. `state`: one of those that `lib/runtime/inventory.js` names.
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments)]
    pub fn list_workers(
        &self,
        slot: f64,
        class: Option<String>,
        cluster: Option<String>,
        broker: Option<String>,
        state: Option<String>,
        cursor: Option<String>,
        limit: u32,
    ) {
        let filter = WorkerFilter {
            class: class.map(ClassName::new),
            cluster: cluster.map(ClusterName::new),
            broker: broker.map(BrokerId::new),
            state: state.and_then(|state| WorkerState::from_text(&state)),
        };
        match self.core.life() {
            Err(failure) => self.fail_slot(slot, failure),
            Ok(life) => {
                let members = &life.membership.members;
                inventory::list_workers(&life.context, members, slot as u64, filter, cursor.map(Cursor), limit as usize)
            }
        }
    }

    /// Answers with one worker as the registry has it, or `null`.
    #[napi(catch_unwind)]
    pub fn inspect(&self, slot: f64, id: String) {
        match self.core.life() {
            Err(failure) => self.fail_slot(slot, failure),
            Ok(life) => inventory::inspect(&life.context, &life.membership.members, slot as u64, WorkerId::new(id)),
        }
    }

    /// The event loop has gone on for a moment after `onCreate` of this worker, which was on trial.
    #[napi(catch_unwind)]
    pub fn tried(&self, handle: Handle) {
        if let Ok(life) = self.core.life() {
            life.activation.trials.end_trial(handle);
        }
    }

    /// `outcome`: see [`CREATIONS`]. `max_queue`: how many messages wait at most for a serial worker; 0 for another worker.
    /// `body`: the error of a worker that is kept, as JSON text.
    #[napi(catch_unwind)]
    pub fn created(&self, handle: Handle, outcome: u32, message: String, max_queue: u32, body: String) {
        let creation = CREATIONS.get(outcome as usize).map_or(Creation::ClassMissing, |(_, creation)| *creation);
        if let Ok(life) = self.core.life() {
            if creation == Creation::ClassMissing {
                self.core.unhost(&life, handle);
            }
            life.activation.lifecycle.created(
                handle,
                creation,
                &message,
                (max_queue > 0).then_some(max_queue as usize),
                &body,
            );
        }
    }

    #[napi(catch_unwind)]
    /// No handler of this worker starts any more. `recover`: it is to be made again elsewhere. `sleeps`: the next message wakes it.
    pub fn destroying(&self, handle: Handle, recover: bool, sleeps: bool) {
        if let Ok(life) = self.core.life() {
            let recover = recover && life.hands_over();
            life.activation.lifecycle.destroying(handle, recover, sleeps);
        }
    }

    #[napi(catch_unwind)]
    /// `by_itself`: `worker.destroy()` ended it; where it is to be made again, before it handled a message. `next`: the first event of the current batch that was not looked at.
    pub fn destroyed(&self, handle: Handle, recover: bool, by_itself: bool, next: u32) {
        if let Ok(life) = self.core.life() {
            self.not_started(&life, handle, next);
            let hands_over = life.hands_over();
            let (fate, ended) = match (recover, by_itself) {
                (true, true) if hands_over => (Fate::Return, Ended::Moved),
                (true, false) if hands_over => (Fate::Recover, Ended::Moved),
                (true, true) => (Fate::Delete, Ended::ByItself),
                (true, false) => (Fate::Delete, Ended::Moved),
                (false, true) => (Fate::End, Ended::ByItself),
                (false, false) => (Fate::End, Ended::Moved),
            };
            life.activation.lifecycle.destroyed(handle, fate, ended);
        }
    }

    /// Whether idle workers may leave memory now.
    #[napi(catch_unwind)]
    pub fn may_sleep(&self) -> bool {
        self.core.life().is_ok_and(|life| life.activation.workers.may_sleep())
    }

    /// The `onDestroy` of an idle worker ended. `next`: see [`NativeBroker::destroyed`].
    #[napi(catch_unwind)]
    pub fn asleep(&self, handle: Handle, next: u32) {
        if let Ok(life) = self.core.life() {
            self.not_started(&life, handle, next);
            life.activation.lifecycle.asleep(handle);
        }
    }

    /// Stores the data and the timers of a worker that lives here; an event under the slot says what became of it. `text`: exactly one JSON
    /// value, or empty where it has no data; `timers`: the same. `next`: when the next timer is due, ms; 0: none.
    #[napi(catch_unwind)]
    #[allow(clippy::too_many_arguments)]
    pub fn save(
        &self,
        handle: Handle,
        slot: f64,
        version: u32,
        revision: f64,
        text: String,
        next: f64,
        timers: String,
    ) {
        match self.core.life() {
            Err(failure) => self.fail_slot(slot, failure),
            Ok(life) => {
                let timers = Timers { next: ServerTime(next as u64), text: timers };
                let data = Stored { version, revision: revision as u64, text, timers };
                life.activation.saving.save(handle, slot as u64, data);
            }
        }
    }

    #[napi(catch_unwind)]
    pub fn set_load(&self, handle: Handle, load: f64) {
        if let Ok(life) = self.core.life() {
            life.activation.workers.set_load(handle, load as u64);
        }
    }

    /// Whether this broker can prove that it lives.
    #[napi(catch_unwind)]
    pub fn holds(&self) -> bool {
        self.core.life().is_ok_and(|life| life.lease.holds())
    }

    /// The text of a large payload of the current batch.
    #[napi(catch_unwind)]
    pub fn take<'env>(&self, env: &'env Env, index: u32) -> napi::Result<Option<JsString<'env>>> {
        self.station.apart(index, |text| strings::to_js(env, text)).transpose()
    }

    /// Whether anybody listens to the broker's `'log'`: without a listener no log event is made.
    #[napi(catch_unwind)]
    pub fn logging(&self, wanted: bool) {
        self.wanted.set(wanted);
    }

    /// The coordinator's clock in ms, as far as known.
    #[napi(catch_unwind)]
    pub fn redis_time(&self) -> f64 {
        self.core.life().map_or(0.0, |life| life.lease.server_clock().0 .0 as f64)
    }

    /// Tests and the demo: drops everything at once, as a kill does.
    #[napi(catch_unwind)]
    pub fn crash(&self) {
        self.core.crash();
    }

    #[napi(catch_unwind)]
    pub fn dispose(&self) {
        fast_calls::leave(self.number);
        drop(self.core.dispose(false));
        self.waker.close();
    }

    /// Messages of the current batch, from this one on, for which no handler of the worker has started.
    fn not_started(&self, life: &Life, handle: Handle, next: u32) {
        self.station.each_message_from(next, |delivery| {
            if delivery.handle == handle {
                life.activation.workers.not_started(delivery.inbound);
            }
        });
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
