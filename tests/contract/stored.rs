//! Data of workers: who may write it, when it is loaded, what becomes of it.

use super::cluster::*;
use crate::disturbance::Disturbance::Wipe;
use dworker::coordination::*;
use dworker::ids::Epoch;

fn data(revision: u64, text: &str) -> Stored {
    Stored { version: 7, revision, text: text.into(), timers: Timers::default() }
}

fn kept(broker: &Broker, id: &str) -> PlaceRequest {
    PlaceRequest { purpose: Purpose::Keep, recoverable: false, ..broker.wish("Room", Some(id)) }
}

/// A worker of this broker that is not kept yet.
async fn live(broker: &Broker, id: &str) -> Entry {
    broker.create_mortal(id).await;
    let entry = broker.activate(id).await.expect("it stands here");
    assert!(broker.confirm(id, entry.epoch).await);
    entry
}

fn loaded(entry: Option<Entry>) -> Loaded {
    entry.expect("it stands here").lasting.data
}

pub async fn what_an_owner_stores_is_loaded_with_the_next_activation(cluster: Cluster) {
    let (broker, other) = (cluster.broker("a").await, cluster.broker("b").await);
    let entry = live(&broker, "r").await;
    assert_eq!(entry.lasting, Lasting::default());
    let text = r#"{"big":12345678901234567890,"empty":[],"größe":"漢字"}"#;
    assert_eq!(broker.commit("r", entry.epoch, data(1, "1")).await, Committed::Written);
    assert_eq!(broker.commit("r", entry.epoch, data(2, text)).await, Committed::Written);
    assert_eq!(loaded(broker.activate("r").await), Loaded::Stored(data(2, text)));
    assert!(broker.release("r", entry.epoch, Fate::Delete).await, "what has data is kept");
    other.create_here(&PlaceRequest { purpose: Purpose::Wake, ..kept(&other, "r") }).await;
    let woken = other.activate("r").await.expect("it stands here");
    assert_eq!((woken.cause, woken.lasting.kept), (Cause::Wake, true));
    assert_eq!(woken.lasting.data, Loaded::Stored(data(2, text)));
}

pub async fn a_claim_loads_data_in_the_step_that_makes_the_claimer_the_owner(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    broker.create("r").await;
    let entry = broker.activate("r").await.expect("it stands here");
    assert_eq!(broker.commit("r", entry.epoch, data(1, "[1]")).await, Committed::Written);
    assert!(broker.release("r", entry.epoch, Fate::Recover).await);
    let (claimed, ..) = broker.claim(&broker.appetite()).await;
    assert_eq!(
        claimed.into_iter().map(|entry| entry.lasting.data).collect::<Vec<_>>(),
        [Loaded::Stored(data(1, "[1]"))]
    );
}

pub async fn an_instance_that_was_replaced_can_write_nothing(cluster: Cluster) {
    let (broker, other) = (cluster.broker("a").await, cluster.broker("b").await);
    let entry = live(&broker, "r").await;
    assert_eq!(broker.commit("r", entry.epoch, data(1, "1")).await, Committed::Written);
    assert!(broker.release("r", entry.epoch, Fate::Delete).await);
    assert_eq!(broker.commit("r", entry.epoch, data(2, "2")).await, Committed::Fenced, "it sleeps");
    other.create_here(&PlaceRequest { purpose: Purpose::Wake, ..kept(&other, "r") }).await;
    assert_eq!(broker.commit("r", entry.epoch, data(2, "2")).await, Committed::Fenced, "another owns it");
    assert_eq!(loaded(other.activate("r").await), Loaded::Stored(data(1, "1")));
}

pub async fn a_write_that_comes_late_does_not_undo_a_later_one(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let entry = live(&broker, "r").await;
    assert_eq!(broker.commit("r", entry.epoch, data(2, "2")).await, Committed::Written);
    assert_eq!(broker.commit("r", entry.epoch, data(1, "1")).await, Committed::Written, "its answer was lost");
    assert_eq!(loaded(broker.activate("r").await), Loaded::Stored(data(2, "2")));
}

