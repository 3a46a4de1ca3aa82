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
mod link;
mod placing;
mod question;
mod record;
mod reply;
mod retry;
mod schema;
mod script;
mod sentinel;
mod signals;
mod socket;
mod subscription;
mod tls;
mod whereabouts;

use self::answer::Found;
use self::client::Client;
use self::placing::Placements;
use self::question::{fate, flag, millis};
use self::script::Arguments;
use super::keys::{escape, Keys};
use super::{
    Activation, Announcement, BrokerRecord, Claim, ClaimRequest, Complaint, CoordinationResult, Coordinator, Death,
    Eviction, Fate, Held, Joined, Known, LoadChange, Location, Look, Membership, PlaceRequest, Placement, Registration,
    Release, Renewal, Restoration, Sighting, Signal, CHUNK, CLOCK_TOLERANCE, MAX_LOAD, RESERVED_LOAD, SCHEMA_VERSION,
};
use crate::config::RedisConfig;
use crate::ids::{Epoch, Incarnation, ServerId, ServerTime, WorkerId};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tracing::warn;

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

    /// Deletes entries of this owner that cannot be read: other programs wrote them.
    async fn discard(&self, owner: &Incarnation, ids: Vec<WorkerId>) -> CoordinationResult<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut arguments = Arguments::of([owner.to_string()]).key(self.client.keys.own(owner));
        for id in &ids {
            warn!(
                key = self.client.keys.worker(id),
                "an entry cannot be read: another program wrote it; it is deleted"
            );
            arguments.values.extend([id.to_string(), String::new(), flag(false)]);
        }
        self.client.run(&script::RELEASE, arguments).await.map(drop)
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
        let (generation, secret) = (crate::ids::random_hex::<16>(), crate::ids::random_hex::<32>());
        let arguments = Arguments::of([SCHEMA_VERSION.to_string(), generation, secret]);
        let answer = self.client.run(&script::SECRET, arguments).await?;
        self.client
            .read("secret", answer::secret(answer))?
            .map_err(|version| schema::foreign_version(&self.client, &version))
    }

    async fn register(&self, record: &BrokerRecord, ttl: Duration) -> CoordinationResult<Registration> {
        let arguments = Arguments::of([
            record.incarnation.to_string(),
            escape(record.broker.as_str()),
            record::encode(record),
            millis(ttl),
            SCHEMA_VERSION.to_string(),
            crate::ids::random_hex::<16>(),
            crate::ids::random_hex::<32>(),
        ]);
        let answer = self.client.run(&script::REGISTER, arguments).await?;
        match self.client.read("register", answer::registered(answer))? {
            Ok(registration) => Ok(registration),
            Err(version) => Err(schema::foreign_version(&self.client, &version)),
        }
    }

    async fn announce(&self, announcement: &Announcement) -> CoordinationResult<Registration> {
        let answer = self.client.run(&script::ANNOUNCE, question::announce(announcement)).await?;
        match self.client.read("announce", answer::registered(answer))? {
            Ok(registration) => Ok(registration),
            Err(version) => Err(schema::foreign_version(&self.client, &version)),
        }
    }

    async fn restore(&self, owner: &Incarnation, held: &[Held]) -> CoordinationResult<Restoration> {
        let mut done = Vec::with_capacity(held.len());
        let mut left = held;
        while !left.is_empty() {
            let (chunk, rest) = left.split_at(question::restorable(left));
            left = rest;
            let mut arguments = Arguments::of([owner.to_string()]).key(self.client.keys.own(owner));
            chunk.iter().for_each(|held| arguments.values.extend(question::restore(owner, held)));
            let answer = self.client.run(&script::RESTORE, arguments).await?;
            match self.client.read("restore", answer::restored(answer, chunk.len()))? {
                Some(stand) => done.extend(stand),
                None => return Ok(Restoration::NotMember),
            }
        }
        Ok(Restoration::Restored(done))
    }

    async fn settle(&self, owner: &Incarnation, joined: &Joined) -> CoordinationResult<bool> {
        let arguments = Arguments::of([owner.to_string(), joined.server.to_string(), joined.generation.clone()]);
        let answer = self.client.run(&script::SETTLE, arguments).await?;
        self.client.read("settle", reply::number(answer)).map(|number| number == 1)
    }

    async fn renew(&self, incarnation: &Incarnation, ttl: Duration) -> CoordinationResult<Renewal> {
        let arguments = Arguments::of([incarnation.to_string(), millis(ttl)]);
        let answer = self.client.run_urgently(&script::RENEW, arguments).await?;
        self.client.read("renew", answer::renewed(answer))
    }

    async fn update(&self, record: &BrokerRecord) -> CoordinationResult<bool> {
        let arguments = Arguments::of([record.incarnation.to_string(), record::encode(record)]);
        let answer = self.client.run(&script::UPDATE, arguments).await?;
        self.client.read("update", reply::number(answer)).map(|number| number == 1)
    }

    async fn look(&self, by: &Incarnation, known: Option<&Known>) -> CoordinationResult<Look> {
        let none = String::new;
        let (generation, server, version) = known.map_or_else(
            || (none(), none(), none()),
            |known| (known.generation.clone(), known.server.to_string(), known.version.to_string()),
        );
        let arguments = Arguments::of([by.to_string(), generation, server, version]);
        let answer = self.client.run(&script::LOOK, arguments).await?;
        self.client.read("look", answer::look(by, answer))
    }

    async fn find_member(&self, incarnation: &Incarnation) -> CoordinationResult<Sighting> {
        let answer = self.client.run(&script::FIND_MEMBER, Arguments::of([incarnation.to_string()])).await?;
        self.client.read("find_member", answer::sighting(incarnation, answer))
    }

    async fn scan(&self, by: &Incarnation) -> CoordinationResult<Membership> {
        let answer = self.client.run(&script::SCAN, Arguments::of([by.to_string()])).await?;
        self.client.read("scan", answer::membership(answer))
    }

    async fn place(&self, request: &PlaceRequest) -> CoordinationResult<Placement> {
        self.placements.place(&self.client, request).await
    }

    async fn activate(&self, owner: &Incarnation, ids: &[WorkerId]) -> CoordinationResult<Activation> {
        let mut entries = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let mut arguments = Arguments::of([owner.to_string()]);
            arguments.keys.extend(chunk.iter().map(|id| self.client.keys.worker(id)));
            let answer = self.client.run(&script::ACTIVATE, arguments).await?;
            let Some(found) = self.client.read("activate", answer::activated(answer, chunk))? else {
                return Ok(Activation::Unsettled);
            };
            let mut unreadable = Vec::new();
            for (id, found) in chunk.iter().zip(found) {
                if found == Found::Unreadable {
                    unreadable.push(id.clone());
                }
                entries.push(if let Found::Entry(entry) = found { Some(entry) } else { None });
            }
            self.discard(owner, unreadable).await?;
        }
        Ok(Activation::Answers(entries))
    }

    async fn confirm(&self, owner: &Incarnation, activations: &[(WorkerId, Epoch)]) -> CoordinationResult<Vec<bool>> {
        let mut done = Vec::with_capacity(activations.len());
        for chunk in activations.chunks(CHUNK) {
            let mut arguments = Arguments::of([owner.to_string()]);
            for (id, epoch) in chunk {
                arguments.keys.push(self.client.keys.worker(id));
                arguments.values.push(epoch.to_string());
            }
            let answer = self.client.run(&script::CONFIRM, arguments).await?;
            done.extend(self.client.read("confirm", reply::flags(answer, chunk.len()))?);
        }
        Ok(done)
    }

    async fn release(&self, owner: &Incarnation, releases: &[Release]) -> CoordinationResult<Vec<bool>> {
        let mut done = Vec::with_capacity(releases.len());
        for chunk in releases.chunks(CHUNK) {
            let mut arguments = Arguments::of([owner.to_string()]).key(self.client.keys.own(owner));
            for release in chunk {
                let (id, epoch) = (release.id.to_string(), release.epoch.to_string());
                arguments.values.extend([id, epoch, fate(release.fate)]);
            }
            let answer = self.client.run(&script::RELEASE, arguments).await?;
            done.extend(self.client.read("release", reply::flags(answer, chunk.len()))?);
        }
        Ok(done)
    }

    async fn withdraw(&self, owner: &Incarnation, id: &WorkerId, epoch: Epoch) -> CoordinationResult<bool> {
        let arguments = Arguments::of([owner.to_string(), epoch.to_string(), id.to_string()])
            .key(self.client.keys.own(owner))
            .key(self.client.keys.worker(id));
        let answer = self.client.run(&script::WITHDRAW, arguments).await?;
        self.client.read("withdraw", reply::number(answer)).map(|number| number == 1)
    }

    async fn set_load(&self, owner: &Incarnation, changes: &[LoadChange]) -> CoordinationResult<Vec<bool>> {
        let mut done = Vec::with_capacity(changes.len());
        for chunk in changes.chunks(CHUNK) {
            let mut arguments = Arguments::of([owner.to_string()]);
            for change in chunk {
                arguments.keys.push(self.client.keys.worker(&change.id));
                arguments.values.extend([change.epoch.to_string(), change.load.min(MAX_LOAD).to_string()]);
            }
            let answer = self.client.run(&script::SET_LOAD, arguments).await?;
            done.extend(self.client.read("set_load", reply::flags(answer, chunk.len()))?);
        }
        Ok(done)
    }

    async fn locate(&self, id: &WorkerId) -> CoordinationResult<Location> {
        let answer = self.client.run(&script::LOCATE, Arguments::default().key(self.client.keys.worker(id))).await?;
        answer::location(answer).ok_or_else(|| self.client.unreadable(&self.client.keys.worker(id)))
    }

    async fn claim(&self, request: &ClaimRequest) -> CoordinationResult<Claim> {
        let mut arguments = Arguments::of([
            request.by.to_string(),
            request.limit.min(CHUNK).to_string(),
            millis(request.ttl),
            CHUNK.to_string(),
            RESERVED_LOAD.to_string(),
            request.overflow.to_string(),
            flag(request.trial_over),
        ])
        .key(self.client.keys.own(&request.by));
        for class in &request.classes {
            let keys = &self.client.keys;
            arguments.keys.extend([keys.pending(&request.cluster, class), keys.later(&request.cluster, class)]);
        }
        let answer = self.client.run(&script::CLAIM, arguments).await?;
        let (claim, unreadable) = self.client.read("claim", answer::claim(answer))?;
        self.discard(&request.by, unreadable).await?;
        Ok(claim)
    }

    async fn evict(
        &self,
        by: &Incarnation,
        dead: &Incarnation,
        death: &Death,
        limit: usize,
    ) -> CoordinationResult<Eviction> {
        let none = String::new;
        let (by, seen, expected, server) = match death {
            Death::Expired { expected } => (by.to_string(), none(), expected.0.to_string(), none()),
            Death::Proven { lease_expires, server } => {
                (by.to_string(), lease_expires.0.to_string(), none(), server.to_string())
            }
            Death::Succeeded { lease_expires } => (none(), lease_expires.0.to_string(), none(), none()),
        };
        let (limit, tolerance) = (limit.min(CHUNK).to_string(), millis(CLOCK_TOLERANCE));
        let arguments = Arguments::of([by, dead.to_string(), seen, limit, expected, tolerance, server]);
        let answer = self.client.run(&script::EVICT, arguments.key(self.client.keys.own(dead))).await?;
        self.client.read("evict", answer::eviction(answer))
    }

    async fn leave(&self, incarnation: &Incarnation, fate: Fate, limit: usize) -> CoordinationResult<u64> {
        let arguments = Arguments::of([incarnation.to_string(), question::fate(fate), limit.min(CHUNK).to_string()]);
        let answer = self.client.run(&script::LEAVE, arguments.key(self.client.keys.own(incarnation))).await?;
        self.client.read("leave", reply::number(answer))
    }

    async fn pardon(&self, id: &WorkerId) -> CoordinationResult<bool> {
        let arguments = Arguments::of([id.to_string()]).key(self.client.keys.worker(id));
        let answer = self.client.run(&script::PARDON, arguments).await?;
        self.client.read("pardon", reply::number(answer)).map(|number| number == 1)
    }

    async fn owned(
        &self,
        owner: &Incarnation,
        offset: usize,
        limit: usize,
    ) -> CoordinationResult<Vec<(WorkerId, Epoch)>> {
        if limit == 0 {
            return self.client.commands.live().map(|_| Vec::new());
        }
        let arguments = Arguments::of([owner.to_string(), offset.to_string(), limit.min(CHUNK).to_string()]);
        let answer = self.client.run(&script::OWNED, arguments.key(self.client.keys.own(owner))).await?;
        self.client.read("owned", answer::owned(answer))
    }

    async fn request_restart(&self) -> CoordinationResult<u64> {
        let answer = self.client.run(&script::RESTART, Arguments::default()).await?;
        self.client.read("restart", reply::number(answer))
    }

    async fn complain(&self, about: &Incarnation, by: &Incarnation, complaint: Complaint) -> CoordinationResult<()> {
        let arguments = Arguments::of([about.to_string(), by.to_string(), complaint.as_str().into()]);
        self.client.run(&script::COMPLAIN, arguments).await.map(drop)
    }

    async fn is_listening(&self, incarnation: &Incarnation) -> CoordinationResult<bool> {
        let mut command = redis::cmd("PUBSUB");
        command.arg("NUMSUB").arg(self.client.keys.signal_channels().alive(incarnation));
        command.arg(self.client.keys.lease_channels().alive(incarnation));
        let answer = self.client.command(&command, "PUBSUB NUMSUB").await?;
        self.client.read("PUBSUB NUMSUB", answer::subscribers(answer)).map(|count| count > 0)
    }

    async fn listen_as(&self, incarnation: Option<&Incarnation>) -> CoordinationResult<()> {
        self.client.signals.listen_as(incarnation).await
    }
}
