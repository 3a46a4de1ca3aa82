//! Timers of workers that are asleep: when they wake whom.

use super::cluster::*;
use crate::disturbance::Disturbance::Wipe;
use dworker::coordination::*;
use dworker::ids::{ClassName, Epoch, ServerTime};

/// Far enough away that no case takes so long.
const LATER: u64 = 3_600_000;

fn kept(broker: &Broker, id: &str) -> PlaceRequest {
    PlaceRequest { purpose: Purpose::Keep, recoverable: false, ..broker.wish("Room", Some(id)) }
}

fn bells(broker: &Broker) -> RingRequest {
    let classes = ["Room".into()].into();
    RingRequest { by: broker.incarnation().clone(), cluster: broker.record.cluster.clone(), classes, limit: CHUNK }
}

async fn ring(broker: &Broker) -> (u64, Option<ServerTime>) {
    match broker.coordinator.ring(&bells(broker)).await.expect("ring") {
        Ring::Rung { rung, next } => {
            assert_eq!(next.len(), 1);
            (rung, next[0])
        }
        other => panic!("{:?} rings and is answered {other:?}", broker.record.broker),
    }
}

/// Stores that the next timer of the worker is due then.
async fn set_timer(broker: &Broker, id: &str, epoch: Epoch, next: ServerTime) {
    let timers = Timers { next, text: r#"[{"key":"größe"}]"#.into() };
    let data = Stored { version: 0, revision: next.0, text: String::new(), timers };
    assert_eq!(broker.commit(id, epoch, data).await, Committed::Written);
}

/// A worker that lives with a timer, due in so many ms.
async fn live(broker: &Broker, id: &str, due_in: u64) -> (Entry, ServerTime) {
    broker.create_mortal(id).await;
    let entry = broker.activate(id).await.expect("it stands here");
    assert!(broker.confirm(id, entry.epoch).await);
    let next = ServerTime(now(&broker.coordinator).await.0 + due_in);
    set_timer(broker, id, entry.epoch, next).await;
    (entry, next)
}

pub async fn a_timer_that_is_due_makes_its_sleeping_worker_wait_for_an_owner(cluster: Cluster) {
    let (broker, other) = (cluster.broker("a").await, cluster.broker("b").await);
    let (entry, next) = live(&broker, "r", 20).await;
    assert_eq!(ring(&other).await, (0, None), "the timers of a worker that lives are its owner's to keep");
    assert_eq!(broker.sleep("r", entry.epoch).await, Slept::Asleep);
    assert_eq!(ring(&other).await, (0, Some(next)));
    cluster.pass(30).await;
    let (mut hints, mut timers) = (other.coordinator.signals(), other.coordinator.signals());
    assert_eq!(ring(&other).await, (1, None));
    let (class, cluster) = (ClassName::from("Room"), other.record.cluster.clone());
    hear(
        &mut hints,
        &Signal::Pending { cluster: cluster.clone(), class: class.clone(), waiting: 1, worker: "r".into() },
    )
    .await;
    hear(&mut timers, &Signal::Timer { cluster, class, next: None }).await;
    assert_eq!(ring(&broker).await, (0, None), "who comes second finds nothing");
    let (claimed, ..) = other.claim(&other.appetite()).await;
    let woken = &claimed[0];
    assert_eq!((woken.cause, woken.attempt, woken.lasting.kept), (Cause::Wake, 1, true));
    let Loaded::Stored(stored) = &woken.lasting.data else { panic!("its timers are missing") };
    assert_eq!(
        (stored.timers.next, stored.timers.text.as_str(), stored.text.as_str()),
        (next, r#"[{"key":"größe"}]"#, "")
    );
}

pub async fn who_falls_asleep_with_the_first_timer_of_its_class_tells_it(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let (early, late) = (live(&broker, "e", LATER).await, live(&broker, "l", 2 * LATER).await);
    let mut hints = broker.coordinator.signals();
    for (id, (entry, next)) in [("l", &late), ("e", &early)] {
        assert_eq!(broker.sleep(id, entry.epoch).await, Slept::Asleep);
        let home = broker.record.cluster.clone();
        hear(&mut hints, &Signal::Timer { cluster: home, class: "Room".into(), next: Some(*next) }).await;
    }
    assert_eq!(ring(&broker).await, (0, Some(early.1)));
    broker.create_here(&PlaceRequest { purpose: Purpose::Wake, ..kept(&broker, "e") }).await;
    assert_eq!(ring(&broker).await, (0, Some(late.1)), "a message woke the other one");
    assert_eq!(broker.erase("l", None).await, Erasure::Gone);
    assert_eq!(ring(&broker).await, (0, None));
}

pub async fn a_worker_whose_broker_died_or_left_is_woken_too(cluster: Cluster) {
    let (broker, other) = (cluster.broker("a").await, cluster.broker("b").await);
    live(&broker, "r", 0).await;
    assert_eq!(broker.leave(Fate::Delete, CHUNK).await, 0);
    assert_eq!(ring(&other).await, (1, None));
    assert_eq!(other.claim(&other.appetite()).await.0[0].cause, Cause::Wake);
    cluster.expire(&other).await;
    let evictor = cluster.broker("c").await;
    assert!(matches!(evictor.evict_expired(&other, CHUNK).await, Eviction::Evicted { .. }));
    assert_eq!(ring(&evictor).await, (1, None));
    assert_eq!(evictor.claim(&evictor.appetite()).await.0.len(), 1);
}

pub async fn a_worker_whose_activation_fails_is_not_rung_for_at_once(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let (entry, _) = live(&broker, "r", 0).await;
    assert_eq!(broker.sleep("r", entry.epoch).await, Slept::Asleep);
    for attempt in 1..4 {
        assert_eq!(ring(&broker).await.0, 1);
        let (claimed, ..) = broker.claim(&broker.appetite()).await;
        let before = now(&broker.coordinator).await.0;
        assert!(broker.release("r", claimed[0].epoch, Fate::Fail).await);
        let (rung, next) = ring(&broker).await;
        let rest = 1000 << (attempt - 1);
        assert!(rung == 0 && next.is_some_and(|next| next.0 >= before + rest), "attempt {attempt}: {next:?}");
        if !cluster.clock_stands() {
            return;
        }
        cluster.pass(rest).await;
    }
}

pub async fn only_a_member_rings_and_only_in_a_settled_registry(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let (entry, _) = live(&broker, "r", 0).await;
    let joined = broker.joined().await;
    assert_eq!(broker.sleep("r", entry.epoch).await, Slept::Asleep);
    let stranger = RingRequest { by: "00".into(), ..bells(&broker) };
    assert_eq!(broker.coordinator.ring(&stranger).await, Ok(Ring::NotMember));
    let nothing = RingRequest { classes: [].into(), ..bells(&broker) };
    assert_eq!(broker.coordinator.ring(&nothing).await, Ok(Ring::Rung { rung: 0, next: vec![] }));
    cluster.disturb(Wipe).await;
    broker.announce(&broker.word(&joined, &[])).await;
    assert_eq!(broker.coordinator.ring(&bells(&broker)).await, Ok(Ring::Unsettled));
}

pub async fn many_are_rung_in_steps_in_the_order_of_their_times(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    for n in 0..5 {
        let (entry, _) = live(&broker, &format!("r{n}"), 0).await;
        assert_eq!(broker.sleep(&format!("r{n}"), entry.epoch).await, Slept::Asleep);
    }
    let two = RingRequest { limit: 2, ..bells(&broker) };
    for rung in [2, 2, 1, 0] {
        let answer = broker.coordinator.ring(&two).await;
        assert!(matches!(answer, Ok(Ring::Rung { rung: found, .. }) if found == rung), "{answer:?}");
    }
    assert_eq!(broker.claim(&broker.appetite()).await.0.len(), 5);
}
