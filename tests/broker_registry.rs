//! What brokers do when the server that keeps their registry is wiped, restarted, rolled back, or says nothing.

#[allow(dead_code)]
#[path = "support/host.rs"]
mod host;
#[path = "support/redis_server.rs"]
mod redis_server;

use dworker::broker::home::Home;
use dworker::config::BrokerConfig;
use dworker::coordination::memory::MemoryStore;
use dworker::coordination::{EntryState, Held, Location, PlaceRequest, Placement, Registration, Restoration};
use dworker::ids::{ClassName, ClusterName, Epoch, Incarnation, WorkerId};
use dworker::transport::MemoryHub;
use host::{config, eventually, Handler, Host};
use redis_server::RedisServer;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the registry may take after Redis is back.
const WHOLE_WITHIN: Duration = Duration::from_millis(1500);
/// Slower than by default, since several tests share the machine.
const SLACK: Duration = Duration::from_millis(1500);

fn echo() -> Handler {
    Arc::new(|_, _, payload| payload.map(str::to_owned))
}

fn member(id: &str) -> BrokerConfig {
    let mut config = config(id);
    config.lease.ttl = 5000;
    config
}

/// The id in the answer to a creation.
fn id_of(answer: Option<String>) -> String {
    let answer: serde_json::Value = serde_json::from_str(&answer.expect("an answer")).expect("JSON");
    answer["id"].as_str().expect("an id").to_owned()
}

/// Three brokers, and this many workers on them.
async fn cluster(home: &Home, workers: usize) -> Vec<Arc<Host>> {
    let mut hosts = Vec::new();
    for id in ["a", "b", "c"] {
        hosts.push(Host::start_with(member(id), home, echo()).await);
    }
    for number in 1..=workers {
        let made = hosts[number % 3].create_some(None).await.expect("the worker is made");
        assert_eq!(id_of(made), format!("Room#{number}"));
    }
    // Routes that are known before anything happens, and members that know each other.
    for host in &hosts {
        for number in 1..=workers {
            host.ask(&format!("Room#{number}"), "n", "1").await.expect("the worker answers");
        }
        eventually("all know each other", || host.watches() == 2).await;
    }
    hosts
}

fn incarnations(hosts: &[Arc<Host>]) -> Vec<Incarnation> {
    hosts.iter().map(|host| host.core.life().expect("it is active").context.incarnation.clone()).collect()
}

/// Asks on known routes all the while; what failed is told at the end.
struct Traffic {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<Vec<String>>,
}

