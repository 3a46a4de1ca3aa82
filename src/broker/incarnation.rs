//! One life of a broker, from `start()` to its end: all state that carries one incarnation.

use crate::broker::activation::catalog::Residents;
use crate::broker::activation::claims::Claims;
use crate::broker::activation::registrar::Registrar;
use crate::broker::activation::requests::Inbound;
use crate::broker::activation::trials::Trials;
use crate::broker::broker::Proofs;
use crate::broker::context::notices::Notices;
use crate::broker::context::numbers::Numbers;
use crate::broker::context::registry::Registry;
use crate::broker::context::shared::Context;
use crate::broker::context::tasks::Tasks;
use crate::broker::directory::avoided::Avoided;
use crate::broker::directory::lanes::Lanes;
use crate::broker::js::event::Event;
use crate::broker::js::queue::Inbox;
use crate::broker::lease::gate::Lease;
use crate::broker::lease::server_clock::ServerClock;
use crate::broker::membership::eviction::Upcoming;
use crate::broker::membership::heartbeat::Watch;
use crate::broker::membership::remembered::Remembered;
use crate::broker::messaging::calls::{Call, Calls, Settled, Waiter};
use crate::broker::messaging::output_gate::Answer;
use crate::broker::messaging::refusals::Refusals;
use crate::clock::boot_millis;
use crate::config::BrokerConfig;
use crate::coordination::BrokerRecord;
use crate::error::Failure;
use crate::ids::{BrokerId, ClassName, ClusterName, Endpoint, Incarnation};
use crate::lock::lock;
use crate::transport::{Connection, MemoryHub, Transport};
use crate::wire::message::PROTOCOL;
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::{watch, Notify};

/// See the module. Locks are taken in the order of the fields, and never held across an await.
pub struct Life {
    pub context: Arc<Context>,
    /// Set once, before the life is known to anybody else.
    pub transport: OnceLock<Transport>,
    pub address: OnceLock<Endpoint>,
    /// What the application gave this broker to prove itself by.
    pub proofs: Arc<Mutex<Proofs>>,
    pub hub: Option<MemoryHub>,
    pub lanes: Mutex<Lanes>,
    pub residents: Mutex<Residents>,
    pub inbound: Mutex<Inbound>,
    pub calls: Mutex<Calls>,
    /// Open outgoing connections by whom they lead to.
    pub peers: Mutex<HashMap<Incarnation, Arc<Connection>>>,
    /// Who is at the other end of the connections that messages come over.
    pub callers: Mutex<HashMap<u64, BrokerId>>,
    pub remembered: Mutex<Remembered>,
    /// Classes of workers that wait to be recovered and that no broker hosts, as far as they were warned of.
    pub missing_classes: Mutex<Notices<(ClusterName, ClassName)>>,
    /// Brokers that could not be used lately, and what was said of that.
    pub avoided: Mutex<Avoided>,
    pub complaints: Mutex<Notices<Incarnation>>,
    /// The neighbours that this broker watches, and whose death is being proven.
    pub watch: Watch,
    /// Connections with something to write at the end of JavaScript's turn.
    pub dirty: Mutex<Vec<Arc<Connection>>>,
    /// Whose messages go back because this incarnation was suspended.
    pub refusals: Refusals,
    /// Answers that wait for the gate to open.
    pub held_answers: Mutex<Vec<Answer>>,
    /// Worker classes that this broker offers to run.
    pub hosted: Mutex<BTreeSet<ClassName>>,
    pub registrar: Registrar,
    pub trials: Trials,
    pub lease: Lease,
    /// The earliest deadline changed.
    pub timer: Notify,
    pub claims: Claims,
    /// The members should be looked at now.
    pub look: Notify,
    /// The members changed: the neighbours may be others.
    pub watch_anew: Notify,
    /// The record changed and must be published.
    pub publish: Notify,
    /// What stands under this incarnation should be compared with what lives here.
    pub audit: Notify,
    /// The database is another than the one that this broker has put itself into.
    pub announce: Notify,
    /// Others may have put back workers that this broker put back too.
    pub verify: Notify,
    /// That was not looked into yet.
    pub unverified: AtomicBool,
    /// The registry is whole again, or a death is known: who waits looks again.
    pub moved: Notify,
    /// Workers whose broker is looked for.
    pub resolving: AtomicUsize,
    pub clock: Mutex<ServerClock>,
    /// The last answer that renewed the lease, on the local clock.
    pub renewed_at: AtomicU64,
    /// Since when this broker can tell whether others renew, on the local clock.
    pub well_since: AtomicU64,
    /// The next lease of another broker to run out, as the last renewal told.
    pub next_expiry: watch::Sender<Option<Upcoming>>,
    /// A resident left, for who waits until all have.
    pub departed: Notify,
    /// Nothing is handed over when it leaves.
    pub no_recover: AtomicBool,
    /// Set when the lease turned out to be lost: the incarnation is over.
    pub fenced: Notify,
}

/// What a life is made of besides its tables.
pub struct LifeParts {
    pub config: Arc<BrokerConfig>,
    pub registry: Registry,
    pub hub: Option<MemoryHub>,
    pub inbox: Arc<Inbox>,
    pub numbers: Numbers,
    pub proofs: Arc<Mutex<Proofs>>,
    pub hosted: BTreeSet<ClassName>,
    pub tasks: Tasks,
}

