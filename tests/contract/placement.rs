//! How a worker finds its first owner.

use super::cluster::*;
use dworker::coordination::*;
use dworker::ids::*;
use std::collections::BTreeMap;
use std::time::Duration;

pub fn no_broker() -> Placement {
    Placement::NoBroker { cluster: "main".into() }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("b{n}")).collect()
}

pub async fn a_worker_is_placed_on_the_least_loaded_broker(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let first = a.create("r1").await;
    assert_eq!(first.owner, a.owner());
    assert_eq!(a.create_anywhere("r2").await.owner, b.owner());
    a.set_load("r1", first.epoch, 10).await;
    for id in ["r3", "r4", "r5"] {
        assert_eq!(a.create_anywhere(id).await.owner, b.owner());
    }
    assert_eq!((a.load().await, b.load().await), (Some(10), Some(4)));
}

pub async fn equally_loaded_brokers_are_chosen_in_turn(cluster: Cluster) {
    const ROUNDS: usize = 40;
    let mut brokers = Vec::new();
    for name in names(4) {
        brokers.push(cluster.broker(&name).await);
    }
    let mut landed: BTreeMap<Incarnation, usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        // All are idle again each time, so the load decides nothing.
        let Reserved { owner, epoch, .. } = brokers[0].create_anywhere("r").await;
        let chosen = brokers.iter().find(|broker| *broker.incarnation() == owner.incarnation).expect("one of them");
        assert!(chosen.release("r", epoch, Fate::Delete).await);
        cluster.pass(round as u64 % 3).await;
        *landed.entry(owner.incarnation).or_default() += 1;
    }
    assert_eq!(landed.len(), brokers.len(), "{landed:?}");
    assert!(landed.values().all(|count| *count < ROUNDS * 3 / 4), "{landed:?}");
}

pub async fn an_excluded_broker_is_not_chosen(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let without = |excluded: &[&Broker], id| PlaceRequest {
        exclude: excluded.iter().map(|broker| broker.incarnation().clone()).collect(),
        ..a.wish("Room", Some(id))
    };
    for id in ["r1", "r2"] {
        assert_eq!(a.reserve(&without(&[&a], id)).await.owner, b.owner());
    }
    assert_eq!(a.place(&without(&[&a, &b], "r3")).await, no_broker());
    let taken = a.place(&without(&[&b], "r1")).await;
    assert!(matches!(taken, Placement::Existing { owner, .. } if owner == b.owner()), "it is found wherever it is");
}

pub async fn a_reservation_counts_as_load_at_once(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    broker.create("r1").await;
    broker.create("r2").await;
    assert_eq!(broker.load().await, Some(2 * RESERVED_LOAD));
}

pub async fn a_hundred_creates_at_once_over_four_idle_brokers_land_evenly(cluster: Cluster) {
    let mut brokers = Vec::new();
    for name in names(4) {
        brokers.push(cluster.broker(&name).await);
    }
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..100 {
        let (coordinator, request) = (brokers[n % 4].coordinator.clone(), brokers[n % 4].wish("Room", None));
        asked.spawn(async move { coordinator.place(&request).await });
    }
    let mut landed: BTreeMap<Incarnation, u32> = BTreeMap::new();
    for answer in asked.join_all().await {
        let Ok(Placement::Reserved { owner, .. }) = answer else { panic!("{answer:?}") };
        *landed.entry(owner.incarnation).or_default() += 1;
    }
    assert_eq!(landed.into_values().collect::<Vec<_>>(), [25, 25, 25, 25]);
}

pub async fn only_a_broker_that_hosts_the_class_is_chosen(cluster: Cluster) {
    let (room, hall) = (
        cluster.broker("a").await,
        cluster.broker_like(BrokerRecord { classes: classes(&["Hall"]), ..record("b") }).await,
    );
    assert_eq!(room.reserve(&room.wish("Hall", None)).await.owner, hall.owner());
    assert_eq!(hall.reserve(&hall.wish("Room", None)).await.owner, room.owner());
    assert_eq!(room.place(&room.wish("Attic", None)).await, no_broker());
}

