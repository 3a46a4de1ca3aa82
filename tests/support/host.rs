//! A broker whose JavaScript side is played by the test: it makes workers, hands messages to a handler, keeps results.

use dworker::broker::core::Core;
use dworker::broker::home::Home;
use dworker::broker::js::delivery::Handle;
use dworker::broker::js::event::{DestroyCause, Event};
use dworker::broker::js::queue::Inbox;
use dworker::broker::js::report::{Creation, Ended};
use dworker::clock::boot_millis;
use dworker::config::{
    BrokerConfig, CoordinatorConfig, LeaseConfig, OnRedisLoss, RetriesConfig, RoutesConfig, Sockets, StallAction,
    StallConfig,
};
use dworker::coordination::{Fate, PlaceRequest};
use dworker::error::Failure;
use dworker::ids::{ClassName, ClusterName, WorkerId};
use dworker::wire::call_chain::Chain;
use dworker::wire::message::PayloadRef;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{oneshot, Notify};

pub type Answer = Result<Option<String>, Failure>;
/// What a worker does with a message: its id, the method, the payload; the answer of an ask.
pub type Handler = Arc<dyn Fn(&str, &str, Option<&str>) -> Option<String> + Send + Sync>;

pub struct Host {
    pub core: Arc<Core>,
    inbox: Arc<Inbox>,
    slots: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    workers: Mutex<HashMap<Handle, String>>,
    handler: Handler,
    /// Workers that were made here so far.
    pub made: AtomicU64,
    /// Workers that ended here because they live elsewhere.
    pub fenced: AtomicU64,
    /// Brokers that were reported dead, in that order.
    pub deaths: Mutex<Vec<String>>,
}

pub fn config(id: &str) -> BrokerConfig {
    BrokerConfig {
        id: id.into(),
        ns: "test".into(),
        clustername: "main".into(),
        coordinator: CoordinatorConfig::Memory { name: "".into() },
        listen: None,
        advertise: None,
        rpc_timeout: 3000,
        ttl: 0,
        routes: RoutesConfig { max: 1000, max_age: 30_000 },
        retries: RetriesConfig { initial_interval: 10, max_interval: 100, duration: 5000 },
        socket_timeout: 15_000,
        max_peers: 4096,
        local_sockets: true,
        sockets: Sockets::Task,
        health_check_interval: 100,
        lease: LeaseConfig { ttl: 1500, renew: 100, strict: false },
        on_redis_loss: OnRedisLoss::Suspend,
        stall: StallConfig { after: 30_000, action: StallAction::Report },
        max_message_bytes: 16 * 1024 * 1024,
        destroy_timeout: 5000,
        process: Default::default(),
    }
}

impl Host {
    /// A broker that is active and hosts the class `Room`.
    pub async fn start(id: &str, home: &Home, handler: Handler) -> Arc<Host> {
        Self::start_with(config(id), home, handler).await
    }

    pub async fn start_with(config: BrokerConfig, home: &Home, handler: Handler) -> Arc<Host> {
        Self::try_start(config, home, handler).await.expect("the broker starts")
    }

    pub async fn try_start(config: BrokerConfig, home: &Home, handler: Handler) -> Result<Arc<Host>, Failure> {
        let looked = Arc::new(Notify::new());
        let wake = looked.clone();
        let inbox = Arc::new(Inbox::new(Box::new(move || wake.notify_one())));
        let runtime = tokio::runtime::Handle::current();
        let core = Core::new(config, inbox.clone(), home.clone(), runtime, None, Box::new(|_| {}));
        let host = Arc::new(Host {
            core,
            inbox,
            slots: AtomicU64::new(0),
            waiting: Mutex::default(),
            workers: Mutex::default(),
            handler,
            made: AtomicU64::new(0),
            fenced: AtomicU64::new(0),
            deaths: Mutex::default(),
        });
        let weak = Arc::downgrade(&host);
        tokio::spawn(async move {
            loop {
                looked.notified().await;
                let Some(host) = weak.upgrade() else { return };
                host.work();
            }
        });
        host.core.host(ClassName::new("Room"));
        host.run(|slot| host.core.start(slot)).await?;
        Ok(host)
    }

    /// Runs an operation that answers under a slot.
    pub async fn run(&self, operation: impl FnOnce(u64)) -> Answer {
        let slot = self.slots.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().expect("no test panics with it").insert(slot, sender);
        operation(slot);
        if let Ok(life) = self.core.life() {
            life.output.flush();
        }
        self.inbox.nudge();
        receiver.await.expect("every operation is answered")
    }

    pub async fn create(&self, id: &str) -> Answer {
        self.create_some(Some(id)).await
    }

    /// The answer is `{"id"}`; without an id one is counted out.
    pub async fn create_some(&self, id: Option<&str>) -> Answer {
        let life = self.core.life().expect("the broker is active");
        let request = PlaceRequest {
            purpose: Default::default(),
            exclude: Vec::new(),
            by: life.context.incarnation.clone(),
            id: id.map(WorkerId::new),
            class: ClassName::new("Room"),
            cluster: ClusterName::new("main"),
            recoverable: true,
            attributes: "{}".into(),
            ttl: Duration::ZERO,
        };
        self.run(|slot| life.activation.creations.create(slot, request, 3000, Chain::EMPTY)).await
    }

    /// The answer is `{"class"}`, or `null` when there is no such worker.
    pub async fn find(&self, worker: &str) -> Answer {
        let life = self.core.life()?;
        self.run(|slot| life.activation.creations.find(slot, WorkerId::new(worker))).await
    }

    pub async fn ask(&self, worker: &str, method: &str, json: &str) -> Answer {
        match self.core.life() {
            Ok(life) => {
                self.run(|slot| life.messages.ask(worker, method, PayloadRef::json(json.as_bytes()), slot, 3000, 0))
                    .await
            }
            Err(failure) => Err(failure),
        }
    }

