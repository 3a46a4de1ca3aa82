//! Timers of workers that are asleep: when the next one of the classes that this broker hosts is due, its worker is woken.
//!
//! The time of the next timer of each class is kept here, so that waiting for it costs no command. Whoever changes the first timer of a
//! class tells all brokers; what was missed is read again after each loss of the connection.

use crate::broker::activation::workers::Workers;
use crate::broker::context::shared::Context;
use crate::broker::lease::room::Lease;
use crate::broker::membership::members::Members;
use crate::coordination::{Ring, RingRequest, CHUNK};
use crate::ids::{ClassName, ClusterName, ServerTime, WorkerId};
use crate::level::Level;
use crate::lock::lock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// Between two brokers that would wake the same workers: the second one hears that they are awake, or takes over. ms
const STAGGER: u64 = 20;
/// Brokers that come one after the other; the others come with the last of these.
const MAX_STAGGERS: usize = 25;
/// Between two times that this broker wakes workers: timers that are due meanwhile are taken together.
const SPACING: Duration = Duration::from_millis(5);
/// Between two tries while the coordinator does not answer or this broker takes no workers.
const RETRY: Duration = Duration::from_millis(500);
/// The longest wait at once: the coordinator's clock may be set.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What is known of the timers of sleeping workers.
#[derive(Default)]
struct Known {
    /// The next timer of each class that this broker hosts, where there is one.
    next: BTreeMap<ClassName, ServerTime>,
    /// Classes of which that has to be read.
    unread: BTreeSet<ClassName>,
}

/// Wakes workers whose timers are due.
pub struct Alarms {
    context: Arc<Context>,
    lease: Arc<Lease>,
    members: Arc<Members>,
    known: Mutex<Known>,
    changed: Notify,
}

impl Alarms {
    pub(super) fn new(workers: &Arc<Workers>) -> Arc<Self> {
        Arc::new(Self {
            context: workers.context.clone(),
            lease: workers.lease.clone(),
            members: workers.members.clone(),
            known: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// The next timer of a class is due then, as a hint says.
    pub(crate) fn hear(&self, cluster: &ClusterName, class: ClassName, next: Option<ServerTime>) {
        if *cluster != self.context.cluster || !self.members.hosts(&class) {
            return;
        }
        let mut known = lock(&self.known);
        match next {
            Some(next) => known.next.insert(class, next),
            None => known.next.remove(&class),
        };
        drop(known);
        self.changed.notify_one();
    }

    /// This broker hosts the class from now on, or hints about it may have been missed.
    pub(crate) fn read(&self, classes: impl IntoIterator<Item = ClassName>) {
        lock(&self.known).unread.extend(classes);
        self.changed.notify_one();
    }

    /// Hints may have been missed.
    pub(crate) fn read_all(&self) {
        self.read(self.members.hosted());
    }

    /// Wakes workers when their timers are due, as long as the incarnation goes on.
    pub(crate) async fn keep(self: Arc<Self>) {
        loop {
            let (classes, wait) = self.due();
            if !classes.is_empty() && self.context.takes_workers() && self.lease.holds() {
                self.ring(classes).await;
                tokio::time::sleep(SPACING).await;
                continue;
            }
            // A broker that takes no workers looks again whether it does, without asking anybody.
            let wait = if classes.is_empty() { wait } else { RETRY };
            let _ = tokio::time::timeout(wait, self.changed.notified()).await;
        }
    }

    /// Classes with timers that are due, or that have to be read; how long to wait for the next timer where there are none.
    fn due(&self) -> (BTreeSet<ClassName>, Duration) {
        let (now, _) = self.lease.server_clock();
        let mut known = lock(&self.known);
        known.next.retain(|class, _| self.members.hosts(class));
        known.unread.retain(|class| self.members.hosts(class));
        let mut due = known.unread.clone();
        let mut wait = LONGEST_WAIT;
        for (class, next) in &known.next {
            let at = next.0 + self.stagger(class, *next);
            if at <= now.0 {
                due.insert(class.clone());
            } else {
                wait = wait.min(Duration::from_millis(at - now.0));
            }
        }
        (due, wait)
    }

    /// How many ms after a timer is due this broker wakes its worker, if no other broker has: they take turns.
    fn stagger(&self, class: &ClassName, next: ServerTime) -> u64 {
        let turn = WorkerId::new(next.0.to_string());
        self.members.claim_rank(class, &turn).min(MAX_STAGGERS) as u64 * STAGGER
    }

    async fn ring(&self, classes: BTreeSet<ClassName>) {
        let request = RingRequest {
            by: self.context.incarnation.clone(),
            cluster: self.context.cluster.clone(),
            classes,
            limit: CHUNK,
        };
        {
            // What is heard from now on is newer than the answer may be.
            let mut known = lock(&self.known);
            for class in &request.classes {
                known.next.remove(class);
                known.unread.remove(class);
            }
        }
        match self.context.coordinator.ring(&request).await {
            Ok(Ring::Rung { rung, next }) => {
                let mut known = lock(&self.known);
                for (class, next) in request.classes.into_iter().zip(next) {
                    let Some(next) = next else { continue };
                    let heard = known.next.entry(class).or_insert(next);
                    *heard = next.min(*heard);
                }
                drop(known);
                if rung > 0 {
                    self.context.log(Level::Debug, format!("The timers of {rung} workers that were asleep are due."));
                }
            }
            Ok(Ring::NotMember) => self.again(request.classes).await,
            Ok(Ring::Unsettled) => {
                self.members.check_server();
                self.members.changes.wait_to_settle(RETRY).await;
                self.read(request.classes);
            }
            Err(error) => {
                self.context.log(Level::Debug, format!("Workers with timers could not be woken yet: {error}"));
                self.again(request.classes).await;
            }
        }
    }

    async fn again(&self, classes: BTreeSet<ClassName>) {
        tokio::time::sleep(RETRY).await;
        self.read(classes);
    }
}
