//! What becomes of the workers of a broker that dies or leaves.

use super::cluster::*;
use dworker::coordination::*;
use dworker::ids::ServerTime;

fn evicted(recovered: u64, deleted: u64, remaining: u64) -> Eviction {
    Eviction::Evicted { recovered, deleted, remaining, quarantined: Vec::new() }
}

/// A broker with the workers r0, r1, … (recoverable) and m0, m1, … (not), made one after the other.
async fn with_workers(cluster: &Cluster, id: &str, lasting: usize, mortal: usize) -> Broker {
    let broker = cluster.broker(id).await;
    for n in 0..lasting {
        broker.create(&format!("r{n}")).await;
        cluster.pass(2).await;
    }
    for n in 0..mortal {
        broker.create_mortal(&format!("m{n}")).await;
    }
    broker
}

pub async fn who_has_a_valid_lease_is_not_evicted(cluster: Cluster) {
    let living = with_workers(&cluster, "a", 1, 0).await;
    let other = cluster.broker("b").await;
    let lease_expires = living.scan().await.members[0].lease_expires;
    assert_eq!(other.evict_expired(&living, CHUNK).await, Eviction::Alive { lease_expires });
    assert_eq!(living.scan().await.members[0].lease_expires, lease_expires);
    assert_eq!((living.load().await, living.owned().await.len()), (Some(1), 1));
}

pub async fn who_let_its_lease_run_out_is_evicted_and_its_workers_are_salvaged(cluster: Cluster) {
    let dead = with_workers(&cluster, "a", 2, 1).await;
    dead.activate("r0").await;
    let other = cluster.broker("b").await;
    cluster.expire(&dead).await;
    assert_eq!(other.evict_expired(&dead, CHUNK).await, evicted(2, 1, 0));
    let left: Vec<_> = other.scan().await.members.into_iter().map(|member| member.record).collect();
    assert_eq!(left, std::slice::from_ref(&other.record));
    for id in ["r0", "r1"] {
        assert_eq!(other.locate(id).await, Location::Pending { class: "Room".into(), cluster: "main".into() });
    }
    assert_eq!(other.locate("m0").await, Location::None);
    assert_eq!((dead.owned().await.len(), other.scan().await.claimable), (0, 2));
    assert!(matches!(dead.renew(LEASE).await, Renewal::Evicted { .. }));
    assert_eq!(dead.activate("r0").await, None);
}

pub async fn who_is_proven_dead_is_evicted_before_its_lease_runs_out(cluster: Cluster) {
    let dead = with_workers(&cluster, "a", 1, 0).await;
    let other = cluster.broker("b").await;
    let lease_expires = other.scan().await.members[0].lease_expires;
    assert_eq!(other.evict(&dead, &other.proof(lease_expires), CHUNK).await, evicted(1, 0, 0));
}

pub async fn the_next_life_of_a_broker_evicts_the_last_one_before_it_has_a_lease_of_its_own(cluster: Cluster) {
    let dead = with_workers(&cluster, "a", 1, 0).await;
    let next = Broker { coordinator: cluster.visitor().await, record: record("next") };
    let lease_expires = dead.scan().await.members[0].lease_expires;
    let too_late = ServerTime(lease_expires.0 - 1);
    assert_eq!(next.evict(&dead, &next.proof(lease_expires), CHUNK).await, Eviction::NotMember);
    let answer = next.evict(&dead, &Death::Succeeded { lease_expires: too_late }, CHUNK).await;
    assert_eq!(answer, Eviction::Alive { lease_expires });
    assert_eq!(next.evict(&dead, &Death::Succeeded { lease_expires }, CHUNK).await, evicted(1, 0, 0));
}