pub async fn a_class_is_hosted_by_its_whole_name_only(cluster: Cluster) {
    let broker =
        cluster.broker_like(BrokerRecord { classes: classes(&["Room,Hall", "R", "Rooms"]), ..record("a") }).await;
    for class in ["Room", "Hall", ",", "", "Room,", "ooms"] {
        assert_eq!(broker.place(&broker.wish(class, None)).await, no_broker(), "{class:?}");
    }
    broker.reserve(&broker.wish("Room,Hall", None)).await;
}

pub async fn only_a_broker_of_the_cluster_is_chosen_whoever_asks(cluster: Cluster) {
    let main = cluster.broker("a").await;
    let side = cluster.broker_like(BrokerRecord { cluster: "side".into(), ..record("b") }).await;
    let request = PlaceRequest { cluster: "side".into(), ..main.wish("Room", None) };
    for _ in 0..3 {
        assert_eq!(main.reserve(&request).await.owner, side.owner());
    }
    let nowhere = PlaceRequest { cluster: "nowhere".into(), ..main.wish("Room", None) };
    assert_eq!(main.place(&nowhere).await, Placement::NoBroker { cluster: "nowhere".into() });
}

pub async fn a_draining_broker_gets_nothing_but_may_ask(cluster: Cluster) {
    let draining = cluster.broker_like(BrokerRecord { draining: true, ..record("a") }).await;
    assert_eq!(draining.place(&draining.wish("Room", None)).await, no_broker());
    let other = cluster.broker("b").await;
    assert_eq!(draining.create_anywhere("r").await.owner, other.owner());
}

pub async fn a_broker_whose_lease_ran_out_gets_nothing(cluster: Cluster) {
    let (gone, other) = (cluster.broker("a").await, cluster.broker("b").await);
    cluster.expire(&gone).await;
    assert_eq!(other.create_anywhere("r1").await.owner, other.owner());
    assert_eq!(other.create_anywhere("r2").await.owner, other.owner());
}

pub async fn who_has_no_valid_lease_places_nothing(cluster: Cluster) {
    let (expired, other) = (cluster.broker("a").await, cluster.broker("b").await);
    cluster.expire(&expired).await;
    let left = cluster.broker("c").await;
    left.leave(Fate::Delete, CHUNK).await;
    other.create("taken").await;
    for by in [expired.incarnation(), left.incarnation(), &"stranger".into()] {
        for id in [None, Some("r"), Some("taken")] {
            let request = PlaceRequest { by: by.clone(), ..other.wish("Room", id) };
            assert_eq!(other.place(&request).await, Placement::NotMember);
        }
    }
    assert_eq!(other.locate("r").await, Location::None);
    assert_eq!(other.load().await, Some(1));
    assert_eq!(other.reserve(&other.wish("Room", None)).await.id.as_str(), "Room#1");
}

pub async fn names_count_from_one_for_each_class(cluster: Cluster) {
    let a = cluster.broker_like(BrokerRecord { classes: classes(&["Hall", "Room"]), ..record("a") }).await;
    let b = cluster.broker_like(BrokerRecord { cluster: "side".into(), ..record("b") }).await;
    let mut named = Vec::new();
    for (broker, class) in [(&a, "Room"), (&a, "Room"), (&a, "Hall"), (&b, "Room"), (&a, "Hall")] {
        named.push(broker.reserve(&broker.wish(class, None)).await.id.to_string());
    }
    assert_eq!(named, ["Room#1", "Room#2", "Hall#1", "Room#3", "Hall#2"]);
}

pub async fn names_that_exist_are_skipped_and_names_that_were_used_do_not_come_back(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    broker.create("Room#2").await;
    broker.leave_pending("Room#3").await;
    let mut named = Vec::new();
    for _ in 0..3 {
        let reserved = broker.reserve(&broker.wish("Room", None)).await;
        assert!(broker.release(reserved.id.as_str(), reserved.epoch, Fate::Delete).await);
        named.push(reserved.id.to_string());
    }
    assert_eq!(named, ["Room#1", "Room#4", "Room#5"]);
}

