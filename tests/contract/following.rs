//! How brokers follow who is a member: by a version and what changed since.

use super::cluster::*;
use crate::disturbance::Disturbance::Wipe;
use dworker::coordination::*;
use dworker::ids::*;
use std::time::Duration;

async fn look(broker: &Broker, known: Option<&Known>) -> Look {
    broker.coordinator.look(broker.incarnation(), known).await.expect("look")
}

async fn find(broker: &Broker, other: &Broker) -> Sighting {
    broker.coordinator.find_member(other.incarnation()).await.expect("find_member")
}

pub async fn who_knows_nothing_gets_all_members_and_who_knows_them_gets_no_change(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let first = look(&a, None).await;
    assert_eq!(first.changes.records, [a.record.clone(), b.record.clone()]);
    assert!(first.changes.complete && first.changes.departed.is_empty());
    b.renew(LEASE).await;
    b.create("r").await;
    let again = look(&a, Some(&first.known)).await;
    assert_eq!(again.changes, Changes { complete: false, records: vec![], departed: vec![] });
    assert_eq!(again.known, first.known, "neither leases nor loads are changes");
}

pub async fn what_changed_since_is_told_and_nothing_else(cluster: Cluster) {
    let (a, mut b, c) = (cluster.broker("a").await, cluster.broker("b").await, cluster.broker("c").await);
    let first = look(&a, None).await;
    let d = cluster.broker("d").await;
    b.record.draining = true;
    b.coordinator.update(&b.record).await.expect("update");
    c.leave(Fate::Delete, CHUNK).await;
    let second = look(&a, Some(&first.known)).await;
    assert_eq!(second.changes.records, [b.record.clone(), d.record.clone()]);
    assert_eq!(second.changes.departed, [(c.incarnation().clone(), Departure::Left)]);
    assert!(!second.changes.complete && second.known.version > first.known.version);
    cluster.expire(&d).await;
    a.evict_expired(&d, CHUNK).await;
    let third = look(&a, Some(&second.known)).await;
    assert_eq!(
        (third.changes.records.len(), third.changes.departed),
        (0, vec![(d.incarnation().clone(), Departure::Dead)])
    );
}

pub async fn an_update_that_changes_nothing_is_no_change(cluster: Cluster) {
    let a = cluster.broker("a").await;
    let first = look(&a, None).await;
    assert_eq!(a.coordinator.update(&a.record).await, Ok(true));
    assert_eq!(look(&a, Some(&first.known)).await.known, first.known);
}

pub async fn who_departs_and_comes_back_is_a_member_that_changed(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let first = look(&a, None).await;
    b.leave(Fate::Delete, CHUNK).await;
    b.register(LEASE).await;
    let second = look(&a, Some(&first.known)).await;
    assert_eq!((second.changes.records, second.changes.departed), (vec![b.record.clone()], vec![]));
}

pub async fn a_state_of_another_generation_server_or_future_is_none(cluster: Cluster) {
    let a = cluster.broker("a").await;
    let Known { generation, server, version } = look(&a, None).await.known;
    let others = [
        Known { generation: "other".into(), server: server.clone(), version },
        Known { generation: generation.clone(), server: ServerId::new("other"), version },
        Known { generation, server, version: version + 1 },
    ];
    for known in others {
        assert!(look(&a, Some(&known)).await.changes.complete, "{known:?}");
    }
}

pub async fn nothing_known_of_a_wiped_database_holds(cluster: Cluster) {
    let a = cluster.broker("a").await;
    cluster.disturb(Wipe).await;
    let empty = look(&a, None).await.known;
    assert_eq!((empty.generation.as_str(), empty.version), ("", 0));
    assert!(look(&a, Some(&empty)).await.changes.complete);
}

pub async fn a_version_grows_while_the_clock_goes_back(cluster: Cluster) {
    let a = cluster.broker("a").await;
    let before = look(&a, None).await.known.version;
    cluster.turn_back(3_600_000);
    cluster.broker("b").await;
    assert!(look(&a, None).await.known.version > before);
}