pub async fn no_proof_counts_against_the_valid_lease_of_a_strict_broker(cluster: Cluster) {
    let strict = cluster.broker_like(BrokerRecord { strict: true, ..record("a") }).await;
    strict.create("w").await;
    let other = cluster.broker("b").await;
    let lease_expires = other.scan().await.members[0].lease_expires;
    let next = BrokerRecord { incarnation: "next".into(), ..strict.record.clone() };
    let answer = cluster.visitor().await.register(&next, LEASE).await;
    assert!(matches!(answer, Ok(Registration::IdInUse(Holder { strict: true, .. }))), "{answer:?}");
    for death in [other.proof(lease_expires), Death::Succeeded { lease_expires }] {
        assert_eq!(other.evict(&strict, &death, CHUNK).await, Eviction::Alive { lease_expires });
    }
    cluster.expire(&strict).await;
    let lease_expires = other.scan().await.members[0].lease_expires;
    assert_eq!(other.evict(&strict, &Death::Succeeded { lease_expires }, CHUNK).await, evicted(1, 0, 0));
}

pub async fn a_renewal_disproves_a_death(cluster: Cluster) {
    let living = with_workers(&cluster, "a", 1, 0).await;
    let other = cluster.broker("b").await;
    let seen = other.scan().await.members[0].lease_expires;
    cluster.pass(2).await;
    for ttl in [LEASE, LEASE / 2] {
        let Renewal::Renewed { lease_expires, .. } = living.renew(ttl).await else { panic!("evicted") };
        let answer = other.evict(&living, &other.proof(seen), CHUNK).await;
        assert_eq!(answer, Eviction::Alive { lease_expires });
    }
    assert_eq!(living.owned().await.len(), 1);
}

pub async fn a_renewal_disproves_a_death_also_when_it_looks_run_out_as_after_a_jump_of_the_clock(cluster: Cluster) {
    let dead = with_workers(&cluster, "a", 1, 0).await;
    let other = cluster.broker("b").await;
    let seen = other.scan().await.members[0].lease_expires;
    cluster.expire(&dead).await;
    let lease_expires = other.scan().await.members[0].lease_expires;
    assert_eq!(other.evict(&dead, &other.proof(seen), CHUNK).await, Eviction::Alive { lease_expires });
    assert_eq!(other.evict(&dead, &other.proof(lease_expires), CHUNK).await, evicted(1, 0, 0));
}

pub async fn an_eviction_goes_on_in_parts_oldest_first_whoever_takes_the_next(cluster: Cluster) {
    let dead = with_workers(&cluster, "a", 5, 0).await;
    let (b, c) = (cluster.broker("b").await, cluster.broker("c").await);
    cluster.expire(&dead).await;
    assert_eq!(b.evict_expired(&dead, 2).await, evicted(2, 0, 3));
    assert_eq!(dead.owned().await, ["r2", "r3", "r4"]);
    let owner = Owner { incarnation: dead.incarnation().clone(), address: None };
    assert!(matches!(b.locate("r2").await, Location::Owned { owner: found, .. } if found == owner));
    assert_eq!(c.evict_expired(&dead, 2).await, evicted(2, 0, 1));
    assert_eq!(b.evict_expired(&dead, 2).await, evicted(1, 0, 0));
    assert_eq!(b.scan().await.claimable, 5);
}

pub async fn what_is_left_of_an_eviction_is_seen_until_somebody_has_gone_on_with_it(cluster: Cluster) {
    let dead = with_workers(&cluster, "a", 3, 0).await;
    let other = cluster.broker("b").await;
    cluster.expire(&dead).await;
    assert_eq!(other.evict_expired(&dead, 1).await, evicted(1, 0, 2));
    assert_eq!(other.scan().await.unsalvaged, [dead.incarnation().clone()]);
    assert_eq!(other.evict_expired(&dead, CHUNK).await, evicted(2, 0, 0));
    assert_eq!(other.scan().await.unsalvaged, []);
}