pub async fn no_broker_means_that_nothing_changed(cluster: Cluster) {
    let mut broker = cluster.broker("a").await;
    broker.leave_pending("r").await;
    broker.record.draining = true;
    assert_eq!(broker.coordinator.update(&broker.record).await, Ok(true));
    cluster.pass(5).await;
    let old = PlaceRequest { ttl: Duration::from_millis(1), ..broker.wish("Room", Some("r")) };
    for request in [broker.wish("Room", Some("r")), old, broker.wish("Room", Some("new")), broker.wish("Room", None)] {
        assert_eq!(broker.place(&request).await, no_broker());
    }
    assert_eq!(broker.locate("r").await, Location::Pending { class: "Room".into(), cluster: "main".into() });
    assert_eq!(broker.locate("new").await, Location::None);
    broker.record.draining = false;
    assert_eq!(broker.coordinator.update(&broker.record).await, Ok(true));
    assert_eq!(broker.reserve(&broker.wish("Room", None)).await.id.as_str(), "Room#1");
}

pub async fn a_worker_that_has_an_owner_is_found_and_not_placed_again(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let Reserved { id, class, owner, epoch } = a.create("r").await;
    let existing =
        |state| Placement::Existing { id: id.clone(), class: class.clone(), owner: owner.clone(), epoch, state };
    let request = PlaceRequest { class: "Hall".into(), cluster: "side".into(), ..b.wish("Room", Some("r")) };
    assert_eq!(b.place(&request).await, existing(EntryState::Placing));
    a.activate("r").await;
    assert_eq!(b.place(&request).await, existing(EntryState::Active));
    assert_eq!((a.load().await, b.load().await), (Some(1), Some(0)));
}

pub async fn a_worker_whose_owner_is_gone_is_found_without_an_address(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let epoch = a.create("r").await.epoch;
    assert_eq!(a.leave(Fate::Recover, 0).await, 1);
    let owner = Owner { incarnation: a.incarnation().clone(), address: None };
    let (class, state) = (ClassName::new("Room"), EntryState::Placing);
    let existing = Placement::Existing { id: "r".into(), class: class.clone(), owner: owner.clone(), epoch, state };
    assert_eq!(b.place(&b.wish("Room", Some("r"))).await, existing);
    assert_eq!(b.locate("r").await, Location::Owned { class, owner, epoch, state });
}

