//! Leases and records.

use super::cluster::*;
use crate::disturbance::Disturbance;
use dworker::coordination::*;
use dworker::ids::*;
use std::time::Duration;

fn expiry(renewal: &Renewal) -> ServerTime {
    match renewal {
        Renewal::Renewed { lease_expires, .. } => *lease_expires,
        Renewal::Evicted { .. } => panic!("evicted"),
    }
}

fn next(renewal: &Renewal) -> Option<ServerTime> {
    match renewal {
        Renewal::Renewed { next_expiry, .. } => next_expiry.clone().map(|expiry| expiry.at),
        Renewal::Evicted { .. } => panic!("evicted"),
    }
}

fn incarnations(membership: &Membership) -> Vec<&str> {
    membership.members.iter().map(|member| member.record.incarnation.as_str()).collect()
}

pub async fn a_broker_that_joins_is_seen_by_others_with_all_that_it_said(cluster: Cluster) {
    let watcher = cluster.broker("a").await;
    let said = BrokerRecord {
        cluster: "side".into(),
        address: Endpoint { host: "fe80::1%eth0".into(), port: 65535 },
        classes: classes(&["Alpha", "Beta", "Gamma"]),
        protocol: (1, 7),
        draining: true,
        ..record("b")
    };
    let broker = Broker { coordinator: cluster.visitor().await, record: said.clone() };
    let Registration::Joined(joined) = broker.register(LEASE).await else { panic!("refused") };
    assert_eq!(joined.lease_expires.0, joined.now.0 + LEASE.as_millis() as u64);
    let seen = watcher.scan().await;
    assert_eq!(seen.members[1], Member { record: said, lease_expires: joined.lease_expires, load: 0 });
}

pub async fn a_broker_may_host_no_class_at_all(cluster: Cluster) {
    let broker = cluster.broker_like(BrokerRecord { classes: classes(&[]), ..record("a") }).await;
    assert_eq!(broker.scan().await.members[0].record, broker.record);
    assert_eq!(broker.place(&broker.wish("Room", None)).await, super::placement::no_broker());
}

pub async fn all_brokers_learn_one_secret_and_one_generation(cluster: Cluster) {
    let (first, second) = (cluster.broker("a").await, cluster.broker("b").await);
    let Registration::Joined(one) = first.register(LEASE).await else { panic!("refused") };
    let Registration::Joined(two) = second.register(LEASE).await else { panic!("refused") };
    assert!(one.secret.len() >= 32 && !one.generation.is_empty());
    assert_eq!((&one.secret, &one.generation), (&two.secret, &two.generation));
    assert_eq!(first.scan().await.generation, one.generation);
}

pub async fn a_broker_learns_the_secret_before_it_joins(cluster: Cluster) {
    let visitor = cluster.visitor().await;
    let secret = visitor.secret().await.expect("secret");
    assert!(secret.len() >= 32);
    let first = cluster.broker("a").await;
    assert_eq!(first.joined().await.secret, secret);
    assert_eq!(visitor.secret().await.expect("secret"), secret);
    assert_eq!(first.scan().await.members.len(), 1);
}

pub async fn registering_again_renews_the_lease_replaces_the_record_and_keeps_the_load(cluster: Cluster) {
    let mut broker = cluster.broker("a").await;
    broker.create("r").await;
    let before = broker.scan().await.members[0].lease_expires;
    broker.record.classes = classes(&["Hall"]);
    broker.record.lease_ttl = LEASE * 2;
    let Registration::Joined(joined) = broker.register(LEASE * 2).await else { panic!("refused") };
    assert!(joined.lease_expires.0 >= before.0 + LEASE.as_millis() as u64);
    let seen = broker.scan().await.members;
    assert_eq!(seen, [Member { record: broker.record.clone(), lease_expires: joined.lease_expires, load: 1 }]);
}

pub async fn a_broker_id_in_use_is_refused_and_the_answer_says_by_whom(cluster: Cluster) {
    let first = cluster.broker("a").await;
    let held = first.scan().await;
    let second = BrokerRecord { incarnation: "another".into(), ..record("a") };
    let answer = cluster.visitor().await.register(&second, LEASE).await;
    let Ok(Registration::IdInUse(holder)) = answer else { panic!("{answer:?}") };
    assert_eq!(
        holder,
        Holder {
            incarnation: first.incarnation().clone(),
            address: first.record.address.clone(),
            lease_expires: held.members[0].lease_expires,
            now: holder.now,
            lease_ttl: first.record.lease_ttl,
            strict: false,
        }
    );
    assert!(holder.now >= held.now && holder.now < holder.lease_expires);
    assert_eq!(first.scan().await.members, held.members);
}