impl Life {
    pub fn new(parts: LifeParts) -> Arc<Self> {
        let (handles, inbound) = (parts.numbers.handles.clone(), parts.numbers.inbound.clone());
        let context = Context::new(parts.config, parts.registry, parts.inbox, parts.tasks, parts.numbers);
        let config = context.config.clone();
        Arc::new(Self {
            context,
            transport: OnceLock::new(),
            address: OnceLock::new(),
            proofs: parts.proofs,
            hub: parts.hub,
            lanes: Mutex::new(Lanes::new(config.routes.max, config.routes.max_age)),
            residents: Mutex::new(Residents::new(handles, inbound.clone())),
            inbound: Mutex::new(Inbound::new(inbound)),
            calls: Mutex::default(),
            peers: Mutex::default(),
            callers: Mutex::default(),
            remembered: Mutex::default(),
            missing_classes: Mutex::default(),
            avoided: Mutex::default(),
            complaints: Mutex::default(),
            watch: Watch::default(),
            dirty: Mutex::default(),
            refusals: Refusals::default(),
            held_answers: Mutex::default(),
            hosted: Mutex::new(parts.hosted),
            registrar: Registrar::default(),
            trials: Trials::default(),
            lease: Lease::new(&config.lease, config.on_redis_loss),
            timer: Notify::new(),
            claims: Claims::default(),
            look: Notify::new(),
            watch_anew: Notify::new(),
            publish: Notify::new(),
            audit: Notify::new(),
            announce: Notify::new(),
            verify: Notify::new(),
            unverified: AtomicBool::new(false),
            moved: Notify::new(),
            resolving: AtomicUsize::new(0),
            clock: Mutex::new(ServerClock::new(config.lease.ttl)),
            renewed_at: AtomicU64::new(0),
            well_since: AtomicU64::new(u64::MAX),
            next_expiry: watch::Sender::new(None),
            departed: Notify::new(),
            no_recover: AtomicBool::new(false),
            fenced: Notify::new(),
        })
    }

    pub fn transport(&self) -> &Transport {
        self.transport.get().expect("a life is used only after its transport was set")
    }

    /// What this broker says of itself now.
    pub fn record(&self) -> BrokerRecord {
        BrokerRecord {
            incarnation: self.context.incarnation.clone(),
            broker: self.context.broker.clone(),
            cluster: self.context.cluster.clone(),
            address: self.address.get().cloned().unwrap_or(Endpoint { host: String::new(), port: 0 }),
            classes: lock(&self.hosted).clone(),
            protocol: PROTOCOL,
            lease_ttl: self.context.config.lease.ttl(),
            strict: self.context.config.lease.strict,
            draining: self.context.is_leaving() || self.context.is_stalled(),
        }
    }

    /// Starts to wait for an answer.
    pub fn open_call(&self, call: u64, deadline: u64, waiter: Waiter) {
        if lock(&self.calls).insert(call, deadline, waiter) {
            self.timer.notify_one();
        }
    }

    /// Ends a call; nothing happens when it has ended already.
    pub fn settle(&self, call: u64, settled: Settled) {
        let ended = lock(&self.calls).settle(call);
        if let Some(ended) = ended {
            self.answer(call, ended, settled);
        }
    }

    /// Ends a call with what came from a peer; nothing happens when it was not written to that connection.
    pub fn settle_from(&self, from: &Connection, call: u64, settled: Settled) {
        let ended = lock(&self.calls).settle_there(call, from.id());
        if let Some(ended) = ended {
            self.answer(call, ended, settled);
        }
    }

    pub fn answer(&self, call: u64, ended: Call, settled: Settled) {
        match ended.waiter {
            Waiter::JavaScript => self.context.inbox.push(match settled {
                Settled::Reply(value) => Event::Done { slot: call, value },
                Settled::Failure { failure, body } => Event::Failed { slot: call, failure, body },
            }),
            // The task that asked has gone: nobody to tell.
            Waiter::Internal(sender) => drop(sender.send(settled)),
        }
    }

    pub fn fail_call(&self, call: u64, failure: Failure) {
        self.settle(call, Settled::Failure { failure, body: Bytes::new() });
    }

    /// Ends calls at their deadlines, as long as the life goes on.
    pub async fn keep_deadlines(self: Arc<Self>) {
        loop {
            let next = lock(&self.calls).next_deadline();
            let wait = next.map(|next| Duration::from_millis(next.saturating_sub(boot_millis())));
            tokio::select! {
                () = self.timer.notified() => continue,
                () = async { match wait { Some(wait) => tokio::time::sleep(wait).await, None => std::future::pending().await } } => {}
            }
            let expired = lock(&self.calls).expire(boot_millis());
            self.withdraw(expired.iter().map(|(call, ended)| (*call, ended.place)));
            self.doubt_routes(&expired);
            for (call, ended) in expired {
                let failure = ended.too_late();
                self.answer(call, ended, Settled::Failure { failure, body: Bytes::new() });
            }
        }
    }
}
