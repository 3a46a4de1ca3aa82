//! What the connections to a real server do when it goes away, comes back, or does not answer.
#![allow(clippy::unwrap_used)]

#[path = "support/redis_server.rs"]
mod redis_server;

use dworker::coordination::redis::RedisCoordinator;
use dworker::coordination::*;
use dworker::ids::*;
use redis_server::{RedisServer, PATIENCE};
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tokio::time::{sleep, timeout};

const TTL: Duration = Duration::from_secs(60);

fn coordinator(server: &RedisServer) -> RedisCoordinator {
    RedisCoordinator::new(&server.config(), "dw", tokio::runtime::Handle::current())
}

async fn opened(server: &RedisServer) -> RedisCoordinator {
    let coordinator = coordinator(server);
    coordinator.open().await.unwrap();
    coordinator
}

fn record(id: &str) -> BrokerRecord {
    BrokerRecord {
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
    }
}

async fn join(coordinator: &RedisCoordinator, id: &str) -> Incarnation {
    let record = record(id);
    assert!(matches!(coordinator.register(&record, TTL).await.unwrap(), Registration::Joined(_)));
    record.incarnation
}

/// Waits until a condition holds.
async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let end = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < end, "waited in vain for: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

async fn hear(signals: &mut Receiver<Signal>, wanted: &Signal) {
    let heard = async { while signals.recv().await.unwrap() != *wanted {} };
    timeout(PATIENCE, heard).await.unwrap_or_else(|_| panic!("never heard {wanted:?}"));
}