pub async fn a_broker_id_whose_lease_ran_out_is_free_once_that_life_was_evicted(cluster: Cluster) {
    let old = cluster.broker("a").await;
    cluster.expire(&old).await;
    let second = BrokerRecord { incarnation: "another".into(), ..record("a") };
    let visitor = cluster.visitor().await;
    let answer = visitor.register(&second, LEASE).await;
    let Ok(Registration::IdInUse(holder)) = answer else { panic!("{answer:?}") };
    assert!(holder.now >= holder.lease_expires);
    let death = Death::Succeeded { lease_expires: holder.lease_expires };
    let evicted = visitor.evict(&second.incarnation, old.incarnation(), &death, CHUNK).await;
    assert!(matches!(evicted, Ok(Eviction::Evicted { .. })), "{evicted:?}");
    let new = cluster.broker_like(second).await;
    assert_eq!(incarnations(&new.scan().await), ["another"]);
    assert!(matches!(old.renew(LEASE).await, Renewal::Evicted { .. }));
}

pub async fn a_life_that_is_not_known_cannot_announce_itself_over_another_of_its_broker(cluster: Cluster) {
    let old = cluster.broker("a").await;
    let knew = old.joined().await;
    cluster.disturb(Disturbance::Wipe).await;
    let second = BrokerRecord { incarnation: "another".into(), ..record("a") };
    let new = cluster.broker_like(second).await;
    let answer = old.coordinator.announce(&old.word(&knew, &[])).await;
    assert!(
        matches!(&answer, Ok(Registration::IdInUse(holder)) if holder.incarnation == *new.incarnation()),
        "{answer:?}"
    );
    new.leave(Fate::Recover, CHUNK).await;
    old.announce(&old.word(&knew, &[])).await;
}

pub async fn a_broker_id_is_free_after_its_broker_left(cluster: Cluster) {
    cluster.broker("a").await.leave(Fate::Delete, CHUNK).await;
    cluster.broker_like(BrokerRecord { incarnation: "another".into(), ..record("a") }).await;
}

pub async fn a_renewed_lease_lasts_for_the_new_ttl(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let before = broker.scan().await.members[0].lease_expires;
    let longer = broker.renew(LEASE * 3).await;
    assert!(expiry(&longer).0 >= before.0 + 2 * LEASE.as_millis() as u64);
    let Renewal::Renewed { now, lease_expires, .. } = broker.renew(LEASE / 2).await else { panic!("evicted") };
    assert_eq!(lease_expires.0, now.0 + LEASE.as_millis() as u64 / 2);
    assert_eq!(broker.scan().await.members[0].lease_expires, lease_expires);
}

pub async fn a_renewal_tells_which_other_lease_runs_out_next(cluster: Cluster) {
    let (a, b, c) = (cluster.broker("a").await, cluster.broker("b").await, cluster.broker("c").await);
    let (of_a, of_b) = (expiry(&a.renew(LEASE * 3).await), expiry(&b.renew(LEASE * 2).await));
    assert_eq!(next(&c.renew(LEASE).await), Some(of_b));
    cluster.expire(&b).await;
    let expired = next(&a.renew(LEASE * 3).await);
    assert!(expired.is_some_and(|at| at.0 < of_a.0), "an expired lease is the next to look at");
    b.leave(Fate::Delete, CHUNK).await;
    c.leave(Fate::Delete, CHUNK).await;
    assert_eq!(next(&a.renew(LEASE).await), None);
}

pub async fn an_expired_lease_that_nobody_evicted_can_be_renewed(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    cluster.expire(&broker).await;
    assert_eq!(broker.place(&broker.wish("Room", None)).await, Placement::NotMember);
    assert!(matches!(broker.renew(LEASE).await, Renewal::Renewed { .. }));
    broker.create("r").await;
}

pub async fn who_is_not_registered_cannot_renew(cluster: Cluster) {
    let (never, left, evicted) = (
        Broker { coordinator: cluster.visitor().await, record: record("n") },
        cluster.broker("l").await,
        cluster.broker("e").await,
    );
    let other = cluster.broker("o").await;
    left.leave(Fate::Recover, CHUNK).await;
    cluster.expire(&evicted).await;
    other.evict_expired(&evicted, CHUNK).await;
    for broker in [never, left, evicted] {
        assert!(
            matches!(broker.renew(LEASE).await, Renewal::Evicted { now, .. } if now.0 > 0),
            "{:?}",
            broker.record.broker
        );
    }
    assert_eq!(incarnations(&other.scan().await), [other.incarnation().as_str()]);
}

