//! Random operations on the embedded coordinator and on Redis at once: every answer and all that can be seen agree.
//!
//! Both live on one clock, which jumps. Replies get lost. The seed is always the same one, so that a
//! failure of `npm test` means that the code changed; `DWORKER_TEST_SEED` sets another (`npm run properties` draws many).

#[path = "support/redis_server.rs"]
mod redis_server;

#[path = "support/disturbance.rs"]
mod disturbance;

mod properties {
    pub mod brokers;
    pub mod checker;
    pub mod driver;
    pub mod operation;
    pub mod random;
    pub mod world;
}

use disturbance::{disturb_server, disturb_store};
use dworker::coordination::memory::{MemoryCoordinator, MemoryStore};
use dworker::coordination::redis::RedisCoordinator;
use properties::brokers::{bag_size, least_in_bag};
use properties::driver::Driver;
use properties::operation::EXPECTED;
use properties::world::World;
use redis_server::RedisServer;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// How often each operation comes up at least.
const DRAWN_AT_LEAST: usize = 1_000;
/// Any day will do.
const START: u64 = 1_780_000_000_000;

fn seed() -> u64 {
    let text = std::env::var("DWORKER_TEST_SEED");
    text.map_or(1, |text| text.parse().expect("DWORKER_TEST_SEED is a whole number"))
}

/// What the trait declares, so that no operation is forgotten here.
fn operations_of_the_trait() -> Vec<&'static str> {
    let source = include_str!("../src/coordination/contract.rs");
    let (_, body) = source.split_once("pub trait Coordinator").expect("the trait stands there");
    let lines = body.lines().map(str::trim_start);
    let declared = lines.filter_map(|line| line.strip_prefix("async fn ").or(line.strip_prefix("fn ")));
    declared.filter_map(|line| line.split_once('(')).map(|(name, _)| name).collect()
}

/// Kinds of answer that did not come up yet.
fn never_seen(driver: &Driver) -> Vec<(&'static str, &'static str)> {
    let all = EXPECTED.iter().flat_map(|(name, variants)| variants.iter().map(|variant| (*name, *variant)));
    all.filter(|(name, variant)| driver.seen(name, variant) == 0).collect()
}

#[test]
fn memory_and_redis_answer_the_same_whatever_brokers_clocks_and_networks_do() {
    let seed = seed();
    println!("seed {seed} (replay: DWORKER_TEST_SEED={seed})");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let server = Rc::new(RefCell::new(RedisServer::start()));
    let clock = Arc::new(AtomicU64::new(START));
    let driver = runtime.block_on(async {
        let told = clock.clone();
        let store = MemoryStore::with_clock(Arc::new(move || told.load(Ordering::SeqCst)));
        let disturbed = store.clone();
        let mut snapshot = None;
        let disturb = move |what| disturb_store(&disturbed, &mut snapshot, what);
        let memory =
            World::new("memory", Box::new(move || Arc::new(MemoryCoordinator::new(store.clone()))), Box::new(disturb))
                .await;
        let (config, told) = (server.borrow().config(), clock.clone());
        let connect = move || {
            let told = told.clone();
            let coordinator = RedisCoordinator::new(&config, "dw", tokio::runtime::Handle::current());
            Arc::new(coordinator.with_clock(Arc::new(move || told.load(Ordering::SeqCst)))) as _
        };
        let disturbed = server.clone();
        let disturb = move |what| disturb_server(&mut disturbed.borrow_mut(), what);
        let redis = World::new("redis", Box::new(connect), Box::new(disturb)).await;
        let mut driver = Driver::new(seed, clock, [memory, redis]);
        let operations = DRAWN_AT_LEAST.div_ceil(least_in_bag()) * bag_size();
        for _ in 0..operations {
            driver.step().await;
        }
        // The rarest answers come some ten times in that many: a run without one goes on for as long again.
        for _ in 0..operations {
            if never_seen(&driver).is_empty() {
                break;
            }
            driver.step().await;
        }
        driver.compare_everything().await;
        driver
    });
    println!("{}", driver.summary());
    for name in operations_of_the_trait() {
        let drawn = driver.drawn(name);
        assert!(drawn >= DRAWN_AT_LEAST, "{name} was drawn {drawn} times only (seed {seed})");
    }
    let never = never_seen(&driver);
    assert!(never.is_empty(), "answers that never came (seed {seed}): {never:?}");
}
