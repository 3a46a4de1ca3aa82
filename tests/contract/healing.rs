//! How the tables become whole again after their server was restarted, wiped or rolled back.

use super::cluster::*;
use crate::disturbance::Disturbance::{Restart, RollBack, Snapshot, Wipe};
use dworker::coordination::*;
use dworker::ids::*;
use std::time::Duration;

/// Short enough to be waited for.
const SHORT: Duration = Duration::from_millis(300);

fn agreed(renewal: &Renewal) -> bool {
    match renewal {
        Renewal::Renewed { server_agreed, .. } | Renewal::Evicted { server_agreed, .. } => *server_agreed,
    }
}

async fn settled(broker: &Broker) -> bool {
    broker.scan().await.settled
}

/// A broker whose own record says that it leases for so long.
async fn leasing(cluster: &Cluster, id: &str, lease_ttl: Duration) -> Broker {
    cluster.broker_like(BrokerRecord { lease_ttl, ..record(id) }).await
}

/// Comes back with what it holds.
async fn come_back(broker: &Broker, knew: &Joined, remembered: &[&Broker], held: &[Held]) -> Joined {
    let joined = broker.announce(&broker.word(knew, remembered)).await;
    assert_eq!(broker.restore(held).await, vec![true; held.len()]);
    assert!(broker.settle(&joined).await);
    joined
}

pub async fn the_first_that_registers_agrees_on_the_server(cluster: Cluster) {
    let visitor = cluster.visitor().await;
    let nobody = Incarnation::new("nobody");
    assert!(!visitor.scan(&nobody).await.expect("scan").settled);
    assert_eq!(visitor.locate(&"r".into()).await, Ok(Location::Unsettled));
    let unknown = visitor.renew(&nobody, LEASE).await.expect("renew");
    assert!(matches!(unknown, Renewal::Evicted { generation: None, server_agreed: false, .. }), "{unknown:?}");
    let broker = cluster.broker("a").await;
    let joined = broker.joined().await;
    assert_eq!(Some(joined.server.clone()), broker.coordinator.server());
    let Renewal::Renewed { generation, server, server_agreed, .. } = broker.renew(LEASE).await else {
        panic!("evicted")
    };
    assert_eq!((generation, server, server_agreed), (joined.generation, joined.server, true));
    assert!(settled(&broker).await);
}

pub async fn on_a_restarted_server_nothing_unknown_is_activated_moved_or_evicted(cluster: Cluster) {
    let (a, dead) = (cluster.broker("a").await, cluster.broker("b").await);
    let owner = a.create("r").await.owner;
    a.leave_pending("p").await;
    cluster.expire(&dead).await;
    cluster.disturb(Restart).await;
    let before = (a.scan().await.members, dead.owned().await);
    for id in [None, Some("unknown"), Some("p")] {
        assert_eq!(a.place(&a.wish("Room", id)).await, Placement::Unsettled, "{id:?}");
    }
    assert_eq!(
        dead.place(&dead.wish("Room", None)).await,
        Placement::Unsettled,
        "an expired lease may be the outage's"
    );
    assert!(
        matches!(a.place(&a.wish("Room", Some("r"))).await, Placement::Existing { owner: found, .. } if found == owner)
    );
    assert_eq!(a.coordinator.claim(&a.appetite()).await, Ok(Claim::Unsettled));
    let lease_expires = before.0[1].lease_expires;
    assert_eq!(a.evict_expired(&dead, CHUNK).await, Eviction::Unsettled);
    assert_eq!(a.evict(&dead, &a.proof(lease_expires), CHUNK).await, Eviction::Unsettled);
    let activation = a.coordinator.activate(a.incarnation(), &["r".into()]).await;
    assert_eq!(activation, Ok(Activation::Unsettled));
    assert_eq!(a.locate("unknown").await, Location::Unsettled);
    assert_eq!(a.locate("p").await, Location::Pending { class: "Room".into(), cluster: "main".into() });
    assert!(matches!(a.locate("r").await, Location::Owned { state: EntryState::Placing, .. }));
    assert!(!agreed(&a.renew(LEASE).await));
    let after = a.scan().await;
    assert!(!after.settled);
    assert_eq!((after.members.len(), after.members[1].clone(), dead.owned().await), (2, before.0[1].clone(), before.1));
}

