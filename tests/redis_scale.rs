//! What workers and brokers cost a real server: bytes an entry, commands a placement, and what is left of those that are gone.
#![allow(clippy::unwrap_used)]

#[path = "support/redis_server.rs"]
mod redis_server;
#[path = "support/tables.rs"]
mod tables;

use dworker::coordination::redis::RedisCoordinator;
use dworker::coordination::*;
use dworker::ids::*;
use redis_server::RedisServer;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tables::{join, opened, record, wish, TTL};

/// A figure of `INFO`.
fn info(server: &RedisServer, section: &str, name: &str) -> u64 {
    let text = server.ask(&["INFO", section]);
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_takes_at_most_500_bytes_beside_its_attributes() {
    const WORKERS: usize = 5_000;
    for size in [2, 35, 65, 200, 1_000] {
        let server = RedisServer::start();
        let coordinator = opened(&server).await;
        let owner = record("a", &["Counter"]);
        join(&coordinator, &owner).await;
        let before = info(&server, "memory", "used_memory");
        let held: Vec<Held> = (0..WORKERS)
            .map(|n| Held {
                entry: Entry {
                    lasting: Default::default(),
                    id: WorkerId::new(format!("Counter#{n}")),
                    class: "Counter".into(),
                    cluster: "main".into(),
                    epoch: Epoch(1_780_000_000_000_000 + n as u64),
                    cause: Cause::Recovery,
                    attempt: 0,
                    created: ServerTime(1_780_000_000_000),
                    recoverable: true,
                    attributes: "x".repeat(size),
                    history: Default::default(),
                },
                state: EntryState::Active,
                load: 1,
            })
            .collect();
        coordinator.restore(&owner.incarnation, &held).await.unwrap();
        let each = (info(&server, "memory", "used_memory") - before) / WORKERS as u64;
        // The allocator rounds large texts up, by a quarter at most.
        let rounding = if size > 500 { size / 4 } else { 0 };
        assert!(each <= (500 + size + rounding) as u64, "{each} bytes with {size} of attributes");
        while coordinator.leave(&owner.incarnation, Fate::Delete, CHUNK).await.unwrap() > 0 {}
        assert_eq!(server.ask(&["KEYS", "*"]), "*1\r\n$9\r\n{dw}:meta\r\n");
    }
}

/// How many commands scripts ran since the statistics were reset, the scripts themselves not counted.
fn commands(server: &RedisServer) -> u64 {
    let text = server.ask(&["INFO", "commandstats"]);
    let calls = text.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let counts = !["evalsha", "eval", "info", "config", "config|resetstat", "publish"].contains(&name);
        counts.then(|| rest.split(',').next()?.parse::<u64>().ok())?
    });
    calls.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placement_costs_the_same_however_many_brokers_host_other_classes() {
    let mut costs = Vec::new();
    for others in [2, 200] {
        let server = RedisServer::start();
        let coordinator = opened(&server).await;
        for n in 0..others {
            join(&coordinator, &record(&format!("other{n}"), &["Common"])).await;
        }
        let rare = [record("rare1", &["Common", "Rare"]), record("rare2", &["Rare"])];
        for broker in &rare {
            join(&coordinator, broker).await;
        }
        let by = &rare[0].incarnation;
        for (class, placed) in [("Rare", 40), ("Common", 40)] {
            // The first run of a script is another command.
            coordinator.place(&wish(by, None, class)).await.unwrap();
            server.ask(&["CONFIG", "RESETSTAT"]);
            let mut owners = BTreeSet::new();
            for _ in 0..placed {
                let placement = coordinator.place(&wish(by, None, class)).await.unwrap();
                let Placement::Reserved { owner, .. } = placement else { panic!("{placement:?}") };
                owners.insert(owner.incarnation);
            }
            if class == "Rare" {
                assert_eq!(owners, rare.iter().map(|broker| broker.incarnation.clone()).collect());
                costs.push(commands(&server));
            } else {
                // Idle ones are chosen before any gets a second worker.
                assert!(owners.len() >= others.min(placed), "{} of {others} brokers were chosen", owners.len());
                let once = commands(&server) / placed as u64;
                assert!(once <= 200, "{once} commands a placement");
            }
        }
    }
    // Renewed connections and the like aside.
    assert!(costs[1] <= costs[0] + costs[0] / 10, "{costs:?}");
}

