//! When a broker is taken for dead before its lease runs out, and when not.

#[allow(dead_code)]
#[path = "support/host.rs"]
mod host;

use dworker::broker::home::Home;
use dworker::broker::membership::death::Sign;
use dworker::config::BrokerConfig;
use dworker::coordination::memory::MemoryStore;
use dworker::coordination::Registration;
use dworker::error::Code;
use dworker::ids::{BrokerId, Endpoint, Incarnation};
use dworker::transport::MemoryHub;
use host::{config, eventually, Handler, Host};
use std::net::TcpListener;
use std::sync::atomic::{AtomicI64, Ordering};
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
async fn a_crash_is_proven_long_before_the_lease_runs_out_also_without_traffic() {
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
    life.membership.members.transports.messages().abort();
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
    life_b.membership.members.transports.messages().abort();
    life_a.membership.deaths.suspect(&life_b.context.incarnation, Sign::Broken);
    eventually("the proof was tried", || !a.proves()).await;
    let membership =
        life_a.context.coordinator.scan(&life_a.context.incarnation).await.expect("the coordinator answers");
    assert!(membership.members.iter().any(|member| member.record.incarnation == life_b.context.incarnation));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_answers_is_not_taken_for_dead() {
    let home = home();
    let a = Host::start_with(patient("a"), &home, echo()).await;
    let b = Host::start_with(patient("b"), &home, echo()).await;
    let (life_a, life_b) = (a.core.life().expect("it is active"), b.core.life().expect("it is active"));
    // Nobody listens any more as it: only that it answers speaks for it.
    life_b.context.coordinator.listen_as(None).await.expect("the coordinator answers");
    life_a.membership.deaths.suspect(&life_b.context.incarnation, Sign::Broken);
    eventually("the proof was tried", || !a.proves()).await;
    let membership =
        life_a.context.coordinator.scan(&life_a.context.incarnation).await.expect("the coordinator answers");
    assert!(membership.members.iter().any(|member| member.record.incarnation == life_b.context.incarnation));
}

/// A member that registered at this moment and is silent from then on: it can be connected to, and answers nothing.
async fn silent_member(by: &Host, ttl: Duration, door: &TcpListener) -> Incarnation {
    let life = by.core.life().expect("it is active");
    let mut record = life.membership.members.record();
    record.incarnation = Incarnation::random();
    record.broker = BrokerId::new(record.incarnation.as_str());
    let port = door.local_addr().expect("it is bound").port();
    record.address = Endpoint { host: "127.0.0.1".into(), port };
    record.lease_ttl = ttl;
    let joined = life.context.coordinator.register(&record, ttl).await.expect("the coordinator answers");
    assert!(matches!(joined, Registration::Joined(_)));
    record.incarnation
}

async fn stands(by: &Host, incarnation: &Incarnation) -> bool {
    let life = by.core.life().expect("it is active");
    let membership = life.context.coordinator.scan(&life.context.incarnation).await.expect("the coordinator answers");
    membership.members.iter().any(|member| member.record.incarnation == *incarnation)
}

/// Until a member stands no longer.
async fn evicted(by: &Host, incarnation: &Incarnation, begun: Instant) -> Duration {
    while stands(by, incarnation).await {
        assert!(begun.elapsed() < Duration::from_secs(10), "it was never evicted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_broker_is_evicted_after_its_lease_by_a_broker_that_was_well_for_a_lease() {
    let mut config = config("a");
    config.lease.ttl = 2000;
    // Only the end of a lease, and no regular look, is quick enough for this.
    config.health_check_interval = 60_000;
    let door = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let started = Instant::now();
    let a = Host::start_with(config, &home(), echo()).await;
    let early = silent_member(&a, Duration::from_millis(500), &door).await;
    let took = evicted(&a, &early, started).await;
    assert!(took >= Duration::from_millis(1950), "{took:?} after the start of the one that evicts");
    let begun = Instant::now();
    let late = silent_member(&a, Duration::from_millis(1000), &door).await;
    let took = evicted(&a, &late, begun).await;
    println!("a lease of 1 s: evicted {took:?} after its last renewal");
    assert!(took >= Duration::from_millis(990) && took < Duration::from_millis(1400), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_most_fall_silent_together_they_have_one_more_lease_to_come_back() {
    let mut config = config("a");
    config.lease.ttl = 2000;
    let door = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let a = Host::start_with(config, &home(), echo()).await;
    let well = Instant::now() + Duration::from_millis(2000);
    eventually("a is old enough to tell", || Instant::now() > well).await;
    let begun = Instant::now();
    let silent = silent_member(&a, Duration::from_millis(1000), &door).await;
    silent_member(&a, Duration::from_millis(1000), &door).await;
    let took = evicted(&a, &silent, begun).await;
    // nothing wakes a look when the second lease is over: it comes within one and a half intervals
    assert!(took >= Duration::from_millis(1990) && took < Duration::from_millis(4000), "{took:?}");
}

const HOUR: i64 = 3_600_000;

/// The coordinator's clock: an even one, and what it is off by.
fn jumping_home() -> (Home, Arc<AtomicI64>) {
    let off = Arc::new(AtomicI64::new(0));
    let (read, begun) = (off.clone(), Instant::now());
    let clock = move || (10 * HOUR + begun.elapsed().as_millis() as i64 + read.load(Ordering::SeqCst)) as u64;
    let store = MemoryStore::with_clock(Arc::new(clock));
    (Home::Memory { store, hub: MemoryHub::default() }, off)
}

/// Nobody is taken for dead as long as this lasts.
async fn all_go_on(hosts: &[Arc<Host>], lasts: Duration) {
    let end = Instant::now() + lasts;
    while Instant::now() < end {
        for host in hosts {
            assert_eq!(host.fenced.load(Ordering::Relaxed), 0, "it was taken for dead");
            assert_eq!(host.count() as u64, host.made.load(Ordering::Relaxed), "its workers moved");
        }
        assert_eq!(hosts.iter().map(|host| host.count()).sum::<usize>(), 12);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_to_and_fro_evicts_no_broker_and_the_dead_are_evicted_afterwards() {
    let (home, off) = jumping_home();
    let mut hosts = Vec::new();
    // The first renews often, and so is the first that could take the others' leases for run out.
    for (id, renew) in [("a", 20), ("b", 300), ("c", 300)] {
        let mut config = config(id);
        config.lease.renew = renew;
        hosts.push(Host::start_with(config, &home, echo()).await);
    }
    for number in 0..12 {
        hosts[0].create(&format!("Room#{number}")).await.expect("the worker is made");
    }
    // Longer than a lease each, shorter than one, and shorter than a renewal.
    for (by, lasts) in [(-HOUR, 1700), (0, 1700), (HOUR, 700), (0, 700), (-HOUR, 50), (0, 1700), (-3000, 80), (0, 1700)]
    {
        off.store(by, Ordering::SeqCst);
        all_go_on(&hosts, Duration::from_millis(lasts)).await;
    }
    let door = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let silent = silent_member(&hosts[0], Duration::from_millis(500), &door).await;
    off.store(HOUR, Ordering::SeqCst);
    let took = evicted(&hosts[0], &silent, Instant::now()).await;
    assert!(took < Duration::from_secs(4), "{took:?}");
    all_go_on(&hosts, Duration::from_millis(100)).await;
}

/// Takes no proof for its death; its lease runs out within the test.
fn strict(id: &str) -> BrokerConfig {
    let mut config = config(id);
    config.lease.strict = true;
    config
}

/// A lease of [`strict`], less two renewals: the last one was made a moment before the crash.
const LEASE_LEFT: Duration = Duration::from_millis(1300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_of_a_strict_broker_that_crashed_is_waited_for_by_its_peers() {
    let home = home();
    let a = Host::start_with(patient("a"), &home, echo()).await;
    let b = Host::start_with(strict("b"), &home, echo()).await;
    eventually("a watches b", || a.watches() == 1).await;
    let incarnation = b.core.life().expect("it is active").context.incarnation.clone();
    let begun = Instant::now();
    b.crash();
    while begun.elapsed() < LEASE_LEFT {
        assert!(stands(&a, &incarnation).await, "evicted {:?} after the crash", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_of_a_strict_broker_that_crashed_is_waited_for_by_the_next_start_under_its_id() {
    let home = home();
    let a = Host::start_with(strict("a"), &home, echo()).await;
    a.create("Room#1").await.expect("the worker is made");
    let begun = Instant::now();
    a.crash();
    let again = Host::start_with(config("a"), &home, echo()).await;
    assert!(begun.elapsed() >= LEASE_LEFT, "it took {:?}", begun.elapsed());
    eventually("the worker lives on", || again.count() == 1).await;
}

/// Whether this is all that a broker has reported.
fn reported(host: &Host, deaths: &[&str]) -> bool {
    *host.deaths.lock().expect("no test panics with it") == deaths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_while_the_tables_are_restored_is_reported_once_by_every_broker_that_knew_the_dead_one() {
    for disturbance in [MemoryStore::wipe, MemoryStore::restart] {
        let store = MemoryStore::default();
        let home = Home::Memory { store: store.clone(), hub: MemoryHub::default() };
        let hosts = [Host::start("a", &home, echo()).await, Host::start("b", &home, echo()).await];
        let c = Host::start("c", &home, echo()).await;
        eventually("all know each other", || hosts.iter().all(|host| host.watches() == 2) && c.watches() == 2).await;
        disturbance(&store);
        c.crash();
        eventually("both report its death", || hosts.iter().all(|host| reported(host, &["c"]))).await;
        // Whatever they learn about it until the next death is known, they report nothing twice.
        let d = Host::start("d", &home, echo()).await;
        eventually("all know the newcomer", || hosts.iter().all(|host| host.watches() == 2) && d.watches() == 2).await;
        d.crash();
        eventually("both report that death", || hosts.iter().all(|host| reported(host, &["c", "d"]))).await;
    }
}