pub async fn on_a_restarted_server_owners_may_still_change_what_is_theirs(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let (r, s) = (broker.create("r").await.epoch, broker.create("s").await.epoch);
    cluster.disturb(Restart).await;
    assert!(broker.set_load("r", r, 9).await);
    assert!(broker.release("s", s, Fate::Delete).await);
    assert_eq!((broker.load().await, broker.owned().await), (Some(9), vec!["r".to_string()]));
}

pub async fn after_a_restart_everything_goes_on_when_the_last_has_settled(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let (knew_a, knew_b) = (a.joined().await, b.joined().await);
    let reserved = a.create("r").await;
    cluster.disturb(Restart).await;
    let mut hints = b.coordinator.signals();
    let joined = come_back(&a, &knew_a, &[&b], &[]).await;
    assert_eq!((&joined.generation, &joined.secret), (&knew_a.generation, &knew_a.secret));
    assert_ne!(joined.server, knew_a.server);
    assert!(agreed(&b.renew(LEASE).await) && !settled(&a).await, "b is awaited");
    assert_eq!(a.place(&a.wish("Room", None)).await, Placement::Unsettled);
    come_back(&b, &knew_b, &[&a], &[]).await;
    hear(&mut hints, &Signal::Settled).await;
    assert!(settled(&a).await);
    assert_eq!(a.activate("r").await.map(|entry| entry.epoch), Some(reserved.epoch));
    assert!(b.reserve(&b.wish("Room", None)).await.epoch > reserved.epoch);
    assert_eq!(a.locate("unknown").await, Location::None);
}

pub async fn who_never_comes_back_is_awaited_as_long_as_its_lease_and_no_longer(cluster: Cluster) {
    let (a, gone) = (leasing(&cluster, "a", SHORT).await, leasing(&cluster, "b", SHORT * 2).await);
    let knew = a.joined().await;
    cluster.disturb(Restart).await;
    let word = Announcement { patience: SHORT, ..a.word(&knew, &[&gone]) };
    let joined = a.announce(&word).await;
    assert!(a.settle(&joined).await);
    a.renew(LEASE).await;
    assert!(!settled(&a).await);
    let over = joined.now.0 + 2 * SHORT.as_millis() as u64;
    if cluster.clock_stands() {
        cluster.pass(2 * SHORT.as_millis() as u64 - 1).await;
        a.renew(LEASE).await;
        assert!(!settled(&a).await, "the longest lease counts");
    }
    cluster.pass(over.saturating_sub(now(&a.coordinator).await.0)).await;
    let mut hints = gone.coordinator.signals();
    a.renew(LEASE).await;
    hear(&mut hints, &Signal::Settled).await;
    assert!(settled(&a).await);
    let expected = now(&a.coordinator).await;
    assert!(matches!(
        a.evict(&gone, &Death::Expired { expected }, CHUNK).await,
        Eviction::Evicted { .. } | Eviction::Alive { .. }
    ));
}

pub async fn a_clock_that_steps_back_prolongs_no_healing(cluster: Cluster) {
    if !cluster.clock_stands() {
        return;
    }
    let (a, gone) = (leasing(&cluster, "a", SHORT).await, leasing(&cluster, "b", SHORT).await);
    let knew = a.joined().await;
    cluster.disturb(Restart).await;
    a.announce(&Announcement { patience: SHORT, ..a.word(&knew, &[&gone]) }).await;
    cluster.turn_back(3_600_000);
    a.renew(LEASE).await;
    assert!(!settled(&a).await);
    cluster.pass(SHORT.as_millis() as u64).await;
    a.renew(LEASE).await;
    assert!(settled(&a).await);
}

