//! Which server is written to when sentinels name it, and when that server stops being the master.
#![allow(clippy::unwrap_used)]

#[path = "support/redis_server.rs"]
mod redis_server;
#[path = "support/sentinels.rs"]
mod sentinels;

use dworker::config::RedisConfig;
use dworker::coordination::redis::RedisCoordinator;
use dworker::coordination::*;
use dworker::ids::*;
use redis_server::{free_port, RedisServer, PATIENCE};
use sentinels::Watched;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

const TTL: Duration = Duration::from_secs(60);
/// After the promotion, which the sentinels alone decide; they tell of it up to 1 s later.
const WHOLE_AGAIN: Duration = Duration::from_millis(2000);

fn coordinator(config: &RedisConfig) -> RedisCoordinator {
    RedisCoordinator::new(config, "dw", tokio::runtime::Handle::current())
}

async fn opened(config: &RedisConfig) -> RedisCoordinator {
    let coordinator = coordinator(config);
    coordinator.open().await.unwrap();
    coordinator
}

async fn join(coordinator: &RedisCoordinator, id: &str) -> Incarnation {
    let record = BrokerRecord {
        incarnation: Incarnation::random(),
        broker: id.into(),
        cluster: "main".into(),
        address: Endpoint { host: "127.0.0.1".into(), port: 4000 },
        classes: [ClassName::new("Foo")].into(),
        protocol: (1, 1),
        lease_ttl: Duration::from_millis(5000),
        strict: false,
        draining: false,
        process: Default::default(),
    };
    assert!(matches!(coordinator.register(&record, TTL).await.unwrap(), Registration::Joined(_)));
    record.incarnation
}

async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let end = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < end, "waited in vain for: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// All kinds of connections work, and lead to a server on which this incarnation listens.
async fn until_whole(coordinator: &RedisCoordinator, incarnation: &Incarnation) {
    until("commands work", || async { coordinator.request_restart().await.is_ok() }).await;
    until("renewals work", || async { coordinator.renew(incarnation, TTL).await.is_ok() }).await;
    until("it listens", || async { coordinator.is_listening(incarnation).await == Ok(true) }).await;
}

/// How long the rest took when the replica was master.
/// A promotion cuts the connections of clients, this one too.
fn says_master(server: &RedisServer) -> bool {
    server.try_ask(&["ROLE"]).is_ok_and(|answer| answer.contains("master"))
}

