//! Workers that leave memory while they are idle.

use super::cluster::*;
use crate::disturbance::Disturbance::Wipe;
use dworker::coordination::*;
use dworker::ids::Epoch;
use std::time::Duration;

/// What wakes a sleeping `Room`.
fn wake(broker: &Broker, id: &str) -> PlaceRequest {
    PlaceRequest { purpose: Purpose::Wake, recoverable: false, ..broker.wish("Room", Some(id)) }
}

fn asleep() -> Location {
    Location::Asleep { class: "Room".into(), cluster: "main".into() }
}

/// A worker that is neither kept nor recoverable.
async fn live(broker: &Broker, id: &str) -> Entry {
    broker.create_mortal(id).await;
    broker.activate(id).await.expect("it stands here")
}

pub async fn an_idle_worker_has_no_owner_and_is_woken_as_it_was(cluster: Cluster) {
    let (broker, other) = (cluster.broker("a").await, cluster.broker("b").await);
    for (purpose, recoverable) in [(Purpose::Keep, false), (Purpose::Keep, true), (Purpose::Create, true)] {
        let attributes = r#"{"n":[],"digits":0.10}"#.into();
        let request = PlaceRequest { purpose, recoverable, attributes, ..wake(&broker, "r") };
        broker.create_here(&request).await;
        let first = broker.activate("r").await.expect("it stands here");
        assert!(broker.confirm("r", first.epoch).await);
        assert!(broker.set_load("r", first.epoch, 7).await);
        assert_eq!(broker.sleep("r", first.epoch).await, Slept::Asleep);
        assert_eq!(broker.locate("r").await, asleep());
        assert_eq!((broker.load().await, broker.owned().await.len()), (Some(0), 0));
        assert_eq!(broker.scan().await.claimable, 0, "nobody claims what sleeps, recoverable or not");

        other.create_here(&wake(&other, "r")).await;
        let woken = other.activate("r").await.expect("it stands here");
        assert!(woken.epoch > first.epoch);
        assert_eq!(woken, Entry { epoch: woken.epoch, cause: Cause::Wake, ..first });
        assert!(other.release("r", woken.epoch, Fate::End).await);
    }
}

pub async fn a_worker_that_only_its_creator_kept_sleeps_too_and_whoever_creates_it_finds_it(cluster: Cluster) {
    let (broker, other) = (cluster.broker("a").await, cluster.broker("b").await);
    // Its activation was not confirmed: that is not done for one that is never recovered.
    let first = live(&broker, "r").await;
    assert_eq!(broker.sleep("r", first.epoch).await, Slept::Asleep);
    let found = Placement::Asleep { id: "r".into(), class: "Room".into() };
    assert_eq!(other.place(&other.wish("Room", Some("r"))).await, found);
    assert_eq!(broker.leave(Fate::Delete, CHUNK).await, 0);
    assert_eq!(other.locate("r").await, asleep(), "the end of its last broker does not concern it");
    other.create_here(&wake(&other, "r")).await;
    let woken = other.activate("r").await.expect("it stands here");
    assert_eq!((woken.cause, woken.attempt, woken.lasting.kept), (Cause::Wake, 1, false));
    assert!(other.release("r", woken.epoch, Fate::Delete).await);
    assert_eq!(other.locate("r").await, Location::None, "awake it ends with its broker, as before");
}

pub async fn only_the_instance_that_stands_there_can_sleep(cluster: Cluster) {
    let (broker, other) = (cluster.broker("a").await, cluster.broker("b").await);
    let entry = live(&broker, "r").await;
    assert_eq!(other.sleep("r", entry.epoch).await, Slept::Elsewhere);
    assert_eq!(broker.sleep("r", Epoch(entry.epoch.0 - 1)).await, Slept::Elsewhere);
    assert_eq!(broker.sleep("r", Epoch(entry.epoch.0 + 1)).await, Slept::Unsettled, "that entry was forgotten");
    assert_eq!(broker.sleep("none", entry.epoch).await, Slept::Unsettled);
    assert_eq!(broker.owned().await, ["r"]);
    assert_eq!(broker.coordinator.sleep(broker.incarnation(), &[]).await, Ok(vec![]));
}

pub async fn a_sleep_whose_answer_was_lost_is_harmless(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let first = live(&broker, "r").await;
    assert_eq!(broker.sleep("r", first.epoch).await, Slept::Asleep);
    assert_eq!(broker.sleep("r", first.epoch).await, Slept::Elsewhere);
    let woken = broker.create_here(&wake(&broker, "r")).await;
    assert_eq!(broker.sleep("r", first.epoch).await, Slept::Elsewhere);
    assert_eq!(broker.activate("r").await.map(|entry| entry.epoch), Some(woken.epoch));
    assert_eq!(broker.load().await, Some(RESERVED_LOAD));
}

pub async fn nothing_sleeps_while_the_registry_may_have_forgotten_something(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let entry = live(&broker, "r").await;
    let joined = broker.joined().await;
    let held = broker.hold("r", 1).await;
    cluster.disturb(Wipe).await;
    assert_eq!(broker.sleep("r", entry.epoch).await, Slept::Unsettled);
    let again = broker.announce(&broker.word(&joined, &[])).await;
    assert_eq!(broker.restore(&[held]).await, [true]);
    assert_eq!(broker.sleep("r", entry.epoch).await, Slept::Unsettled, "it is awaited");
    assert!(broker.settle(&again).await);
    assert_eq!(broker.sleep("r", entry.epoch).await, Slept::Asleep);
    assert_eq!(broker.locate("r").await, asleep());
}

pub async fn a_wake_of_any_idle_worker_can_be_withdrawn(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let entry = live(&broker, "r").await;
    assert_eq!(broker.sleep("r", entry.epoch).await, Slept::Asleep);
    let woken = broker.create_here(&wake(&broker, "r")).await;
    assert!(broker.withdraw(broker.incarnation(), "r", woken.epoch).await);
    assert_eq!((broker.locate("r").await, broker.load().await), (asleep(), Some(0)));
    let again = broker.create_here(&wake(&broker, "r")).await;
    let found = broker.activate("r").await.map(|entry| (entry.epoch, entry.cause, entry.attempt));
    assert_eq!(found, Some((again.epoch, Cause::Wake, 1)));
}

pub async fn no_ttl_ends_a_worker_that_sleeps(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let entry = live(&broker, "r").await;
    assert_eq!(broker.sleep("r", entry.epoch).await, Slept::Asleep);
    cluster.pass(20).await;
    let request = PlaceRequest { ttl: Duration::from_millis(5), ..wake(&broker, "r") };
    assert!(matches!(broker.place(&request).await, Placement::Reserved { .. }));
}