pub async fn after_a_wipe_two_brokers_put_everything_back(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let (knew_a, knew_b) = (a.joined().await, b.joined().await);
    let attributes = r#"{"big":12345678901234567890,"list":[]}"#;
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    for n in 0..6 {
        let id = format!("r{n}");
        let wish = PlaceRequest { attributes: attributes.into(), recoverable: n % 2 == 0, ..a.wish("Room", Some(&id)) };
        let (broker, held) = if a.reserve(&wish).await.owner == a.owner() { (&a, &mut at_a) } else { (&b, &mut at_b) };
        held.push(broker.hold(&id, 3 + n).await);
    }
    assert_eq!((at_a.len(), at_b.len()), (3, 3));
    let before = (a.scan().await.members, a.locate("r0").await, a.locate("r5").await);
    cluster.disturb(Wipe).await;
    let told = a.renew(LEASE).await;
    assert!(matches!(&told, Renewal::Evicted { generation: None, server_agreed: false, .. }), "{told:?}");
    let joined = come_back(&a, &knew_a, &[&b], &at_a).await;
    assert_ne!(joined.generation, knew_a.generation);
    assert_eq!((&joined.secret, &joined.server), (&knew_a.secret, &knew_a.server));
    assert_eq!(a.locate("unknown").await, Location::Unsettled, "it may live with b");
    for held in &at_b {
        let wish = a.wish("Room", Some(held.entry.id.as_str()));
        assert_eq!(a.place(&wish).await, Placement::Unsettled, "it lives with b");
    }
    let Renewal::Evicted { generation, server_agreed, .. } = b.renew(LEASE).await else { panic!("b has no lease") };
    assert_eq!((generation.as_ref(), server_agreed), (Some(&joined.generation), true));
    assert_eq!(come_back(&b, &knew_b, &[&a], &at_b).await.generation, joined.generation);
    assert!(settled(&a).await);
    let loads =
        |members: &[Member]| members.iter().map(|member| (member.record.clone(), member.load)).collect::<Vec<_>>();
    assert_eq!(loads(&a.scan().await.members), loads(&before.0));
    assert_eq!((a.locate("r0").await, a.locate("r5").await), (before.1, before.2));
    for (broker, all) in [(&a, &at_a), (&b, &at_b)] {
        for held in all {
            assert_eq!(broker.activate(held.entry.id.as_str()).await.as_ref(), Some(&held.entry));
        }
    }
    assert_eq!(a.locate("unknown").await, Location::None);
}

pub async fn after_a_wipe_nothing_that_was_given_out_comes_again(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let (knew_a, knew_b) = (a.joined().await, b.joined().await);
    let mut last = Epoch(0);
    for n in 1..=7 {
        let reserved = a.reserve(&a.wish("Room", None)).await;
        assert_eq!(numbered(&reserved.id), Some(("Room".into(), n)));
        last = reserved.epoch;
        let owner = if reserved.owner == a.owner() { &a } else { &b };
        assert!(owner.release(reserved.id.as_str(), last, Fate::Delete).await);
    }
    a.coordinator.request_restart().await.expect("restart");
    cluster.disturb(Wipe).await;
    cluster.turn_back(3_600_000);
    // Each saw a part of it.
    let some =
        Announcement { counters: vec![("Room".into(), 5)], epoch: last, restart_number: 0, ..a.word(&knew_a, &[&b]) };
    let more = Announcement {
        counters: vec![("Room".into(), 7), ("Hall".into(), 2)],
        restart_number: 1,
        ..b.word(&knew_b, &[])
    };
    let joined = a.announce(&some).await;
    assert!(a.settle(&joined).await);
    let joined = b.announce(&more).await;
    assert_eq!(joined.restart_number, 1);
    assert!(b.settle(&joined).await);
    a.announce(&some).await;
    assert_eq!(a.scan().await.restart_number, 1);
    let reserved = b.reserve(&b.wish("Room", None)).await;
    assert_eq!(reserved.id.as_str(), "Room#8");
    assert!(reserved.epoch > last, "{} after {last}", reserved.epoch);
}

pub async fn the_first_secret_is_adopted(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let knew = a.joined().await;
    cluster.disturb(Wipe).await;
    let (one, two) = ("1".repeat(64), "2".repeat(64));
    let first = a.announce(&Announcement { secret: one.clone(), ..a.word(&knew, &[&b]) }).await;
    let second = b.announce(&Announcement { secret: two, ..b.word(&knew, &[&a]) }).await;
    assert_eq!((first.secret, second.secret), (one.clone(), one.clone()));
    assert_eq!(cluster.broker("c").await.joined().await.secret, one);
}

