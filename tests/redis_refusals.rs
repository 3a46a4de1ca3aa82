//! What is made of the errors that a server answers: tried again, dialed again, or told in the server's words.
#![allow(clippy::unwrap_used)]

#[path = "support/redis_server.rs"]
mod redis_server;

use dworker::config::RedisConfig;
use dworker::coordination::redis::RedisCoordinator;
use dworker::coordination::*;
use dworker::ids::{ClassName, Endpoint, Epoch, WorkerId};
use redis_server::{RedisServer, PATIENCE};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const TTL: Duration = Duration::from_secs(60);

fn coordinator(config: &RedisConfig) -> RedisCoordinator {
    RedisCoordinator::new(config, "dw", tokio::runtime::Handle::current())
}

async fn opened(config: &RedisConfig) -> RedisCoordinator {
    let coordinator = coordinator(config);
    coordinator.open().await.unwrap();
    coordinator
}

async fn refusal(config: &RedisConfig) -> CoordinationError {
    coordinator(config).open().await.unwrap_err()
}

async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let end = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < end, "waited in vain for: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Runs a call and, a little later, what lets it succeed.
async fn healed_by<T>(call: impl Future<Output = CoordinationResult<T>>, heal: impl FnOnce()) -> T {
    let healing = async {
        sleep(Duration::from_millis(300)).await;
        heal();
    };
    tokio::join!(call, healing).0.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_waits_within_its_deadline_for_replicas_and_for_a_foreign_script() {
    let server = RedisServer::start();
    let coordinator = opened(&server.config()).await;
    server.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    healed_by(coordinator.request_restart(), || drop(server.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"])))
        .await;
    server.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let began = Instant::now();
    let error = coordinator.request_restart().await.unwrap_err();
    assert!(matches!(&error, CoordinationError::Unavailable(text) if text.contains("NOREPLICAS")), "{error:?}");
    assert!(began.elapsed() < Duration::from_millis(8000), "{:?}", began.elapsed());
    server.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    server.ask(&["CONFIG", "SET", "lua-time-limit", "10"]);
    std::thread::scope(|threads| {
        threads.spawn(|| server.ask(&["EVAL", "while true do end", "0"]));
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                sleep(Duration::from_millis(200)).await;
                healed_by(coordinator.request_restart(), || drop(server.ask(&["SCRIPT", "KILL"]))).await;
            });
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_memory_is_reported_and_ends_when_there_is_room() {
    let server = RedisServer::start();
    let coordinator = opened(&server.config()).await;
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = coordinator.request_restart().await.unwrap_err();
    assert!(matches!(&error, CoordinationError::Refused(text) if text.contains("OOM")), "{error:?}");
    assert!(error.to_string().contains("its memory is full: maxmemory"), "{error}");
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    coordinator.request_restart().await.unwrap();
}

fn record(id: &str) -> BrokerRecord {
    BrokerRecord {
        incarnation: id.into(),
        broker: id.into(),
        cluster: "main".into(),
        address: Endpoint { host: "::1".into(), port: 4000 },
        classes: [ClassName::new("Room")].into(),
        protocol: (1, 1),
        lease_ttl: TTL,
        strict: false,
        draining: false,
        process: Default::default(),
    }
}

fn wish(by: &str, id: &str) -> PlaceRequest {
    PlaceRequest {
        purpose: Default::default(),
        exclude: Vec::new(),
        by: by.into(),
        id: Some(id.into()),
        class: "Room".into(),
        cluster: "main".into(),
        recoverable: true,
        attributes: "{}".into(),
        ttl: Duration::ZERO,
    }
}

async fn place(coordinator: &RedisCoordinator, by: &str, id: &str) -> Epoch {
    match coordinator.place(&wish(by, id)).await.unwrap() {
        Placement::Reserved { epoch, .. } => epoch,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_owns_what_is_kept_right_also_while_the_memory_is_full() {
    let server = RedisServer::start();
    let coordinator = opened(&server.config()).await;
    let (one, two) = ("one".into(), "two".into());
    coordinator.register(&record("one"), TTL).await.unwrap();
    let ids = ["lasting", "leaving", "never there"];
    let mut epochs = Vec::new();
    for id in ids {
        epochs.push(place(&coordinator, "one", id).await);
    }
    coordinator.register(&record("two"), TTL).await.unwrap();
    // The least loaded is the other one now.
    place(&coordinator, "one", "of the dead").await;
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);

    for refused in [
        coordinator.register(&record("three"), TTL).await.map(drop).unwrap_err(),
        coordinator.place(&wish("one", "new")).await.map(drop).unwrap_err(),
    ] {
        assert!(refused.to_string().contains("its memory is full: maxmemory"), "{refused}");
    }

    assert!(matches!(coordinator.renew(&one, TTL).await, Ok(Renewal::Renewed { .. })));
    let kept: Vec<WorkerId> = ids[..2].iter().map(WorkerId::new).collect();
    let Activation::Answers(active) = coordinator.activate(&one, &kept).await.unwrap() else { panic!("unsettled") };
    assert!(active.iter().all(Option::is_some));
    assert_eq!(coordinator.withdraw(&one, &ids[2].into(), epochs[2]).await, Ok(true));
    let change = LoadChange { id: ids[0].into(), epoch: epochs[0], load: 7 };
    assert_eq!(coordinator.set_load(&one, &[change]).await, Ok(vec![true]));
    let release = Release { id: ids[1].into(), epoch: epochs[1], fate: Fate::Recover };
    assert_eq!(coordinator.release(&one, &[release]).await, Ok(vec![true]));
    assert_eq!(coordinator.update(&BrokerRecord { draining: true, ..record("one") }).await, Ok(true));
    let members = coordinator.scan(&one).await.unwrap().members;
    let lease_expires = members.iter().find(|member| member.record.incarnation == two).unwrap().lease_expires;
    let death = Death::Proven { lease_expires, server: coordinator.server().unwrap() };
    let evicted = coordinator.evict(&one, &two, &death, CHUNK).await;
    assert_eq!(evicted, Ok(Eviction::Evicted { recovered: 1, deleted: 0, remaining: 0, quarantined: vec![] }));
    let request = ClaimRequest {
        by: one.clone(),
        cluster: "main".into(),
        classes: record("one").classes,
        limit: 10,
        overflow: 1,
        ttl: Duration::ZERO,
        trial_over: true,
    };
    let Ok(Claim::Claimed { entries, .. }) = coordinator.claim(&request).await else { panic!("not claimed") };
    let mut claimed: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    claimed.sort_unstable();
    assert_eq!(claimed, ["leaving", "of the dead"]);
    assert_eq!(coordinator.scan(&one).await.unwrap().members[0].load, 9);
    assert_eq!(coordinator.leave(&one, Fate::Recover, CHUNK).await, Ok(0));
    assert_eq!(
        coordinator.locate(&ids[0].into()).await,
        Ok(Location::Pending { class: "Room".into(), cluster: "main".into() })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_loading_is_waited_for() {
    let mut server = RedisServer::start();
    for number in 0..60 {
        server.ask(&["SET", &format!("k{number}"), &"x".repeat(2000)]);
    }
    server.ask(&["SAVE"]);
    let coordinator = opened(&server.config()).await;
    server.kill();
    // 20 ms a key, and clients are answered in between.
    server.run_with(&["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"]);
    let error = refusal(&server.config()).await;
    assert!(matches!(&error, CoordinationError::Unavailable(text) if text.contains("LOADING")), "{error:?}");
    until("it is loaded", || async { coordinator.request_restart().await.is_ok() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_room_for_a_client_says_so_and_is_dialed_again() {
    let server = RedisServer::start();
    let coordinator = opened(&server.config()).await;
    server.ask(&["CONFIG", "SET", "maxclients", "3"]);
    let error = refusal(&server.config()).await;
    assert!(
        matches!(&error, CoordinationError::Unavailable(text) if text.contains("max number of clients")),
        "{error:?}"
    );
    coordinator.time().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_may_be_flushed_under_load_and_all_connections_killed() {
    let server = RedisServer::start();
    let coordinator = Arc::new(opened(&server.config()).await);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let coordinator = coordinator.clone();
        calls.spawn(async move {
            for _ in 0..100 {
                coordinator.request_restart().await.unwrap();
            }
        });
    }
    while !calls.is_empty() {
        server.ask(&["SCRIPT", "FLUSH"]);
        while calls.try_join_next().is_some_and(|call| call.is_ok()) {}
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(coordinator.request_restart().await.unwrap(), 1601);
    for kind in ["normal", "pubsub"] {
        server.ask(&["CLIENT", "KILL", "TYPE", kind]);
        let began = Instant::now();
        until("calls work", || async { coordinator.request_restart().await.is_ok() }).await;
        assert!(began.elapsed() < Duration::from_millis(500), "{kind}: {:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_in_the_reference_are_enough_and_a_missing_one_is_named() {
    let server = RedisServer::start();
    if server.major() < 7 {
        return;
    }
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/redis.md")).unwrap();
    let rule = page.split("ACL SETUSER dworker on >password ").nth(1).unwrap().split("```").next().unwrap();
    let mut words = vec!["ACL", "SETUSER", "dworker", "on", ">password"];
    words.extend(rule.split_whitespace());
    assert!(server.ask(&words).starts_with("+OK"), "{words:?}");
    let config = |name: &str, password: &str| RedisConfig {
        username: Some(name.into()),
        password: Some(password.into()),
        ..server.config()
    };
    let coordinator = opened(&config("dworker", "password")).await;
    coordinator.listen_as(Some(&"me".into())).await.unwrap();
    assert_eq!(coordinator.is_listening(&"me".into()).await, Ok(true));
    coordinator.request_restart().await.unwrap();
    coordinator.scan(&"me".into()).await.unwrap();
    let log = server.ask(&["ACL", "LOG"]);
    assert!(log.starts_with("*0"), "{log}");
    let cases = [
        ("foreign", vec!["~other:*", "&*", "+@all"], "NOPERM"),
        ("mute", vec!["~*", "&*", "+@all", "-eval"], "NOPERM"),
        ("deaf", vec!["~*", "resetchannels", "+@all"], "NOPERM"),
        ("off", vec![], "WRONGPASS"),
    ];
    for (name, rights, reason) in cases {
        let state = if reason == "WRONGPASS" { "off" } else { "on" };
        server.ask(&[&["ACL", "SETUSER", name, state, ">s3cret"], rights.as_slice()].concat());
        match coordinator_of(&config(name, "s3cret")).await {
            Err(CoordinationError::Refused(text)) => {
                assert!(text.contains(reason) && !text.contains("s3cret"), "{text}")
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// Opened and listening.
async fn coordinator_of(config: &RedisConfig) -> CoordinationResult<()> {
    let coordinator = coordinator(config);
    coordinator.open().await?;
    coordinator.listen_as(Some(&"me".into())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_cluster_leads_to_the_node_that_has_the_namespace() {
    let cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    let (one, two) = (RedisServer::with(&cluster), RedisServer::with(&cluster));
    two.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    one.ask(&["CLUSTER", "MEET", "127.0.0.1", &two.port.to_string()]);
    until("the first node knows the second", || async { one.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok") })
        .await;
    until("the second is ready", || async { two.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok") }).await;
    let coordinator = opened(&one.config()).await;
    coordinator.request_restart().await.unwrap();
    coordinator.listen_as(Some(&"me".into())).await.unwrap();
    assert_eq!(coordinator.is_listening(&"me".into()).await, Ok(true));
    assert!(two.ask(&["KEYS", "*"]).contains("{dw}:meta"));
    let database = RedisConfig { db: 3, ..one.config() };
    let text = refusal(&database).await.to_string();
    assert!(text.contains("SELECT"), "{text}");
}