pub async fn departures_are_forgotten_in_the_end_and_all_members_are_told_then(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let first = look(&a, None).await;
    for number in 0..DEPARTURES + 1 {
        let one = BrokerRecord { classes: classes(&[]), ..record(&format!("c{number}")) };
        a.coordinator.register(&one, LEASE).await.expect("register");
        a.coordinator.leave(&one.incarnation, Fate::Delete, CHUNK).await.expect("leave");
    }
    let last = look(&a, Some(&first.known)).await;
    assert_eq!(last.changes.records, [a.record.clone(), b.record.clone()]);
    assert_eq!((last.changes.complete, last.changes.departed.len()), (true, DEPARTURES));
}

pub async fn leases_that_ran_out_are_named_first_ones_first(cluster: Cluster) {
    let (a, b, c) = (cluster.broker("a").await, cluster.broker("b").await, cluster.broker("c").await);
    assert_eq!(look(&a, None).await.overdue, []);
    cluster.expire(&c).await;
    cluster.expire(&b).await;
    let overdue: Vec<_> = look(&a, None).await.overdue.into_iter().map(|expiry| expiry.incarnation).collect();
    assert_eq!(overdue, [c.incarnation().clone(), b.incarnation().clone()]);
    let overdue = look(&b, None).await.overdue;
    assert_eq!(overdue.len(), 1, "one's own is not among them: {overdue:?}");
}

pub async fn a_look_tells_the_asking_broker_its_load_and_what_it_could_claim(cluster: Cluster) {
    let a = cluster.broker("a").await;
    a.leave_pending("waits").await;
    let epoch = a.create("r").await.epoch;
    a.set_load("r", epoch, 7).await;
    let seen = look(&a, None).await;
    assert_eq!((seen.load, seen.claimable, seen.settled), (7, 1, true));
}

pub async fn one_member_is_found_with_its_lease_and_load(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let epoch = b.create("r").await;
    let owner = if epoch.owner.incarnation == *b.incarnation() { &b } else { &a };
    let seen = find(&a, owner).await;
    let member = seen.member.expect("it is registered");
    assert_eq!((&member.record, member.load, seen.settled), (&owner.record, RESERVED_LOAD, true));
    b.leave(Fate::Delete, CHUNK).await;
    let seen = find(&a, &b).await;
    assert_eq!((seen.member, seen.settled), (None, true));
}

pub async fn more_than_half_of_three_or_more_that_fell_silent_together_have_one_more_lease_to_come_back(
    cluster: Cluster,
) {
    let ttl = Duration::from_millis(400);
    let like = |id: &str| BrokerRecord { lease_ttl: ttl, ..record(id) };
    let (a, b, c) = (
        cluster.broker_like(record("a")).await,
        cluster.broker_like(like("b")).await,
        cluster.broker_like(like("c")).await,
    );
    for broker in [&b, &c] {
        broker.renew(Duration::from_millis(1)).await;
    }
    cluster.pass(2).await;
    let Eviction::Outage { until } = a.evict_expired(&b, CHUNK).await else { panic!("b was not spared") };
    let left = until.0 - now(&a.coordinator).await.0;
    assert!(left > 0 && left <= 400, "{left}");
    assert!(look(&a, None).await.changes.records.contains(&b.record));
    // One of them comes back: the other is alone.
    c.renew(LEASE).await;
    assert!(matches!(a.evict_expired(&b, CHUNK).await, Eviction::Evicted { .. }));
    // The last two: there are too few to tell.
    c.renew(Duration::from_millis(1)).await;
    cluster.pass(2).await;
    assert!(matches!(a.evict_expired(&c, CHUNK).await, Eviction::Evicted { .. }));
}

pub async fn who_does_not_come_back_after_an_outage_is_evicted(cluster: Cluster) {
    let like = |id: &str| BrokerRecord { lease_ttl: Duration::from_millis(100), ..record(id) };
    let (a, b, c) = (
        cluster.broker_like(record("a")).await,
        cluster.broker_like(like("b")).await,
        cluster.broker_like(like("c")).await,
    );
    for broker in [&b, &c] {
        broker.renew(Duration::from_millis(1)).await;
    }
    cluster.pass(102).await;
    assert!(matches!(a.evict_expired(&b, CHUNK).await, Eviction::Evicted { .. }));
}
