//! Workers that outlive the brokers that run them: asleep, woken, ended for good.

use super::cluster::*;
use super::histories::dies;
use dworker::coordination::*;
use std::time::Duration;

/// What makes a kept `Room`.
fn kept(broker: &Broker, id: &str) -> PlaceRequest {
    PlaceRequest { purpose: Purpose::Keep, recoverable: false, ..broker.wish("Room", Some(id)) }
}

fn wake(broker: &Broker, id: &str) -> PlaceRequest {
    PlaceRequest { purpose: Purpose::Wake, ..kept(broker, id) }
}

fn asleep() -> Location {
    Location::Asleep { class: "Room".into(), cluster: "main".into() }
}

/// A kept worker whose first activation ended well.
async fn live(broker: &Broker, id: &str) -> Entry {
    broker.create_here(&kept(broker, id)).await;
    let entry = broker.activate(id).await.expect("it stands here");
    assert!(broker.confirm(id, entry.epoch).await);
    entry
}

pub async fn a_kept_worker_sleeps_where_another_would_be_deleted(cluster: Cluster) {
    let (broker, other) = (cluster.broker("a").await, cluster.broker("b").await);
    for fate in [Fate::Delete, Fate::Recover, Fate::Return, Fate::Fail] {
        let entry = live(&broker, "r").await;
        assert!(broker.release("r", entry.epoch, fate).await);
        assert_eq!(broker.locate("r").await, asleep(), "{fate:?}");
        assert_eq!((broker.load().await, broker.owned().await.len()), (Some(0), 0));
    }
    live(&broker, "r").await;
    assert_eq!(broker.leave(Fate::Delete, CHUNK).await, 0);
    assert_eq!(other.locate("r").await, asleep(), "its broker left without handing anything over");
    live(&other, "r").await;
    cluster.expire(&other).await;
    let evictor = cluster.broker("c").await;
    assert!(matches!(evictor.evict_expired(&other, CHUNK).await, Eviction::Evicted { .. }));
    assert_eq!(evictor.locate("r").await, asleep(), "its broker died");
    assert_eq!(evictor.scan().await.claimable, 0, "nobody claims what sleeps");
}

pub async fn a_kept_worker_is_gone_when_it_ended_for_good(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let entry = live(&broker, "r").await;
    assert!(broker.release("r", entry.epoch, Fate::End).await);
    assert_eq!(broker.locate("r").await, Location::None);
}