pub async fn what_is_left_of_a_departure_goes_the_way_that_it_began(cluster: Cluster) {
    let leaving = with_workers(&cluster, "a", 3, 0).await;
    let other = cluster.broker("b").await;
    assert_eq!(leaving.leave(Fate::Delete, 1).await, 2);
    assert_eq!(other.scan().await.unsalvaged, [leaving.incarnation().clone()]);
    assert_eq!(other.evict_expired(&leaving, CHUNK).await, evicted(0, 2, 0));
    assert_eq!((other.scan().await.unsalvaged, other.scan().await.claimable), (Vec::new(), 0));
}

pub async fn evicting_again_finds_nothing_left_to_do(cluster: Cluster) {
    let dead = with_workers(&cluster, "a", 1, 1).await;
    let other = cluster.broker("b").await;
    let lease_expires = other.scan().await.members[0].lease_expires;
    let expected = now(&other.coordinator).await;
    for death in [other.proof(lease_expires), other.proof(lease_expires), Death::Expired { expected }] {
        let expected = if dead.owned().await.is_empty() { evicted(0, 0, 0) } else { evicted(1, 1, 0) };
        assert_eq!(other.evict(&dead, &death, CHUNK).await, expected);
    }
    let never = Broker { coordinator: cluster.visitor().await, record: record("n") };
    assert_eq!(other.evict_expired(&never, CHUNK).await, evicted(0, 0, 0));
    assert_eq!(other.scan().await.claimable, 1);
}

pub async fn an_eviction_may_only_take_the_lease_at_first(cluster: Cluster) {
    let dead = with_workers(&cluster, "a", 2, 0).await;
    let other = cluster.broker("b").await;
    cluster.expire(&dead).await;
    assert_eq!(other.evict_expired(&dead, 0).await, evicted(0, 0, 2));
    assert_eq!((other.scan().await.members.len(), dead.owned().await.len()), (1, 2));
}

pub async fn an_eviction_moves_a_chunk_at_most(cluster: Cluster) {
    let dead = cluster.broker("a").await;
    for n in 0..CHUNK + 2 {
        dead.create(&format!("r{n}")).await;
    }
    let other = cluster.broker("b").await;
    cluster.expire(&dead).await;
    assert_eq!(other.evict_expired(&dead, CHUNK * 2).await, evicted(CHUNK as u64, 0, 2));
}

pub async fn who_has_no_valid_lease_evicts_nobody(cluster: Cluster) {
    let (dead, evictor) = (with_workers(&cluster, "a", 1, 0).await, cluster.broker("b").await);
    let stranger = Broker { coordinator: cluster.visitor().await, record: record("s") };
    cluster.expire(&dead).await;
    cluster.expire(&evictor).await;
    let lease_expires = dead.scan().await.members[0].lease_expires;
    for by in [&evictor, &stranger, &dead] {
        for death in [Death::Expired { expected: now(&by.coordinator).await }, by.proof(lease_expires)] {
            assert_eq!(by.evict(&dead, &death, CHUNK).await, Eviction::NotMember);
        }
    }
    assert_eq!((dead.scan().await.members.len(), dead.owned().await.len()), (2, 1));
}

pub async fn the_worker_of_a_dead_broker_is_claimed_and_the_dead_one_can_touch_it_no_more(cluster: Cluster) {
    let dead = cluster.broker("a").await;
    let epoch = dead.create("r").await.epoch;
    dead.activate("r").await;
    let heir = cluster.broker("b").await;
    cluster.expire(&dead).await;
    heir.evict_expired(&dead, CHUNK).await;
    let (claimed, ..) = heir.claim(&heir.appetite()).await;
    assert!(claimed[0].epoch > epoch);
    assert_eq!(dead.activate("r").await, None);
    for touched in [
        dead.set_load("r", epoch, 7).await,
        dead.release("r", epoch, Fate::Delete).await,
        dead.release("r", claimed[0].epoch, Fate::Delete).await,
        dead.withdraw(dead.incarnation(), "r", epoch).await,
    ] {
        assert!(!touched);
    }
    assert!(matches!(heir.locate("r").await, Location::Owned { owner, .. } if owner == heir.owner()));
    assert_eq!(heir.load().await, Some(1));
}

