//! What the tables on a real server look like, and what foreign hands in them can do: errors, never harm.
#![allow(clippy::unwrap_used)]

#[path = "support/redis_server.rs"]
mod redis_server;
#[path = "support/tables.rs"]
mod tables;

use dworker::coordination::keys::Keys;
use dworker::coordination::redis::RedisCoordinator;
use dworker::coordination::*;
use dworker::ids::*;
use redis_server::{RedisServer, PATIENCE};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tables::{coordinator, join, opened, record, wish, TTL};
use tokio::time::timeout;

async fn takes_up(coordinator: &RedisCoordinator, owner: &Incarnation, id: &WorkerId) -> bool {
    let answer = coordinator.activate(owner, std::slice::from_ref(id)).await.unwrap();
    matches!(answer, Activation::Answers(entries) if entries[0].is_some())
}

/// The text of an entry as the scripts write it (`lua/entry.lua`), one part of it replaced.
fn entry(state: char, owner: &str, names: &str, attributes: &str) -> String {
    let (epoch, load, created) = (1, 0, 1);
    format!(
        "{state}01{epoch:016}{load:010}{created:013}{:013}{:06}{:04}{:04} {owner:<32}{names}:{attributes}",
        0, 0, 0, 0
    )
}

fn is_refused<T: std::fmt::Debug>(result: CoordinationResult<T>) {
    assert!(matches!(result, Err(CoordinationError::Refused(_))), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn placements_that_come_together_go_in_few_scripts_and_each_gets_its_own_answer() {
    const MANY: usize = 200;
    let server = RedisServer::start();
    let coordinator = Arc::new(opened(&server).await);
    let brokers = [record("a", &["Room", "Other"]), record("b", &["Room"]), record("c", &["Room"])];
    for broker in &brokers {
        join(&coordinator, broker).await;
    }
    let by = &brokers[0].incarnation;
    // The first wakes the server up: it learns the script.
    coordinator.place(&wish(by, Some("known"), "Room")).await.unwrap();
    server.ask(&["CONFIG", "RESETSTAT"]);
    let wishes = (0..MANY).map(|n| match n % 5 {
        0 => wish(by, Some("known"), "Room"),
        1 => wish(by, None, "Nobody's"),
        2 => wish(&Incarnation::random(), None, "Room"),
        3 => wish(by, Some(&format!("given{n}")), "Other"),
        _ => wish(by, None, "Room"),
    });
    let mut asked = tokio::task::JoinSet::new();
    for (n, wish) in wishes.enumerate() {
        let coordinator = coordinator.clone();
        asked.spawn(async move { (n, coordinator.place(&wish).await.unwrap()) });
    }
    let (mut counted, mut at) = (std::collections::BTreeSet::new(), std::collections::BTreeMap::new());
    while let Some(answer) = asked.join_next().await {
        match answer.unwrap() {
            (n, Placement::Existing { id, .. }) => assert_eq!((n % 5, id.as_str()), (0, "known")),
            (n, Placement::NoBroker { .. }) => assert_eq!(n % 5, 1),
            (n, Placement::NotMember) => assert_eq!(n % 5, 2),
            (n, Placement::Reserved { id, owner, .. }) if n % 5 == 3 => {
                assert_eq!((id.as_str(), &owner.incarnation), (&*format!("given{n}"), by));
            }
            (n, Placement::Reserved { id, owner, .. }) => {
                assert_eq!(n % 5, 4);
                assert!(counted.insert(id.to_string()), "{id} was given twice");
                *at.entry(owner.incarnation).or_insert(0) += 1;
            }
            (n, other) => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(counted, (1..=MANY / 5).map(|n| format!("Room#{n}")).collect());
    // The one that has all of the other class got none of these, or few.
    let fewest = brokers[1..].iter().map(|broker| at[&broker.incarnation]).min();
    assert!(fewest >= Some(10), "{at:?}");
    let statistics = server.ask(&["INFO", "commandstats"]);
    let scripts = statistics.split("cmdstat_evalsha:calls=").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
    assert!(scripts.parse::<usize>().unwrap() <= MANY / 4, "{statistics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_of_another_version_is_refused_at_open_and_at_register() {
    let server = RedisServer::start();
    let before = opened(&server).await;
    for version in ["1", "0", "nonsense"] {
        server.ask(&["HSET", "{dw}:meta", "schema", version]);
        for result in [coordinator(&server).open().await, before.register(&record("a", &[]), TTL).await.map(drop)] {
            assert!(matches!(&result, Err(CoordinationError::Schema(text)) if text.contains(version)), "{result:?}");
        }
    }
    assert!(before.scan(&"x".into()).await.unwrap().members.is_empty());
    server.ask(&["HSET", "{dw}:meta", "schema", &SCHEMA_VERSION.to_string()]);
    opened(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_broker_of_dworker_0_9_is_refused_with_advice() {
    let server = RedisServer::start();
    server.ask(&["HSET", "dw:bh", "old1", r#"{"cn":"main","st":"active","addr":"127.0.0.1:1"}"#]);
    let error = coordinator(&server).open().await.unwrap_err();
    assert!(
        matches!(&error, CoordinationError::Schema(text) if text.contains("old1") && text.contains("ns") && text.contains("dw:bh")),
        "{error:?}"
    );
    server.ask(&["HSET", "dw:bh", "old1", r#"{"cn":"main","st":"inactive","addr":"127.0.0.1:1"}"#]);
    opened(&server).await;
    server.ask(&["DEL", "dw:bh"]);
    server.ask(&["SET", "dw:bh", "something else"]);
    opened(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_channel_is_ignored() {
    let server = RedisServer::start();
    let coordinator = opened(&server).await;
    let mut hints = coordinator.signals();
    let channel = Keys::new("dw", 0).hints().to_owned();
    for text in ["null", "", "{\"m\":\"destroy\"}", "dead:", "\u{1F600}", &"x".repeat(100_000)] {
        assert_eq!(server.ask(&["PUBLISH", &channel, text]), ":1\r\n");
    }
    server.ask(&["PUBLISH", &channel, "dead:00ff:1:2"]);
    assert_eq!(
        timeout(PATIENCE, hints.recv()).await.unwrap(),
        Ok(Signal::Dead { incarnation: "00ff".into(), before: 1, version: 2 })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_a_foreign_type_is_removed_and_the_operation_goes_on() {
    let server = RedisServer::start();
    let coordinator = opened(&server).await;
    let mut hints = coordinator.signals();
    let record = record("a", &["Foo"]);
    join(&coordinator, &record).await;
    let me = &record.incarnation;
    let write_over = |key: &str| assert_eq!(server.ask(&["SET", &format!("{{dw}}:{key}"), "1"]), "+OK\r\n");
    write_over("w:x");
    let placed = coordinator.place(&wish(me, Some("x"), "Foo")).await.unwrap();
    assert!(matches!(placed, Placement::Reserved { .. }), "{placed:?}");
    write_over("w:x");
    assert_eq!(coordinator.locate(&"x".into()).await, Ok(Location::None));
    write_over("w:x");
    assert!(!takes_up(&coordinator, me, &"x".into()).await);
    write_over("w:x");
    let change = LoadChange { id: "x".into(), epoch: Epoch(1), load: 1 };
    assert_eq!(coordinator.set_load(me, &[change]).await, Ok(vec![false]));
    for key in [&format!("own:{me}"), "pending:main:Foo", "load:main", "brokers", "leases", "meta"] {
        write_over(key);
        let owned = coordinator.owned(me, 0, 10).await;
        let (scanned, renewed) = (coordinator.scan(me).await, coordinator.renew(me, TTL).await);
        assert!(owned.is_ok() && scanned.is_ok(), "{key}: {owned:?} {scanned:?}");
        let settled = coordinator.update(&record).await;
        assert!(renewed.is_ok() && settled.is_ok(), "{key}: {renewed:?} {settled:?}");
    }
    // Whoever holds something puts it back: without a generation this is a wiped database.
    let renewed = coordinator.renew(me, TTL).await.unwrap();
    assert!(matches!(renewed, Renewal::Evicted { generation: None, .. }), "{renewed:?}");
    loop {
        if let Signal::Foreign(key) = timeout(PATIENCE, hints.recv()).await.unwrap().unwrap() {
            assert_eq!(key, "{dw}:w:x");
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_read_harms_no_other_of_its_batch() {
    let server = RedisServer::start();
    let coordinator = Arc::new(opened(&server).await);
    let record = record("a", &["Foo"]);
    join(&coordinator, &record).await;
    let me = &record.incarnation;
    for id in ["good", "epochless", "classless", "clusterless"] {
        coordinator.place(&wish(me, Some(id), "Foo")).await.unwrap();
    }
    server.ask(&["SETRANGE", "{dw}:w:epochless", "3", &"9".repeat(16)]);
    server.ask(&["SETRANGE", "{dw}:w:classless", "102", ":Fo"]);
    server.ask(&["SETRANGE", "{dw}:w:clusterless", "106", ":{}  "]);
    is_refused(coordinator.locate(&"epochless".into()).await);
    is_refused(coordinator.place(&wish(me, Some("epochless"), "Foo")).await);
    let ids: Vec<WorkerId> = ["epochless", "good", "classless", "clusterless"].map(WorkerId::new).into();
    let Activation::Answers(entries) = coordinator.activate(me, &ids).await.unwrap() else { panic!("settled") };
    let taken: Vec<_> = entries.iter().map(|entry| entry.as_ref().map(|entry| entry.id.as_str())).collect();
    assert_eq!(taken, [None, Some("good"), None, None]);
    assert_eq!(coordinator.owned(me, 0, CHUNK).await.unwrap().len(), 1);
    assert_eq!(coordinator.locate(&"clusterless".into()).await, Ok(Location::None));
    assert_eq!(coordinator.scan(me).await.unwrap().members[0].load, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_takes_what_it_can_read_and_deletes_the_rest() {
    let server = RedisServer::start();
    let coordinator = opened(&server).await;
    let (gone, record) = (record("a", &["Foo"]), record("b", &["Foo"]));
    join(&coordinator, &gone).await;
    coordinator.place(&wish(&gone.incarnation, Some("good"), "Foo")).await.unwrap();
    coordinator.leave(&gone.incarnation, Fate::Recover, CHUNK).await.unwrap();
    join(&coordinator, &record).await;
    let long = "x".repeat(1 << 21);
    let sound = entry('w', "", "Foo:main", "{}");
    let crafted = [
        ("epochless", sound.replace(&format!("{:016}", 1), &"9".repeat(16))),
        ("huge", entry('w', "", "Foo:main", &long)),
        ("nameless", entry('w', "", ":main", "{}")),
        ("\u{e9}t\u{e9}", entry('w', "", "Foo:", "{}")),
    ];
    let plant = |id: &str, text: &str| {
        server.ask(&["SET", &format!("{{dw}}:w:{id}"), text]);
        server.ask(&["ZADD", "{dw}:pending:main:Foo", "1", id]);
    };
    crafted.iter().for_each(|(id, text)| plant(id, text));
    plant("another's", &entry('w', "", "Bar:main", "{}"));
    // The head has another form: it is taken for no entry.
    plant("timeless", &sound.replacen("0000000000001", "inf", 1));
    server.ask(&["SET", "{dw}:w:text", "1"]);
    server.ask(&["ZADD", "{dw}:pending:main:Foo", "1", "text"]);
    server.ask(&["EVAL", "redis.call('ZADD', '{dw}:pending:main:Foo', 1, '\\255\\254')", "0"]);
    let claim = ClaimRequest {
        by: record.incarnation.clone(),
        cluster: "main".into(),
        classes: record.classes.clone(),
        limit: CHUNK,
        overflow: 1,
        ttl: Duration::ZERO,
        trial_over: true,
    };
    let Claim::Claimed { entries, remaining, expired } = coordinator.claim(&claim).await.unwrap() else { panic!() };
    let ids: Vec<_> = entries.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!((ids, remaining, expired), (vec!["good"], 0, crafted.len() as u64));
    assert_eq!(server.ask(&["EXISTS", "{dw}:w:huge"]), ":0\r\n");
    assert_eq!(server.ask(&["ZCARD", "{dw}:pending:main:Bar"]), ":1\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_or_lease_that_cannot_be_read_hides_no_other_member() {
    let server = RedisServer::start();
    let coordinator = opened(&server).await;
    let (one, two) = (record("a", &["Foo"]), record("b", &["Foo"]));
    join(&coordinator, &one).await;
    join(&coordinator, &two).await;
    let (me, other) = (&one.incarnation, two.incarnation.as_str());
    let seen = async || {
        let membership = coordinator.scan(me).await.unwrap();
        membership.members.into_iter().map(|member| member.record.broker.to_string()).collect::<Vec<_>>()
    };
    for text in ["main:what", "", ":::::::::", "main:0:h:99999:b:1:1:5000:0:,Foo,", "\u{0}"] {
        server.ask(&["HSET", "{dw}:brokers", other, text]);
        assert_eq!(seen().await, ["a"], "{text:?}");
        for number in 0..4 {
            let placed = coordinator.place(&wish(me, Some(&format!("{text}{number}")), "Foo")).await.unwrap();
            assert!(matches!(placed, Placement::Reserved { owner, .. } if owner.address.is_some()), "{text:?}");
        }
    }
    assert_eq!(coordinator.update(&two).await, Ok(true), "its broker puts it back");
    assert_eq!(seen().await.len(), 2);
    for score in ["-inf", "inf", "-5", "0.5"] {
        server.ask(&["ZADD", "{dw}:leases", score, other, score, "nobody"]);
        server.ask(&["ZADD", "{dw}:load:main", score, other]);
        assert_eq!(seen().await.len(), 2, "{score}");
        assert!(matches!(coordinator.renew(me, TTL).await, Ok(Renewal::Renewed { .. })), "{score}");
        coordinator.renew(&two.incarnation, TTL).await.unwrap();
    }
    server.ask(&["HMSET", "{dw}:meta", "epoch", "nan", "restart", "many", "n:Foo", "x", "healing", "soon"]);
    assert!(matches!(coordinator.renew(me, TTL).await, Ok(Renewal::Renewed { .. })));
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert!(matches!(coordinator.renew(me, TTL).await, Ok(Renewal::Renewed { .. })));
    assert_eq!(seen().await.len(), 2);
    assert!(matches!(coordinator.place(&wish(me, None, "Foo")).await, Ok(Placement::Reserved { .. })));
    assert_eq!(coordinator.request_restart().await, Ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_refuses_and_nothing_is_half_done() {
    let server = RedisServer::start();
    let coordinator = opened(&server).await;
    let record = record("a", &["Foo"]);
    join(&coordinator, &record).await;
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    is_refused(coordinator.place(&wish(&record.incarnation, Some("x"), "Foo")).await);
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(coordinator.locate(&"x".into()).await, Ok(Location::None));
    assert_eq!(coordinator.scan(&record.incarnation).await.unwrap().members[0].load, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_refuses_to_be_written() {
    let master = RedisServer::start();
    let server = RedisServer::with(&["--slaveof", "127.0.0.1", &master.port.to_string()]);
    let end = Instant::now() + PATIENCE;
    loop {
        // While it loads the master's data it is not available for another reason.
        match coordinator(&server).open().await {
            Err(CoordinationError::Unavailable(text)) if text.contains("accepts no writes") => return,
            answer => assert!(Instant::now() < end, "{answer:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_carries_the_hash_tag_and_goes_when_the_cluster_is_empty() {
    let server = RedisServer::start();
    let coordinator = opened(&server).await;
    let (one, two) = (record("a", &["Foo"]), record("b", &["Foo"]));
    join(&coordinator, &one).await;
    join(&coordinator, &two).await;
    for number in 0..10 {
        let id = number.to_string();
        coordinator.place(&wish(&one.incarnation, Some(id.as_str()), "Foo")).await.unwrap();
    }
    coordinator.leave(&one.incarnation, Fate::Recover, CHUNK).await.unwrap();
    let mut keys = Vec::new();
    for line in server.ask(&["KEYS", "*"]).lines().filter(|line| !line.starts_with(['*', '$'])) {
        keys.push(line.to_owned());
    }
    assert!(keys.len() > 10 && keys.iter().all(|key| key.starts_with("{dw}:")), "{keys:?}");
    let claim = ClaimRequest {
        by: two.incarnation.clone(),
        cluster: "main".into(),
        classes: two.classes.clone(),
        limit: CHUNK,
        overflow: 1,
        ttl: Duration::ZERO,
        trial_over: true,
    };
    coordinator.claim(&claim).await.unwrap();
    coordinator.leave(&two.incarnation, Fate::Delete, CHUNK).await.unwrap();
    assert_eq!(server.ask(&["KEYS", "*"]), "*1\r\n$9\r\n{dw}:meta\r\n");
    let meta = server.ask(&["HKEYS", "{dw}:meta"]);
    assert!(!meta.contains("left:"), "{meta}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_cluster_of_one_node_serves_every_operation() {
    if RedisServer::start().major() < 3 {
        // There is no Redis Cluster before 3.
        return;
    }
    let server = RedisServer::with(&["--cluster-enabled", "yes"]);
    let slots: Vec<String> = (0..16_384).map(|slot: u32| slot.to_string()).collect();
    let words: Vec<&str> = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect();
    assert_eq!(server.ask(&words), "+OK\r\n");
    let end = Instant::now() + PATIENCE;
    while !server.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {
        assert!(Instant::now() < end, "the cluster is never ready");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let coordinator = opened(&server).await;
    let (one, two) = (record("a", &["Foo", "Bar"]), record("b", &["Foo"]));
    join(&coordinator, &one).await;
    join(&coordinator, &two).await;
    coordinator.update(&one).await.unwrap();
    coordinator.renew(&one.incarnation, TTL).await.unwrap();
    let mut placed = Vec::new();
    for class in ["Foo", "Bar", "Foo"] {
        match coordinator.place(&wish(&one.incarnation, None, class)).await.unwrap() {
            Placement::Reserved { id, owner, epoch, .. } => placed.push((id, owner.incarnation, epoch)),
            other => panic!("{other:?}"),
        }
    }
    for (id, owner, epoch) in &placed {
        assert!(takes_up(&coordinator, owner, id).await);
        let change = LoadChange { id: id.clone(), epoch: *epoch, load: 5 };
        assert_eq!(coordinator.set_load(owner, &[change]).await, Ok(vec![true]));
        assert_eq!(coordinator.withdraw(owner, id, *epoch).await, Ok(false));
        assert!(matches!(coordinator.locate(id).await, Ok(Location::Owned { .. })));
    }
    let (id, owner, epoch) = placed[1].clone();
    coordinator.release(&owner, &[Release { id, epoch, fate: Fate::Recover }]).await.unwrap();
    let death = Death::Proven {
        lease_expires: coordinator.scan(&one.incarnation).await.unwrap().members[0].lease_expires,
        server: coordinator.server().unwrap(),
    };
    let dead = &coordinator.scan(&one.incarnation).await.unwrap().members[0].record.incarnation.clone();
    let by = if *dead == one.incarnation { &two } else { &one };
    let evicted = coordinator.evict(&by.incarnation, dead, &death, CHUNK).await.unwrap();
    assert!(matches!(evicted, Eviction::Evicted { remaining: 0, .. }), "{evicted:?}");
    let claim = ClaimRequest {
        by: by.incarnation.clone(),
        cluster: "main".into(),
        classes: one.classes.clone(),
        limit: CHUNK,
        overflow: 1,
        ttl: Duration::ZERO,
        trial_over: true,
    };
    assert!(matches!(coordinator.claim(&claim).await, Ok(Claim::Claimed { remaining: 0, .. })));
    assert_eq!(coordinator.owned(&by.incarnation, 0, CHUNK).await.unwrap().len(), 3);
    assert_eq!(coordinator.leave(&by.incarnation, Fate::Delete, CHUNK).await, Ok(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_meets_a_thousand_taken_ids_goes_past_them() {
    let server = RedisServer::start();
    let coordinator = opened(&server).await;
    let record = record("a", &["Fo:o"]);
    join(&coordinator, &record).await;
    for number in 1..=1001 {
        coordinator.place(&wish(&record.incarnation, Some(&format!("Fo:o#{number}")), "Fo:o")).await.unwrap();
    }
    let placement = coordinator.place(&wish(&record.incarnation, None, "Fo:o")).await.unwrap();
    assert!(matches!(&placement, Placement::Reserved { id, .. } if id.as_str() == "Fo:o#1002"), "{placement:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_foreign_pending_workers_cost_a_claim_nothing() {
    let server = RedisServer::start();
    let coordinator = opened(&server).await;
    let (foreign, own) = (record("a", &["Foreign"]), record("b", &["Own"]));
    join(&coordinator, &foreign).await;
    join(&coordinator, &own).await;
    let mut script = String::from("for i = 1, 10000 do redis.call('SET', '{dw}:w:f' .. i, 'w') ");
    script.push_str("redis.call('ZADD', '{dw}:pending:main:Foreign', i, 'f' .. i) end");
    server.ask(&["EVAL", &script, "0"]);
    coordinator.place(&wish(&own.incarnation, Some("x"), "Own")).await.unwrap();
    coordinator.leave(&own.incarnation, Fate::Recover, CHUNK).await.unwrap();
    join(&coordinator, &own).await;
    let claim = ClaimRequest {
        by: own.incarnation.clone(),
        cluster: "main".into(),
        classes: own.classes.clone(),
        limit: CHUNK,
        overflow: 1,
        ttl: Duration::ZERO,
        trial_over: true,
    };
    let Claim::Claimed { entries, remaining, .. } = coordinator.claim(&claim).await.unwrap() else {
        panic!("a member")
    };
    assert_eq!((entries.len(), remaining), (1, 0));
    assert_eq!(entries[0].attributes, wish(&own.incarnation, None, "Own").attributes);
    assert_eq!(coordinator.scan(&foreign.incarnation).await.unwrap().claimable, 10_000);
}

/// The processor time that the server has used, in µs.
fn processor_time(server: &RedisServer) -> f64 {
    let info = server.ask(&["INFO", "cpu"]);
    let seconds = |name| info.lines().find_map(|line: &str| line.strip_prefix(name)?.parse::<f64>().ok()).unwrap();
    1e6 * (seconds("used_cpu_sys:") + seconds("used_cpu_user:"))
}

/// How long scripts kept the server busy: the median and the longest, in ms.
fn script_times(server: &RedisServer) -> (f64, f64) {
    let log = server.ask(&["SLOWLOG", "GET", "100"]);
    // Each entry: id, time, duration in µs, …
    let parsed = ::redis::parse_redis_value(log.as_bytes()).unwrap();
    let ::redis::Value::Array(entries) = parsed else { panic!("{parsed:?}") };
    let mut micros: Vec<_> = entries
        .iter()
        .filter_map(|entry| match entry {
            ::redis::Value::Array(fields) => match (&fields[2], &fields[3]) {
                (::redis::Value::Int(micros), ::redis::Value::Array(words))
                    if format!("{words:?}").to_lowercase().contains("eval") =>
                {
                    Some(*micros)
                }
                _ => None,
            },
            _ => None,
        })
        .collect();
    micros.sort();
    let at = |index: usize| micros.get(index).copied().unwrap_or(0) as f64 / 1000.0;
    (at(micros.len() / 2), at(micros.len().saturating_sub(1)))
}

/// A measurement, not a check: `cargo test --release --test redis_tables -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures"]
async fn the_longest_that_twenty_thousand_workers_keep_the_server_busy() {
    const WORKERS: usize = 20_000;
    let server = RedisServer::start();
    server.ask(&["CONFIG", "SET", "slowlog-log-slower-than", "500"]);
    server.ask(&["CONFIG", "SET", "slowlog-max-len", "100"]);
    let coordinator = opened(&server).await;
    let (owner, other) = (record("a", &["Foo"]), record("b", &["Foo"]));
    let knew = join(&coordinator, &owner).await;
    let held: Vec<Held> = (0..WORKERS)
        .map(|n| Held {
            entry: Entry {
                lasting: Default::default(),
                id: WorkerId::new(format!("worker-{n}")),
                class: "Foo".into(),
                cluster: "main".into(),
                epoch: Epoch(1_780_000_000_000_000 + n as u64),
                cause: Cause::New,
                attempt: 1,
                created: ServerTime(1_780_000_000_000 + n as u64),
                recoverable: true,
                attributes: format!("{{\"name\":\"{n}\",\"text\":\"{}\"}}", "x".repeat(100)),
                history: Default::default(),
            },
            state: EntryState::Active,
            load: 1,
        })
        .collect();
    let used = std::cell::Cell::new(processor_time(&server));
    let report = |what: &str, began: Instant| {
        let elapsed = began.elapsed();
        let each = (processor_time(&server) - used.get()) / WORKERS as f64;
        let (median, longest) = script_times(&server);
        println!(
            "{what}: {elapsed:?}, a script {median:.1} ms, the longest {longest:.1} ms, {each:.1} µs of processor each"
        );
        server.ask(&["SLOWLOG", "RESET"]);
        used.set(processor_time(&server));
    };
    server.ask(&["FLUSHALL"]);
    let began = Instant::now();
    let word = Announcement {
        record: owner.clone(),
        ttl: TTL,
        generation: knew.generation.clone(),
        secret: knew.secret.clone(),
        epoch: Epoch(1),
        counters: vec![("Foo".into(), 7)],
        restart_number: 0,
        remembered: (0..100).map(|_| Incarnation::random()).collect(),
        patience: TTL,
    };
    let Registration::Joined(joined) = coordinator.announce(&word).await.unwrap() else { panic!("the id is in use") };
    report("announcing, with 100 others", began);
    for what in ["restoring into nothing", "restoring what stands"] {
        let began = Instant::now();
        let Restoration::Restored(stand) = coordinator.restore(&owner.incarnation, &held).await.unwrap() else {
            panic!()
        };
        assert!(stand.iter().all(|stands| *stands));
        report(what, began);
    }
    let began = Instant::now();
    let mut offset = 0;
    while offset < WORKERS {
        offset += coordinator.owned(&owner.incarnation, offset, CHUNK).await.unwrap().len();
    }
    report("listing", began);
    coordinator.settle(&owner.incarnation, &joined).await.unwrap();
    for other in &word.remembered {
        coordinator.settle(other, &joined).await.unwrap();
    }
    join(&coordinator, &other).await;
    let lease_expires = coordinator.renew(&owner.incarnation, TTL).await.unwrap();
    let Renewal::Renewed { lease_expires, .. } = lease_expires else { panic!("evicted") };
    let death = Death::Proven { lease_expires, server: coordinator.server().unwrap() };
    server.ask(&["SLOWLOG", "RESET"]);
    let began = Instant::now();
    loop {
        match coordinator.evict(&other.incarnation, &owner.incarnation, &death, CHUNK).await.unwrap() {
            Eviction::Evicted { remaining: 0, .. } => break,
            Eviction::Evicted { .. } => {}
            answer => panic!("{answer:?}"),
        }
    }
    report("evicting", began);
    let claim = ClaimRequest {
        by: other.incarnation.clone(),
        cluster: "main".into(),
        classes: other.classes.clone(),
        limit: CHUNK,
        overflow: 1,
        ttl: Duration::ZERO,
        trial_over: true,
    };
    let began = Instant::now();
    while !matches!(coordinator.claim(&claim).await.unwrap(), Claim::Claimed { remaining: 0, .. }) {}
    report("claiming", began);
    let began = Instant::now();
    while coordinator.leave(&other.incarnation, Fate::Delete, CHUNK).await.unwrap() > 0 {}
    report("leaving", began);
}

/// A measurement, not a check: `cargo test --release --test redis_tables -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures"]
async fn creates_per_second() {
    let server = RedisServer::start();
    let coordinator = Arc::new(opened(&server).await);
    let records: Vec<_> = (0..4).map(|number| record(&number.to_string(), &["Foo"])).collect();
    for record in &records {
        join(&coordinator, record).await;
    }
    for in_flight in [1usize, 64] {
        let (began, total) = (Instant::now(), if in_flight == 1 { 3_000 } else { 40_000 });
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..in_flight {
            let (coordinator, by) = (coordinator.clone(), records[0].incarnation.clone());
            tasks.spawn(async move {
                for _ in 0..total / in_flight {
                    let placement = coordinator.place(&wish(&by, None, "Foo")).await.unwrap();
                    let Placement::Reserved { id, owner, .. } = placement else { panic!("{placement:?}") };
                    assert!(takes_up(&coordinator, &owner.incarnation, &id).await);
                }
            });
        }
        while let Some(result) = tasks.join_next().await {
            result.unwrap();
        }
        println!("{in_flight} in flight: {:.0} place + activate /s", total as f64 / began.elapsed().as_secs_f64());
    }
    for line in server.ask(&["INFO", "commandstats"]).lines().filter(|line| line.contains("eval")) {
        println!("{line}");
    }
}
