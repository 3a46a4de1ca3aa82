//! A simulated fleet: the real decision code of many brokers on one thread, whose time passes only while all of them wait.

use super::counted::{Counted, Server, Tallies, Tally};
use super::host::{config, eventually, Host};
use dworker::broker::home::Home;
use dworker::clock::{boot_millis, simulated};
use dworker::config::BrokerConfig;
use dworker::coordination::history::History;
use dworker::coordination::memory::{MemoryCoordinator, MemoryStore};
use dworker::coordination::{Cause, Coordinator, Entry, EntryState, Held, RESERVED_LOAD};
use dworker::ids::{Epoch, ServerTime};
use dworker::transport::MemoryHub;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What the server's clock shows when the brokers' clock shows 0, ms since 1970.
const EPOCH: u64 = 1_790_000_000_000;
/// What an event costs, by kind.
pub type Cost = Tallies;

/// Until every broker knows all others, after they joined at once.
const SETTLING: Duration = Duration::from_secs(8);

/// The server's work up to a point of time.
pub struct Reading {
    tallies: Tallies,
    at: Instant,
}

pub struct Broker {
    pub host: Arc<Host>,
    cut: Arc<AtomicBool>,
}

pub struct World {
    pub server: Server,
    pub brokers: Vec<Broker>,
    alive: Arc<AtomicU64>,
    hub: MemoryHub,
    names: usize,
    workers: usize,
    /// Brokers while the idle fleet was measured.
    first: usize,
    /// What the start of all brokers at once cost.
    pub cold_start: Cost,
    /// What an idle second costs.
    pub idle: Cost,
}

/// The default options of a broker.
fn defaults(id: &str) -> BrokerConfig {
    let mut config = config(id);
    config.lease.ttl = 5000;
    config.lease.renew = 500;
    config.health_check_interval = 1000;
    config
}

impl World {
    /// On a current-thread runtime whose time is paused.
    pub async fn start(brokers: usize) -> Self {
        simulated::start();
        let store = MemoryStore::with_clock(Arc::new(|| EPOCH + boot_millis()));
        let (server, alive) = (Server::new(store), Arc::new(AtomicU64::new(0)));
        let heard = alive.clone();
        tokio::spawn(server.clone().count_hints(Arc::new(move || heard.load(Ordering::Relaxed))));
        let mut world = Self {
            server,
            brokers: Vec::new(),
            alive,
            hub: MemoryHub::default(),
            names: 0,
            workers: 0,
            first: brokers,
            cold_start: Tallies::default(),
            idle: Tallies::default(),
        };
        world.join(brokers).await;
        world.pass(SETTLING).await;
        world.cold_start = world.server.tallies();
        world.measure_idle().await;
        world
    }

    /// Lets so many brokers join at once.
    pub async fn join(&mut self, brokers: usize) {
        let mut joining = JoinSet::new();
        for _ in 0..brokers {
            self.names += 1;
            let (id, server, cut) = (format!("b{}", self.names), self.server.clone(), Arc::new(AtomicBool::new(false)));
            let (its, alive) = (cut.clone(), self.alive.clone());
            let coordinator =
                Arc::new(move || -> Arc<dyn Coordinator> { Arc::new(Counted::new(server.clone(), its.clone())) });
            let home = Home::Embedded { coordinator, hub: self.hub.clone() };
            joining.spawn(async move {
                let host = Host::start_with(defaults(&id), &home, Arc::new(|_, _, _| None)).await;
                alive.fetch_add(1, Ordering::Relaxed);
                Broker { host, cut }
            });
        }
        while let Some(broker) = joining.join_next().await {
            self.brokers.push(broker.expect("the broker starts"));
        }
    }

