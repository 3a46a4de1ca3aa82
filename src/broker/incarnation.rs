//! One life of a broker, from `start()` to its end: all state that carries one incarnation.

use crate::broker::activation::catalog::Residents;
use crate::broker::activation::registrar::Registrar;
use crate::broker::activation::requests::Inbound;
use crate::broker::activation::trials::Trials;
use crate::broker::context::notices::Notices;
use crate::broker::context::numbers::Numbers;
use crate::broker::context::registry::Registry;
use crate::broker::context::shared::Context;
use crate::broker::context::tasks::Tasks;
use crate::broker::directory::avoided::Avoided;
use crate::broker::directory::lanes::Lanes;
use crate::broker::js::event::Event;
use crate::broker::js::queue::Inbox;
use crate::broker::lease::renewal::Holder;
use crate::broker::lease::room::Lease;
use crate::broker::membership::proofs::Proofs;
use crate::broker::membership::room::Membership;
use crate::broker::membership::view::Observer;
use crate::broker::messaging::calls::{Call, Calls, Settled, Waiter};
use crate::broker::messaging::output_gate::Answer;
use crate::broker::messaging::refusals::Refusals;
use crate::clock::boot_millis;
use crate::config::BrokerConfig;
use crate::coordination::MAX_LOAD;
use crate::error::Failure;
use crate::ids::{ClassName, ClusterName, Incarnation, ServerId};
use crate::lock::lock;
use crate::transport::{Connection, MemoryHub};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// Looks in a row at which the registry counts another load here than this broker before the two are compared: reports
/// are under way for a moment.
const ODD_LOOKS: u32 = 3;

/// See the module. Locks are taken in the order of the fields, and never held across an await.
pub struct Life {
    pub context: Arc<Context>,
    pub lease: Arc<Lease>,
    pub membership: Membership,
    /// Looks in a row at which the registry counted another load here than this broker.
    pub odd_looks: AtomicU32,
    pub lanes: Mutex<Lanes>,
    pub residents: Mutex<Residents>,
    pub inbound: Mutex<Inbound>,
    pub calls: Mutex<Calls>,
    /// Classes of workers that wait to be recovered and that no broker hosts, as far as they were warned of.
    pub missing_classes: Mutex<Notices<(ClusterName, ClassName)>>,
    /// Brokers that could not be used lately, and what was said of that.
    pub avoided: Mutex<Avoided>,
    pub complaints: Mutex<Notices<Incarnation>>,
    /// Connections with something to write at the end of JavaScript's turn.
    pub dirty: Mutex<Vec<Arc<Connection>>>,
    /// Whose messages go back because this incarnation was suspended.
    pub refusals: Refusals,
    /// Answers that wait for the gate to open.
    pub held_answers: Mutex<Vec<Answer>>,
    pub registrar: Registrar,
    pub trials: Trials,
    /// The earliest deadline changed.
    pub timer: Notify,
    /// What stands under this incarnation should be compared with what lives here.
    pub audit: Notify,
    /// Workers whose broker is looked for.
    pub resolving: AtomicUsize,
    /// A resident left, for who waits until all have.
    pub departed: Notify,
    /// Nothing is handed over when it leaves.
    pub no_recover: AtomicBool,
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
        let lease = Lease::new(&context);
        let membership = Membership::new(&context, &lease, parts.hub, parts.proofs, parts.hosted);
        Arc::new(Self {
            context,
            lease,
            membership,
            odd_looks: AtomicU32::new(0),
            lanes: Mutex::new(Lanes::new(config.routes.max, config.routes.max_age)),
            residents: Mutex::new(Residents::new(handles, inbound.clone())),
            inbound: Mutex::new(Inbound::new(inbound)),
            calls: Mutex::default(),
            missing_classes: Mutex::default(),
            avoided: Mutex::default(),
            complaints: Mutex::default(),
            dirty: Mutex::default(),
            refusals: Refusals::default(),
            held_answers: Mutex::default(),
            registrar: Registrar::default(),
            trials: Trials::default(),
            timer: Notify::new(),
            audit: Notify::new(),
            resolving: AtomicUsize::new(0),
            departed: Notify::new(),
            no_recover: AtomicBool::new(false),
        })
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

impl Holder for Life {
    fn is_home(&self, generation: &str, server: &ServerId) -> bool {
        self.membership.members.is_home(generation, server)
    }

    fn found_another_database(&self) {
        self.membership.members.changes.announce();
    }

    fn suspended(&self) {
        self.abort_calls_of_handlers();
    }

    fn opened(&self) {
        self.release_answers();
    }

    fn stalled(&self) {
        self.membership.members.changes.publish();
        self.membership.members.claim_everything();
    }
}

impl Observer for Life {
    fn looking(&self) {
        lock(&self.lanes).trim(boot_millis());
    }

    /// What the registry counts here and what lives here: a difference that stays is something that got lost.
    fn looked(&self, load: u64) {
        let lives: u64 = lock(&self.residents).iter().map(|(_, resident)| resident.load.min(MAX_LOAD)).sum();
        let odd = if load == lives { 0 } else { self.odd_looks.load(Ordering::Relaxed) + 1 };
        self.odd_looks.store(odd % ODD_LOOKS, Ordering::Relaxed);
        if odd >= ODD_LOOKS {
            self.audit.notify_one();
        }
    }
}
