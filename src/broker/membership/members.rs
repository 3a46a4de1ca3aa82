//! This broker as a member of its namespace: its record, the classes it hosts, and the other members as it knows them.

use crate::broker::context::shared::Context;
use crate::broker::lease::room::Lease;
use crate::broker::membership::changes::Changes;
use crate::broker::membership::peers::Peers;
use crate::broker::membership::proofs::Proofs;
use crate::broker::membership::ranking;
use crate::broker::membership::remembered::Remembered;
use crate::broker::membership::transports::Transports;
use crate::broker::membership::waiting::Waiting;
use crate::coordination::{BrokerRecord, Joined};
use crate::error::{Code, Failure};
use crate::ids::{BrokerId, ClassName, ClusterName, Endpoint, Epoch, Incarnation, ServerId, WorkerId};
use crate::lock::lock;
use crate::transport::MemoryHub;
use crate::wire::message::PROTOCOL;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, OnceLock};

/// The members of the namespace, and this broker among them.
pub struct Members {
    pub(super) context: Arc<Context>,
    pub(super) lease: Arc<Lease>,
    /// The connections to the other members.
    pub transports: Transports,
    /// Which peers this broker is connected to, and in which condition they are.
    pub peers: Peers,
    /// What happened, for the tasks that wait for it.
    pub changes: Changes,
    /// What is known of the namespace.
    pub(super) remembered: Mutex<Remembered>,
    /// Where this broker listens. Set once, before it registers.
    pub(super) address: OnceLock<Endpoint>,
    /// What the application gave this broker to prove itself by.
    pub(super) proofs: Arc<Mutex<Proofs>>,
    /// Worker classes that this broker offers to run.
    hosted: Mutex<BTreeSet<ClassName>>,
    /// Classes of which workers may wait to be recovered here.
    waiting: Waiting,
}

impl Members {
    /// Nothing is known yet of the others.
    pub fn new(
        context: &Arc<Context>,
        lease: &Arc<Lease>,
        hub: Option<MemoryHub>,
        proofs: Arc<Mutex<Proofs>>,
        hosted: BTreeSet<ClassName>,
    ) -> Arc<Self> {
        Arc::new(Self {
            context: context.clone(),
            lease: lease.clone(),
            transports: Transports::new(hub),
            peers: Peers::default(),
            changes: Changes::default(),
            remembered: Mutex::default(),
            address: OnceLock::new(),
            proofs,
            hosted: Mutex::new(hosted),
            waiting: Waiting::default(),
        })
    }

    /// What this broker says of itself now.
    pub fn record(&self) -> BrokerRecord {
        let Context { incarnation, broker, cluster, config, .. } = &*self.context;
        BrokerRecord {
            incarnation: incarnation.clone(),
            broker: broker.clone(),
            cluster: cluster.clone(),
            address: self.address.get().cloned().unwrap_or(Endpoint { host: String::new(), port: 0 }),
            classes: lock(&self.hosted).clone(),
            protocol: PROTOCOL,
            lease_ttl: config.lease.ttl(),
            strict: config.lease.strict,
            draining: !self.context.takes_workers(),
            process: self.context.config.process.clone(),
        }
    }

    /// This broker listens there from now on.
    pub fn listens_on(&self, address: Endpoint) {
        let _ = self.address.set(address);
    }

    /// Whether this broker offers to run workers of the class.
    pub fn hosts(&self, class: &ClassName) -> bool {
        lock(&self.hosted).contains(class)
    }

    /// The class is registered here, and of this broker's cluster.
    pub fn host(&self, class: ClassName) {
        if lock(&self.hosted).insert(class) {
            self.changes.publish();
        }
    }

    /// The class is offered no longer.
    pub fn unhost(&self, class: &ClassName) {
        if lock(&self.hosted).remove(class) {
            self.changes.publish();
        }
    }

    /// Workers of this class may wait to be recovered here.
    pub fn claim(&self, class: ClassName) {
        if self.hosts(&class) {
            self.waiting.add([class]);
        }
    }

    /// The classes of which this broker offers to run workers.
    pub fn hosted(&self) -> BTreeSet<ClassName> {
        lock(&self.hosted).clone()
    }

    /// Workers of any class that this broker hosts may wait.
    pub fn claim_everything(&self) {
        self.waiting.add(self.hosted());
    }

    /// The classes of which workers may wait.
    pub fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// How many brokers come before this one in claiming a worker that waits.
    pub fn claim_rank(&self, class: &ClassName, worker: &WorkerId) -> usize {
        let Context { cluster, incarnation, .. } = &*self.context;
        let doubted = self.peers.doubted();
        ranking::claim_rank(&lock(&self.remembered).members, incarnation, (cluster, class), worker, &doubted)
    }

    /// Whether a broker is a member, as far as this one has followed them.
    pub fn knows(&self, incarnation: &Incarnation) -> bool {
        lock(&self.remembered).members.contains_key(incarnation)
    }

    /// How many members there are besides this broker, as far as it has followed them.
    pub fn count_others(&self) -> usize {
        lock(&self.remembered).members.keys().filter(|member| **member != self.context.incarnation).count()
    }

    /// The id of a member's broker.
    pub fn broker_of(&self, incarnation: &Incarnation) -> Option<BrokerId> {
        lock(&self.remembered).members.get(incarnation).map(|record| record.broker.clone())
    }

    /// Whether a broker of the cluster is known that hosts the class and takes new workers, as of the last look at
    /// the members.
    pub fn is_hosted(&self, class: &ClassName, cluster: &ClusterName) -> bool {
        let here = *cluster == self.context.cluster && self.context.takes_workers() && self.hosts(class);
        here || lock(&self.remembered).members.values().any(|record| {
            let other = record.incarnation != self.context.incarnation;
            other && !record.draining && record.cluster == *cluster && record.classes.contains(class)
        })
    }

    /// Brokers that may be dead, as far as this one can tell.
    pub fn doubted(&self) -> HashSet<Incarnation> {
        self.peers.doubted()
    }

    /// A worker of this id stands, or stood, under this epoch.
    pub fn saw(&self, id: &WorkerId, epoch: Epoch) {
        lock(&self.remembered).saw(id, epoch);
    }

    /// This broker has announced itself in this database, and restores its workers now.
    pub fn restores_into(&self, joined: &Joined) {
        lock(&self.remembered).restores_into(joined);
    }

    /// Whether this broker restores its workers into this database.
    pub fn is_restored_into(&self, generation: &str, server: &ServerId) -> bool {
        lock(&self.remembered).is_restored_into(generation, server)
    }

    /// Whether this broker has put itself into this database.
    pub fn is_home(&self, generation: &str, server: &ServerId) -> bool {
        lock(&self.remembered).is_home(generation, server)
    }

    /// Whether this broker has put itself into the database of this server.
    pub fn is_server(&self, server: &ServerId) -> bool {
        lock(&self.remembered).is_server(server)
    }

    /// The coordinator may lead to another server now.
    pub fn check_server(&self) {
        let known = |server| lock(&self.remembered).is_server(&server);
        if !self.context.coordinator.server().is_none_or(known) {
            self.changes.announce();
        }
    }

    /// Nobody can tell yet whether there is such a worker: whoever holds it may not have put it back.
    pub fn unsettled(&self) -> Failure {
        self.check_server();
        Failure::new(
            Code::Redis,
            "Redis was reset or replaced. The brokers are restoring the cluster state; retry shortly.",
        )
    }
}
