//! The coordinator on Redis or Valkey: which script and which connection serves each operation.
//!
//! | what you look for | file |
//! | --- | --- |
//! | a new connection: to whom, and whether it may be used | `dial.rs`, `greeting.rs` |
//! | where Redis is now, what sentinels say | `whereabouts.rs`, `sentinel.rs` |
//! | sockets and their options, TLS | `socket.rs`, `tls.rs` |
//! | connections that come back, deadlines | `link.rs`, `retry.rs` |
//! | hints, who listens | `signals.rs`, `subscription.rs` |
//! | how an operation is sent | `client.rs` |
//! | operations: on brokers, on workers, after a wipe | `members.rs`, `workers.rs`, `idle.rs`, `restoring.rs` |
//! | lists of brokers and workers | `inventory.rs` |
//! | scripts and their pieces | `script.rs`, `../lua/` |
//! | what scripts are asked | `question.rs`; many placements in one: `placing.rs` |
//! | what scripts answer | `reply.rs`, `answer.rs` |
//! | the form of a broker's record, of a worker's entry | `record.rs`, `entry.rs` |
//! | whether the namespace is ours | `schema.rs` |
//! | errors | `failure.rs` |

mod answer;
mod client;
mod dial;
mod entry;
mod failure;
mod greeting;
mod idle;
mod inventory;
mod link;
mod members;
mod placing;
mod question;
mod record;
mod reply;
mod restoring;
mod retry;
mod schema;
mod script;
mod sentinel;
mod signals;
mod socket;
mod stored;
mod subscription;
mod tls;
mod whereabouts;
mod workers;

use self::client::Client;
use self::placing::Placements;
use super::keys::Keys;
use super::{
    Activation, Announcement, BrokerRecord, Claim, ClaimRequest, Commit, Committed, Complaint, CoordinationResult,
    Coordinator, Death, Erasure, Eviction, Fate, Held, Joined, Known, LoadChange, Location, Look, Membership, Owned,
    PlaceRequest, Placement, Registration, Release, Renewal, Restoration, Ring, RingRequest, Sighting, Signal, Sleep,
    Slept,
};
use crate::config::RedisConfig;
use crate::ids::{Epoch, Incarnation, ServerId, ServerTime, WorkerId};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::broadcast;

/// Milliseconds since 1970, instead of the server's: for tests that step the clock.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// One broker's access to a namespace on a server. Dropping it ends its connections.
pub struct RedisCoordinator {
    client: Client,
    placements: Placements,
}

impl RedisCoordinator {
    /// Connects to nothing yet. The connections live on `runtime`.
    pub fn new(config: &RedisConfig, namespace: &str, runtime: Handle) -> Self {
        let keys = Keys::new(namespace, config.db);
        let channels = keys.signal_channels();
        Self { client: Client::new(config, keys, channels, runtime), placements: Placements::default() }
    }

    /// One for a lease's thread: it listens on the channel of leases and hears no hints. No batch of a broker's commands
    /// is in front of its renewals.
    pub fn for_lease(config: &RedisConfig, namespace: &str, runtime: Handle) -> Self {
        let keys = Keys::new(namespace, config.db);
        let channels = keys.lease_channels();
        Self { client: Client::new(config, keys, channels, runtime), placements: Placements::default() }
    }

    /// Takes this clock for the server's.
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.client.clock = Some(clock);
        self
    }
}

#[async_trait]
impl Coordinator for RedisCoordinator {
    async fn open(&self) -> CoordinationResult<()> {
        self.client.start().await?;
        schema::check(&self.client).await
    }

    fn local_host(&self) -> Option<String> {
        self.client.commands.live().ok()?.local.map(|address| address.to_string())
    }

    async fn close(&self) {
        self.client.close().await;
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.client.signals.receiver()
    }

    async fn time(&self) -> CoordinationResult<ServerTime> {
        self.client.commands.live()?;
        match &self.client.clock {
            Some(clock) => Ok(ServerTime(clock())),
            None => self.client.server_micros().await.map(|micros| ServerTime(micros / 1000)),
        }
    }

    fn server(&self) -> Option<ServerId> {
        self.client.commands.live().ok().map(|live| live.server)
    }

    fn warning(&self) -> Option<String> {
        let live = self.client.commands.live().ok()?;
        let policy = live.evicts.as_ref()?;
        Some(format!(
            "Redis at {} may evict the keys of brokers and workers when its memory is full (maxmemory-policy {policy}): set maxmemory-policy noeviction.",
            live.place()
        ))
    }

    async fn secret(&self) -> CoordinationResult<String> {
        self.client.secret().await
    }

