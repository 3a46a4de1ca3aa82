//! How waiting workers get an owner again.

use super::cluster::*;
use dworker::coordination::*;
use dworker::ids::*;
use std::time::Duration;

fn ids(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.id.as_str()).collect()
}

pub async fn a_claimed_worker_stands_under_its_claimer_as_it_was(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let request = PlaceRequest { attributes: r#"{"big":12345678901234567890}"#.into(), ..a.wish("Room", Some("r")) };
    let epoch = a.create_here(&request).await.epoch;
    let first = a.activate("r").await.expect("it stands under its owner");
    assert!(a.confirm("r", epoch).await);
    a.release("r", epoch, Fate::Recover).await;
    cluster.pass(3).await;
    let (claimed, remaining, expired) = b.claim(&b.appetite()).await;
    assert_eq!((claimed.len(), remaining, expired), (1, 0, 0));
    let entry = &claimed[0];
    assert!(entry.epoch > epoch);
    assert_eq!(*entry, Entry { cause: Cause::Recovery, epoch: entry.epoch, ..first });
    let (class, state) = (ClassName::new("Room"), EntryState::Active);
    assert_eq!(a.locate("r").await, Location::Owned { class, owner: b.owner(), epoch: entry.epoch, state });
    assert_eq!((b.load().await, b.owned().await), (Some(RESERVED_LOAD), vec!["r".to_string()]));
    assert!(b.set_load("r", entry.epoch, 4).await && !a.set_load("r", epoch, 4).await);
}

pub async fn an_activation_that_never_ended_well_is_new_again_and_counted(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let mut epoch = broker.create("r").await.epoch;
    let entry = broker.activate("r").await.expect("it stands under its owner");
    assert_eq!((entry.cause, entry.attempt), (Cause::New, 1));
    for attempt in 2..=3 {
        assert!(broker.release("r", epoch, Fate::Recover).await);
        let (claimed, ..) = broker.claim(&broker.appetite()).await;
        assert_eq!((claimed[0].cause, claimed[0].attempt), (Cause::New, attempt));
        epoch = claimed[0].epoch;
    }
    assert!(!broker.confirm("r", Epoch(epoch.0 + 1)).await && !broker.confirm("s", epoch).await);
    assert!(broker.confirm("r", epoch).await && broker.confirm("r", epoch).await, "repeating it is harmless");
    for attempt in 1..=2 {
        assert!(broker.release("r", epoch, Fate::Recover).await);
        let (claimed, ..) = broker.claim(&broker.appetite()).await;
        assert_eq!((claimed[0].cause, claimed[0].attempt), (Cause::Recovery, attempt));
        epoch = claimed[0].epoch;
    }
    assert!(broker.release("r", epoch, Fate::Recover).await);
    let placed = broker.create("r").await;
    let entry = broker.activate("r").await.expect("it stands under its owner");
    assert_eq!((entry.cause, entry.attempt, entry.epoch), (Cause::Recovery, 3, placed.epoch));
}

pub async fn a_second_attempt_that_was_not_delivered_waits_again(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let epoch = broker.create("r").await.epoch;
    assert!(broker.release("r", epoch, Fate::Recover).await);
    let again = broker.create("r").await;
    assert!(broker.withdraw(broker.incarnation(), "r", again.epoch).await);
    assert!(matches!(broker.locate("r").await, Location::Pending { .. }));
    let (claimed, ..) = broker.claim(&broker.appetite()).await;
    assert_eq!((claimed[0].cause, claimed[0].attempt), (Cause::New, 3));
}

pub async fn a_worker_is_claimed_once(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    a.leave_pending("r").await;
    assert_eq!(a.claim(&a.appetite()).await.0.len(), 1);
    assert_eq!(b.claim(&b.appetite()).await, (vec![], 0, 0));
    assert_eq!(a.claim(&a.appetite()).await, (vec![], 0, 0));
}

pub async fn of_many_claimers_each_gets_what_no_other_got(cluster: Cluster) {
    let mut brokers = Vec::new();
    for n in 0..4 {
        brokers.push(cluster.broker(&format!("b{n}")).await);
    }
    for n in 0..60 {
        brokers[0].leave_pending(&format!("r{n}")).await;
    }
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..24 {
        let broker = &brokers[n % 4];
        let (coordinator, request) = (broker.coordinator.clone(), ClaimRequest { limit: 3, ..broker.appetite() });
        asked.spawn(async move { coordinator.claim(&request).await });
    }
    let mut got = Vec::new();
    for answer in asked.join_all().await {
        let Ok(Claim::Claimed { entries, .. }) = answer else { panic!("{answer:?}") };
        got.extend(entries.into_iter().map(|entry| entry.id.to_string()));
    }
    got.sort();
    let mut all: Vec<_> = (0..60).map(|n| format!("r{n}")).collect();
    all.sort();
    assert_eq!(got, all);
}

pub async fn only_the_asked_cluster_and_classes_are_claimed(cluster: Cluster) {
    let main = cluster.broker_like(BrokerRecord { classes: classes(&["Hall", "Room"]), ..record("a") }).await;
    let side = cluster.broker_like(BrokerRecord { cluster: "side".into(), ..record("b") }).await;
    main.pend(&main.wish("Hall", Some("h"))).await;
    main.pend(&main.wish("Room", Some("r"))).await;
    side.pend(&side.wish("Room", Some("s"))).await;
    let rooms = ClaimRequest { classes: classes(&["Attic", "Room"]), ..main.appetite() };
    let (claimed, remaining, _) = main.claim(&rooms).await;
    assert_eq!((ids(&claimed), remaining), (vec!["r"], 0));
    let nothing = ClaimRequest { classes: classes(&[]), ..main.appetite() };
    assert_eq!(main.claim(&nothing).await, (vec![], 0, 0));
    for waiting in ["h", "s"] {
        assert!(matches!(main.locate(waiting).await, Location::Pending { .. }));
    }
}

pub async fn the_oldest_are_claimed_first_up_to_the_limit(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let names = ["z", "y", "x", "w", "v"];
    let mut epochs = Vec::new();
    for id in names {
        epochs.push(broker.create(id).await.epoch);
        cluster.pass(2).await;
    }
    // They come to wait in another order than they were made in.
    for n in [3, 0, 4, 2, 1] {
        assert!(broker.release(names[n], epochs[n], Fate::Recover).await);
    }
    let two = ClaimRequest { limit: 2, ..broker.appetite() };
    let mut rounds = Vec::new();
    for _ in 0..4 {
        let (claimed, remaining, _) = broker.claim(&two).await;
        rounds.push((ids(&claimed).join(","), remaining));
    }
    let expected = [("z,y", 3), ("x,w", 1), ("v", 0), ("", 0)];
    assert_eq!(rounds, expected.map(|(ids, left)| (ids.to_string(), left)));
}

pub async fn class_after_class_is_claimed(cluster: Cluster) {
    let broker = cluster.broker_like(BrokerRecord { classes: classes(&["Hall", "Room"]), ..record("a") }).await;
    for (id, class) in [("r1", "Room"), ("h1", "Hall"), ("r2", "Room"), ("h2", "Hall")] {
        broker.pend(&broker.wish(class, Some(id))).await;
        cluster.pass(2).await;
    }
    let (claimed, remaining, _) = broker.claim(&ClaimRequest { limit: 3, ..broker.appetite() }).await;
    assert_eq!((ids(&claimed), remaining), (vec!["h1", "h2", "r1"], 1));
}

pub async fn a_claim_of_nothing_tells_how_many_wait(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    broker.leave_pending("r1").await;
    broker.leave_pending("r2").await;
    assert_eq!(broker.claim(&ClaimRequest { limit: 0, ..broker.appetite() }).await, (vec![], 2, 0));
    assert_eq!(broker.load().await, Some(0));
}

pub async fn a_claim_takes_a_chunk_at_most(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    for n in 0..CHUNK + 2 {
        broker.create(&format!("r{n}")).await;
    }
    broker.leave(Fate::Recover, CHUNK).await;
    broker.leave(Fate::Recover, CHUNK).await;
    broker.register(LEASE).await;
    let (claimed, remaining, _) = broker.claim(&ClaimRequest { limit: CHUNK * 2, ..broker.appetite() }).await;
    assert_eq!((claimed.len(), remaining), (CHUNK, 2));
    let epochs: Vec<_> = claimed.iter().map(|entry| entry.epoch).collect();
    assert!(epochs.windows(2).all(|pair| pair[0] < pair[1]), "each has an epoch of its own");
}

pub async fn what_outlived_its_ttl_is_deleted_instead(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    for id in ["old1", "old2"] {
        broker.leave_pending(id).await;
    }
    cluster.pass(2000).await;
    broker.leave_pending("young").await;
    let request = ClaimRequest { ttl: Duration::from_millis(1500), limit: 1, ..broker.appetite() };
    let (claimed, remaining, expired) = broker.claim(&request).await;
    assert_eq!((ids(&claimed), remaining, expired), (vec!["young"], 0, 2));
    for id in ["old1", "old2"] {
        assert_eq!(broker.locate(id).await, Location::None);
    }
    assert_eq!((broker.load().await, broker.scan().await.claimable), (Some(1), 0));
}

pub async fn the_ttl_counts_from_the_creation_and_a_worker_of_that_very_age_is_kept(cluster: Cluster) {
    if !cluster.clock_stands() {
        return;
    }
    let broker = cluster.broker("a").await;
    let request = ClaimRequest { ttl: Duration::from_millis(10), ..broker.appetite() };
    broker.leave_pending("r").await;
    cluster.pass(10).await;
    let (claimed, _, expired) = broker.claim(&request).await;
    assert_eq!((claimed.len(), expired), (1, 0));
    assert!(broker.release("r", claimed[0].epoch, Fate::Recover).await);
    cluster.pass(1).await;
    assert_eq!(broker.claim(&request).await, (vec![], 0, 1));
    broker.leave_pending("s").await;
    cluster.turn_back(1000);
    assert_eq!(broker.claim(&request).await.0.len(), 1, "made in the future is not old");
}

pub async fn who_has_no_valid_lease_claims_nothing(cluster: Cluster) {
    let (expired, other) = (cluster.broker("a").await, cluster.broker("b").await);
    other.leave_pending("r").await;
    cluster.expire(&expired).await;
    for by in [expired.incarnation(), &"stranger".into()] {
        let request = ClaimRequest { by: by.clone(), ..other.appetite() };
        assert_eq!(other.coordinator.claim(&request).await, Ok(Claim::NotMember));
    }
    assert!(matches!(other.locate("r").await, Location::Pending { .. }));
}

pub async fn a_claim_that_is_given_back_waits_again(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    broker.leave_pending("r").await;
    let (claimed, ..) = broker.claim(&broker.appetite()).await;
    assert!(!broker.withdraw(broker.incarnation(), "r", claimed[0].epoch).await, "a claim is no placement");
    assert!(broker.release("r", claimed[0].epoch, Fate::Recover).await);
    assert_eq!((broker.load().await, broker.scan().await.claimable), (Some(0), 1));
}

/// What a broker claims that leaves to others what is theirs.
fn fair(broker: &Broker) -> ClaimRequest {
    ClaimRequest { overflow: 0, ..broker.appetite() }
}

pub async fn brokers_that_claim_their_share_end_up_with_the_same_load(cluster: Cluster) {
    let (a, b, c) = (cluster.broker("a").await, cluster.broker("b").await, cluster.broker("c").await);
    let drained = cluster.broker_like(BrokerRecord { draining: true, ..record("d") }).await;
    for n in 0..9 {
        a.leave_pending(&format!("r{n}")).await;
    }
    // Eight of the load are there already: three brokers end up with 17 together, six at most each.
    let epoch = a.create("busy").await.epoch;
    assert!(a.set_load("busy", epoch, 8).await);
    let mut counts = Vec::new();
    for broker in [&a, &b, &c] {
        counts.push((broker.claim(&fair(broker)).await.0.len(), broker.load().await));
    }
    assert_eq!(counts, [(0, Some(8)), (6, Some(6)), (3, Some(3))]);
    assert_eq!(drained.load().await, Some(0));
}

pub async fn a_share_counts_only_those_that_host_the_class(cluster: Cluster) {
    let (a, _b) = (cluster.broker("a").await, cluster.broker("b").await);
    let hall = cluster.broker_like(BrokerRecord { classes: classes(&["Hall", "Room"]), ..record("c") }).await;
    for n in 0..3 {
        a.leave_pending(&format!("r{n}")).await;
        hall.pend(&hall.wish("Hall", Some(&format!("h{n}")))).await;
    }
    let (claimed, remaining, _) = hall.claim(&fair(&hall)).await;
    assert_eq!((ids(&claimed), remaining), (vec!["h0", "h1", "h2"], 3), "it has its share of rooms with the halls");
}

pub async fn who_has_its_share_takes_a_part_of_what_is_left_over_when_it_asks_for_it(cluster: Cluster) {
    let (a, _b) = (cluster.broker("a").await, cluster.broker("b").await);
    let epoch = a.create("busy").await.epoch;
    assert!(a.set_load("busy", epoch, 100).await);
    for n in 0..8 {
        a.leave_pending(&format!("r{n}")).await;
    }
    assert_eq!(a.claim(&fair(&a)).await, (vec![], 8, 0));
    let quarter = ClaimRequest { overflow: 4, ..a.appetite() };
    assert_eq!(a.claim(&quarter).await.0.len(), 2);
}

pub async fn shares_follow_what_brokers_say_of_themselves(cluster: Cluster) {
    let (a, mut b) = (cluster.broker("a").await, cluster.broker("b").await);
    for n in 0..4 {
        a.leave_pending(&format!("r{n}")).await;
    }
    let size = async |broker: &Broker| {
        let (claimed, ..) = broker.claim(&fair(broker)).await;
        for entry in &claimed {
            broker.release(entry.id.as_str(), entry.epoch, Fate::Recover).await;
        }
        claimed.len()
    };
    assert_eq!(size(&a).await, 2);
    b.record.classes = classes(&["Hall"]);
    b.coordinator.update(&b.record).await.expect("update");
    assert_eq!(size(&a).await, 4);
    b.record.classes = classes(&["Hall", "Room"]);
    b.register(LEASE).await;
    assert_eq!(size(&a).await, 2);
    b.leave(Fate::Delete, CHUNK).await;
    assert_eq!(size(&a).await, 4);
}
