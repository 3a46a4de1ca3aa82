//! The coordinator on Redis or Valkey: which script and which connection serves each operation.
//!
//! | what you look for | file |
//! | --- | --- |
//! | sockets and their options | `dial.rs` |
//! | connections that come back, deadlines | `link.rs`, `retry.rs` |
//! | hints, who listens | `signals.rs` |
//! | scripts and their pieces | `script.rs`, `../lua/` |
//! | what scripts answer | `reply.rs`, `answer.rs` |
//! | the form of a broker's record | `record.rs` |
//! | whether the namespace is ours | `schema.rs` |
//! | errors | `failure.rs` |

mod answer;
mod dial;
mod failure;
mod link;
mod record;
mod reply;
mod retry;
mod schema;
mod script;
mod signals;

use self::dial::Dialer;
use self::link::{Link, Live};
use self::script::{Arguments, Lua};
use self::signals::Signals;
use super::keys::{escape, Keys};
use super::{
    BrokerRecord, Claim, ClaimRequest, CoordinationResult, Coordinator, Death, Entry, Eviction, Fate, LoadChange,
    Location, Membership, PlaceRequest, Placement, Registration, Release, Renewal, Signal, CHUNK, MAX_LOAD, RESERVED_LOAD,
    SCHEMA_VERSION,
};
use crate::config::RedisConfig;
use crate::ids::{Epoch, Incarnation, ServerTime, WorkerId};
use async_trait::async_trait;
use redis::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, Mutex};
use tokio::task::JoinSet;

/// An operation that a user waits for.
const COMMAND_DEADLINE: Duration = Duration::from_secs(2);
/// A renewal: shorter, so that several fit into a lease.
const RENEW_DEADLINE: Duration = Duration::from_secs(1);

/// Milliseconds since 1970, instead of the server's: for tests that step the clock.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// One broker's access to a namespace on a server. Dropping it ends its connections.
pub struct RedisCoordinator {
    dialer: Arc<Dialer>,
    keys: Arc<Keys>,
    runtime: Handle,
    clock: Option<Clock>,
    /// What every script gets: the keys that all name, the prefix, the channel of hints.
    shared: Arguments,
    /// Renewals have a connection of their own: no batch of commands is in front of them.
    lease: Arc<Link>,
    commands: Arc<Link>,
    signals: Arc<Signals>,
    /// The three tasks that keep the connections; aborted when this is dropped.
    tasks: Mutex<JoinSet<()>>,
}

impl RedisCoordinator {
    /// Connects to nothing yet. The connections live on `runtime`.
    pub fn new(config: &RedisConfig, namespace: &str, runtime: Handle) -> Self {
        let dialer = Arc::new(Dialer::new(config));
        let keys = Arc::new(Keys::new(namespace, config.db));
        let commands = Arc::new(Link::new(dialer.clone()));
        Self {
            runtime,
            clock: None,
            shared: Arguments {
                keys: vec![keys.meta(), keys.leases(), keys.brokers()],
                values: vec![keys.prefix().to_owned(), keys.hints().to_owned()],
            },
            lease: Arc::new(Link::new(dialer.clone())),
            signals: Arc::new(Signals::new(dialer.clone(), keys.clone(), commands.clone())),
            commands,
            dialer,
            keys,
            tasks: Mutex::default(),
        }
    }

    /// Takes this clock for the server's.
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    async fn command(&self, lua: &Lua, arguments: Arguments) -> CoordinationResult<Value> {
        self.run(&self.commands, COMMAND_DEADLINE, lua, arguments).await
    }

    async fn run(&self, link: &Link, deadline: Duration, lua: &Lua, arguments: Arguments) -> CoordinationResult<Value> {
        let (live, began) = (link.live()?, Instant::now());
        let left = || deadline.saturating_sub(began.elapsed());
        let clock = match &self.clock {
            Some(clock) => (clock() * 1000).to_string(),
            None if live.script_clock => String::new(),
            None => self.server_micros(link, &live, deadline).await?.to_string(),
        };
        let command = lua.command(true, &self.shared, &clock, &arguments);
        let mut answer = link.send(&live, &command, lua.name, left()).await?;
        if answer.as_ref().is_err_and(link::is_no_script) {
            let command = lua.command(false, &self.shared, &clock, &arguments);
            answer = link.send(&live, &command, lua.name, left()).await?;
        }
        answer.map_err(|error| failure::translate(self.dialer.place(), lua.name, &error))
    }

    async fn server_micros(&self, link: &Link, live: &Live, deadline: Duration) -> CoordinationResult<u64> {
        let answer = link.send(live, &redis::cmd("TIME"), "TIME", deadline).await?;
        let answer = answer.map_err(|error| failure::translate(self.dialer.place(), "TIME", &error))?;
        self.read("TIME", answer::micros(answer))
    }