pub async fn a_pending_worker_is_placed_as_it_was(cluster: Cluster) {
    let hall =
        cluster.broker_like(BrokerRecord { classes: classes(&["Hall"]), cluster: "side".into(), ..record("a") }).await;
    let asking = cluster.broker("b").await;
    let first = PlaceRequest { attributes: r#"{"n":[]}"#.into(), ..hall.wish("Hall", Some("r")) };
    let epoch = hall.pend(&first).await;
    let created = hall.scan().await.now;
    cluster.pass(5).await;
    let request = PlaceRequest { recoverable: false, attributes: "0".into(), ..asking.wish("Hall", Some("r")) };
    let again = asking.reserve(&request).await;
    assert_eq!((again.owner, again.class.as_str()), (hall.owner(), "Hall"));
    assert!(again.epoch > epoch);
    let entry = hall.activate("r").await.expect("it stands under its owner");
    assert!(entry.created <= created);
    let expected = Entry {
        lasting: Default::default(),
        id: "r".into(),
        class: "Hall".into(),
        cluster: "side".into(),
        epoch: again.epoch,
        cause: Cause::Recovery,
        attempt: 1,
        created: entry.created,
        recoverable: true,
        attributes: first.attributes,
        history: Default::default(),
    };
    assert_eq!(entry, expected);
    assert_eq!(hall.load().await, Some(1));
    assert_eq!(hall.scan().await.claimable, 0);
}

pub async fn a_pending_worker_waits_while_nobody_hosts_its_own_class(cluster: Cluster) {
    let mut broker = cluster.broker_like(BrokerRecord { classes: classes(&["Hall", "Room"]), ..record("a") }).await;
    broker.pend(&broker.wish("Hall", Some("r"))).await;
    broker.record.classes = classes(&["Room"]);
    assert_eq!(broker.coordinator.update(&broker.record).await, Ok(true));
    let elsewhere = PlaceRequest { cluster: "side".into(), ..broker.wish("Hall", Some("r")) };
    assert_eq!(broker.place(&elsewhere).await, no_broker(), "the cluster is that of the entry");
    assert_eq!(broker.locate("r").await, Location::Pending { class: "Hall".into(), cluster: "main".into() });
}

pub async fn a_pending_worker_of_another_class_is_not_placed_and_both_are_named(cluster: Cluster) {
    let broker = cluster.broker_like(BrokerRecord { classes: classes(&["Hall", "Room"]), ..record("a") }).await;
    broker.pend(&broker.wish("Hall", Some("r"))).await;
    let waits = Placement::OtherClassWaits { id: "r".into(), class: "Hall".into(), cluster: "main".into() };
    assert_eq!(broker.place(&broker.wish("Room", Some("r"))).await, waits);
    assert_eq!(broker.locate("r").await, Location::Pending { class: "Hall".into(), cluster: "main".into() });
    assert_eq!((broker.load().await, broker.scan().await.claimable), (Some(0), 1));
}

pub async fn a_pending_worker_that_outlived_its_ttl_is_made_new(cluster: Cluster) {
    let broker = cluster.broker_like(BrokerRecord { classes: classes(&["Hall", "Room"]), ..record("a") }).await;
    let epoch = broker.pend(&broker.wish("Hall", Some("r"))).await;
    cluster.pass(20).await;
    let request = PlaceRequest {
        recoverable: false,
        attributes: "[1]".into(),
        ttl: Duration::from_millis(10),
        ..broker.wish("Room", Some("r"))
    };
    let before = now(&broker.coordinator).await;
    let made = broker.reserve(&request).await;
    assert_eq!(made.class.as_str(), "Room");
    let entry = broker.activate("r").await.expect("it stands under its owner");
    assert!(made.epoch > epoch && entry.epoch == made.epoch && entry.created >= before);
    assert_eq!((entry.cause, entry.recoverable, entry.attributes.as_str()), (Cause::New, false, "[1]"));
    assert_eq!(broker.scan().await.claimable, 0);
}

pub async fn a_pending_worker_within_its_ttl_or_without_one_is_recovered(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    for (id, ttl) in [("r1", LEASE), ("r2", Duration::ZERO)] {
        broker.leave_pending(id).await;
        cluster.pass(5).await;
        broker.reserve(&PlaceRequest { ttl, ..broker.wish("Room", Some(id)) }).await;
        assert_eq!(broker.activate(id).await.map(|entry| entry.cause), Some(Cause::Recovery));
    }
    if cluster.clock_stands() {
        let ttl = Duration::from_millis(10);
        for (waited, cause) in [(10, Cause::Recovery), (11, Cause::New)] {
            let id = format!("after-{waited}");
            broker.leave_pending(&id).await;
            cluster.pass(waited).await;
            broker.reserve(&PlaceRequest { ttl, ..broker.wish("Room", Some(&id)) }).await;
            assert_eq!(broker.activate(&id).await.map(|entry| entry.cause), Some(cause));
        }
    }
}

pub async fn epochs_grow_through_destruction(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let mut last = Epoch(0);
    for _ in 0..20 {
        let Reserved { epoch, .. } = broker.create("r").await;
        assert!(epoch > last);
        last = epoch;
        assert!(broker.release("r", epoch, Fate::Delete).await);
    }
    let micros = now(&broker.coordinator).await.0 * 1000;
    assert!(last.0.abs_diff(micros) < 60_000_000, "{last} is not about {micros} µs");
}

pub async fn epochs_grow_while_the_clock_goes_back(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    broker.renew(LEASE * 100).await;
    let mut last = Epoch(0);
    for back in [0, 1, 1000, 3_600_000] {
        cluster.turn_back(back);
        let placed = broker.create("r").await;
        assert!(placed.epoch > last, "after a step of {back} ms");
        assert!(broker.release("r", placed.epoch, Fate::Recover).await);
        let (claimed, ..) = broker.claim(&broker.appetite()).await;
        assert!(claimed[0].epoch > placed.epoch, "after a step of {back} ms");
        last = claimed[0].epoch;
        assert!(broker.release("r", last, Fate::Delete).await);
    }
}

pub async fn a_create_that_is_repeated_after_a_lost_reply_finds_its_own_reservation(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let first = broker.create("r").await;
    match broker.place(&broker.wish("Room", Some("r"))).await {
        Placement::Existing { epoch, state: EntryState::Placing, .. } => assert_eq!(epoch, first.epoch),
        other => panic!("{other:?}"),
    }
    assert_eq!(broker.load().await, Some(1));
}