    /// Sends without waiting; nobody hears of what becomes of it.
    pub fn post(&self, worker: &str, method: &str, json: &str, ask: bool) {
        let slot = self.slots.fetch_add(1, Ordering::Relaxed) + 1;
        if let Ok(life) = self.core.life() {
            if ask {
                life.messages.ask(worker, method, PayloadRef::json(json.as_bytes()), slot, 3000, 0);
            } else {
                life.messages.tell(worker, method, PayloadRef::json(json.as_bytes()), slot, 0);
            }
            life.output.flush();
            self.inbox.nudge();
        }
    }

    /// The worker destroys itself, to be made again elsewhere.
    pub fn hand_over(&self, worker: &str) -> bool {
        let handle = {
            let workers = self.workers.lock().expect("no test panics with it");
            workers.iter().find(|(_, id)| *id == worker).map(|(handle, _)| *handle)
        };
        let (Some(handle), Ok(life)) = (handle, self.core.life()) else { return false };
        self.workers.lock().expect("no test panics with it").remove(&handle);
        life.activation.lifecycle.destroying(handle, true, false);
        // As JavaScript does with a worker that ends by itself.
        life.activation.workers.set_load(handle, 0);
        life.activation.lifecycle.destroyed(handle, Fate::Recover, Ended::Moved);
        true
    }

    pub fn holds(&self, worker: &str) -> bool {
        self.workers.lock().expect("no test panics with it").values().any(|id| id == worker)
    }

    /// One of the workers that live here.
    pub fn any(&self) -> Option<String> {
        self.workers.lock().expect("no test panics with it").values().next().cloned()
    }

    /// How many workers live here.
    pub fn count(&self) -> usize {
        self.workers.lock().expect("no test panics with it").len()
    }

    /// How many neighbours are watched.
    pub fn watches(&self) -> usize {
        self.core.life().map_or(0, |life| life.membership.members.peers.watched_count())
    }

    /// Whether the death of somebody is being proven.
    pub fn proves(&self) -> bool {
        self.core.life().is_ok_and(|life| life.membership.members.peers.is_proving())
    }

    /// Brokers that this one was told are dead, in that order.
    pub fn deaths(&self) -> Vec<String> {
        self.deaths.lock().expect("no test panics with it").clone()
    }

    pub fn crash(&self) {
        self.core.crash();
        self.workers.lock().expect("no test panics with it").clear();
    }

    fn work(self: &Arc<Self>) {
        loop {
            let mut events = Vec::new();
            let Ok(life) = self.core.life() else {
                self.inbox.take(256, 256, || true, &mut events);
                if events.is_empty() {
                    return;
                }
                events.into_iter().for_each(|event| self.settle(event));
                continue;
            };
            life.take_events(256, 256, &mut events);
            if events.is_empty() {
                return;
            }
            let mut marks = Vec::new();
            for event in events {
                match event {
                    Event::Mark(mark) => marks.push(mark),
                    Event::Create { handle, entry, .. } => {
                        self.workers.lock().expect("no test panics with it").insert(handle, entry.id.to_string());
                        self.made.fetch_add(1, Ordering::Relaxed);
                        life.activation.lifecycle.created(handle, Creation::Done, "", None, "");
                    }
                    Event::Destroy { handle, cause } => {
                        self.workers.lock().expect("no test panics with it").remove(&handle);
                        match cause {
                            DestroyCause::System => {
                                life.activation.lifecycle.destroyed(handle, Fate::Recover, Ended::Moved)
                            }
                            DestroyCause::Handover | DestroyCause::Idle => {}
                            DestroyCause::Fenced => drop(self.fenced.fetch_add(1, Ordering::Relaxed)),
                        }
                    }
                    Event::BrokerDead { broker } => self.deaths.lock().expect("no test panics with it").push(broker),
                    Event::Message(delivery) if delivery.deadline < boot_millis() => {
                        life.activation.workers.drop_message(&delivery)
                    }
                    Event::Message(delivery) => {
                        let worker =
                            self.workers.lock().expect("no test panics with it").get(&delivery.handle).cloned();
                        let Some(worker) = worker else {
                            life.activation.workers.refuse(delivery);
                            continue;
                        };
                        let method = String::from_utf8_lossy(&delivery.envelope.method).into_owned();
                        let payload = String::from_utf8_lossy(&delivery.envelope.payload.bytes).into_owned();
                        let result = (self.handler)(&worker, &method, Some(&payload));
                        if delivery.inbound > 0 {
                            let answer =
                                result.as_deref().map_or(PayloadRef::ABSENT, |json| PayloadRef::json(json.as_bytes()));
                            life.messages.reply(delivery.inbound, answer);
                        }
                    }
                    other => self.settle(other),
                }
            }
            life.output.flush();
            marks.into_iter().for_each(|mark| life.messages.marked(mark));
        }
    }

    fn settle(&self, event: Event) {
        let (slot, answer) = match event {
            Event::Done { slot, value } => {
                let text = String::from_utf8_lossy(&value.bytes).into_owned();
                (slot, Ok((!text.is_empty()).then_some(text)))
            }
            Event::Failed { slot, failure, .. } => (slot, Err(failure)),
            _ => return,
        };
        if let Some(waiting) = self.waiting.lock().expect("no test panics with it").remove(&slot) {
            // The test may have stopped waiting.
            let _ = waiting.send(answer);
        }
    }
}

/// Waits until it is so; says what was awaited when it never is.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let give_up = tokio::time::Instant::now() + Duration::from_secs(15);
    while !holds() {
        assert!(tokio::time::Instant::now() < give_up, "it never became true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