    /// An answer, or the error that says that it was none of ours.
    fn read<T>(&self, what: &str, answer: Option<T>) -> CoordinationResult<T> {
        answer.ok_or_else(|| failure::foreign(self.dialer.place(), what))
    }

    /// Starts the tasks unless they run; on failure of a first attempt they are stopped again.
    async fn start(&self) -> CoordinationResult<()> {
        let mut tasks = self.tasks.lock().await;
        let first = tasks.is_empty();
        if first {
            tasks.spawn_on(self.commands.clone().supervise(), &self.runtime);
            tasks.spawn_on(self.lease.clone().supervise(), &self.runtime);
            tasks.spawn_on(self.signals.clone().supervise(), &self.runtime);
        }
        let (commands, lease, signals) = tokio::join!(self.commands.settled(), self.lease.settled(), self.signals.settled());
        let outcome = commands.map(drop).and(lease.map(drop)).and(signals);
        if first && outcome.is_err() {
            tasks.shutdown().await;
            self.commands.reset();
            self.lease.reset();
            self.signals.reset();
        }
        outcome
    }
}

/// Milliseconds as scripts take them.
fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

fn flag(set: bool) -> String {
    u8::from(set).to_string()
}

#[async_trait]
impl Coordinator for RedisCoordinator {
    async fn open(&self) -> CoordinationResult<()> {
        self.start().await?;
        schema::check(&self.commands, &self.dialer, &self.keys, COMMAND_DEADLINE).await
    }

    fn local_host(&self) -> Option<String> {
        self.commands.live().ok()?.local.map(|address| address.to_string())
    }

    async fn close(&self) {
        self.commands.close();
        self.lease.close();
        self.signals.close();
        self.tasks.lock().await.shutdown().await;
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.receiver()
    }

    async fn time(&self) -> CoordinationResult<ServerTime> {
        let live = self.commands.live()?;
        match &self.clock {
            Some(clock) => Ok(ServerTime(clock())),
            None => self.server_micros(&self.commands, &live, COMMAND_DEADLINE).await.map(|micros| ServerTime(micros / 1000)),
        }
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
        let answer = self.command(&script::REGISTER, arguments).await?;
        match self.read("register", answer::registered(answer))? {
            Ok(registration) => Ok(registration),
            Err(version) => Err(schema::foreign_version(&self.dialer, &self.keys, &version)),
        }
    }

    async fn renew(&self, incarnation: &Incarnation, ttl: Duration) -> CoordinationResult<Renewal> {
        let arguments = Arguments::of([incarnation.to_string(), millis(ttl)]);
        let answer = self.run(&self.lease, RENEW_DEADLINE, &script::RENEW, arguments).await?;
        self.read("renew", answer::renewed(answer))
    }

    async fn update(&self, record: &BrokerRecord) -> CoordinationResult<bool> {
        let arguments = Arguments::of([record.incarnation.to_string(), record::encode(record)]);
        let answer = self.command(&script::UPDATE, arguments).await?;
        self.read("update", reply::number(answer)).map(|number| number == 1)
    }

    async fn scan(&self, by: &Incarnation) -> CoordinationResult<Membership> {
        let answer = self.command(&script::SCAN, Arguments::of([by.to_string()])).await?;
        self.read("scan", answer::membership(answer))
    }

    async fn place(&self, request: &PlaceRequest) -> CoordinationResult<Placement> {
        loop {
            let answer = self.command(&script::PLACE, place_arguments(request)).await?;
            if let Some(placement) = self.read("place", answer::placement(answer))? {
                return Ok(placement);
            }
        }
    }