/// Whether a key or field belongs to a broker or worker that lives, or to the namespace as a whole.
fn is_current(name: &str, living: &[String]) -> bool {
    let whole = ["meta", "leases", "brokers", "ids", "changes", "sums", "departed", "load:main"];
    let of_class = |kind: &str| name.strip_prefix(kind).is_some_and(|class| ["Room", "Hall"].contains(&class));
    whole.contains(&name)
        || of_class("hosts:main:")
        || ["w:", "own:"]
            .iter()
            .any(|kind| name.strip_prefix(kind).is_some_and(|rest| living.iter().any(|living| living == rest)))
}

/// Words of an answer that is an array.
fn words(answer: &str) -> Vec<String> {
    answer.lines().filter(|line| !line.starts_with(['*', '$'])).map(Into::into).collect()
}

/// One broker's life: it takes what waits, gets new workers, which do all that workers do, and ends by leaving or dying.
async fn live_and_end(coordinator: &Arc<RedisCoordinator>, keeper: &BrokerRecord, life: usize, workers: usize) {
    let record = record(&format!("b{}", life % 10), &["Room", "Hall"]);
    let me = &record.incarnation;
    join(coordinator, &record).await;
    let claim = ClaimRequest {
        by: me.clone(),
        cluster: "main".into(),
        classes: record.classes.clone(),
        limit: CHUNK,
        overflow: 1,
        ttl: Duration::ZERO,
        trial_over: true,
    };
    coordinator.claim(&claim).await.unwrap();
    // Asked for at the same time, they go to the server in few commands.
    let placing: Vec<_> = (0..workers)
        .map(|n| {
            let id = format!("{life}-{n}");
            let request = PlaceRequest {
                recoverable: n % 4 != 0,
                attributes: "x".repeat(n % 3 * 60),
                exclude: vec![keeper.incarnation.clone()],
                ..wish(me, (n % 2 == 0).then_some(id.as_str()), if n % 5 == 0 { "Hall" } else { "Room" })
            };
            let coordinator = coordinator.clone();
            tokio::spawn(async move { coordinator.place(&request).await })
        })
        .collect();
    let mut placed = Vec::new();
    for (n, placement) in placing.into_iter().enumerate() {
        let Placement::Reserved { id, epoch, .. } = placement.await.unwrap().unwrap() else { panic!() };
        if n % 7 == 0 {
            assert_eq!(coordinator.withdraw(me, &id, epoch).await, Ok(true));
        } else {
            placed.push((id, epoch));
        }
    }
    let ids: Vec<WorkerId> = placed.iter().map(|(id, _)| id.clone()).collect();
    coordinator.activate(me, &ids).await.unwrap();
    coordinator.confirm(me, &placed).await.unwrap();
    let numbered = || placed.iter().cloned().enumerate();
    let loads: Vec<_> = numbered().map(|(n, (id, epoch))| LoadChange { id, epoch, load: n as u64 }).collect();
    coordinator.set_load(me, &loads).await.unwrap();
    let fates = [Fate::Delete, Fate::Recover, Fate::Return];
    let ended = numbered().filter(|(n, _)| n % 3 == 0);
    let releases: Vec<_> = ended.map(|(n, (id, epoch))| Release { id, epoch, fate: fates[n % 9 / 3] }).collect();
    coordinator.release(me, &releases).await.unwrap();
    for release in releases.iter().step_by(2) {
        coordinator.pardon(&release.id).await.unwrap();
    }
    if life.is_multiple_of(3) {
        while coordinator
            .leave(me, if life.is_multiple_of(2) { Fate::Delete } else { Fate::Recover }, CHUNK)
            .await
            .unwrap()
            > 0
        {}
        return;
    }
    let sighting = coordinator.find_member(me).await.unwrap();
    let lease_expires = sighting.member.unwrap().lease_expires;
    let death = Death::Proven { lease_expires, server: coordinator.server().unwrap() };
    while !matches!(
        coordinator.evict(&keeper.incarnation, me, &death, CHUNK).await.unwrap(),
        Eviction::Evicted { remaining: 0, .. }
    ) {}
}

