//! What every room of one incarnation may use: who it is, its options, registry, queue to JavaScript, log and tasks.

use crate::backoff::Backoff;
use crate::broker::context::log::Log;
use crate::broker::context::numbers::Numbers;
use crate::broker::context::recipes::Recipe;
use crate::broker::context::registry::Registry;
use crate::broker::context::tasks::Tasks;
use crate::broker::js::event::Event;
use crate::broker::js::queue::Inbox;
use crate::config::BrokerConfig;
use crate::coordination::{CoordinationError, CoordinationResult, Coordinator};
use crate::error::{Code, Delivered, Failure};
use crate::ids::{BrokerId, ClusterName, Incarnation};
use crate::level::Level;
use crate::lock::lock;
use std::collections::HashSet;
use std::future::Future;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a start goes on asking a coordinator that was reached and answers late.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// What every room of one incarnation shares. It holds no state that one room alone decides on.
pub struct Context {
    /// The options of the broker.
    pub config: Arc<BrokerConfig>,
    /// The id of the broker.
    pub broker: BrokerId,
    /// The cluster that the broker belongs to.
    pub cluster: ClusterName,
    /// The name of this incarnation.
    pub incarnation: Incarnation,
    /// The handles to the coordinator.
    pub registry: Registry,
    /// The registry's coordinator, for everything but renewals.
    pub coordinator: Arc<dyn Coordinator>,
    /// The queue of events to JavaScript.
    pub inbox: Arc<Inbox>,
    /// The tasks of this incarnation.
    pub tasks: Tasks,
    log: Log,
    numbers: Numbers,
    /// Operations of JavaScript that a task of this incarnation works on.
    operations: Mutex<HashSet<u64>>,
    /// `destroy()` was called: the broker takes nothing new.
    leaving: AtomicBool,
    /// The event loop stands still: the broker gets no new workers.
    stalled: AtomicBool,
    /// The application keeps new workers away. Shared by all incarnations of the broker.
    cordoned: Arc<AtomicBool>,
}

impl Context {
    /// A context under a new incarnation.
    pub fn new(
        config: Arc<BrokerConfig>,
        registry: Registry,
        inbox: Arc<Inbox>,
        tasks: Tasks,
        numbers: Numbers,
        cordoned: Arc<AtomicBool>,
    ) -> Arc<Self> {
        let incarnation = Incarnation::random();
        Arc::new(Self {
            broker: BrokerId::new(&config.id),
            cluster: ClusterName::new(&config.clustername),
            coordinator: registry.coordinator.clone(),
            registry,
            inbox,
            tasks,
            log: Log::new(incarnation.clone()),
            numbers,
            operations: Mutex::default(),
            leaving: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            cordoned,
            incarnation,
            config,
        })
    }

    /// Whether `destroy()` was called.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// `destroy()` was called.
    pub fn set_leaving(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Whether JavaScript's event loop stands still.
    pub fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Acquire)
    }

    /// JavaScript's event loop stands still, or moves again.
    pub fn set_stalled(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Release);
    }

    /// Whether the application keeps new workers away from this broker.
    pub fn is_cordoned(&self) -> bool {
        self.cordoned.load(Ordering::Acquire)
    }

    /// The application keeps new workers away from this broker, or does so no longer.
    pub fn set_cordoned(&self, cordoned: bool) {
        self.cordoned.store(cordoned, Ordering::Release);
    }

    /// Whether this broker takes workers that it does not run yet.
    pub fn takes_workers(&self) -> bool {
        !(self.is_leaving() || self.is_stalled() || self.is_cordoned())
    }

    /// Runs a task until it is done or the incarnation ends.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(name, task);
    }

    /// Works on an operation of JavaScript: its event comes exactly once, also when the incarnation ends before it does.
    pub fn operate(
        self: &Arc<Self>,
        name: &'static str,
        slot: u64,
        work: impl Future<Output = Event> + Send + 'static,
    ) {
        lock(&self.operations).insert(slot);
        let context = self.clone();
        self.spawn(name, async move {
            let event = work.await;
            if lock(&context.operations).remove(&slot) {
                context.inbox.push(event);
            }
        });
    }

    /// Fails every operation that is still worked on: the incarnation ended.
    pub fn fail_operations(&self) {
        let operations = std::mem::take(&mut *lock(&self.operations));
        for slot in operations {
            let failure = Failure::new(Code::State, "The broker was closed.").with_delivered(Delivered::Unknown);
            self.inbox.push(Event::failed(slot, failure));
        }
    }

    /// What a worker is made from by its first message; `None` for 0.
    pub fn recipe(&self, number: u32) -> Option<Arc<Recipe>> {
        self.numbers.recipes().get(number)
    }

    /// A number for a call that the core itself makes.
    pub fn next_call(&self) -> u64 {
        self.numbers.next_call()
    }

    /// Waiting times between attempts, as the options set them.
    pub fn backoff(&self) -> Backoff {
        let retries = &self.config.retries;
        Backoff::new(Duration::from_millis(retries.initial_interval), Duration::from_millis(retries.max_interval))
    }

    /// Asks the coordinator again while it cannot be reached or does not answer in time, up to [`START_PATIENCE`]: a start
    /// does not fail because a server that is very busy answers late.
    pub async fn ask_patiently<T, Asked>(&self, ask: impl Fn() -> Asked) -> CoordinationResult<T>
    where
        Asked: Future<Output = CoordinationResult<T>>,
    {
        let (begun, mut backoff) = (Instant::now(), self.backoff());
        loop {
            match ask().await {
                Err(CoordinationError::Unavailable(text)) if begun.elapsed() < START_PATIENCE => {
                    self.log(Level::Warn, format!("{text}. The broker is starting and asks again."));
                    tokio::time::sleep(backoff.next_wait()).await;
                }
                answer => return answer,
            }
        }
    }

    /// Writes a line of this broker's log. Of the lines that one place in the source writes, one a second is emitted.
    #[track_caller]
    pub fn log(&self, level: Level, message: impl Into<String>) {
        self.log.write(Location::caller(), level, message.into());
    }

    /// Emits the lines that were held back, each in its time, as long as the incarnation goes on.
    pub async fn keep_log(self: Arc<Self>) {
        self.log.keep().await;
    }

    /// Emits the lines that are still held back: the incarnation ends.
    pub fn close_log(&self) {
        self.log.close();
    }
}