    async fn activate(&self, owner: &Incarnation, ids: &[WorkerId]) -> CoordinationResult<Vec<Option<Entry>>> {
        let mut entries = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let mut arguments = Arguments::of([owner.to_string()]);
            arguments.keys.extend(chunk.iter().map(|id| self.keys.worker(id)));
            let answer = self.command(&script::ACTIVATE, arguments).await?;
            entries.extend(self.read("activate", answer::activated(answer, chunk))?);
        }
        Ok(entries)
    }

    async fn release(&self, owner: &Incarnation, releases: &[Release]) -> CoordinationResult<Vec<bool>> {
        let mut done = Vec::with_capacity(releases.len());
        for chunk in releases.chunks(CHUNK) {
            let mut arguments = Arguments::of([owner.to_string()]).key(self.keys.own(owner));
            for release in chunk {
                let recover = flag(release.fate == Fate::Recover);
                arguments.values.extend([release.id.to_string(), release.epoch.to_string(), recover]);
            }
            let answer = self.command(&script::RELEASE, arguments).await?;
            done.extend(self.read("release", reply::flags(answer, chunk.len()))?);
        }
        Ok(done)
    }

    async fn withdraw(&self, owner: &Incarnation, id: &WorkerId, epoch: Epoch) -> CoordinationResult<bool> {
        let arguments = Arguments::of([owner.to_string(), epoch.to_string(), id.to_string()])
            .key(self.keys.own(owner))
            .key(self.keys.worker(id));
        let answer = self.command(&script::WITHDRAW, arguments).await?;
        self.read("withdraw", reply::number(answer)).map(|number| number == 1)
    }

    async fn set_load(&self, owner: &Incarnation, changes: &[LoadChange]) -> CoordinationResult<Vec<bool>> {
        let mut done = Vec::with_capacity(changes.len());
        for chunk in changes.chunks(CHUNK) {
            let mut arguments = Arguments::of([owner.to_string()]);
            for change in chunk {
                arguments.keys.push(self.keys.worker(&change.id));
                arguments.values.extend([change.epoch.to_string(), change.load.min(MAX_LOAD).to_string()]);
            }
            let answer = self.command(&script::SET_LOAD, arguments).await?;
            done.extend(self.read("set_load", reply::flags(answer, chunk.len()))?);
        }
        Ok(done)
    }

    async fn locate(&self, id: &WorkerId) -> CoordinationResult<Location> {
        let answer = self.command(&script::LOCATE, Arguments::default().key(self.keys.worker(id))).await?;
        self.read("locate", answer::location(answer))
    }

    async fn claim(&self, request: &ClaimRequest) -> CoordinationResult<Claim> {
        let mut arguments = Arguments::of([
            request.by.to_string(),
            request.limit.min(CHUNK).to_string(),
            millis(request.ttl),
            CHUNK.to_string(),
            RESERVED_LOAD.to_string(),
        ])
        .key(self.keys.own(&request.by));
        arguments.keys.extend(request.classes.iter().map(|class| self.keys.pending(&request.cluster, class)));
        let answer = self.command(&script::CLAIM, arguments).await?;
        self.read("claim", answer::claim(answer))
    }

    async fn evict(&self, by: &Incarnation, dead: &Incarnation, death: &Death, limit: usize) -> CoordinationResult<Eviction> {
        let seen = match death {
            Death::Expired => String::new(),
            Death::Proven { lease_expires } => lease_expires.0.to_string(),
        };
        let arguments = Arguments::of([by.to_string(), dead.to_string(), seen, limit.min(CHUNK).to_string()]);
        let answer = self.command(&script::EVICT, arguments.key(self.keys.own(dead))).await?;
        self.read("evict", answer::eviction(answer))
    }

    async fn leave(&self, incarnation: &Incarnation, fate: Fate, limit: usize) -> CoordinationResult<u64> {
        let arguments = Arguments::of([incarnation.to_string(), flag(fate == Fate::Recover), limit.min(CHUNK).to_string()]);
        let answer = self.command(&script::LEAVE, arguments.key(self.keys.own(incarnation))).await?;
        self.read("leave", reply::number(answer))
    }

    async fn owned(&self, owner: &Incarnation, offset: usize, limit: usize) -> CoordinationResult<Vec<(WorkerId, Epoch)>> {
        if limit == 0 {
            return self.commands.live().map(|_| Vec::new());
        }
        let arguments = Arguments::of([owner.to_string(), offset.to_string(), limit.min(CHUNK).to_string()]);
        let answer = self.command(&script::OWNED, arguments.key(self.keys.own(owner))).await?;
        self.read("owned", answer::owned(answer))
    }

    async fn request_restart(&self) -> CoordinationResult<u64> {
        let answer = self.command(&script::RESTART, Arguments::default()).await?;
        self.read("restart", reply::number(answer))
    }

    async fn is_listening(&self, incarnation: &Incarnation) -> CoordinationResult<bool> {
        let mut command = redis::cmd("PUBSUB");
        command.arg("NUMSUB").arg(self.keys.alive(incarnation));
        let live = self.commands.live()?;
        let answer = self.commands.send(&live, &command, "PUBSUB NUMSUB", COMMAND_DEADLINE).await?;
        let answer = answer.map_err(|error| failure::translate(self.dialer.place(), "PUBSUB NUMSUB", &error))?;
        self.read("PUBSUB NUMSUB", answer::subscribers(answer)).map(|count| count > 0)
    }

    async fn listen_as(&self, incarnation: Option<&Incarnation>) -> CoordinationResult<()> {
        self.signals.listen_as(incarnation).await
    }
}

fn place_arguments(request: &PlaceRequest) -> Arguments {
    Arguments::of([
        request.by.to_string(),
        flag(request.id.is_some()),
        request.id.as_ref().map_or_else(|| request.class.to_string(), WorkerId::to_string),
        escape(request.class.as_str()),
        escape(request.cluster.as_str()),
        flag(request.recoverable),
        millis(request.ttl),
        request.attributes.clone(),
        RESERVED_LOAD.to_string(),
        CHUNK.to_string(),
    ])
}
