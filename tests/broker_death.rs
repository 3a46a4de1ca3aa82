//! When a broker is taken for dead before its lease runs out, and when not.

#[allow(dead_code)]
#[path = "support/host.rs"]
mod host;

use dworker::broker::joining::Home;
use dworker::broker::proving::Sign;
use dworker::config::BrokerConfig;
use dworker::coordination::memory::MemoryStore;
use dworker::error::Code;
use dworker::transport::MemoryHub;
use host::{config, eventually, Handler, Host};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn home() -> Home {
    Home::Memory { store: MemoryStore::default(), hub: MemoryHub::default() }
}

fn echo() -> Handler {
    Arc::new(|_, _, payload| payload.map(str::to_owned))
}

/// A lease so long that no test lives to see it run out.
fn patient(id: &str) -> BrokerConfig {
    let mut config = config(id);
    config.lease.ttl = 600_000;
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_is_proven_long_before_the_lease_runs_out_also_when_nobody_talked() {
    let home = home();
    let a = Host::start_with(patient("a"), &home, echo()).await;
    let b = Host::start_with(patient("b"), &home, echo()).await;
    let c = Host::start_with(patient("c"), &home, echo()).await;
    for number in 0..30 {
        a.create(&format!("Room#{number}")).await.expect("the worker is made");
    }
    eventually("b watches and is watched", || b.watches() == 2 && a.watches() == 2 && c.watches() == 2).await;
    b.crash();
    eventually("all workers live at the two others", || a.count() + c.count() == 30).await;
    assert!(a.count().abs_diff(c.count()) <= 6, "shared {} and {}", a.count(), c.count());
    for number in 0..30 {
        let answer = a.ask(&format!("Room#{number}"), "n", "1").await;
        assert_eq!(answer.expect("the worker answers"), Some("1".into()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashed_broker_starts_again_at_once_under_its_id_and_its_workers_live_on() {
    let home = home();
    let a = Host::start_with(patient("a"), &home, echo()).await;
    a.create("Room#1").await.expect("the worker is made");
    a.crash();
    let begun = Instant::now();
    let again = Host::start_with(patient("a"), &home, echo()).await;
    assert!(begun.elapsed() < Duration::from_millis(500), "it took {:?}", begun.elapsed());
    assert_eq!(again.ask("Room#1", "n", "1").await.expect("the worker answers"), Some("1".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_in_use_is_not_given_away_while_its_holder_renews_whatever_else_it_lost() {
    let home = home();
    let a = Host::start_with(patient("a"), &home, echo()).await;
    let life = a.core.life().expect("it is active");
    // It renews, and listens on its channel: only its sockets are gone.
    life.transport().abort();
    let failure = Host::try_start(patient("a"), &home, echo()).await.err().expect("it is refused");
    assert_eq!(failure.code, Code::BrokerIdInUse);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_lost_its_sockets_but_listens_to_its_channel_is_not_taken_for_dead() {
    let home = home();
    let a = Host::start_with(patient("a"), &home, echo()).await;
    let b = Host::start_with(patient("b"), &home, echo()).await;
    let (life_a, life_b) = (a.core.life().expect("it is active"), b.core.life().expect("it is active"));
    eventually("a has seen b", || a.watches() == 1).await;
    life_b.transport().abort();
    life_a.suspect(&life_b.incarnation, Sign::Broken);
    eventually("the proof was tried", || !a.proves()).await;
    let membership = life_a.coordinator.scan(&life_a.incarnation).await.expect("the coordinator answers");
    assert!(membership.members.iter().any(|member| member.record.incarnation == life_b.incarnation));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_answers_is_not_taken_for_dead() {
    let home = home();
    let a = Host::start_with(patient("a"), &home, echo()).await;
    let b = Host::start_with(patient("b"), &home, echo()).await;
    let (life_a, life_b) = (a.core.life().expect("it is active"), b.core.life().expect("it is active"));
    // Nobody listens any more as it: only that it answers speaks for it.
    life_b.coordinator.listen_as(None).await.expect("the coordinator answers");
    life_a.suspect(&life_b.incarnation, Sign::Broken);
    eventually("the proof was tried", || !a.proves()).await;
    let membership = life_a.coordinator.scan(&life_a.incarnation).await.expect("the coordinator answers");
    assert!(membership.members.iter().any(|member| member.record.incarnation == life_b.incarnation));
}
