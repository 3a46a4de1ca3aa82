//! A coordinator that counts what it is asked, and answers as late as a server that does one thing after the other.

use super::resp;
use async_trait::async_trait;
use dworker::coordination::memory::{MemoryCoordinator, MemoryStore};
use dworker::coordination::*;
use dworker::ids::{Epoch, Incarnation, ServerId, ServerTime, WorkerId};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;

/// From a broker to the server and back.
const NETWORK: Duration = Duration::from_micros(300);

/// What was asked of one kind.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Tally {
    pub commands: u64,
    /// That the server sent.
    pub bytes: u64,
}

/// By kind: the commands of all brokers, and hints under their names.
pub type Tallies = BTreeMap<&'static str, Tally>;

/// What all handles of one simulated server share.
#[derive(Clone)]
pub struct Server {
    pub store: MemoryStore,
    tallies: Arc<Mutex<Tallies>>,
    /// When it has done everything that it was asked until now.
    free_at: Arc<Mutex<Option<Instant>>>,
}

impl Server {
    pub fn new(store: MemoryStore) -> Self {
        Self { store, tallies: Arc::default(), free_at: Arc::default() }
    }

    /// Waits until the server, which does one thing after the other, has worked for so long on this.
    async fn work(&self, time: Duration) {
        let done = {
            let mut free_at = self.free_at.lock().expect("no test panics with it");
            let now = Instant::now();
            let done = free_at.map_or(now, |at| at.max(now)) + time;
            *free_at = Some(done);
            done
        };
        tokio::time::sleep_until(done).await;
    }

    pub fn tallies(&self) -> Tallies {
        self.tallies.lock().expect("no test panics with it").clone()
    }

    fn count(&self, kind: &'static str, commands: u64, bytes: usize) {
        let mut tallies = self.tallies.lock().expect("no test panics with it");
        let tally = tallies.entry(kind).or_default();
        tally.commands += commands;
        tally.bytes += bytes as u64;
    }

    /// Counts the hints that the server publishes, each as often as brokers hear it.
    pub async fn count_hints(self, brokers: Arc<dyn Fn() -> u64 + Send + Sync>) {
        let listener = MemoryCoordinator::new(self.store.clone());
        listener.open().await.expect("the embedded coordinator opens");
        let mut signals = listener.signals();
        loop {
            match signals.recv().await {
                Ok(signal) => self.count(name(&signal), 1, resp::hint(&signal) * brokers() as usize),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    self.count(
                        "hint: any",
                        missed,
                        missed as usize * resp::hint(&Signal::Members) * brokers() as usize,
                    );
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }
}

fn name(signal: &Signal) -> &'static str {
    match signal {
        Signal::Members => "hint: members",
        Signal::Dead { .. } => "hint: dead",
        Signal::Pending { .. } => "hint: pending",
        Signal::Claimed => "hint: claimed",
        Signal::Restart => "hint: restart",
        _ => "hint: other",
    }
}

/// One broker's handle.
pub struct Counted {
    server: Server,
    inner: MemoryCoordinator,
    /// Cut off from the server: no question gets there, and no answer back.
    pub cut: Arc<AtomicBool>,
}

impl Counted {
    pub fn new(server: Server, cut: Arc<AtomicBool>) -> Self {
        let inner = MemoryCoordinator::new(server.store.clone());
        Self { server, inner, cut }
    }

