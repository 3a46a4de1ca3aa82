//! What becomes of workers that end their process, or come back by themselves, again and again.

use super::cluster::*;
use dworker::coordination::history::{History, FREE_RETURNS, SETTLED, YOUNG};
use dworker::coordination::*;

/// A worker, owned by `owner`, that ends its process.
pub async fn dies(evictor: &Broker, owner: &Broker) -> Eviction {
    let lease_expires = lease_of(evictor, owner).await;
    let eviction = evictor.evict(owner, &evictor.proof(lease_expires), CHUNK).await;
    owner.register(LEASE).await;
    eviction
}

async fn lease_of(by: &Broker, broker: &Broker) -> dworker::ids::ServerTime {
    let members = by.scan().await.members;
    let found = members.into_iter().find(|member| member.record.incarnation == *broker.incarnation());
    found.expect("it is a member").lease_expires
}

fn recovered(count: u64) -> Eviction {
    Eviction::Evicted { recovered: count, deleted: 0, remaining: 0, quarantined: vec![] }
}

/// Of all that a broker could claim.
async fn claims(broker: &Broker) -> Vec<String> {
    let (mut claimed, ..) = broker.claim(&broker.appetite()).await;
    claimed.sort_by(|a, b| a.id.cmp(&b.id));
    claimed.iter().map(|entry| entry.id.to_string()).collect()
}

/// Brokers of which the first one owns these workers and, as the only host of another class, gets no more of them.
async fn owner_and_evictor(cluster: &Cluster, ids: &[&str]) -> (Broker, Broker) {
    let owner = cluster.broker("a").await;
    for id in ids {
        owner.create(id).await;
    }
    (owner, cluster.broker_like(BrokerRecord { classes: classes(&["Hall"]), ..record("z") }).await)
}

pub async fn a_worker_whose_third_process_died_is_quarantined(cluster: Cluster) {
    let (owner, evictor) = owner_and_evictor(&cluster, &["r"]).await;
    assert_eq!(dies(&evictor, &owner).await, recovered(1));
    assert!(matches!(owner.locate("r").await, Location::Pending { .. }), "the first death says nothing");
    assert_eq!(claims(&owner).await, ["r"]);
    assert_eq!(dies(&evictor, &owner).await, recovered(1));
    assert_eq!(owner.locate("r").await, Location::Suspected { class: "Room".into(), deaths: 2 });
    assert_eq!(claims(&owner).await, ["r"]);
    let quarantined = vec![("r".into(), 3)];
    let expected = Eviction::Evicted { recovered: 0, deleted: 0, remaining: 0, quarantined };
    assert_eq!(dies(&evictor, &owner).await, expected);
    assert_eq!(owner.locate("r").await, Location::Quarantined { class: "Room".into(), deaths: 3 });
    assert_eq!((claims(&owner).await.len(), owner.scan().await.claimable), (0, 0));
    let told = owner.place(&owner.wish("Room", Some("r"))).await;
    assert_eq!(told, Placement::Quarantined { class: "Room".into(), deaths: 3 });
    assert_eq!((owner.owned().await.len(), owner.load().await), (0, Some(0)));
    let described = owner.coordinator.describe(&"r".into()).await.expect("describe").expect("it is there");
    assert_eq!((described.state, described.entry.history.deaths), (WorkerState::Quarantined, 3));
}

pub async fn who_merely_shared_the_process_is_never_quarantined(cluster: Cluster) {
    let (owner, evictor) = owner_and_evictor(&cluster, &["poison", "q", "r"]).await;
    for _ in 0..2 {
        assert_eq!(dies(&evictor, &owner).await, recovered(3));
        assert!(owner.scan().await.claimable == 3);
        if matches!(owner.locate("q").await, Location::Pending { .. }) {
            assert_eq!(claims(&owner).await, ["poison", "q", "r"]);
        }
    }
    // One after the other, each as soon as the last has passed.
    let mut tried = Vec::new();
    while tried.last().is_none_or(|last| *last != "poison") {
        let one = claims(&owner).await;
        assert_eq!(one.len(), 1);
        tried.extend(one);
    }
    let Eviction::Evicted { quarantined, .. } = dies(&evictor, &owner).await else { panic!("it is evicted") };
    assert_eq!(quarantined, [("poison".into(), 3)]);
    for id in ["q", "r"] {
        assert!(matches!(owner.locate(id).await, Location::Suspected { .. }), "{id} is tried again");
    }
}

