//! The words the cases are written in: a cluster of brokers that talk to one coordinator, and its clock.

use crate::disturbance::Disturbance;
use dworker::coordination::*;
use dworker::ids::*;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// Longer than any case takes.
pub const LEASE: Duration = Duration::from_secs(600);
/// How long a case waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

pub type Handle = Arc<dyn Coordinator>;
/// Makes a handle, not open yet, on the namespace with this name.
pub type Connect = Box<dyn Fn(&str) -> Handle + Send + Sync>;

/// Lets something befall the server.
pub type Disturb = Box<dyn Fn(Disturbance) + Send + Sync>;

/// One coordinator under test, empty at first.
pub struct Cluster {
    connect: Connect,
    /// `None`: the server's own clock, which can only be waited for.
    clock: Option<Arc<AtomicU64>>,
    disturb: Disturb,
    handles: Mutex<Vec<Weak<dyn Coordinator>>>,
}

impl Cluster {
    pub fn new(connect: Connect, clock: Option<Arc<AtomicU64>>, disturb: Disturb) -> Self {
        Self { connect, clock, disturb, handles: Mutex::default() }
    }

    /// Lets something befall the server, and waits until every handle is served again.
    pub async fn disturb(&self, what: Disturbance) {
        let handles: Vec<_> =
            self.handles.lock().expect("no case panics here").iter().filter_map(Weak::upgrade).collect();
        let before = handles.first().and_then(|handle| handle.server());
        (self.disturb)(what);
        let another = matches!(what, Disturbance::Restart | Disturbance::RollBack);
        for handle in handles {
            eventually("the server is back", async || {
                handle.time().await.is_ok() && handle.open().await.is_ok() && (handle.server() != before) == another
            })
            .await;
        }
    }

    /// A handle that is not open yet.
    pub fn unopened(&self) -> Handle {
        (self.connect)("case")
    }

    /// An open handle of somebody who has not registered.
    pub async fn visitor(&self) -> Handle {
        self.visitor_of("case").await
    }

    /// An open handle on a namespace.
    pub async fn visitor_of(&self, namespace: &str) -> Handle {
        let handle = (self.connect)(namespace);
        handle.open().await.expect("the coordinator opens");
        self.handles.lock().expect("no case panics here").push(Arc::downgrade(&handle));
        handle
    }

    /// A broker of cluster `main` that hosts `Room` and has registered.
    pub async fn broker(&self, id: &str) -> Broker {
        self.broker_like(record(id)).await
    }

    /// A broker that has registered with this record.
    pub async fn broker_like(&self, record: BrokerRecord) -> Broker {
        let broker = Broker { coordinator: self.visitor().await, record };
        match broker.register(LEASE).await {
            Registration::Joined(_) => broker,
            refused => panic!("{:?} cannot join: {refused:?}", broker.record.broker),
        }
    }

    /// Lets so much time go by on the coordinator's clock.
    pub async fn pass(&self, millis: u64) {
        match &self.clock {
            Some(clock) => {
                clock.fetch_add(millis, Ordering::SeqCst);
            }
            None => {
                let visitor = self.visitor().await;
                let until = now(&visitor).await.0 + millis;
                eventually("the server's clock goes on", async || now(&visitor).await.0 >= until).await;
            }
        }
    }

    /// Turns the coordinator's clock back; `false` where that cannot be done.
    pub fn turn_back(&self, millis: u64) -> bool {
        self.clock.as_ref().map(|clock| clock.fetch_sub(millis, Ordering::SeqCst)).is_some()
    }

    /// Whether the clock stands still unless it is told to go on.
    pub fn clock_stands(&self) -> bool {
        self.clock.is_some()
    }

    /// Lets a broker's lease run out.
    pub async fn expire(&self, broker: &Broker) {
        let Renewal::Renewed { lease_expires, .. } = broker.renew(Duration::from_millis(1)).await else {
            panic!("{:?} has no lease", broker.record.broker);
        };
        self.pass(2).await;
        assert!(now(&broker.coordinator).await > lease_expires);
    }
}