    /// Lets so much simulated time pass.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn measure_idle(&mut self) {
        const SECONDS: u64 = 10;
        let before = self.server.tallies();
        self.pass(Duration::from_secs(SECONDS)).await;
        self.idle = since(&self.server.tallies(), &before);
        for tally in self.idle.values_mut() {
            *tally = Tally { commands: tally.commands / SECONDS, bytes: tally.bytes / SECONDS };
        }
    }

    /// What was asked until now, and when that is.
    pub fn reading(&self) -> Reading {
        Reading { tallies: self.server.tallies(), at: Instant::now() }
    }

    /// What an event costs beyond what an idle fleet does in the same time, until so much time has passed.
    pub async fn cost(&self, began: &Reading, time: Duration) -> Cost {
        self.pass(time).await;
        let mut cost = since(&self.server.tallies(), &began.tallies);
        // Of the fleet as large as it is now.
        let share = self.brokers.len() as f64 / self.first as f64;
        let seconds = began.at.elapsed().as_secs_f64() * share;
        for (kind, tally) in &mut cost {
            let idle = self.idle.get(kind).copied().unwrap_or_default();
            tally.commands = tally.commands.saturating_sub((idle.commands as f64 * seconds).round() as u64);
            tally.bytes = tally.bytes.saturating_sub((idle.bytes as f64 * seconds).round() as u64);
        }
        cost.retain(|_, tally| tally.commands > 0);
        cost
    }

    /// Every broker that lives has reported the last so many deaths, each once.
    pub fn every_broker_reported(&self, deaths: usize) {
        for broker in &self.brokers {
            let reported = broker.host.deaths();
            assert_eq!(reported.len(), deaths, "at {}: {reported:?}", broker.host.core.config.id);
        }
    }

    /// One broker leaves, and another joins in its place.
    pub async fn restart_one(&mut self) {
        let broker = self.brokers.pop().expect("there is a broker");
        broker.host.run(|slot| broker.host.core.destroy(slot, false)).await.expect("it leaves");
        self.alive.fetch_sub(1, Ordering::Relaxed);
        self.join(1).await;
    }

    /// kill -9.
    pub fn kill(&mut self) -> Broker {
        let broker = self.brokers.pop().expect("there is a broker");
        self.alive.fetch_sub(1, Ordering::Relaxed);
        broker.host.crash();
        broker
    }

    /// From now on it is cut off from the server, so that its lease runs out.
    pub fn silence(&mut self) -> Broker {
        let broker = self.brokers.pop().expect("there is a broker");
        self.alive.fetch_sub(1, Ordering::Relaxed);
        broker.cut.store(true, Ordering::Relaxed);
        broker
    }

    /// Puts so many workers under each of these brokers, and waits until they live there.
    pub async fn populate(&mut self, brokers: std::ops::Range<usize>, each: usize) {
        let coordinator = MemoryCoordinator::new(self.server.store.clone());
        coordinator.open().await.expect("the embedded coordinator opens");
        let wanted = self.living() + brokers.len() * each;
        for number in brokers {
            let life = self.brokers[number].host.core.life().expect("it is active");
            let held: Vec<Held> = (0..each).map(|_| held(&mut self.workers)).collect();
            coordinator.restore(&life.context.incarnation, &held).await.expect("the workers are put there");
            life.activation.workers.audit();
        }
        eventually("the workers live there", || self.living() == wanted).await;
        self.pass(Duration::from_secs(2)).await;
    }

    /// How many workers live anywhere.
    pub fn living(&self) -> usize {
        self.brokers.iter().map(|broker| broker.host.count()).sum()
    }
}

fn held(workers: &mut usize) -> Held {
    *workers += 1;
    let entry = Entry {
        lasting: Default::default(),
        id: format!("Room#{workers}").as_str().into(),
        class: "Room".into(),
        cluster: "main".into(),
        epoch: Epoch(*workers as u64),
        cause: Cause::New,
        attempt: 1,
        created: ServerTime(EPOCH),
        recoverable: true,
        attributes: "{}".into(),
        history: History::default(),
    };
    Held { entry, state: EntryState::Active, load: RESERVED_LOAD }
}

pub fn since(now: &Tallies, before: &Tallies) -> Tallies {
    let difference = now.iter().map(|(kind, tally)| {
        let first = before.get(kind).copied().unwrap_or_default();
        (*kind, Tally { commands: tally.commands - first.commands, bytes: tally.bytes - first.bytes })
    });
    difference.filter(|(_, tally)| tally.commands > 0).collect()
}

/// Commands of brokers, without hints.
pub fn commands(tallies: &Tallies) -> u64 {
    tallies.iter().filter(|(kind, _)| !kind.starts_with("hint")).map(|(_, tally)| tally.commands).sum()
}

pub fn hints(tallies: &Tallies) -> u64 {
    tallies.iter().filter(|(kind, _)| kind.starts_with("hint")).map(|(_, tally)| tally.commands).sum()
}

pub fn bytes(tallies: &Tallies) -> u64 {
    tallies.values().map(|tally| tally.bytes).sum()
}