    /// `items`: what one script takes only a chunk of.
    async fn ask<T>(
        &self,
        kind: &'static str,
        items: usize,
        asked: impl Future<Output = CoordinationResult<T>>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> CoordinationResult<T> {
        tokio::time::sleep(NETWORK).await;
        if self.cut.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let answer = asked.await;
        let size = answer.as_ref().map_or(0, bytes);
        self.server.work(service_time(kind, items, size)).await;
        self.server.count(kind, items.div_ceil(CHUNK).max(1) as u64, size);
        answer
    }
}

/// How long Redis works on a command, as the headers of the scripts say.
fn service_time(kind: &str, items: usize, bytes: usize) -> Duration {
    let micros = match kind {
        "evict" => 20 + 8 * CHUNK,
        "claim" => 40 + bytes / 20,
        "restore" => 20 + 4 * items,
        "confirm" | "set_load" | "release" => 15 + 5 * items,
        _ => 20,
    };
    Duration::from_micros(micros as u64)
}

#[async_trait]
impl Coordinator for Counted {
    async fn open(&self) -> CoordinationResult<()> {
        self.inner.open().await
    }
    fn local_host(&self) -> Option<String> {
        self.inner.local_host()
    }
    async fn close(&self) {
        self.inner.close().await;
    }
    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.inner.signals()
    }
    async fn time(&self) -> CoordinationResult<ServerTime> {
        self.inner.time().await
    }
    fn server(&self) -> Option<ServerId> {
        self.inner.server()
    }
    fn warning(&self) -> Option<String> {
        self.inner.warning()
    }
    async fn secret(&self) -> CoordinationResult<String> {
        self.ask("secret", 1, self.inner.secret(), |_| resp::number() + 64).await
    }
    async fn register(&self, record: &BrokerRecord, ttl: Duration) -> CoordinationResult<Registration> {
        self.ask("register", 1, self.inner.register(record, ttl), |_| resp::joined()).await
    }
    async fn announce(&self, announcement: &Announcement) -> CoordinationResult<Registration> {
        self.ask("announce", 1, self.inner.announce(announcement), |_| resp::joined()).await
    }
    async fn restore(&self, owner: &Incarnation, held: &[Held]) -> CoordinationResult<Restoration> {
        self.ask("restore", held.len(), self.inner.restore(owner, held), |_| resp::flags(held.len())).await
    }
    async fn settle(&self, owner: &Incarnation, joined: &Joined) -> CoordinationResult<bool> {
        self.ask("settle", 1, self.inner.settle(owner, joined), |_| resp::number()).await
    }
    async fn renew(&self, incarnation: &Incarnation, ttl: Duration) -> CoordinationResult<Renewal> {
        self.ask("renew", 1, self.inner.renew(incarnation, ttl), resp::renewal).await
    }
    async fn update(&self, record: &BrokerRecord) -> CoordinationResult<bool> {
        self.ask("update", 1, self.inner.update(record), |_| resp::number()).await
    }
    async fn look(&self, by: &Incarnation, known: Option<&Known>) -> CoordinationResult<Look> {
        self.ask("look", 1, self.inner.look(by, known), resp::look).await
    }
    async fn find_member(&self, incarnation: &Incarnation) -> CoordinationResult<Sighting> {
        self.ask("find_member", 1, self.inner.find_member(incarnation), resp::sighting).await
    }
    async fn scan(&self, by: &Incarnation) -> CoordinationResult<Membership> {
        self.ask("scan", 1, self.inner.scan(by), |seen| seen.members.len() * 120).await
    }
    async fn place(&self, request: &PlaceRequest) -> CoordinationResult<Placement> {
        self.ask("place", 1, self.inner.place(request), resp::placement).await
    }
    async fn activate(&self, owner: &Incarnation, ids: &[WorkerId]) -> CoordinationResult<Activation> {
        self.ask("activate", ids.len(), self.inner.activate(owner, ids), resp::activation).await
    }
    async fn confirm(&self, owner: &Incarnation, activations: &[(WorkerId, Epoch)]) -> CoordinationResult<Vec<bool>> {
        let asked = self.inner.confirm(owner, activations);
        self.ask("confirm", activations.len(), asked, |flags| resp::flags(flags.len())).await
    }
    async fn release(&self, owner: &Incarnation, releases: &[Release]) -> CoordinationResult<Vec<bool>> {
        let asked = self.inner.release(owner, releases);
        self.ask("release", releases.len(), asked, |flags| resp::flags(flags.len())).await
    }
    async fn sleep(&self, owner: &Incarnation, sleeps: &[Sleep]) -> CoordinationResult<Vec<Slept>> {
        let asked = self.inner.sleep(owner, sleeps);
        self.ask("sleep", sleeps.len(), asked, |slept| resp::flags(slept.len())).await
    }
    async fn ring(&self, request: &RingRequest) -> CoordinationResult<Ring> {
        self.ask("ring", 1, self.inner.ring(request), |_| resp::number()).await
    }
    async fn withdraw(&self, owner: &Incarnation, id: &WorkerId, epoch: Epoch) -> CoordinationResult<bool> {
        self.ask("withdraw", 1, self.inner.withdraw(owner, id, epoch), |_| resp::number()).await
    }
    async fn set_load(&self, owner: &Incarnation, changes: &[LoadChange]) -> CoordinationResult<Vec<bool>> {
        let asked = self.inner.set_load(owner, changes);
        self.ask("set_load", changes.len(), asked, |flags| resp::flags(flags.len())).await
    }
    async fn locate(&self, id: &WorkerId) -> CoordinationResult<Location> {
        self.ask("locate", 1, self.inner.locate(id), resp::location).await
    }
    async fn claim(&self, request: &ClaimRequest) -> CoordinationResult<Claim> {
        self.ask("claim", 1, self.inner.claim(request), resp::claim).await
    }
    async fn evict(
        &self,
        by: &Incarnation,
        dead: &Incarnation,
        death: &Death,
        limit: usize,
    ) -> CoordinationResult<Eviction> {
        self.ask("evict", 1, self.inner.evict(by, dead, death, limit), resp::eviction).await
    }
    async fn leave(&self, incarnation: &Incarnation, fate: Fate, limit: usize) -> CoordinationResult<u64> {
        self.ask("leave", 1, self.inner.leave(incarnation, fate, limit), |_| resp::number()).await
    }
    async fn pardon(&self, id: &WorkerId) -> CoordinationResult<bool> {
        self.ask("pardon", 1, self.inner.pardon(id), |_| resp::number()).await
    }
    async fn commit(&self, owner: &Incarnation, commits: &[Commit]) -> CoordinationResult<Vec<Committed>> {
        self.ask("commit", commits.len(), self.inner.commit(owner, commits), |_| resp::number()).await
    }
    async fn erase(&self, id: &WorkerId, epoch: Option<Epoch>) -> CoordinationResult<Erasure> {
        self.ask("erase", 1, self.inner.erase(id, epoch), |_| resp::number()).await
    }
    async fn owned(&self, owner: &Incarnation, offset: usize, limit: usize) -> CoordinationResult<Vec<Owned>> {
        self.ask("owned", 1, self.inner.owned(owner, offset, limit), |page| page.len() * 76).await
    }
    async fn request_restart(&self) -> CoordinationResult<u64> {
        self.ask("restart", 1, self.inner.request_restart(), |_| resp::number()).await
    }
    async fn complain(&self, about: &Incarnation, by: &Incarnation, complaint: Complaint) -> CoordinationResult<()> {
        self.ask("complain", 1, self.inner.complain(about, by, complaint), |()| resp::number()).await
    }
    async fn is_listening(&self, incarnation: &Incarnation) -> CoordinationResult<bool> {
        self.ask("is_listening", 1, self.inner.is_listening(incarnation), |_| resp::subscribers()).await
    }
    async fn listen_as(&self, incarnation: Option<&Incarnation>) -> CoordinationResult<()> {
        self.inner.listen_as(incarnation).await
    }
}

/// No simulated broker lists anything: what is listed is not counted.
#[async_trait]
impl Inventory for Counted {
    async fn list_brokers(&self) -> CoordinationResult<(ServerTime, Vec<ListedBroker>)> {
        self.inner.list_brokers().await
    }
    async fn list_workers(
        &self,
        filter: &WorkerFilter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> CoordinationResult<Option<WorkerPage>> {
        self.inner.list_workers(filter, cursor, limit).await
    }
    async fn describe(&self, id: &WorkerId) -> CoordinationResult<Option<ListedWorker>> {
        self.inner.describe(id).await
    }
}