/// A broker of these tests: its handle, and what it says of itself.
pub struct Broker {
    pub coordinator: Handle,
    pub record: BrokerRecord,
}

impl Broker {
    pub fn incarnation(&self) -> &Incarnation {
        &self.record.incarnation
    }

    pub fn owner(&self) -> Owner {
        Owner { incarnation: self.incarnation().clone(), address: Some(self.record.address.clone()) }
    }

    pub async fn register(&self, ttl: Duration) -> Registration {
        self.coordinator.register(&self.record, ttl).await.expect("register")
    }

    /// Registers again, to learn what joining tells.
    pub async fn joined(&self) -> Joined {
        match self.register(LEASE).await {
            Registration::Joined(joined) => joined,
            refused => panic!("{:?} cannot join: {refused:?}", self.record.broker),
        }
    }

    /// What it announces when it knows the namespace from this time of joining, and these members.
    pub fn word(&self, joined: &Joined, remembered: &[&Broker]) -> Announcement {
        Announcement {
            record: self.record.clone(),
            ttl: LEASE,
            generation: joined.generation.clone(),
            secret: joined.secret.clone(),
            epoch: Epoch(0),
            counters: Vec::new(),
            restart_number: joined.restart_number,
            remembered: remembered.iter().map(|broker| broker.incarnation().clone()).collect(),
            patience: LEASE,
        }
    }

    pub async fn announce(&self, announcement: &Announcement) -> Joined {
        match self.coordinator.announce(announcement).await.expect("announce") {
            Registration::Joined(joined) => joined,
            refused => panic!("{:?} cannot announce itself: {refused:?}", self.record.broker),
        }
    }

    pub async fn restore(&self, held: &[Held]) -> Vec<bool> {
        match self.coordinator.restore(self.incarnation(), held).await.expect("restore") {
            Restoration::Restored(stand) => stand,
            Restoration::NotMember => panic!("{:?} is not registered", self.record.broker),
        }
    }

    pub async fn settle(&self, joined: &Joined) -> bool {
        self.coordinator.settle(self.incarnation(), joined).await.expect("settle")
    }

    /// Takes up what was placed here, and holds it from now on.
    pub async fn hold(&self, id: &str, load: u64) -> Held {
        let entry = self.activate(id).await.expect("it stands under its owner");
        assert!(self.set_load(id, entry.epoch, load).await);
        Held { entry, state: EntryState::Active, load }
    }

    pub async fn renew(&self, ttl: Duration) -> Renewal {
        self.coordinator.renew(self.incarnation(), ttl).await.expect("renew")
    }

    pub async fn scan(&self) -> Membership {
        self.coordinator.scan(self.incarnation()).await.expect("scan")
    }

    /// Its own load as the cluster sees it; `None` when it is not registered.
    pub async fn load(&self) -> Option<u64> {
        let members = self.scan().await.members;
        members.into_iter().find(|member| member.record.incarnation == *self.incarnation()).map(|member| member.load)
    }

    /// What this broker asks for when it creates a recoverable worker of a class of its own cluster.
    pub fn wish(&self, class: &str, id: Option<&str>) -> PlaceRequest {
        PlaceRequest {
            purpose: Default::default(),
            exclude: Vec::new(),
            by: self.incarnation().clone(),
            id: id.map(WorkerId::new),
            class: class.into(),
            cluster: self.record.cluster.clone(),
            recoverable: true,
            attributes: "{}".into(),
            ttl: Duration::ZERO,
        }
    }

    pub async fn place(&self, request: &PlaceRequest) -> Placement {
        self.coordinator.place(request).await.expect("place")
    }

    /// Places a worker that must be new to its owner.
    pub async fn reserve(&self, request: &PlaceRequest) -> Reserved {
        match self.place(request).await {
            Placement::Reserved { id, class, owner, epoch } => Reserved { id, class, owner, epoch },
            other => panic!("{request:?} was answered {other:?}"),
        }
    }

    /// Places a recoverable `Room` on this broker.
    pub async fn create(&self, id: &str) -> Reserved {
        self.create_here(&self.wish("Room", Some(id))).await
    }