pub async fn a_sleeping_worker_is_woken_as_it_was_under_a_higher_epoch(cluster: Cluster) {
    let (broker, other) = (cluster.broker("a").await, cluster.broker("b").await);
    let request = PlaceRequest { attributes: r#"{"n":[]}"#.into(), ..kept(&broker, "r") };
    broker.create_here(&request).await;
    let first = broker.activate("r").await.expect("it stands here");
    assert_eq!((first.cause, first.attempt, first.lasting.kept), (Cause::New, 1, true));
    assert!(broker.confirm("r", first.epoch).await);
    assert!(broker.release("r", first.epoch, Fate::Delete).await);

    let woken = other.create_here(&PlaceRequest { attributes: "0".into(), ..wake(&other, "r") }).await;
    assert!(woken.epoch > first.epoch);
    let entry = other.activate("r").await.expect("it stands here");
    assert_eq!(entry, Entry { epoch: woken.epoch, cause: Cause::Wake, ..first.clone() });
    assert!(matches!(broker.place(&kept(&broker, "r")).await, Placement::Existing { .. }));
    assert!(!broker.release("r", first.epoch, Fate::End).await, "the instance before touches it no more");
    assert!(other.confirm("r", entry.epoch).await);
    assert_eq!(other.load().await, Some(1));
}

pub async fn who_creates_finds_a_sleeping_worker_and_leaves_it_asleep(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let entry = live(&broker, "r").await;
    assert!(broker.release("r", entry.epoch, Fate::Delete).await);
    let found = Placement::Asleep { id: "r".into(), class: "Room".into() };
    assert_eq!(broker.place(&broker.wish("Room", Some("r"))).await, found);
    assert_eq!(broker.place(&PlaceRequest { class: "Hall".into(), ..kept(&broker, "r") }).await, found);
    assert_eq!(broker.locate("r").await, asleep());
}

pub async fn nothing_is_woken_where_there_is_no_worker(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    assert_eq!(broker.place(&wake(&broker, "r")).await, Placement::Gone);
    assert_eq!(broker.locate("r").await, Location::None);
}

pub async fn a_first_activation_that_fails_leaves_nothing_and_a_later_one_lets_it_rest(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let first = broker.create_here(&kept(&broker, "r")).await;
    assert!(broker.release("r", first.epoch, Fate::Fail).await);
    assert_eq!(broker.locate("r").await, Location::None);

    let entry = live(&broker, "r").await;
    assert!(broker.release("r", entry.epoch, Fate::Delete).await);
    let woken = broker.create_here(&wake(&broker, "r")).await;
    assert!(broker.release("r", woken.epoch, Fate::Fail).await);
    let later = Placement::Later { class: "Room".into(), deaths: 0 };
    assert_eq!(broker.place(&wake(&broker, "r")).await, later);
    cluster.pass(REST.as_millis() as u64).await;
    let again = broker.create_here(&wake(&broker, "r")).await;
    assert_eq!(broker.activate("r").await.map(|entry| (entry.attempt, entry.epoch)), Some((2, again.epoch)));
}

pub async fn a_wake_that_is_withdrawn_need_not_rest(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let first = broker.create_here(&kept(&broker, "n")).await;
    assert!(broker.withdraw(broker.incarnation(), "n", first.epoch).await);
    assert_eq!(broker.locate("n").await, Location::None, "it never was made");

    let entry = live(&broker, "r").await;
    assert!(broker.release("r", entry.epoch, Fate::Delete).await);
    let woken = broker.create_here(&wake(&broker, "r")).await;
    assert!(broker.withdraw(broker.incarnation(), "r", woken.epoch).await);
    assert_eq!(broker.locate("r").await, asleep());
    let again = broker.create_here(&wake(&broker, "r")).await;
    assert_eq!(broker.activate("r").await.map(|entry| (entry.attempt, entry.epoch)), Some((1, again.epoch)));
}

pub async fn a_kept_worker_outlives_the_ttl(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let entry = live(&broker, "r").await;
    assert!(broker.release("r", entry.epoch, Fate::Delete).await);
    cluster.pass(5).await;
    let ttl = Duration::from_millis(1);
    let woken = broker.create_here(&PlaceRequest { ttl, ..wake(&broker, "r") }).await;
    assert_eq!(broker.activate("r").await.map(|entry| entry.cause), Some(Cause::Wake));
    assert!(broker.release("r", woken.epoch, Fate::Delete).await);

    let recoverable = PlaceRequest { recoverable: true, ..kept(&broker, "q") };
    broker.pend(&recoverable).await;
    cluster.pass(5).await;
    let (claimed, ..) = broker.claim(&ClaimRequest { ttl, ..broker.appetite() }).await;
    assert_eq!(claimed, []);
    assert_eq!(broker.locate("q").await, asleep(), "it is too old to be recovered");
}

pub async fn a_kept_worker_that_ends_its_process_is_tried_alone_and_quarantined(cluster: Cluster) {
    let (owner, evictor) = (cluster.broker("a").await, cluster.broker("b").await);
    for death in 1..=3 {
        match death {
            1 | 2 => drop(owner.create_here(&kept(&owner, "r")).await),
            _ => assert_eq!(owner.claim(&owner.appetite()).await.0.len(), 1),
        }
        dies(&evictor, &owner).await;
        match death {
            1 => assert_eq!(evictor.locate("r").await, asleep()),
            2 => assert_eq!(evictor.locate("r").await, Location::Suspected { class: "Room".into(), deaths: 2 }),
            _ => assert_eq!(evictor.locate("r").await, Location::Quarantined { class: "Room".into(), deaths: 3 }),
        }
        cluster.pass(REST.as_millis() as u64).await;
    }
}

pub async fn what_has_no_owner_can_be_erased_and_what_has_one_is_named(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    assert_eq!(broker.erase("r", None).await, Erasure::Gone, "there is none");
    let entry = live(&broker, "r").await;
    assert_eq!(broker.erase("r", None).await, Erasure::Owned(entry.epoch));
    assert_eq!(broker.erase("r", Some(dworker::ids::Epoch(1))).await, Erasure::Gone, "it has another epoch");
    assert!(broker.release("r", entry.epoch, Fate::Delete).await);
    assert_eq!(broker.erase("r", Some(entry.epoch)).await, Erasure::Gone);
    assert_eq!(broker.locate("r").await, Location::None);

    broker.leave_pending("q").await;
    assert_eq!(broker.erase("q", None).await, Erasure::Gone);
    assert_eq!((broker.locate("q").await, broker.scan().await.claimable), (Location::None, 0));
}

pub async fn a_sleeping_worker_gives_way_to_who_holds_it(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let entry = live(&broker, "r").await;
    let held = Held { entry: entry.clone(), state: EntryState::Active, load: 1 };
    assert!(broker.release("r", entry.epoch, Fate::Delete).await);
    assert_eq!(broker.restore(&[held]).await, [true]);
    assert!(matches!(broker.locate("r").await, Location::Owned { .. }));
}