pub async fn announcing_and_restoring_again_does_no_harm(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let knew = broker.joined().await;
    broker.create("r").await;
    let held = broker.hold("r", 4).await;
    for disturbance in [Wipe, Restart] {
        cluster.disturb(disturbance).await;
        let knows = broker.announce(&broker.word(&knew, &[])).await;
        let again = broker.announce(&broker.word(&knew, &[])).await;
        assert_eq!((&again.generation, &again.secret), (&knows.generation, &knows.secret));
        for _ in 0..2 {
            assert_eq!(broker.restore(std::slice::from_ref(&held)).await, [true]);
        }
        assert!(broker.settle(&again).await && broker.settle(&knows).await);
        assert_eq!((broker.load().await, broker.owned().await), (Some(4), vec!["r".to_string()]));
        broker.announce(&broker.word(&again, &[])).await;
        assert!(settled(&broker).await, "nothing happened that would have to heal");
    }
}

pub async fn of_two_holders_the_higher_epoch_stays(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    a.renew(LEASE).await;
    let held = |epoch, load| Held {
        entry: Entry {
            lasting: Default::default(),
            id: "r".into(),
            class: "Room".into(),
            cluster: "main".into(),
            epoch: Epoch(epoch),
            cause: Cause::New,
            attempt: 1,
            created: ServerTime(7),
            recoverable: true,
            attributes: epoch.to_string(),
            history: Default::default(),
        },
        state: EntryState::Active,
        load,
    };
    let mut hints = b.coordinator.signals();
    assert_eq!(a.restore(&[held(5, 2)]).await, [true]);
    assert_eq!(b.restore(&[held(5, 3)]).await, [false], "the same epoch is no better");
    assert_eq!(b.restore(&[held(7, 3)]).await, [true]);
    hear(&mut hints, &Signal::Overruled(a.incarnation().clone())).await;
    assert_eq!(a.restore(&[held(5, 2)]).await, [false], "a is fenced");
    assert_eq!((a.load().await, a.owned().await.len()), (Some(0), 0));
    assert_eq!((b.load().await, b.owned().await), (Some(3), vec!["r".to_string()]));
    assert_eq!(b.activate("r").await, Some(held(7, 3).entry));
    assert_eq!(b.restore(&[held(9, 6)]).await, [true], "of its own the higher counts too");
    assert_eq!((b.load().await, b.owned().await.len()), (Some(6), 1));
}

pub async fn a_worker_that_waits_is_taken_back_by_who_holds_it(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    broker.create("r").await;
    let held = broker.hold("r", 5).await;
    assert!(broker.release("r", held.entry.epoch, Fate::Recover).await);
    assert_eq!(broker.restore(std::slice::from_ref(&held)).await, [true]);
    assert_eq!((broker.load().await, broker.scan().await.claimable), (Some(5), 0));
    assert!(broker.release("r", held.entry.epoch, Fate::Recover).await);
    let (claimed, ..) = broker.claim(&broker.appetite()).await;
    assert!(broker.release("r", claimed[0].epoch, Fate::Recover).await);
    assert_eq!(broker.restore(&[held]).await, [false], "it was made again since");
    assert_eq!((broker.load().await, broker.scan().await.claimable), (Some(0), 1));
}

pub async fn more_workers_than_a_chunk_are_restored_in_one_call(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let one = |n: usize| Held {
        entry: Entry {
            lasting: Default::default(),
            id: WorkerId::new(format!("r{n:04}")),
            class: "Room".into(),
            cluster: "main".into(),
            epoch: Epoch(1 + n as u64),
            cause: Cause::Recovery,
            attempt: 2,
            created: ServerTime(n as u64),
            recoverable: true,
            // Some are too large to be sent with many others.
            attributes: "x".repeat(if n.is_multiple_of(100) { 300_000 } else { 3 }),
            history: Default::default(),
        },
        state: EntryState::Active,
        load: 2,
    };
    let all: Vec<_> = (0..CHUNK + 3).map(one).collect();
    assert_eq!(broker.restore(&all).await, vec![true; all.len()]);
    assert_eq!(broker.load().await, Some(2 * all.len() as u64));
    assert_eq!(broker.owned().await.len(), CHUNK);
    assert!(broker.activate("r0100").await == Some(all[100].entry.clone()));
    assert!(broker.restore(&[]).await.is_empty());
}