    async fn register(&self, record: &BrokerRecord, ttl: Duration) -> CoordinationResult<Registration> {
        self.client.register(record, ttl).await
    }

    async fn announce(&self, announcement: &Announcement) -> CoordinationResult<Registration> {
        self.client.announce(announcement).await
    }

    async fn restore(&self, owner: &Incarnation, held: &[Held]) -> CoordinationResult<Restoration> {
        self.client.restore(owner, held).await
    }

    async fn settle(&self, owner: &Incarnation, joined: &Joined) -> CoordinationResult<bool> {
        self.client.settle(owner, joined).await
    }

    async fn renew(&self, incarnation: &Incarnation, ttl: Duration) -> CoordinationResult<Renewal> {
        self.client.renew(incarnation, ttl).await
    }

    async fn update(&self, record: &BrokerRecord) -> CoordinationResult<bool> {
        self.client.update(record).await
    }

    async fn look(&self, by: &Incarnation, known: Option<&Known>) -> CoordinationResult<Look> {
        self.client.look(by, known).await
    }

    async fn find_member(&self, incarnation: &Incarnation) -> CoordinationResult<Sighting> {
        self.client.find_member(incarnation).await
    }

    async fn scan(&self, by: &Incarnation) -> CoordinationResult<Membership> {
        self.client.scan(by).await
    }

    async fn place(&self, request: &PlaceRequest) -> CoordinationResult<Placement> {
        self.placements.place(&self.client, request).await
    }

    async fn activate(&self, owner: &Incarnation, ids: &[WorkerId]) -> CoordinationResult<Activation> {
        self.client.activate(owner, ids).await
    }

    async fn confirm(&self, owner: &Incarnation, activations: &[(WorkerId, Epoch)]) -> CoordinationResult<Vec<bool>> {
        self.client.confirm(owner, activations).await
    }

    async fn release(&self, owner: &Incarnation, releases: &[Release]) -> CoordinationResult<Vec<bool>> {
        self.client.release(owner, releases).await
    }

    async fn sleep(&self, owner: &Incarnation, sleeps: &[Sleep]) -> CoordinationResult<Vec<Slept>> {
        self.client.sleep(owner, sleeps).await
    }

    async fn ring(&self, request: &RingRequest) -> CoordinationResult<Ring> {
        self.client.ring(request).await
    }

    async fn withdraw(&self, owner: &Incarnation, id: &WorkerId, epoch: Epoch) -> CoordinationResult<bool> {
        self.client.withdraw(owner, id, epoch).await
    }

    async fn set_load(&self, owner: &Incarnation, changes: &[LoadChange]) -> CoordinationResult<Vec<bool>> {
        self.client.set_load(owner, changes).await
    }

    async fn locate(&self, id: &WorkerId) -> CoordinationResult<Location> {
        self.client.locate(id).await
    }

    async fn claim(&self, request: &ClaimRequest) -> CoordinationResult<Claim> {
        self.client.claim(request).await
    }

    async fn evict(
        &self,
        by: &Incarnation,
        dead: &Incarnation,
        death: &Death,
        limit: usize,
    ) -> CoordinationResult<Eviction> {
        self.client.evict(by, dead, death, limit).await
    }

    async fn leave(&self, incarnation: &Incarnation, fate: Fate, limit: usize) -> CoordinationResult<u64> {
        self.client.leave(incarnation, fate, limit).await
    }

    async fn pardon(&self, id: &WorkerId) -> CoordinationResult<bool> {
        self.client.pardon(id).await
    }

    async fn commit(&self, owner: &Incarnation, commits: &[Commit]) -> CoordinationResult<Vec<Committed>> {
        self.client.commit(owner, commits).await
    }

    async fn erase(&self, id: &WorkerId, epoch: Option<Epoch>) -> CoordinationResult<Erasure> {
        self.client.erase(id, epoch).await
    }

    async fn owned(&self, owner: &Incarnation, offset: usize, limit: usize) -> CoordinationResult<Vec<Owned>> {
        self.client.owned(owner, offset, limit).await
    }

    async fn request_restart(&self) -> CoordinationResult<u64> {
        self.client.request_restart().await
    }

    async fn complain(&self, about: &Incarnation, by: &Incarnation, complaint: Complaint) -> CoordinationResult<()> {
        self.client.complain(about, by, complaint).await
    }

    async fn is_listening(&self, incarnation: &Incarnation) -> CoordinationResult<bool> {
        self.client.is_listening(incarnation).await
    }

    async fn listen_as(&self, incarnation: Option<&Incarnation>) -> CoordinationResult<()> {
        self.client.signals.listen_as(incarnation).await
    }
}
