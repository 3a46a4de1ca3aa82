//! What suites of the tables on a real server begin with: a coordinator, brokers that join, placements.

use crate::redis_server::RedisServer;
use dworker::coordination::redis::RedisCoordinator;
use dworker::coordination::*;
use dworker::ids::*;
use std::time::Duration;

/// Longer than any of these tests takes, so that no lease runs out by itself.
pub const TTL: Duration = Duration::from_secs(600);

pub fn coordinator(server: &RedisServer) -> RedisCoordinator {
    RedisCoordinator::new(&server.config(), "dw", tokio::runtime::Handle::current())
}

pub async fn opened(server: &RedisServer) -> RedisCoordinator {
    let coordinator = coordinator(server);
    coordinator.open().await.unwrap();
    coordinator
}

pub fn record(id: &str, classes: &[&str]) -> BrokerRecord {
    BrokerRecord {
        incarnation: Incarnation::random(),
        broker: id.into(),
        cluster: "main".into(),
        address: Endpoint { host: "::1".into(), port: 4000 },
        classes: classes.iter().map(ClassName::new).collect(),
        protocol: (1, 1),
        lease_ttl: TTL,
        strict: false,
        draining: false,
        process: Default::default(),
    }
}

pub async fn join(coordinator: &RedisCoordinator, record: &BrokerRecord) -> Joined {
    match coordinator.register(record, record.lease_ttl).await.unwrap() {
        Registration::Joined(joined) => joined,
        other => panic!("{other:?}"),
    }
}

pub fn wish(by: &Incarnation, id: Option<&str>, class: &str) -> PlaceRequest {
    PlaceRequest {
        purpose: Default::default(),
        exclude: Vec::new(),
        by: by.clone(),
        id: id.map(WorkerId::new),
        class: class.into(),
        cluster: "main".into(),
        recoverable: true,
        attributes: "{\"n\":1.0000000000000000000001,\"a\":[]}".into(),
        ttl: Duration::ZERO,
    }
}