pub async fn a_rolled_back_owner_that_is_dead_makes_no_worker_claimable(cluster: Cluster) {
    let (a, b) = (leasing(&cluster, "a", SHORT).await, leasing(&cluster, "b", SHORT).await);
    let dead = leasing(&cluster, "d", SHORT).await;
    let (knew_a, knew_b) = (a.joined().await, b.joined().await);
    let id = loop {
        let reserved = a.reserve(&a.wish("Room", None)).await;
        if reserved.owner == dead.owner() {
            break reserved.id.to_string();
        }
    };
    cluster.disturb(Snapshot).await;
    let seen = a.scan().await.members.into_iter().find(|member| member.record == dead.record).expect("it is there");
    assert!(matches!(a.evict(&dead, &a.proof(seen.lease_expires), CHUNK).await, Eviction::Evicted { .. }));
    let (claimed, ..) = b.claim(&b.appetite()).await;
    assert_eq!(claimed[0].id.as_str(), id);
    let held = Held { entry: claimed[0].clone(), state: EntryState::Active, load: 1 };
    cluster.disturb(RollBack).await;
    assert!(
        matches!(a.locate(&id).await, Location::Owned { owner, .. } if owner == dead.owner()),
        "it stands there again"
    );
    let word = Announcement { patience: SHORT, ..a.word(&knew_a, &[&b]) };
    let joined = a.announce(&word).await;
    assert!(a.settle(&joined).await);
    for death in [a.proof(seen.lease_expires), Death::Expired { expected: now(&a.coordinator).await }] {
        assert_eq!(a.evict(&dead, &death, CHUNK).await, Eviction::Unsettled, "b has not spoken");
    }
    assert_eq!(a.coordinator.claim(&a.appetite()).await, Ok(Claim::Unsettled));
    let joined = b.announce(&b.word(&knew_b, &[&a])).await;
    assert_eq!(b.restore(std::slice::from_ref(&held)).await, [true]);
    assert!(b.settle(&joined).await);
    cluster.pass(SHORT.as_millis() as u64 + 1).await;
    for broker in [&a, &b] {
        broker.renew(LEASE).await;
    }
    assert!(settled(&a).await, "the dead one was awaited long enough");
    // Its lease stood in the snapshot; now it runs out.
    cluster.pass(SHORT.as_millis() as u64 + 1).await;
    for broker in [&a, &b] {
        broker.renew(LEASE).await;
    }
    assert_eq!(
        a.evict_expired(&dead, CHUNK).await,
        Eviction::Evicted { recovered: 0, deleted: 0, remaining: 0, quarantined: vec![] },
        "b holds what it had"
    );
    assert!(
        matches!(a.locate(&id).await, Location::Owned { owner, epoch, .. } if owner == b.owner() && epoch == held.entry.epoch)
    );
    assert!(!a.claim(&a.appetite()).await.0.iter().any(|entry| entry.id.as_str() == id));
}

pub async fn a_rolled_back_worker_that_waits_is_not_claimable_before_its_owner_has_spoken(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let (knew_a, knew_b) = (a.joined().await, b.joined().await);
    a.leave_pending("r").await;
    cluster.disturb(Snapshot).await;
    let (claimed, ..) = b.claim(&b.appetite()).await;
    let held = Held { entry: claimed[0].clone(), state: EntryState::Active, load: 1 };
    cluster.disturb(RollBack).await;
    come_back(&a, &knew_a, &[&b], &[]).await;
    assert_eq!(a.coordinator.claim(&a.appetite()).await, Ok(Claim::Unsettled));
    assert_eq!(a.place(&a.wish("Room", Some("r"))).await, Placement::Unsettled);
    come_back(&b, &knew_b, &[&a], &[held]).await;
    assert_eq!(a.claim(&a.appetite()).await, (vec![], 0, 0));
    assert!(
        matches!(a.place(&a.wish("Room", Some("r"))).await, Placement::Existing { owner, .. } if owner == b.owner())
    );
}

pub async fn who_is_not_registered_restores_nothing(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let knew = broker.joined().await;
    broker.create("r").await;
    let held = [broker.hold("r", 1).await];
    cluster.disturb(Wipe).await;
    assert_eq!(broker.coordinator.restore(broker.incarnation(), &held).await, Ok(Restoration::NotMember));
    assert_eq!(broker.owned().await.len(), 0);
    come_back(&broker, &knew, &[], &held).await;
    assert_eq!(broker.owned().await.len(), 1);
}