    /// Places a recoverable `Room` where there is the least load.
    pub async fn create_anywhere(&self, id: &str) -> Reserved {
        self.reserve(&self.wish("Room", Some(id))).await
    }

    /// Places a `Room` that is not recoverable on this broker.
    pub async fn create_mortal(&self, id: &str) -> Reserved {
        self.create_here(&PlaceRequest { recoverable: false, ..self.wish("Room", Some(id)) }).await
    }

    pub async fn create_here(&self, request: &PlaceRequest) -> Reserved {
        let others = self.scan().await.members.into_iter().map(|member| member.record.incarnation);
        let exclude = others.filter(|incarnation| incarnation != self.incarnation()).collect();
        self.reserve(&PlaceRequest { exclude, ..request.clone() }).await
    }

    pub async fn activate(&self, id: &str) -> Option<Entry> {
        let answers = self.activate_all(&[id.into()]).await;
        assert_eq!(answers.len(), 1);
        answers.into_iter().next().flatten()
    }

    /// Takes up any number, with an answer each.
    pub async fn activate_all(&self, ids: &[WorkerId]) -> Vec<Option<Entry>> {
        activate(&self.coordinator, self.incarnation(), ids).await
    }

    pub async fn confirm(&self, id: &str, epoch: Epoch) -> bool {
        self.coordinator.confirm(self.incarnation(), &[(id.into(), epoch)]).await.expect("confirm") == [true]
    }

    pub async fn release(&self, id: &str, epoch: Epoch, fate: Fate) -> bool {
        let release = Release { id: id.into(), epoch, fate };
        self.coordinator.release(self.incarnation(), &[release]).await.expect("release") == [true]
    }

    pub async fn withdraw(&self, owner: &Incarnation, id: &str, epoch: Epoch) -> bool {
        self.coordinator.withdraw(owner, &id.into(), epoch).await.expect("withdraw")
    }

    pub async fn set_load(&self, id: &str, epoch: Epoch, load: u64) -> bool {
        let change = LoadChange { id: id.into(), epoch, load };
        self.coordinator.set_load(self.incarnation(), &[change]).await.expect("set_load") == [true]
    }

    pub async fn commit(&self, id: &str, epoch: Epoch, data: Stored) -> Committed {
        let commit = Commit { id: id.into(), epoch, data };
        let answers = self.coordinator.commit(self.incarnation(), &[commit]).await.expect("commit");
        assert_eq!(answers.len(), 1);
        answers[0]
    }

    pub async fn sleep(&self, id: &str, epoch: Epoch) -> Slept {
        let sleep = Sleep { id: id.into(), epoch };
        let answers = self.coordinator.sleep(self.incarnation(), &[sleep]).await.expect("sleep");
        assert_eq!(answers.len(), 1);
        answers[0]
    }

    pub async fn erase(&self, id: &str, epoch: Option<Epoch>) -> Erasure {
        self.coordinator.erase(&id.into(), epoch).await.expect("erase")
    }

    pub async fn locate(&self, id: &str) -> Location {
        self.coordinator.locate(&id.into()).await.expect("locate")
    }

    /// A recoverable `Room` that waits to be made again; its last epoch.
    pub async fn leave_pending(&self, id: &str) -> Epoch {
        self.pend(&self.wish("Room", Some(id))).await
    }

    /// Places what is asked for; its activation ends well, and its owner gives it up. Its last epoch.
    pub async fn pend(&self, request: &PlaceRequest) -> Epoch {
        let Reserved { id, owner, epoch, .. } = self.reserve(request).await;
        let confirmed = self.coordinator.confirm(&owner.incarnation, &[(id.clone(), epoch)]).await;
        assert_eq!(confirmed, Ok(vec![true]));
        let release = Release { id: id.clone(), epoch, fate: Fate::Recover };
        assert_eq!(self.coordinator.release(&owner.incarnation, &[release]).await, Ok(vec![true]));
        assert!(matches!(self.locate(id.as_str()).await, Location::Pending { .. }), "{id} does not wait");
        epoch
    }