/// How many keys there are, and their memory.
fn census(server: &RedisServer) -> String {
    let keys = words(&server.ask(&["KEYS", "*"])).len();
    format!("{keys} keys, {} KiB of memory", info(server, "memory", "used_memory") / 1024)
}

/// `DWORKER_TEST_LIVES` and `DWORKER_TEST_WORKERS` make it a longer history (`npm run history`).
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_brokers_and_workers_that_are_gone() {
    let from_environment = |name, or: usize| std::env::var(name).map_or(or, |text| text.parse().unwrap());
    let lives = from_environment("DWORKER_TEST_LIVES", 200);
    let workers = from_environment("DWORKER_TEST_WORKERS", 5_000);
    let server = RedisServer::start();
    let coordinator = Arc::new(opened(&server).await);
    let keeper = record("keeper", &["Room", "Hall"]);
    join(&coordinator, &keeper).await;
    let mut living = vec![keeper.incarnation.to_string()];
    for n in 0..10 {
        let mut request = wish(&keeper.incarnation, None, "Room");
        request.recoverable = n % 2 == 0;
        let Placement::Reserved { id, .. } = coordinator.place(&request).await.unwrap() else { panic!() };
        living.push(id.to_string());
    }
    let before = census(&server);
    for life in 0..lives {
        // A long history lasts longer than a lease.
        coordinator.renew(&keeper.incarnation, TTL).await.unwrap();
        live_and_end(&coordinator, &keeper, life, workers / lives).await;
    }
    // Whoever is left claims what still waits, and lets it end.
    let last = record("last", &["Room", "Hall"]);
    join(&coordinator, &last).await;
    // Those that wait for their time, and the quarantined: all of these died young, some of them often.
    for key in words(&server.ask(&["KEYS", "{dw}:w:*"])) {
        let id = key.strip_prefix("{dw}:w:").unwrap_or_default();
        coordinator.pardon(&WorkerId::new(id)).await.unwrap();
    }
    loop {
        let claim = ClaimRequest {
            by: last.incarnation.clone(),
            cluster: "main".into(),
            classes: last.classes.clone(),
            limit: CHUNK,
            overflow: 1,
            ttl: Duration::ZERO,
            trial_over: true,
        };
        let Claim::Claimed { entries, remaining, .. } = coordinator.claim(&claim).await.unwrap() else { panic!() };
        if entries.is_empty() && remaining == 0 {
            break;
        }
    }
    while coordinator.leave(&last.incarnation, Fate::Delete, CHUNK).await.unwrap() > 0 {}

    println!("{lives} broker lives, {workers} workers: before {before}; after {}", census(&server));
    let keys = words(&server.ask(&["KEYS", "*"]));
    let left: Vec<_> =
        keys.iter().filter(|key| !is_current(key.strip_prefix("{dw}:").unwrap_or(key), &living)).collect();
    assert!(left.is_empty(), "{left:?}");
    for (key, most) in [("meta", 12), ("brokers", 1), ("ids", 1), ("sums", 2)] {
        let fields = words(&server.ask(&["HKEYS", &format!("{{dw}}:{key}")]));
        assert!(fields.len() <= most, "{key}: {fields:?}");
    }
    for (key, most) in [("leases", 1), ("changes", 1), ("load:main", 1), ("hosts:main:Room", 1), ("departed", 1_000)] {
        let members = words(&server.ask(&["ZRANGE", &format!("{{dw}}:{key}"), "0", "-1"]));
        assert!(members.len() <= most, "{key}: {members:?}");
    }
    let sums = words(&server.ask(&["HMGET", "{dw}:sums", "main:Room", "main:Hall"]));
    assert_eq!(sums, ["10", "10"], "the loads that are left are counted in each class");
}
