//! One life of a broker, from `start()` to its end: all state that carries one incarnation.

use crate::broker::activation::room::Activation;
use crate::broker::calls::in_flight::InFlight;
use crate::broker::context::numbers::Numbers;
use crate::broker::context::registry::Registry;
use crate::broker::context::shared::Context;
use crate::broker::context::tasks::Tasks;
use crate::broker::directory::room::Directory;
use crate::broker::directory::routes::{Local, Maker};
use crate::broker::js::event::Event;
use crate::broker::js::queue::Inbox;
use crate::broker::lease::renewal::Holder;
use crate::broker::lease::room::Lease;
use crate::broker::membership::proofs::Proofs;
use crate::broker::membership::room::Membership;
use crate::broker::membership::view::Observer;
use crate::broker::messaging::outgoing::Messages;
use crate::broker::output::answer::Answer;
use crate::broker::output::gate::Output;
use crate::clock::boot_millis;
use crate::config::BrokerConfig;
use crate::ids::{ClassName, ServerId};
use crate::transport::MemoryHub;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// One incarnation of a broker, from its start to its end: its rooms, wired.
pub struct Life {
    pub context: Arc<Context>,
    pub lease: Arc<Lease>,
    pub membership: Membership,
    pub calls: Arc<InFlight>,
    pub output: Arc<Output>,
    pub directory: Directory,
    pub activation: Activation,
    pub messages: Arc<Messages>,
    /// Nothing is handed over when it leaves.
    no_recover: AtomicBool,
}

/// What a life is made of besides its tables.
pub struct LifeParts {
    pub config: Arc<BrokerConfig>,
    pub registry: Registry,
    pub hub: Option<MemoryHub>,
    pub inbox: Arc<Inbox>,
    pub numbers: Numbers,
    pub(super) proofs: Arc<Mutex<Proofs>>,
    pub hosted: BTreeSet<ClassName>,
    pub(super) cordoned: Arc<AtomicBool>,
    pub tasks: Tasks,
}

impl Life {
    pub fn new(parts: LifeParts) -> Arc<Self> {
        let numbers = parts.numbers.clone();
        let context =
            Context::new(parts.config, parts.registry, parts.inbox, parts.tasks, parts.numbers, parts.cordoned);
        let lease = Lease::new(&context);
        let membership = Membership::new(&context, &lease, parts.hub, parts.proofs, parts.hosted);
        let Membership { members, watch, deaths, .. } = &membership;
        let calls = InFlight::new(&context);
        let output = Output::new(&context, &lease);
        let directory = Directory::new(&context, &lease, members, &calls);
        let routes = &directory.routes;
        let activation = Activation::new(&context, &lease, members, &calls, &output, &directory, &numbers);
        let Activation { workers, creators, .. } = &activation;
        let messages =
            Messages::new(&context, &lease, members, watch, deaths, &calls, &output, routes, workers, creators);
        let local: Weak<dyn Local> = Arc::downgrade(workers) as Weak<dyn Local>;
        routes.set_local(local);
        let maker: Weak<dyn Maker> = Arc::downgrade(&activation.creations) as Weak<dyn Maker>;
        routes.set_maker(maker);
        Arc::new(Self {
            context,
            lease,
            membership,
            calls,
            output,
            directory,
            activation,
            messages,
            no_recover: AtomicBool::new(false),
        })
    }

    /// `destroy()` was called. `no_recover`: nothing is handed over.
    pub fn leaves(&self, no_recover: bool) {
        self.no_recover.store(no_recover, Ordering::Release);
        self.context.set_leaving();
        self.activation.workers.await_no_end();
    }

    /// Whether workers are handed over when this broker leaves.
    pub fn hands_over(&self) -> bool {
        !self.no_recover.load(Ordering::Acquire)
    }

    /// Whether this broker takes new workers, and the others can use it.
    pub fn is_ready(&self) -> bool {
        let proven = self.lease.holds() && !self.lease.is_suspended();
        proven && self.context.takes_workers() && !self.directory.reports.is_unreachable()
    }

    /// Ends calls at their deadlines, as long as the incarnation goes on.
    pub async fn keep_deadlines(self: Arc<Self>) {
        loop {
            self.calls.wait_for_a_deadline().await;
            self.end_overdue();
        }
    }

    /// The next events for JavaScript: see [`Inbox::take`]. The timer of [`Life::keep_deadlines`] may be late where the threads of the runtime
    /// wait for a processor, so calls whose deadlines have passed end here, too.
    pub fn take_events(&self, max: usize, starts: usize, events: &mut Vec<Event>) -> bool {
        self.end_overdue();
        self.context.inbox.take(max, starts, || self.lease.holds(), events)
    }

    /// Ends the calls whose deadlines have passed.
    fn end_overdue(&self) {
        let expired = self.calls.take_expired();
        if expired.is_empty() {
            return;
        }
        self.activation.workers.withdraw(expired.iter().map(|(call, ended)| (*call, ended.place)));
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
        self.activation.workers.abort_calls_of_handlers();
    }

    fn opened(&self) {
        let Some(held) = self.output.take_held() else { return };
        for answer in held {
            match answer {
                Answer::Reply { inbound, payload } => self.messages.reply(inbound, (&payload).into()),
                Answer::Failure { inbound, message, body } => self.messages.fail(inbound, &message, &body),
                Answer::Created { handle, creation, message, max_queue, body } => {
                    self.activation.lifecycle.created(handle, creation, &message, max_queue, &body);
                }
            }
        }
        self.output.flush();
        self.context.inbox.nudge();
    }

    fn stalled(&self) {
        self.context.inbox.push(Event::Readiness);
        self.membership.members.changes.publish();
        self.membership.members.claim_everything();
    }
}

impl Observer for Life {
    fn looking(&self) {
        self.directory.routes.lanes().trim(boot_millis());
    }

    fn looked(&self, load: u64) {
        self.activation.recovery.compare_load(load);
    }
}
