//! `place` of both coordinators: the script on a private Redis with one client that waits for each answer, and the same in memory.

use crate::redis_server::RedisServer;
use divan::{black_box, Bencher};
use dworker::coordination::memory::{MemoryCoordinator, MemoryStore};
use dworker::coordination::redis::RedisCoordinator;
use dworker::coordination::{BrokerRecord, Coordinator, PlaceRequest, Purpose};
use dworker::ids::{Endpoint, Incarnation};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime starts")
}

/// A cluster of this many brokers.
async fn join(coordinator: &dyn Coordinator, brokers: usize) {
    coordinator.open().await.expect("it opens");
    for number in 0..brokers {
        let name = format!("b{number}");
        let record = BrokerRecord {
            incarnation: Incarnation::new(&name),
            broker: name.as_str().into(),
            cluster: "main".into(),
            address: Endpoint { host: "127.0.0.1".into(), port: 1000 },
            classes: ["Room".into()].into(),
            protocol: (1, 1),
            lease_ttl: Duration::from_secs(3600),
            strict: false,
            draining: false,
            process: Default::default(),
        };
        coordinator.register(&record, Duration::from_secs(3600)).await.expect("it joins");
    }
}

fn request() -> PlaceRequest {
    PlaceRequest {
        by: Incarnation::new("b0"),
        id: None,
        class: "Room".into(),
        cluster: "main".into(),
        recoverable: true,
        attributes: "{\"static\":false}".into(),
        exclude: Vec::new(),
        ttl: Duration::ZERO,
        purpose: Purpose::Create,
    }
}

fn place(bencher: Bencher<'_, '_>, runtime: &Runtime, coordinator: &dyn Coordinator, brokers: usize) {
    runtime.block_on(join(coordinator, brokers));
    let request = request();
    bencher.bench_local(|| black_box(runtime.block_on(coordinator.place(&request)).expect("there is a broker")));
}

#[divan::bench(args = [4, 64], max_time = 3)]
fn in_memory(bencher: Bencher<'_, '_>, brokers: usize) {
    let coordinator = MemoryCoordinator::new(MemoryStore::default());
    place(bencher, &runtime(), &coordinator, brokers);
}

#[divan::bench(args = [4, 64], max_time = 3)]
fn on_redis(bencher: Bencher<'_, '_>, brokers: usize) {
    let server = RedisServer::start();
    let runtime = runtime();
    let coordinator = Arc::new(RedisCoordinator::new(&server.config(), "bench", runtime.handle().clone()));
    place(bencher, &runtime, coordinator.as_ref(), brokers);
}