fn is_unavailable<T: std::fmt::Debug>(result: &CoordinationResult<T>) -> bool {
    matches!(result, Err(CoordinationError::Unavailable(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_works_before_open_and_after_close() {
    let server = RedisServer::start();
    let coordinator = coordinator(&server);
    assert!(is_unavailable(&coordinator.time().await));
    coordinator.open().await.unwrap();
    coordinator.open().await.unwrap();
    coordinator.time().await.unwrap();
    coordinator.close().await;
    coordinator.close().await;
    assert!(is_unavailable(&coordinator.time().await));
    assert!(is_unavailable(&coordinator.listen_as(None).await));
    assert!(is_unavailable(&coordinator.open().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_named_in_the_error_and_a_second_open_finds_it() {
    let mut server = RedisServer::start();
    server.kill();
    let coordinator = coordinator(&server);
    let error = coordinator.open().await.unwrap_err();
    assert!(matches!(error, CoordinationError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{}", server.port)), "{error}");
    server.run();
    coordinator.open().await.unwrap();
    assert_eq!(coordinator.local_host().as_deref(), Some("127.0.0.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_found_again_and_a_resync_is_heard_when_commands_work() {
    let mut server = RedisServer::start();
    let coordinator = opened(&server).await;
    let incarnation = Incarnation::random();
    coordinator.listen_as(Some(&incarnation)).await.unwrap();
    let mut signals = coordinator.signals();
    server.kill();
    until("calls fail", || async { is_unavailable(&coordinator.time().await) }).await;
    server.run();
    hear(&mut signals, &Signal::Resync).await;
    coordinator.time().await.unwrap();
    until("it listens again", || async { coordinator.is_listening(&incarnation).await == Ok(true) }).await;
    // The scripts are gone with the server, and its tables are empty.
    let joined = join(&coordinator, "a").await;
    until("the lease connection is back", || async { coordinator.renew(&joined, TTL).await.is_ok() }).await;
    assert!(matches!(coordinator.renew(&joined, TTL).await.unwrap(), Renewal::Renewed { .. }));
    let place = coordinator.listen_as(None).await;
    assert_eq!(place, Ok(()));
    until("it listens no more", || async { coordinator.is_listening(&incarnation).await == Ok(false) }).await;
}

#[test]
fn a_lease_thread_listens_and_renews_on_a_runtime_of_its_own() {
    let server = RedisServer::start();
    let config = server.config();
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (main, other) = (runtime(), runtime());
    let broker = RedisCoordinator::new(&config, "dw", main.handle().clone());
    let lease = RedisCoordinator::for_lease(&config, "dw", other.handle().clone());
    let incarnation = main.block_on(async {
        broker.open().await.unwrap();
        join(&broker, "a").await
    });
    let mut hints = lease.signals();
    other.block_on(async {
        lease.open().await.unwrap();
        lease.listen_as(Some(&incarnation)).await.unwrap();
        assert!(matches!(lease.renew(&incarnation, TTL).await.unwrap(), Renewal::Renewed { server_agreed: true, .. }));
    });
    main.block_on(async {
        assert_eq!(broker.is_listening(&incarnation).await, Ok(true), "by the lease's thread alone");
        broker.listen_as(Some(&incarnation)).await.unwrap();
    });
    // The broker's runtime ends with all its connections: the lease's thread goes on.
    main.block_on(broker.close());
    main.shutdown_background();
    let watcher = RedisCoordinator::new(&config, "dw", other.handle().clone());
    other.block_on(async {
        watcher.open().await.unwrap();
        watcher.request_restart().await.unwrap();
        assert_eq!(watcher.is_listening(&incarnation).await, Ok(true));
        assert!(matches!(lease.renew(&incarnation, TTL).await.unwrap(), Renewal::Renewed { .. }));
        assert!(hints.try_recv().is_err(), "a lease's thread hears no hints");
        lease.close().await;
        until("nobody listens", || async { watcher.is_listening(&incarnation).await == Ok(false) }).await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_waits_while_the_server_is_away() {
    let mut server = RedisServer::start();
    let coordinator = opened(&server).await;
    server.kill();
    until("calls fail", || async { is_unavailable(&coordinator.time().await) }).await;
    let began = Instant::now();
    for _ in 0..100 {
        let error = coordinator.scan(&"none".into()).await.unwrap_err();
        assert!(error.to_string().contains(&server.port.to_string()), "{error}");
    }
    assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_given_up_at_the_deadline_and_found_again() {
    let server = RedisServer::start();
    let coordinator = opened(&server).await;
    let incarnation = join(&coordinator, "a").await;
    server.freeze();
    let began = Instant::now();
    let (command, renewal) = tokio::join!(coordinator.time(), coordinator.renew(&incarnation, TTL));
    let took = began.elapsed();
    // A frozen server accepts connections, but a connection that does not answer is none.
    let after = coordinator.time().await;
    let refused = began.elapsed() - took;
    server.thaw();
    assert!(is_unavailable(&command) && is_unavailable(&renewal), "{command:?} {renewal:?}");
    assert!(took < Duration::from_millis(2500), "{took:?}");
    assert!(is_unavailable(&after) && refused < Duration::from_millis(100), "{after:?} {refused:?}");
    until("renewals work again", || async { coordinator.renew(&incarnation, TTL).await.is_ok() }).await;
    until("commands work again", || async { coordinator.time().await.is_ok() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_to_a_frozen_server_ends_and_its_return_is_a_resync() {
    let server = RedisServer::start();
    let coordinator = opened(&server).await;
    let mut signals = coordinator.signals();
    server.freeze();
    // The heartbeat of the subscription is every 10 s, and its answer has 2 s.
    let given_up = async {
        while !is_unavailable(&coordinator.listen_as(None).await) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE * 2, given_up).await.expect("the subscription is given up");
    server.thaw();
    hear(&mut signals, &Signal::Resync).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_subscriptions_come_back_and_say_that_something_may_be_missed() {
    let server = RedisServer::start();
    let (one, other) = (opened(&server).await, opened(&server).await);
    let mut signals = one.signals();
    for _ in 0..3 {
        assert!(server.kill_clients(true) >= 1);
        hear(&mut signals, &Signal::Resync).await;
        other.request_restart().await.unwrap();
        hear(&mut signals, &Signal::Restart).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_command_connections_come_back() {
    let server = RedisServer::start();
    let coordinator = opened(&server).await;
    let incarnation = join(&coordinator, "a").await;
    for _ in 0..5 {
        assert!(server.kill_clients(false) >= 1);
        until("commands work", || async { coordinator.time().await.is_ok() }).await;
        until("renewals work", || async { coordinator.renew(&incarnation, TTL).await.is_ok() }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flushed_scripts_are_not_noticed() {
    let server = RedisServer::start();
    let coordinator = opened(&server).await;
    let incarnation = join(&coordinator, "a").await;
    for _ in 0..3 {
        server.ask(&["SCRIPT", "FLUSH"]);
        coordinator.scan(&incarnation).await.unwrap();
        assert!(matches!(coordinator.renew(&incarnation, TTL).await.unwrap(), Renewal::Renewed { .. }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_used_and_never_shown() {
    let server = RedisServer::with(&["--requirepass", "s3cret"]);
    let coordinator = opened(&server).await;
    coordinator.listen_as(Some(&"me".into())).await.unwrap();
    assert_eq!(coordinator.is_listening(&"me".into()).await, Ok(true));
    for password in [None, Some("wr0ng".to_owned())] {
        let mut config = server.config();
        config.password = password;
        let error = RedisCoordinator::new(&config, "dw", tokio::runtime::Handle::current()).open().await.unwrap_err();
        assert!(matches!(error, CoordinationError::Refused(_)), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(&server.port.to_string()) && !text.contains("wr0ng") && !text.contains("s3cret"),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_name_is_used_where_there_are_users_and_left_out_where_there_are_none() {
    let server = RedisServer::with(&["--requirepass", "s3cret"]);
    let mut config = server.config();
    config.username = Some("default".into());
    if server.major() >= 6 {
        server.ask(&["ACL", "SETUSER", "worker", "on", ">pa55", "~*", "&*", "+@all"]);
        config.username = Some("worker".into());
        config.password = Some("pa55".into());
    }
    let coordinator = RedisCoordinator::new(&config, "dw", tokio::runtime::Handle::current());
    coordinator.open().await.unwrap();
    join(&coordinator, "a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_as_good_as_a_port() {
    let server = RedisServer::start();
    let mut config = server.config();
    config.path = Some(server.socket());
    config.port = 1;
    let coordinator = RedisCoordinator::new(&config, "dw", tokio::runtime::Handle::current());
    coordinator.open().await.unwrap();
    assert_eq!(coordinator.local_host(), None);
    let incarnation = join(&coordinator, "a").await;
    coordinator.listen_as(Some(&incarnation)).await.unwrap();
    assert_eq!(opened(&server).await.is_listening(&incarnation).await, Ok(true));
    config.path = Some(format!("{}.none", server.socket()));
    let error = RedisCoordinator::new(&config, "dw", tokio::runtime::Handle::current()).open().await.unwrap_err();
    assert!(matches!(&error, CoordinationError::Unavailable(text) if text.contains("redis.sock.none")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_do_not_cross_databases() {
    let server = RedisServer::start();
    let mut config = server.config();
    config.db = 3;
    let third = RedisCoordinator::new(&config, "dw", tokio::runtime::Handle::current());
    third.open().await.unwrap();
    let zero = opened(&server).await;
    let (mut hints, incarnation) = (third.signals(), join(&third, "a").await);
    zero.listen_as(Some(&incarnation)).await.unwrap();
    assert_eq!(third.is_listening(&incarnation).await, Ok(false));
    assert!(zero.scan(&incarnation).await.unwrap().members.is_empty());
    hear(&mut hints, &Signal::Members).await;
    zero.request_restart().await.unwrap();
    third.leave(&incarnation, Fate::Delete, CHUNK).await.unwrap();
    assert_eq!(timeout(PATIENCE, hints.recv()).await.unwrap(), Ok(Signal::Members));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_coordinator_ends_its_connections() {
    let server = RedisServer::start();
    let coordinator = opened(&server).await;
    let incarnation = join(&coordinator, "a").await;
    coordinator.listen_as(Some(&incarnation)).await.unwrap();
    drop(coordinator);
    let other = opened(&server).await;
    until("nobody listens", || async { other.is_listening(&incarnation).await == Ok(false) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_swallows_everything_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = RedisServer::start().config();
    config.port = listener.local_addr().unwrap().port();
    let coordinator = RedisCoordinator::new(&config, "dw", tokio::runtime::Handle::current());
    let began = Instant::now();
    assert!(is_unavailable(&coordinator.open().await));
    assert!(began.elapsed() < Duration::from_secs(3));
}
