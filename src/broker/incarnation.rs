//! One life of a broker, from `start()` to its end: all state that carries one incarnation.

use crate::broker::activation::catalog::{Admission, Creator, Residents};
use crate::broker::activation::registrar::Registrar;
use crate::broker::activation::requests::Inbound;
use crate::broker::activation::trials::Trials;
use crate::broker::activation::turns::{cycle, ending};
use crate::broker::calls::in_flight::InFlight;
use crate::broker::context::numbers::Numbers;
use crate::broker::context::registry::Registry;
use crate::broker::context::shared::Context;
use crate::broker::context::tasks::Tasks;
use crate::broker::directory::lane::Parked;
use crate::broker::directory::room::Directory;
use crate::broker::directory::routes::Local;
use crate::broker::js::queue::Inbox;
use crate::broker::lease::renewal::Holder;
use crate::broker::lease::room::Lease;
use crate::broker::membership::proofs::Proofs;
use crate::broker::membership::room::Membership;
use crate::broker::membership::view::Observer;
use crate::broker::messaging::refusals::Refusals;
use crate::broker::output::answer::Answer;
use crate::broker::output::gate::Output;
use crate::clock::boot_millis;
use crate::config::BrokerConfig;
use crate::coordination::MAX_LOAD;
use crate::error::{Code, Failure};
use crate::ids::{ClassName, Epoch, ServerId, WorkerId};
use crate::lock::lock;
use crate::transport::MemoryHub;
use crate::wire::call_chain::Chain;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::Notify;

/// Looks in a row at which the registry counts another load here than this broker before the two are compared: reports
/// are under way for a moment.
const ODD_LOOKS: u32 = 3;

/// See the module. Locks are taken in the order of the fields, and never held across an await.
pub struct Life {
    pub context: Arc<Context>,
    pub lease: Arc<Lease>,
    pub membership: Membership,
    pub calls: Arc<InFlight>,
    pub output: Arc<Output>,
    pub directory: Directory,
    /// Looks in a row at which the registry counted another load here than this broker.
    pub odd_looks: AtomicU32,
    pub residents: Mutex<Residents>,
    pub inbound: Mutex<Inbound>,
    /// Whose messages go back because this incarnation was suspended.
    pub refusals: Refusals,
    pub registrar: Registrar,
    pub trials: Trials,
    /// What stands under this incarnation should be compared with what lives here.
    pub audit: Notify,
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
        let lease = Lease::new(&context);
        let membership = Membership::new(&context, &lease, parts.hub, parts.proofs, parts.hosted);
        let calls = InFlight::new(&context);
        let output = Output::new(&context, &lease);
        let directory = Directory::new(&context, &lease, &membership.members, &calls);
        Arc::new_cyclic(|life: &Weak<Self>| {
            directory.routes.set_local(life.clone());
            Self {
                context,
                lease,
                membership,
                calls,
                output,
                directory,
                odd_looks: AtomicU32::new(0),
                residents: Mutex::new(Residents::new(handles, inbound.clone())),
                inbound: Mutex::new(Inbound::new(inbound)),
                refusals: Refusals::default(),
                registrar: Registrar::default(),
                trials: Trials::default(),
                audit: Notify::new(),
                departed: Notify::new(),
                no_recover: AtomicBool::new(false),
            }
        })
    }

    /// Ends calls at their deadlines, as long as the incarnation goes on.
    pub async fn keep_deadlines(self: Arc<Self>) {
        loop {
            self.calls.wait_for_a_deadline().await;
            self.end_overdue();
        }
    }

    /// Ends the calls whose deadlines have passed. The timer of [`Life::keep_deadlines`] may be late where the threads of the
    /// runtime wait for a processor, so JavaScript does this too whenever it takes events.
    pub fn end_overdue(&self) {
        let expired = self.calls.take_expired();
        if expired.is_empty() {
            return;
        }
        self.withdraw(expired.iter().map(|(call, ended)| (*call, ended.place)));
        self.directory.routes.doubt_routes(&expired);
        self.calls.fail_expired(expired);
    }
}

impl Holder for Life {
    fn is_restored_into(&self, generation: &str, server: &ServerId) -> bool {
        self.membership.members.is_restored_into(generation, server)
    }

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
        let Some(held) = self.output.take_held() else { return };
        for answer in held {
            match answer {
                Answer::Reply { inbound, payload } => self.reply(inbound, (&payload).into()),
                Answer::Failure { inbound, message, body } => self.fail(inbound, &message, &body),
                Answer::Created { handle, creation, message, max_queue } => {
                    self.created(handle, creation, &message, max_queue);
                }
            }
        }
        self.output.flush();
        self.context.inbox.nudge();
    }

    fn stalled(&self) {
        self.membership.members.changes.publish();
        self.membership.members.claim_everything();
    }
}

impl Observer for Life {
    fn looking(&self) {
        self.directory.routes.lanes().trim(boot_millis());
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

#[async_trait::async_trait]
impl Local for Life {
    fn is_here(&self, worker: &WorkerId) -> bool {
        lock(&self.residents).handle(worker.as_str()).is_some()
    }

    async fn take_up(&self, worker: &WorkerId, chain: Chain) -> Option<Result<(), Failure>> {
        let (creator, receiver) = Creator::internal(chain);
        self.registrar.take_up(worker.clone(), Some(creator));
        Some(receiver.await.ok()?.map(drop))
    }

    fn deliver(&self, worker: &WorkerId, epoch: Epoch, parked: &Parked) -> Result<(), Option<Failure>> {
        match self.deliver_here(worker.as_str(), epoch, parked) {
            Admission::Ready(_) | Admission::Held => Ok(()),
            Admission::Full(_) => Err(Some(Failure::new(Code::Overloaded, "The worker's mailbox is full."))),
            Admission::Absent(_) => Err(None),
            Admission::Cycle(delivery) => Err(Some(cycle(&delivery))),
            Admission::Ending(delivery, refusal) => Err(Some(ending(&delivery, refusal))),
        }
    }
}