impl Traffic {
    fn start(host: &Arc<Host>, workers: usize) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (host, ending, count) = (host.clone(), stop.clone(), asked.clone());
        let task = tokio::spawn(async move {
            let mut failed = Vec::new();
            let mut number = 0;
            while !ending.load(Ordering::Relaxed) {
                number = number % workers + 1;
                match host.ask(&format!("Room#{number}"), "n", "1").await {
                    Ok(_) => drop(count.fetch_add(1, Ordering::Relaxed)),
                    Err(failure) => failed.push(format!("Room#{number}: {failure}")),
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            failed
        });
        Self { stop, asked, task }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let failed = self.task.await.expect("it ends");
        assert!(failed.is_empty(), "{} asks failed: {:?}", failed.len(), &failed[..failed.len().min(5)]);
        assert!(self.asked.load(Ordering::Relaxed) >= 10);
    }
}

/// Waits until every worker stands where it lives, and every load is counted; how long that took.
async fn whole(hosts: &[Arc<Host>], workers: usize) -> Duration {
    let begun = Instant::now();
    let life = hosts[0].core.life().expect("it is active");
    loop {
        let mut stands = 0;
        for number in 1..=workers {
            let id = format!("Room#{number}");
            let lives = hosts.iter().find(|host| host.holds(&id)).expect("it lives somewhere");
            let incarnation = lives.core.life().expect("it is active").context.incarnation.clone();
            if let Ok(Location::Owned { owner, .. }) = life.context.coordinator.locate(&WorkerId::new(&id)).await {
                stands += usize::from(owner.incarnation == incarnation);
            }
        }
        let membership = life.context.coordinator.scan(&life.context.incarnation).await;
        let counted = membership.is_ok_and(|membership| {
            membership.settled
                && membership.members.len() == hosts.len()
                && membership.members.iter().map(|member| member.load).sum::<u64>() == workers as u64
        });
        if stands == workers && counted {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "only {stands} of {workers} stand again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Nobody was evicted, no worker was made again, no id is used again.
async fn unharmed(hosts: &[Arc<Host>], before: &[Incarnation], workers: usize) {
    assert_eq!(incarnations(hosts), before);
    assert_eq!(hosts.iter().map(|host| host.count()).sum::<usize>(), workers);
    assert_eq!(hosts.iter().map(|host| host.made.load(Ordering::Relaxed)).sum::<u64>(), workers as u64);
    let next = hosts[0].create_some(None).await.expect("the worker is made");
    assert_eq!(id_of(next), format!("Room#{}", workers + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_database_is_whole_again_while_known_calls_flow_and_no_worker_is_said_to_be_missing() {
    let server = RedisServer::start();
    let hosts = cluster(&Home::Redis(Box::new(server.config())), 60).await;
    let before = incarnations(&hosts);
    let traffic = Traffic::start(&hosts[0], 60);
    server.ask(&["FLUSHALL"]);
    let finder = hosts[1].clone();
    let finding = tokio::spawn(async move {
        for number in 1..=60 {
            let found = finder.find(&format!("Room#{number}")).await;
            assert_eq!(found.expect("it is found"), Some("{\"class\":\"Room\"}".into()));
        }
    });
    let took = whole(&hosts, 60).await;
    println!("whole {took:?} after FLUSHALL");
    assert!(took < WHOLE_WITHIN + SLACK, "it took {took:?}");
    finding.await.expect("every worker was found");
    traffic.end().await;
    unharmed(&hosts, &before, 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_empty_is_whole_again() {
    restarted(RedisServer::start()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_with_its_data_is_whole_again() {
    restarted(RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"])).await;
}

async fn restarted(mut server: RedisServer) {
    let hosts = cluster(&Home::Redis(Box::new(server.config())), 30).await;
    let before = incarnations(&hosts);
    let traffic = Traffic::start(&hosts[0], 30);
    server.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.run();
    let took = whole(&hosts, 30).await;
    println!("whole {took:?} after the restart");
    assert!(took < WHOLE_WITHIN + SLACK, "it took {took:?}");
    traffic.end().await;
    unharmed(&hosts, &before, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_rollback_live_workers_keep_their_entries_and_ended_ones_have_none() {
    let store = MemoryStore::default();
    let home = Home::Memory { store: store.clone(), hub: MemoryHub::default() };
    let hosts = cluster(&home, 9).await;
    let before = incarnations(&hosts);
    let snapshot = store.snapshot();
    for number in 10..=12 {
        hosts[0].create_some(None).await.unwrap_or_else(|failure| panic!("Room#{number}: {failure}"));
    }
    // It lives elsewhere now, under a higher epoch.
    let place = hosts.iter().position(|host| host.holds("Room#1")).expect("it lives");
    hosts[place].hand_over("Room#1");
    eventually("it was made again", || hosts.iter().any(|host| host.holds("Room#1"))).await;
    eventually("all that was made again is counted", || {
        hosts.iter().map(|host| host.made.load(Ordering::Relaxed)).sum::<u64>() == 13
    })
    .await;
    store.roll_back(&snapshot);
    whole(&hosts, 12).await;
    assert_eq!(incarnations(&hosts), before);
    assert_eq!(hosts.iter().map(|host| host.made.load(Ordering::Relaxed)).sum::<u64>(), 13);
    let next = hosts[0].create_some(None).await.expect("the worker is made");
    assert_eq!(id_of(next), "Room#13");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_audit_finds_is_created_where_it_was_taken_up_and_withdrawn_where_it_was_only_reserved() {
    let home = Home::Memory { store: MemoryStore::default(), hub: MemoryHub::default() };
    let a = Host::start_with(member("a"), &home, echo()).await;
    let life = a.core.life().expect("it is active");
    // Two creators died after they reserved a worker here, one of them after the registry had made it active.
    for id in ["Room#reserved", "Room#active"] {
        let request = PlaceRequest {
            purpose: Default::default(),
            exclude: Vec::new(),
            by: life.context.incarnation.clone(),
            id: Some(WorkerId::new(id)),
            class: ClassName::new("Room"),
            cluster: ClusterName::new("main"),
            recoverable: true,
            attributes: "{}".into(),
            ttl: Duration::ZERO,
        };
        assert!(matches!(life.context.coordinator.place(&request).await, Ok(Placement::Reserved { .. })));
    }
    let active = WorkerId::new("Room#active");
    life.context.coordinator.activate(&life.context.incarnation, &[active]).await.expect("the coordinator answers");
    life.activation.workers.audit();
    eventually("the active one is created", || a.count() == 1).await;
    a.ask("Room#active", "n", "1").await.expect("the worker answers");
    for _ in 0..100 {
        match life.context.coordinator.locate(&WorkerId::new("Room#reserved")).await {
            Ok(Location::None) => break,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    let reserved = life.context.coordinator.locate(&WorkerId::new("Room#reserved")).await;
    assert!(matches!(reserved, Ok(Location::None)), "{reserved:?}");
    assert_eq!(a.made.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_instances_of_a_worker_the_one_with_the_lower_epoch_ends() {
    let home = Home::Memory { store: MemoryStore::default(), hub: MemoryHub::default() };
    let a = Host::start_with(member("a"), &home, echo()).await;
    a.create("Room#1").await.expect("the worker is made");
    let life = a.core.life().expect("it is active");
    let Ok(Location::Owned { epoch, .. }) = life.context.coordinator.locate(&WorkerId::new("Room#1")).await else {
        panic!("it stands nowhere");
    };
    let mut other = life.membership.members.record();
    other.incarnation = Incarnation::random();
    other.broker = "other".into();
    let joined = life.context.coordinator.register(&other, Duration::from_secs(60)).await;
    assert!(matches!(joined, Ok(Registration::Joined(_))));
    let entries = life.activation.workers.inspect(|(_, resident)| dworker::coordination::Entry {
        epoch: Epoch(epoch.0 + 1),
        ..(*resident.entry).clone()
    });
    let entry = entries.into_iter().next();
    let held = Held { entry: entry.expect("it lives here"), state: EntryState::Active, load: 1 };
    let restored = life.context.coordinator.restore(&other.incarnation, &[held]).await;
    assert_eq!(restored, Ok(Restoration::Restored(vec![true])));
    eventually("the lower one ended", || a.count() == 0).await;
    assert_eq!(a.fenced.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_single_hint_the_dead_are_evicted_and_their_workers_live_on() {
    let store = MemoryStore::default();
    store.mute();
    let home = Home::Memory { store, hub: MemoryHub::default() };
    let hosts = cluster(&home, 30).await;
    hosts[2].crash();
    eventually("all workers live at the two others", || hosts[0].count() + hosts[1].count() == 30).await;
    for number in 1..=30 {
        let answer = hosts[0].ask(&format!("Room#{number}"), "n", "1").await;
        assert_eq!(answer.expect("the worker answers"), Some("1".into()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_single_hint_a_wiped_database_is_whole_again() {
    let store = MemoryStore::default();
    store.mute();
    let home = Home::Memory { store: store.clone(), hub: MemoryHub::default() };
    let hosts = cluster(&home, 30).await;
    let before = incarnations(&hosts);
    store.wipe();
    whole(&hosts, 30).await;
    unharmed(&hosts, &before, 30).await;
}
