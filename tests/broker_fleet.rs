//! What one event costs a fleet: who hears of it, how often, and how many scripts Redis runs for it.

#[allow(dead_code)]
#[path = "support/host.rs"]
mod host;
#[path = "support/redis_server.rs"]
mod redis_server;

use dworker::broker::home::Home;
use dworker::config::BrokerConfig;
use dworker::coordination::memory::MemoryStore;
use dworker::transport::MemoryHub;
use host::{config, eventually, Handler, Host};
use redis_server::RedisServer;
use std::sync::Arc;

const BROKERS: usize = 12;

fn echo() -> Handler {
    Arc::new(|_, _, payload| payload.map(str::to_owned))
}

/// A broker that does nothing by itself during a test: what it does is for the event alone.
fn idle(id: &str) -> BrokerConfig {
    let mut config = config(id);
    config.lease.ttl = 600_000;
    config.lease.renew = 200_000;
    config.health_check_interval = 600_000;
    config
}

async fn fleet(home: &Home, configure: fn(&str) -> BrokerConfig) -> Vec<Arc<Host>> {
    let mut hosts = Vec::new();
    for number in 0..BROKERS {
        hosts.push(Host::start_with(configure(&format!("b{number}")), home, echo()).await);
    }
    for host in &hosts {
        let life = host.core.life().expect("it is active");
        let incarnations: Vec<_> =
            hosts.iter().map(|other| other.core.life().expect("it is active").context.incarnation.clone()).collect();
        eventually("it knows all and watches two of them", || {
            incarnations.iter().all(|incarnation| life.membership.members.knows(incarnation)) && host.watches() == 2
        })
        .await;
    }
    hosts
}

/// Two die, one after the other: who heard of the second has heard of the first as often as it ever will.
async fn two_deaths_are_heard_of_once_each(hosts: &[Arc<Host>]) {
    for dead in ["b3", "b7"] {
        let victim = hosts.iter().find(|host| host.core.config.id == dead).expect("it is in the fleet");
        victim.crash();
        let others = hosts.iter().filter(|host| !["b3", "b7"].contains(&host.core.config.id.as_str()));
        for host in others {
            eventually("it hears of the death", || host.deaths().contains(&dead.to_owned())).await;
        }
    }
    for host in hosts.iter().filter(|host| !["b3", "b7"].contains(&host.core.config.id.as_str())) {
        assert_eq!(host.deaths(), ["b3", "b7"], "at {}", host.core.config.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broker_reports_each_death_once() {
    let home = Home::Memory { store: MemoryStore::default(), hub: MemoryHub::default() };
    two_deaths_are_heard_of_once_each(&fleet(&home, config).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broker_reports_each_death_once_also_without_hints() {
    let store = MemoryStore::default();
    let home = Home::Memory { store: store.clone(), hub: MemoryHub::default() };
    let hosts = fleet(&home, config).await;
    store.mute();
    two_deaths_are_heard_of_once_each(&hosts).await;
}

/// How often the server has run this command so far.
fn calls(server: &RedisServer, command: &str) -> u64 {
    let info = server.ask(&["INFO", "commandstats"]);
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().expect("a number of calls"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_one_costs_each_broker_a_few_scripts_and_one_hint_in_all() {
    let server = RedisServer::start();
    let home = Home::Redis(Box::new(server.config()));
    let hosts = fleet(&home, idle).await;
    let (scripts, hints) = (calls(&server, "evalsha"), calls(&server, "publish"));
    hosts[3].crash();
    for (_, host) in hosts.iter().enumerate().filter(|(number, _)| *number != 3) {
        eventually("it hears of the death", || host.deaths() == ["b3"]).await;
    }
    let (scripts, hints) = (calls(&server, "evalsha") - scripts, calls(&server, "publish") - hints);
    println!("a death: {scripts} scripts and {hints} hints for {BROKERS} brokers");
    assert!(scripts <= 4 * BROKERS as u64, "{scripts} scripts");
    assert_eq!(hints, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_moves_costs_as_many_scripts_in_any_fleet() {
    const MOVES: u64 = 8;
    let server = RedisServer::start();
    let home = Home::Redis(Box::new(server.config()));
    let hosts = fleet(&home, idle).await;
    for number in 0..MOVES {
        hosts[0].create(&format!("Room#{number}")).await.expect("the worker is made");
    }
    let scripts = calls(&server, "evalsha");
    for number in 0..MOVES {
        let id = format!("Room#{number}");
        let holder = hosts.iter().find(|host| host.holds(&id)).expect("it lives somewhere");
        let made = || hosts.iter().map(|host| host.made.load(std::sync::atomic::Ordering::Relaxed)).sum::<u64>();
        let before = made();
        assert!(holder.hand_over(&id));
        eventually("it is made again", || made() == before + 1).await;
    }
    let scripts = calls(&server, "evalsha") - scripts;
    println!("{MOVES} moves: {scripts} scripts with {BROKERS} brokers");
    assert!(scripts <= 12 * MOVES, "{scripts} scripts for {MOVES} moves");
}