pub async fn who_settles_for_a_database_that_is_gone_is_told(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let knew = a.joined().await;
    for disturbance in [Wipe, Restart] {
        cluster.disturb(disturbance).await;
        let slow = a.announce(&a.word(&knew, &[&b])).await;
        cluster.disturb(disturbance).await;
        assert!(!a.settle(&slow).await);
        let joined = b.announce(&b.word(&knew, &[&a])).await;
        assert!(!a.settle(&slow).await, "a has put back nothing here");
        assert!(b.settle(&joined).await && !settled(&b).await);
        let joined = a.announce(&a.word(&knew, &[&b])).await;
        assert!(a.settle(&joined).await && settled(&b).await);
    }
}

pub async fn who_leaves_is_awaited_no_more(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let knew = a.joined().await;
    cluster.disturb(Restart).await;
    come_back(&a, &knew, &[&b], &[]).await;
    assert!(!settled(&a).await);
    assert_eq!(b.leave(Fate::Recover, CHUNK).await, 0);
    assert!(settled(&a).await);
}

pub async fn the_next_life_of_a_broker_takes_over_while_nothing_is_settled(cluster: Cluster) {
    let (dead, other) = (cluster.broker("a").await, cluster.broker("b").await);
    let knew = other.joined().await;
    dead.create("r").await;
    let lease_expires = dead.scan().await.members[0].lease_expires;
    cluster.disturb(Restart).await;
    come_back(&other, &knew, &[&dead], &[]).await;
    assert!(!settled(&other).await);
    let next = Broker {
        coordinator: cluster.visitor().await,
        record: BrokerRecord { incarnation: "f".repeat(32).as_str().into(), ..dead.record.clone() },
    };
    assert!(matches!(next.register(LEASE).await, Registration::IdInUse(_)));
    let evicted = next.evict(&dead, &Death::Succeeded { lease_expires }, CHUNK).await;
    assert_eq!(evicted, Eviction::Evicted { recovered: 1, deleted: 0, remaining: 0, quarantined: vec![] });
    assert!(settled(&other).await, "the dead one is awaited no more");
    assert!(matches!(next.register(LEASE).await, Registration::Joined(_)));
}

pub async fn a_newcomer_waits_for_those_who_have_a_lease_on_the_new_server(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let (knew_a, knew_b) = (a.joined().await, b.joined().await);
    cluster.expire(&b).await;
    cluster.disturb(Restart).await;
    let newcomer = cluster.broker("c").await;
    assert!(agreed(&newcomer.renew(LEASE).await));
    assert_eq!(newcomer.place(&newcomer.wish("Room", None)).await, Placement::Unsettled);
    assert_eq!(newcomer.evict_expired(&b, CHUNK).await, Eviction::Unsettled, "the outage may have cost it the lease");
    come_back(&a, &knew_a, &[], &[]).await;
    assert!(!settled(&a).await);
    come_back(&b, &knew_b, &[], &[]).await;
    assert!(settled(&a).await, "the newcomer has nothing to put back");
}

pub async fn a_newcomer_on_an_emptied_server_goes_on_until_a_survivor_speaks(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let (knew_a, knew_b) = (a.joined().await, b.joined().await);
    cluster.disturb(Wipe).await;
    let newcomer = cluster.broker("c").await;
    assert!(settled(&newcomer).await);
    newcomer.create("new").await;
    let joined = come_back(&a, &knew_a, &[&b, &newcomer], &[]).await;
    assert_ne!(
        (&joined.generation, &joined.secret),
        (&knew_a.generation, &knew_a.secret),
        "the first secret is the newcomer's"
    );
    assert_eq!(newcomer.place(&newcomer.wish("Room", None)).await, Placement::Unsettled, "b is awaited");
    come_back(&b, &knew_b, &[&a], &[]).await;
    assert!(settled(&newcomer).await);
    assert_eq!(newcomer.owned().await, ["new"]);
}

pub async fn a_broker_that_comes_late_starts_nothing_anew(cluster: Cluster) {
    let (a, late) = (cluster.broker("a").await, cluster.broker("b").await);
    let (knew_a, knew_late) = (a.joined().await, late.joined().await);
    cluster.disturb(Wipe).await;
    come_back(&a, &knew_a, &[], &[]).await;
    assert!(settled(&a).await);
    come_back(&late, &knew_late, &[], &[]).await;
    assert!(settled(&a).await);
}