    /// What this broker would claim: everything that it hosts.
    pub fn appetite(&self) -> ClaimRequest {
        ClaimRequest {
            by: self.incarnation().clone(),
            cluster: self.record.cluster.clone(),
            classes: self.record.classes.clone(),
            limit: CHUNK,
            overflow: 1,
            ttl: Duration::ZERO,
            trial_over: true,
        }
    }

    /// Claims as a member: entries, remaining, expired.
    pub async fn claim(&self, request: &ClaimRequest) -> (Vec<Entry>, u64, u64) {
        match self.coordinator.claim(request).await.expect("claim") {
            Claim::Claimed { entries, remaining, expired } => (entries, remaining, expired),
            other => panic!("{:?} claims and is answered {other:?}", self.record.broker),
        }
    }

    pub async fn evict(&self, dead: &Broker, death: &Death, limit: usize) -> Eviction {
        self.coordinator.evict(self.incarnation(), dead.incarnation(), death, limit).await.expect("evict")
    }

    /// Evicts one whose lease ran out, with the right idea of the clock.
    pub async fn evict_expired(&self, dead: &Broker, limit: usize) -> Eviction {
        let expected = now(&self.coordinator).await;
        self.evict(dead, &Death::Expired { expected }, limit).await
    }

    /// A proof of death on the server that is there.
    pub fn proof(&self, lease_expires: ServerTime) -> Death {
        Death::Proven { lease_expires, server: self.coordinator.server().expect("it is connected") }
    }

    pub async fn leave(&self, fate: Fate, limit: usize) -> u64 {
        self.coordinator.leave(self.incarnation(), fate, limit).await.expect("leave")
    }

    /// Ids that stand under it, all of them.
    pub async fn owned(&self) -> Vec<String> {
        let owned = self.coordinator.owned(self.incarnation(), 0, CHUNK).await.expect("owned");
        owned.iter().map(|owned| owned.id.to_string()).collect()
    }
}

/// What `Placement::Reserved` says.
#[derive(Clone, PartialEq, Debug)]
pub struct Reserved {
    pub id: WorkerId,
    pub class: ClassName,
    pub owner: Owner,
    pub epoch: Epoch,
}

/// A broker of cluster `main` that hosts `Room`; its incarnation sorts as its id does.
pub fn record(id: &str) -> BrokerRecord {
    BrokerRecord {
        incarnation: Incarnation::new(format!("{id:0>32}")),
        broker: id.into(),
        cluster: "main".into(),
        address: Endpoint { host: format!("host-of-{id}"), port: 4000 },
        classes: classes(&["Room"]),
        protocol: (1, 1),
        lease_ttl: LEASE,
        strict: false,
        draining: false,
        process: Default::default(),
    }
}

pub fn classes(names: &[&str]) -> BTreeSet<ClassName> {
    names.iter().map(|name| ClassName::new(*name)).collect()
}

pub async fn activate(handle: &Handle, owner: &Incarnation, ids: &[WorkerId]) -> Vec<Option<Entry>> {
    match handle.activate(owner, ids).await.expect("activate") {
        Activation::Answers(answers) => answers,
        Activation::Unsettled => panic!("{owner} takes up {ids:?} where nothing is settled"),
    }
}

pub async fn now(handle: &Handle) -> ServerTime {
    handle.time().await.expect("time")
}

/// Waits until it is so; says what it waited for when that never comes.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits for a hint, past any others.
pub async fn hear(hints: &mut tokio::sync::broadcast::Receiver<Signal>, wanted: &Signal) {
    let heard = tokio::time::timeout(PATIENCE, hear_any(hints, |signal| signal == wanted));
    heard.await.unwrap_or_else(|_| panic!("never heard {wanted:?}"));
}

/// The next hint of this kind.
pub async fn hear_any(
    hints: &mut tokio::sync::broadcast::Receiver<Signal>,
    is_wanted: impl Fn(&Signal) -> bool,
) -> Signal {
    loop {
        let signal = hints.recv().await.expect("the handle still sends hints");
        if is_wanted(&signal) {
            return signal;
        }
    }
}