async fn until_whole_after_promotion(
    watched: &Watched,
    coordinator: &RedisCoordinator,
    incarnation: &Incarnation,
) -> Duration {
    until("the replica is promoted", || async { says_master(&watched.replica) }).await;
    let promoted = Instant::now();
    until_whole(coordinator, incarnation).await;
    promoted.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_connections_follow_when_the_master_is_killed() {
    let mut watched = Watched::start(3);
    let coordinator = opened(&watched.config()).await;
    let incarnation = join(&coordinator, "a").await;
    coordinator.listen_as(Some(&incarnation)).await.unwrap();
    let before = coordinator.request_restart().await.unwrap();
    let mut signals = coordinator.signals();
    watched.master.kill();
    let began = Instant::now();
    until("calls fail", || async { coordinator.time().await.is_err() }).await;
    let took = until_whole_after_promotion(&watched, &coordinator, &incarnation).await;
    println!("whole again {} ms after the death of the master", began.elapsed().as_millis());
    assert!(took < WHOLE_AGAIN, "{took:?}");
    assert!(coordinator.request_restart().await.unwrap() > before);
    until("the replica says that it is master", || async { says_master(&watched.replica) }).await;
    let resync = async { while signals.recv().await.unwrap() != Signal::Resync {} };
    timeout(PATIENCE, resync).await.expect("a resync is heard");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_to_a_frozen_master_that_comes_back() {
    let watched = Watched::start(1);
    let coordinator = opened(&watched.config()).await;
    let incarnation = join(&coordinator, "a").await;
    coordinator.listen_as(Some(&incarnation)).await.unwrap();
    watched.master.freeze();
    let began = Instant::now();
    until("commands fail", || async { coordinator.request_restart().await.is_err() }).await;
    let took = until_whole_after_promotion(&watched, &coordinator, &incarnation).await;
    println!("whole again {} ms after the master froze", began.elapsed().as_millis());
    watched.master.thaw();
    // Acknowledged numbers never fall back to what the old master would count.
    let mut highest = 0;
    for _ in 0..100 {
        let number = coordinator.request_restart().await.unwrap();
        assert!(number > highest, "{number} after {highest}");
        highest = number;
        coordinator.renew(&incarnation, TTL).await.unwrap();
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(coordinator.is_listening(&incarnation).await, Ok(true));
    assert!(took < WHOLE_AGAIN, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_is_followed_at_once_although_the_old_master_still_answers() {
    let watched = Watched::start(1);
    let coordinator = opened(&watched.config()).await;
    let incarnation = join(&coordinator, "a").await;
    coordinator.listen_as(Some(&incarnation)).await.unwrap();
    for round in 0..2 {
        // Without its announcements, a sentinel is heard when it is asked.
        if round == 1 {
            watched.sentinels[0].ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        }
        let forced = || watched.sentinels[0].ask(&["SENTINEL", "failover", sentinels::NAME]).starts_with("+OK");
        until("the sentinel begins a failover", || async { forced() }).await;
        let next = if round == 0 { &watched.replica } else { &watched.master };
        until("the other one is master", || async { says_master(next) }).await;
        let began = Instant::now();
        until_whole(&coordinator, &incarnation).await;
        println!("whole again {} ms after the promotion", began.elapsed().as_millis());
        let listens = || next.try_ask(&["PUBSUB", "CHANNELS"]).is_ok_and(|names| names.contains(incarnation.as_str()));
        until("it listens on the new one", || async { listens() }).await;
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_that_is_gone_is_not_missed() {
    let mut watched = Watched::start(3);
    let config = watched.config();
    let coordinator = opened(&config).await;
    drop(watched.sentinels.remove(0));
    let incarnation = join(&coordinator, "a").await;
    let other = opened(&config).await;
    watched.master.kill();
    until("calls fail", || async { coordinator.time().await.is_err() }).await;
    for each in [&coordinator, &other] {
        until("commands work", || async { each.request_restart().await.is_ok() }).await;
        until("renewals work", || async { each.renew(&incarnation, TTL).await.is_ok() }).await;
    }
    // With no sentinel at all what is connected stays connected.
    watched.sentinels.clear();
    for _ in 0..50 {
        coordinator.request_restart().await.unwrap();
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_that_do_not_help_are_named_in_the_error() {
    let watched = Watched::start(1);
    let with = |change: &dyn Fn(&mut dworker::config::SentinelConfig)| {
        let mut config = watched.config();
        change(config.sentinel.as_mut().unwrap());
        config
    };
    let port = free_port();
    let cases = [
        (with(&|sentinel| sentinel.nodes[0].port = port), format!("127.0.0.1:{port}")),
        (with(&|sentinel| sentinel.name = "other".into()), "knows no master named \"other\"".into()),
        (with(&|sentinel| sentinel.nodes[0].port = watched.replica.port), "unknown command".into()),
        (with(&|sentinel| sentinel.password = Some("s3cret".into())), "AUTH".into()),
        (with(&|sentinel| sentinel.nodes.clear()), "Expected at least one sentinel".into()),
    ];
    for (config, expected) in cases {
        let text = coordinator(&config).open().await.unwrap_err().to_string();
        assert!(text.to_lowercase().contains(&expected.to_lowercase()) && !text.contains("s3cret"), "{text}");
    }
    let plain = RedisConfig { port: watched.sentinels[0].port, ..RedisServer::start().config() };
    let text = coordinator(&plain).open().await.unwrap_err().to_string();
    assert!(text.contains("the server is a sentinel"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_may_want_a_password_of_their_own() {
    let watched = Watched::with(1, "requirepass s3cret");
    let mut config = watched.config();
    let text = coordinator(&config).open().await.unwrap_err().to_string();
    assert!(text.contains("NOAUTH"), "{text}");
    config.sentinel.as_mut().unwrap().password = Some("s3cret".into());
    opened(&config).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_becomes_a_replica_is_left_and_taken_again_when_it_is_a_master() {
    let (server, other) = (RedisServer::start(), RedisServer::start());
    let coordinator = opened(&server.config()).await;
    let incarnation = join(&coordinator, "a").await;
    let mut signals = coordinator.signals();
    server.ask(&["REPLICAOF", "127.0.0.1", &other.port.to_string()]);
    let replica = |result: CoordinationResult<u64>| matches!(result, Err(CoordinationError::Unavailable(text)) if text.contains("the server is a replica (of 127.0.0.1:"));
    until("the replica is recognised", || async { replica(coordinator.request_restart().await) }).await;
    assert!(coordinator.renew(&incarnation, TTL).await.is_err());
    let text = self::coordinator(&server.config()).open().await.unwrap_err().to_string();
    assert!(text.contains("the server is a replica") && text.contains(&server.port.to_string()), "{text}");
    server.ask(&["REPLICAOF", "NO", "ONE"]);
    until("commands work", || async { coordinator.request_restart().await.is_ok() }).await;
    until("renewals work", || async { coordinator.renew(&incarnation, TTL).await.is_ok() }).await;
    let resync = async { while signals.recv().await.unwrap() != Signal::Resync {} };
    timeout(PATIENCE, resync).await.expect("the connection for signals was dialed again too");
}