pub async fn a_death_during_a_trial_counts_against_the_suspect_alone(cluster: Cluster) {
    let (owner, evictor) = owner_and_evictor(&cluster, &["a passed", "b poison"]).await;
    for _ in 0..2 {
        assert_eq!(dies(&evictor, &owner).await, recovered(2));
        if matches!(owner.locate("a passed").await, Location::Pending { .. }) {
            assert_eq!(claims(&owner).await.len(), 2);
        }
    }
    assert_eq!(claims(&owner).await, ["a passed"]);
    assert_eq!(claims(&owner).await, ["b poison"]);
    owner.create("c new").await;
    let quarantined = vec![("b poison".into(), 3)];
    let expected = Eviction::Evicted { recovered: 2, deleted: 0, remaining: 0, quarantined };
    assert_eq!(dies(&evictor, &owner).await, expected);
    // Neither waits: both are claimed at once, with the history that they had before.
    let (claimed, ..) = owner.claim(&owner.appetite()).await;
    let mut deaths: Vec<_> = claimed.iter().map(|entry| (entry.id.as_str(), entry.history.deaths)).collect();
    deaths.sort_unstable();
    assert_eq!(deaths, [("a passed", 2), ("c new", 0)]);
}

pub async fn a_broker_that_tries_a_suspect_gets_no_other(cluster: Cluster) {
    let (owner, evictor) = owner_and_evictor(&cluster, &["q", "r"]).await;
    for _ in 0..2 {
        dies(&evictor, &owner).await;
        if matches!(owner.locate("q").await, Location::Pending { .. }) {
            claims(&owner).await;
        }
    }
    owner.leave_pending("s").await;
    let nothing = ClaimRequest { limit: 0, ..owner.appetite() };
    assert_eq!(owner.claim(&nothing).await.0.len(), 1, "a suspect is taken beside the limit");
    let busy = ClaimRequest { trial_over: false, ..owner.appetite() };
    let (claimed, remaining, _) = owner.claim(&busy).await;
    assert_eq!((claimed.len(), claimed[0].id.as_str(), remaining), (1, "s", 1), "others are not held up");
    assert_eq!(owner.claim(&busy).await, (vec![], 1, 0));
    let (claimed, ..) = owner.claim(&owner.appetite()).await;
    assert_eq!((claimed.len(), claimed[0].history), (1, History { deaths: 2, returns: 0 }));
}

pub async fn a_suspect_is_not_placed_past_its_trial(cluster: Cluster) {
    let (owner, evictor) = owner_and_evictor(&cluster, &["r"]).await;
    for n in 0..2 {
        dies(&evictor, &owner).await;
        if n == 0 {
            claims(&owner).await;
        }
    }
    let told = owner.place(&owner.wish("Room", Some("r"))).await;
    assert_eq!(told, Placement::Later { class: "Room".into(), deaths: 2 });
}

pub async fn a_death_long_after_the_activation_accuses_nobody(cluster: Cluster) {
    if !cluster.clock_stands() {
        return;
    }
    let (owner, evictor) = owner_and_evictor(&cluster, &["r"]).await;
    for _ in 0..4 {
        cluster.pass(YOUNG).await;
        owner.register(LEASE).await;
        evictor.register(LEASE).await;
        assert_eq!(dies(&evictor, &owner).await, recovered(1));
        assert_eq!(claims(&owner).await, ["r"]);
    }
}