pub async fn an_update_replaces_what_a_broker_said_and_leaves_its_lease_alone(cluster: Cluster) {
    let mut broker = cluster.broker("a").await;
    let lease = broker.scan().await.members[0].lease_expires;
    broker.record.classes = classes(&["Hall", "Room"]);
    broker.record.draining = true;
    broker.record.address.port = 4001;
    assert_eq!(broker.coordinator.update(&broker.record).await, Ok(true));
    let seen = broker.scan().await.members;
    assert_eq!(seen, [Member { record: broker.record.clone(), lease_expires: lease, load: 0 }]);
}

pub async fn an_update_of_who_is_not_registered_changes_nothing(cluster: Cluster) {
    let visitor = cluster.visitor().await;
    assert_eq!(visitor.update(&record("a")).await, Ok(false));
    assert!(visitor.scan(&record("a").incarnation).await.expect("scan").members.is_empty());
}

pub async fn an_update_does_not_need_a_valid_lease(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    cluster.expire(&broker).await;
    assert_eq!(broker.coordinator.update(&broker.record).await, Ok(true));
}

pub async fn members_come_by_incarnation_with_expired_ones_among_them(cluster: Cluster) {
    let (c, a, b) = (cluster.broker("c").await, cluster.broker("a").await, cluster.broker("b").await);
    cluster.expire(&b).await;
    let seen = a.scan().await;
    let sorted = [&a, &b, &c].map(|broker| broker.incarnation().as_str());
    assert_eq!(incarnations(&seen), sorted);
    assert!(seen.members[1].lease_expires < seen.now);
    assert!(seen.members[2].lease_expires > seen.now);
}

pub async fn the_waiting_workers_that_a_broker_could_claim_are_counted_for_it(cluster: Cluster) {
    let room = cluster.broker("a").await;
    let hall = cluster.broker_like(BrokerRecord { classes: classes(&["Hall", "Room"]), ..record("b") }).await;
    let side = cluster.broker_like(BrokerRecord { cluster: "side".into(), ..record("c") }).await;
    for id in ["r1", "r2"] {
        room.leave_pending(id).await;
    }
    hall.pend(&hall.wish("Hall", Some("h1"))).await;
    side.pend(&side.wish("Room", Some("s1"))).await;
    let counts = [room.scan().await.claimable, hall.scan().await.claimable, side.scan().await.claimable];
    assert_eq!(counts, [2, 3, 1]);
    assert_eq!(room.coordinator.scan(&"nobody".into()).await.expect("scan").claimable, 0);
}

pub async fn every_call_to_restart_counts_and_all_see_it(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    assert_eq!(broker.scan().await.restart_number, 0);
    assert_eq!(broker.coordinator.request_restart().await, Ok(1));
    assert_eq!(cluster.visitor().await.request_restart().await, Ok(2));
    assert_eq!(broker.scan().await.restart_number, 2);
    let Registration::Joined(joined) = broker.register(LEASE).await else { panic!("refused") };
    assert_eq!(joined.restart_number, 2);
}

pub async fn there_is_one_clock_for_all(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let before = now(&broker.coordinator).await;
    let scanned = broker.scan().await.now;
    let Renewal::Renewed { now: renewed, .. } = broker.renew(LEASE).await else { panic!("evicted") };
    let after = now(&cluster.visitor().await).await;
    assert!(before <= scanned && scanned <= renewed && renewed <= after);
    assert!(before.0 > 1_600_000_000_000, "milliseconds since 1970, not {before:?}");
    cluster.pass(5).await;
    assert!(now(&broker.coordinator).await.0 >= before.0 + 5);
}

pub async fn a_lease_is_over_at_the_very_millisecond_of_its_expiry(cluster: Cluster) {
    if !cluster.clock_stands() {
        return;
    }
    let broker = cluster.broker("a").await;
    broker.renew(Duration::from_millis(100)).await;
    cluster.pass(99).await;
    assert!(matches!(broker.place(&broker.wish("Room", None)).await, Placement::Reserved { .. }));
    cluster.pass(1).await;
    assert_eq!(broker.place(&broker.wish("Room", None)).await, Placement::NotMember);
}