pub async fn an_evictor_with_a_wrong_idea_of_the_clock_is_refused(cluster: Cluster) {
    let (dead, other) = (cluster.broker("a").await, cluster.broker("b").await);
    dead.create("r").await;
    cluster.expire(&dead).await;
    for off in [-3_600_000, -10_000, 10_000, 3_600_000] {
        let expected = ServerTime(now(&other.coordinator).await.0.saturating_add_signed(off));
        let answer = other.evict(&dead, &Death::Expired { expected }, CHUNK).await;
        assert!(matches!(answer, Eviction::ClockOff { now } if now.0.abs_diff(expected.0) > 500), "{answer:?}");
    }
    assert_eq!(dead.owned().await.len(), 1);
    if cluster.clock_stands() {
        for (off, refused) in [(501, true), (-501, true), (500, false)] {
            let expected = ServerTime(now(&other.coordinator).await.0.saturating_add_signed(off));
            let answer = other.evict(&dead, &Death::Expired { expected }, CHUNK).await;
            assert_eq!(matches!(answer, Eviction::ClockOff { .. }), refused, "{off}: {answer:?}");
        }
    }
    assert!(matches!(other.evict_expired(&dead, CHUNK).await, Eviction::Evicted { .. }));
}

pub async fn a_proof_from_another_server_proves_nothing(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let (knew_a, knew_b) = (a.joined().await, b.joined().await);
    let lease_expires = a.scan().await.members[1].lease_expires;
    let old = a.proof(lease_expires);
    cluster.disturb(Restart).await;
    come_back(&a, &knew_a, &[], &[]).await;
    come_back(&b, &knew_b, &[], &[]).await;
    let lease_expires = a.scan().await.members[1].lease_expires;
    let Death::Proven { server, .. } = old else { panic!("{old:?}") };
    assert_eq!(a.evict(&b, &Death::Proven { lease_expires, server }, CHUNK).await, Eviction::Unsettled);
    assert!(matches!(a.evict(&b, &a.proof(lease_expires), CHUNK).await, Eviction::Evicted { .. }));
}

pub async fn a_lease_too_far_away_is_cut(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, leasing(&cluster, "b", SHORT).await);
    let knew = b.joined().await;
    assert!(knew.lease_expires.0 > knew.now.0 + SHORT.as_millis() as u64, "as after a step of the clock");
    let Eviction::Alive { lease_expires } = a.evict_expired(&b, CHUNK).await else { panic!("it has a lease") };
    let longest = now(&a.coordinator).await.0 + SHORT.as_millis() as u64;
    assert!(lease_expires.0 <= longest);
    b.renew(LEASE).await;
    let Membership { now, members, .. } = a.scan().await;
    assert!(members[1].lease_expires.0 <= now.0 + SHORT.as_millis() as u64);
    cluster.pass(SHORT.as_millis() as u64 + 1).await;
    assert!(matches!(a.evict_expired(&b, CHUNK).await, Eviction::Evicted { .. }));
}

pub async fn an_owner_that_makes_progress_is_awaited_until_it_is_done(cluster: Cluster) {
    if !cluster.clock_stands() {
        return;
    }
    let (a, b) = (leasing(&cluster, "a", SHORT).await, leasing(&cluster, "b", SHORT).await);
    let knew = a.joined().await;
    a.create("r").await;
    let owner = if a.activate("r").await.is_some() { &a } else { &b };
    let held = owner.hold("r", 1).await;
    let numbered = |number: usize| {
        let id = WorkerId::new(format!("r{number}"));
        Held { entry: Entry { id, ..held.entry.clone() }, ..held.clone() }
    };
    let chunk = |from: usize| -> Vec<Held> { (from..from + CHUNK).map(numbered).collect() };
    cluster.disturb(Wipe).await;
    let word = Announcement { patience: SHORT, ..owner.word(&knew, &[]) };
    let joined = owner.announce(&word).await;
    // Ten times as long as the patience, a worker a millisecond.
    for round in 0..30 {
        cluster.pass(CHUNK as u64).await;
        assert_eq!(owner.restore(&chunk(round * CHUNK)).await.len(), CHUNK);
        owner.renew(LEASE).await;
        assert!(!settled(owner).await, "given up in round {round}");
    }
    // Slower than that: it is given up.
    for round in 30..40 {
        cluster.pass(CHUNK as u64 * 2).await;
        owner.restore(&chunk(round * CHUNK)).await;
        owner.renew(LEASE).await;
    }
    assert!(settled(owner).await, "it is awaited for ever");
    assert!(owner.settle(&joined).await);
}