pub async fn a_worker_loses_its_history_by_living(cluster: Cluster) {
    if !cluster.clock_stands() {
        return;
    }
    let (owner, evictor) = owner_and_evictor(&cluster, &["r"]).await;
    for _ in 0..2 {
        dies(&evictor, &owner).await;
        assert_eq!(claims(&owner).await, ["r"]);
    }
    cluster.pass(SETTLED).await;
    owner.register(LEASE).await;
    evictor.register(LEASE).await;
    dies(&evictor, &owner).await;
    assert!(matches!(owner.locate("r").await, Location::Pending { .. }));
    assert_eq!(owner.claim(&owner.appetite()).await.0[0].history, History::default());
}

pub async fn a_quarantined_worker_is_freed_by_a_pardon(cluster: Cluster) {
    let (owner, evictor) = owner_and_evictor(&cluster, &["r"]).await;
    for n in 0..3 {
        dies(&evictor, &owner).await;
        if n < 2 {
            claims(&owner).await;
        }
    }
    assert!(matches!(owner.locate("r").await, Location::Quarantined { .. }));
    assert_eq!(owner.coordinator.pardon(&"r".into()).await, Ok(true));
    assert_eq!(owner.coordinator.pardon(&"r".into()).await, Ok(false));
    assert_eq!(owner.coordinator.pardon(&"nobody".into()).await, Ok(false));
    let (claimed, ..) = owner.claim(&owner.appetite()).await;
    assert_eq!((claimed.len(), claimed[0].history), (1, History::default()));
}

pub async fn a_worker_that_comes_back_again_and_again_waits_longer_each_time(cluster: Cluster) {
    let owner = cluster.broker("a").await;
    let mut epoch = owner.create("r").await.epoch;
    for returns in 1..=FREE_RETURNS {
        assert!(owner.release("r", epoch, Fate::Return).await);
        let (claimed, ..) = owner.claim(&owner.appetite()).await;
        assert_eq!(claimed[0].history, History { deaths: 0, returns });
        epoch = claimed[0].epoch;
    }
    assert!(owner.release("r", epoch, Fate::Return).await);
    // A clock that goes on by itself may have gone on for the whole wait before this is looked at.
    if cluster.clock_stands() {
        assert_eq!((owner.claim(&owner.appetite()).await, owner.scan().await.claimable), ((vec![], 0, 0), 0));
        let told = owner.place(&owner.wish("Room", Some("r"))).await;
        assert_eq!(told, Placement::Later { class: "Room".into(), deaths: 0 });
    }
    cluster.pass(1_000).await;
    owner.register(LEASE).await;
    assert_eq!(owner.scan().await.claimable, 1);
    assert_eq!(owner.claim(&owner.appetite()).await.0[0].history.returns, FREE_RETURNS + 1);
}

pub async fn a_broker_that_leaves_adds_nothing_to_a_history(cluster: Cluster) {
    let owner = cluster.broker("a").await;
    let mut epoch = owner.create("r").await.epoch;
    for _ in 0..5 {
        assert!(owner.release("r", epoch, Fate::Recover).await);
        let (claimed, ..) = owner.claim(&owner.appetite()).await;
        assert_eq!(claimed[0].history, History::default());
        epoch = claimed[0].epoch;
    }
}

pub async fn who_ends_by_an_error_leaves_the_judgement_to_others(cluster: Cluster) {
    let (owner, evictor) = owner_and_evictor(&cluster, &["r"]).await;
    for expected in [0, 0, 1] {
        owner.claim(&owner.appetite()).await;
        assert_eq!(owner.leave(Fate::Crash, 0).await, 1);
        assert_eq!(evictor.scan().await.unsalvaged, [owner.incarnation().clone()]);
        let Eviction::Evicted { quarantined, .. } = evictor.evict_expired(&owner, CHUNK).await else {
            panic!("it is evicted");
        };
        assert_eq!(quarantined.len(), expected);
        owner.register(LEASE).await;
    }
}

pub async fn a_restored_worker_keeps_its_history(cluster: Cluster) {
    let owner = cluster.broker("a").await;
    owner.create("r").await;
    let held = owner.hold("r", 1).await;
    let history = History { deaths: 2, returns: 4 };
    let held = Held { entry: Entry { history, ..held.entry }, ..held };
    assert_eq!(owner.restore(&[held]).await, [true]);
    assert_eq!(owner.activate("r").await.expect("it stands").history, history);
}