pub async fn a_broker_of_another_cluster_may_evict(cluster: Cluster) {
    let dead = with_workers(&cluster, "a", 1, 0).await;
    let other = cluster.broker_like(BrokerRecord { cluster: "side".into(), ..record("b") }).await;
    cluster.expire(&dead).await;
    assert_eq!(other.evict_expired(&dead, CHUNK).await, evicted(1, 0, 0));
    assert_eq!(other.scan().await.claimable, 0);
    let heir = cluster.broker("c").await;
    assert_eq!(heir.scan().await.claimable, 1);
}

pub async fn who_leaves_hands_its_recoverable_workers_over(cluster: Cluster) {
    let leaving = with_workers(&cluster, "a", 2, 1).await;
    let other = cluster.broker("b").await;
    assert_eq!(leaving.leave(Fate::Recover, CHUNK).await, 0);
    let members = other.scan().await.members;
    assert_eq!(members.iter().map(|member| &member.record).collect::<Vec<_>>(), [&other.record]);
    assert_eq!((other.scan().await.claimable, leaving.owned().await.len()), (2, 0));
    assert_eq!(other.locate("m0").await, Location::None);
}

pub async fn who_leaves_for_good_takes_its_workers_along(cluster: Cluster) {
    let leaving = with_workers(&cluster, "a", 2, 1).await;
    let other = cluster.broker("b").await;
    assert_eq!(leaving.leave(Fate::Delete, CHUNK).await, 0);
    for id in ["r0", "r1", "m0"] {
        assert_eq!(other.locate(id).await, Location::None);
    }
    assert_eq!(other.scan().await.claimable, 0);
}

pub async fn leaving_goes_on_in_parts_and_can_be_repeated(cluster: Cluster) {
    let leaving = with_workers(&cluster, "a", 3, 0).await;
    let mut left = Vec::new();
    for _ in 0..4 {
        left.push(leaving.leave(Fate::Recover, 2).await);
    }
    assert_eq!(left, [1, 0, 0, 0]);
    let other = cluster.broker("b").await;
    assert_eq!((other.scan().await.members.len(), other.scan().await.claimable), (1, 3));
}

pub async fn leaving_needs_no_lease(cluster: Cluster) {
    let leaving = with_workers(&cluster, "a", 1, 0).await;
    cluster.expire(&leaving).await;
    assert_eq!(leaving.leave(Fate::Recover, CHUNK).await, 0);
    let never = Broker { coordinator: cluster.visitor().await, record: record("n") };
    assert_eq!(never.leave(Fate::Recover, CHUNK).await, 0);
    assert!(never.scan().await.members.is_empty());
}

pub async fn what_is_left_can_still_be_given_up_by_its_owner(cluster: Cluster) {
    let leaving = cluster.broker("a").await;
    let epochs = [leaving.create("r0").await.epoch, leaving.create("r1").await.epoch];
    assert_eq!(leaving.leave(Fate::Recover, 0).await, 2);
    assert!(leaving.activate("r0").await.is_some());
    assert!(leaving.set_load("r0", epochs[0], 9).await);
    assert!(leaving.release("r0", epochs[0], Fate::Recover).await);
    assert!(leaving.withdraw(leaving.incarnation(), "r1", epochs[1]).await);
    assert_eq!(leaving.owned().await.len(), 0);
}

pub async fn who_registers_again_after_leaving_finds_the_load_of_what_is_left(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let epochs = [broker.create("r0").await.epoch, broker.create("r1").await.epoch];
    broker.set_load("r0", epochs[0], 5).await;
    assert_eq!(broker.leave(Fate::Recover, 0).await, 2);
    broker.set_load("r1", epochs[1], 7).await;
    broker.register(LEASE).await;
    assert_eq!(broker.load().await, Some(12));
    broker.release("r1", epochs[1], Fate::Delete).await;
    assert_eq!(broker.load().await, Some(5));
}