pub async fn what_is_restored_later_prolongs_nothing(cluster: Cluster) {
    if !cluster.clock_stands() {
        return;
    }
    let (a, b) = (leasing(&cluster, "a", SHORT).await, leasing(&cluster, "b", SHORT).await);
    let knew = a.joined().await;
    a.create("r").await;
    let owner = if a.activate("r").await.is_some() { &a } else { &b };
    let held = owner.hold("r", 1).await;
    let other = if owner.incarnation() == a.incarnation() { &b } else { &a };
    cluster.disturb(Wipe).await;
    let joined = owner.announce(&Announcement { patience: SHORT, ..owner.word(&knew, &[other]) }).await;
    owner.restore(std::slice::from_ref(&held)).await;
    assert!(owner.settle(&joined).await && !settled(owner).await, "the other is awaited");
    for _ in 0..SHORT.as_millis() {
        cluster.pass(1).await;
        owner.restore(&[held.clone(), held.clone(), held.clone()]).await;
    }
    owner.renew(LEASE).await;
    assert!(settled(owner).await);
}

fn awaited_until(renewal: &Renewal) -> Option<ServerTime> {
    match renewal {
        Renewal::Renewed { awaited_until, .. } => *awaited_until,
        Renewal::Evicted { .. } => panic!("evicted"),
    }
}

pub async fn an_awaited_member_hears_until_when_the_tables_surely_wait_for_it(cluster: Cluster) {
    if !cluster.clock_stands() {
        return;
    }
    let (a, b) = (leasing(&cluster, "a", SHORT).await, leasing(&cluster, "b", SHORT).await);
    let (knew_a, knew_b) = (a.joined().await, b.joined().await);
    assert_eq!(awaited_until(&a.renew(LEASE).await), None, "nothing is missing");
    cluster.disturb(Wipe).await;
    let joined = a.announce(&Announcement { patience: SHORT, ..a.word(&knew_a, &[&b]) }).await;
    let ends = ServerTime(now(&a.coordinator).await.0 + SHORT.as_millis() as u64);
    cluster.pass(10).await;
    assert_eq!(awaited_until(&a.renew(LEASE).await), Some(ends));
    assert!(a.settle(&joined).await);
    assert_eq!(awaited_until(&a.renew(LEASE).await), None, "it has restored everything");
    b.announce(&Announcement { patience: SHORT, ..b.word(&knew_b, &[&a]) }).await;
    assert_eq!(awaited_until(&b.renew(LEASE).await), Some(ends));
    cluster.pass(SHORT.as_millis() as u64).await;
    assert_eq!(awaited_until(&b.renew(LEASE).await), None, "nobody waits for it any more");
    assert!(settled(&b).await);
}

pub async fn an_owner_reads_what_stands_under_it_and_is_awaited_meanwhile(cluster: Cluster) {
    if !cluster.clock_stands() {
        return;
    }
    let broker = leasing(&cluster, "a", SHORT).await;
    let knew = broker.joined().await;
    broker.create("r").await;
    let held = Held { load: 7, ..broker.hold("r", 1).await };
    broker.restore(std::slice::from_ref(&held)).await;
    cluster.disturb(Restart).await;
    let joined = broker.announce(&Announcement { patience: SHORT, ..broker.word(&knew, &[]) }).await;
    for _ in 0..2 * SHORT.as_millis() {
        cluster.pass(1).await;
        let page = broker.coordinator.owned(broker.incarnation(), 0, CHUNK).await;
        assert_eq!(page, Ok(vec![Owned::of(&held)]), "as it was before");
        broker.renew(LEASE).await;
        assert!(!settled(&broker).await, "given up while it reads");
    }
    assert!(broker.settle(&joined).await && settled(&broker).await);
}