pub async fn the_first_write_of_an_activation_counts_whatever_its_revision(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let entry = live(&broker, "r").await;
    assert_eq!(broker.commit("r", entry.epoch, data(9, "9")).await, Committed::Written);
    assert!(broker.release("r", entry.epoch, Fate::Delete).await);
    let woken = broker.create_here(&PlaceRequest { purpose: Purpose::Wake, ..kept(&broker, "r") }).await;
    assert_eq!(broker.commit("r", woken.epoch, data(1, "1")).await, Committed::Written);
    assert_eq!(loaded(broker.activate("r").await), Loaded::Stored(data(1, "1")));
}

pub async fn data_goes_with_its_worker(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    for how in 0..3 {
        let entry = live(&broker, "r").await;
        assert_eq!(broker.commit("r", entry.epoch, data(1, "1")).await, Committed::Written);
        if how == 0 {
            assert!(broker.release("r", entry.epoch, Fate::End).await);
        } else {
            assert!(broker.release("r", entry.epoch, Fate::Delete).await);
            assert_eq!(broker.erase("r", None).await, Erasure::Gone);
        }
        let next = broker.create_here(&kept(&broker, "r")).await;
        assert_eq!(loaded(broker.activate("r").await), Loaded::Nothing);
        assert!(broker.release("r", next.epoch, Fate::End).await);
    }
}

pub async fn an_activation_that_fails_keeps_what_is_stored(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let first = broker.create_here(&kept(&broker, "r")).await;
    assert_eq!(broker.commit("r", first.epoch, data(1, "1")).await, Committed::Written);
    assert!(broker.release("r", first.epoch, Fate::Fail).await);
    assert!(matches!(broker.locate("r").await, Location::Asleep { .. }));
}

pub async fn many_writes_are_answered_in_their_order(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let ids: Vec<String> = (0..CHUNK + 20).map(|n| format!("r{n}")).collect();
    let mut commits = Vec::new();
    for id in &ids {
        let entry = live(&broker, id).await;
        let epoch = if commits.len() % 3 == 1 { Epoch(entry.epoch.0 - 1) } else { entry.epoch };
        commits.push(Commit { id: id.as_str().into(), epoch, data: data(1, &"x".repeat(20_000)) });
    }
    let answers = broker.coordinator.commit(broker.incarnation(), &commits).await.expect("commit");
    let expected = |n| if n % 3 == 1 { Committed::Fenced } else { Committed::Written };
    assert_eq!(answers, (0..ids.len()).map(expected).collect::<Vec<_>>());
    assert_eq!(broker.coordinator.commit(broker.incarnation(), &[]).await, Ok(vec![]));
}

pub async fn no_healthy_owner_is_fenced_by_a_wipe(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let entry = live(&broker, "r").await;
    let joined = broker.joined().await;
    assert_eq!(broker.commit("r", entry.epoch, data(1, "1")).await, Committed::Written);
    let mut held = broker.hold("r", 1).await;
    cluster.disturb(Wipe).await;
    assert_eq!(broker.commit("r", entry.epoch, data(2, "2")).await, Committed::Unsettled);
    // A newcomer has agreed on the emptied server: all is settled, and nothing is known.
    let newcomer = cluster.broker("b").await;
    assert_eq!(broker.commit("r", entry.epoch, data(2, "2")).await, Committed::Unsettled);

    let again = broker.announce(&broker.word(&joined, &[])).await;
    held.entry.lasting = Lasting { kept: true, has_data: true, data: Loaded::Nothing };
    assert_eq!(broker.restore(&[held]).await, [true]);
    assert_eq!(broker.commit("r", entry.epoch, data(2, "2")).await, Committed::Unsettled, "it is awaited");
    assert!(broker.settle(&again).await);
    assert_eq!(loaded(broker.activate("r").await), Loaded::Missing, "the entry is back, its data is not");
    assert_eq!(broker.commit("r", entry.epoch, data(2, "2")).await, Committed::Written);
    assert_eq!(loaded(broker.activate("r").await), Loaded::Stored(data(2, "2")));
    drop(newcomer);
}
