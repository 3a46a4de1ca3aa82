//! Handles: opening, closing, hints, and who listens.

use super::cluster::*;
use dworker::coordination::*;
use dworker::ids::{Epoch, Incarnation, ServerTime, WorkerId};
use tokio::sync::broadcast::error::RecvError;

fn unavailable<T: std::fmt::Debug>(answer: CoordinationResult<T>) {
    assert!(matches!(answer, Err(CoordinationError::Unavailable(_))), "{answer:?}");
}

/// Every operation but `open` and `close` on a handle that must refuse them.
async fn refuses_everything(handle: &Handle) {
    let (me, id) = (record("a").incarnation, WorkerId::new("r"));
    let request = PlaceRequest {
        purpose: Default::default(),
        exclude: Vec::new(),
        by: me.clone(),
        id: None,
        class: "Room".into(),
        cluster: "main".into(),
        recoverable: true,
        attributes: "{}".into(),
        ttl: LEASE,
    };
    let claim = ClaimRequest {
        by: me.clone(),
        cluster: "main".into(),
        classes: classes(&["Room"]),
        limit: 1,
        overflow: 1,
        ttl: LEASE,
        trial_over: true,
    };
    let (release, load) = (
        Release { id: id.clone(), epoch: Epoch(1), fate: Fate::Delete },
        LoadChange { id: id.clone(), epoch: Epoch(1), load: 1 },
    );
    unavailable(handle.time().await);
    unavailable(handle.register(&record("a"), LEASE).await);
    let nobody = Joined {
        now: ServerTime(1),
        lease_expires: ServerTime(1),
        restart_number: 0,
        generation: "g".into(),
        secret: "s".into(),
        server: "s".into(),
    };
    let broker = Broker { coordinator: handle.clone(), record: record("a") };
    unavailable(handle.announce(&broker.word(&nobody, &[])).await);
    unavailable(handle.settle(&me, &nobody).await);
    assert_eq!(handle.server(), None);
    unavailable(handle.renew(&me, LEASE).await);
    unavailable(handle.update(&record("a")).await);
    unavailable(handle.scan(&me).await);
    unavailable(handle.place(&request).await);
    unavailable(handle.activate(&me, std::slice::from_ref(&id)).await);
    unavailable(handle.release(&me, &[release]).await);
    unavailable(handle.withdraw(&me, &id, Epoch(1)).await);
    unavailable(handle.set_load(&me, &[load]).await);
    unavailable(handle.locate(&id).await);
    unavailable(handle.claim(&claim).await);
    unavailable(handle.evict(&me, &"x".into(), &Death::Expired { expected: ServerTime(1) }, 1).await);
    unavailable(handle.leave(&me, Fate::Delete, 1).await);
    unavailable(handle.owned(&me, 0, 1).await);
    unavailable(handle.request_restart().await);
    unavailable(handle.is_listening(&me).await);
    unavailable(handle.listen_as(Some(&me)).await);
}

pub async fn a_handle_that_is_not_open_refuses_everything_and_changes_nothing(cluster: Cluster) {
    let handle = cluster.unopened();
    refuses_everything(&handle).await;
    assert_eq!(handle.open().await, Ok(()));
    let seen = handle.scan(&record("a").incarnation).await.expect("scan");
    assert_eq!((seen.members.len(), seen.restart_number), (0, 0));
}

pub async fn a_handle_may_be_opened_again(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    assert_eq!(broker.coordinator.open().await, Ok(()));
    assert_eq!(broker.scan().await.members.len(), 1);
}

pub async fn a_closed_handle_refuses_everything_and_the_others_go_on(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    a.coordinator.close().await;
    a.coordinator.close().await;
    refuses_everything(&a.coordinator).await;
    unavailable(a.coordinator.open().await);
    assert_eq!(b.scan().await.members.len(), 2);
}

pub async fn nobody_listens_as_an_incarnation_unless_it_says_so(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    assert_eq!(b.coordinator.is_listening(a.incarnation()).await, Ok(false));
    assert_eq!(a.coordinator.listen_as(Some(a.incarnation())).await, Ok(()));
    assert_eq!(b.coordinator.is_listening(a.incarnation()).await, Ok(true));
    assert_eq!(a.coordinator.is_listening(a.incarnation()).await, Ok(true));
    assert_eq!(a.coordinator.is_listening(b.incarnation()).await, Ok(false));
}

pub async fn a_handle_listens_as_one_incarnation_at_a_time_and_can_stop(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let (old, new) = (a.incarnation(), Incarnation::new("another"));
    let hears = async |name: &Incarnation| b.coordinator.is_listening(name).await.expect("is_listening");
    for _ in 0..2 {
        a.coordinator.listen_as(Some(old)).await.expect("listen");
        assert!(hears(old).await);
    }
    a.coordinator.listen_as(Some(&new)).await.expect("listen");
    eventually("the old name is given up", async || !hears(old).await).await;
    assert!(hears(&new).await);
    a.coordinator.listen_as(None).await.expect("listen");
    eventually("nobody listens", async || !hears(&new).await).await;
}

pub async fn who_closes_or_drops_its_handle_listens_no_more(cluster: Cluster) {
    let (a, b, watcher) = (cluster.broker("a").await, cluster.broker("b").await, cluster.visitor().await);
    let names = [a.incarnation().clone(), b.incarnation().clone()];
    for broker in [&a, &b] {
        broker.coordinator.listen_as(Some(broker.incarnation())).await.expect("listen");
        assert_eq!(watcher.is_listening(broker.incarnation()).await, Ok(true));
    }
    a.coordinator.close().await;
    drop(b);
    for name in names {
        eventually("it listens no more", async || watcher.is_listening(&name).await == Ok(false)).await;
    }
}

pub async fn everybody_hears_that_a_broker_joins_changes_or_leaves(cluster: Cluster) {
    let watcher = cluster.visitor().await;
    let mut hints = watcher.signals();
    let broker = cluster.broker("a").await;
    hear(&mut hints, &Signal::Members).await;
    let draining = BrokerRecord { draining: true, ..broker.record.clone() };
    broker.coordinator.update(&draining).await.expect("update");
    hear(&mut hints, &Signal::Members).await;
    broker.leave(Fate::Delete, CHUNK).await;
    hear(&mut hints, &Signal::Members).await;
}

/// The hint that one `Room` of `main` waits.
fn room_waits(id: &str) -> Signal {
    Signal::Pending { cluster: "main".into(), class: "Room".into(), waiting: 1, worker: id.into() }
}

pub async fn everybody_hears_that_workers_wait(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let mut hints = b.coordinator.signals();
    let epoch = a.create("r").await.epoch;
    a.release("r", epoch, Fate::Recover).await;
    hear(&mut hints, &room_waits("r")).await;
    let epoch = a.create("r").await.epoch;
    a.withdraw(a.incarnation(), "r", epoch).await;
    hear(&mut hints, &room_waits("r")).await;
    a.create("r").await;
    a.leave(Fate::Recover, CHUNK).await;
    hear(&mut hints, &room_waits("r")).await;
}

pub async fn everybody_hears_of_a_death_and_of_what_waits_after_it(cluster: Cluster) {
    let (dead, evictor, other) = (cluster.broker("a").await, cluster.broker("b").await, cluster.visitor().await);
    dead.create("r").await;
    cluster.expire(&dead).await;
    let before = other.look(evictor.incarnation(), None).await.expect("look").known.version;
    let (mut deaths, mut waits) = (other.signals(), other.signals());
    evictor.evict_expired(&dead, CHUNK).await;
    let known = other.look(evictor.incarnation(), None).await.expect("look").known;
    let heard = hear_any(&mut deaths, |signal| matches!(signal, Signal::Dead { .. })).await;
    let incarnation = dead.incarnation().clone();
    assert_eq!(heard, Signal::Dead { incarnation, before, version: known.version });
    hear(&mut waits, &room_waits("r")).await;
    // Evicting again tells nobody anything.
    let mut hints = other.signals();
    evictor.evict_expired(&dead, CHUNK).await;
    evictor.coordinator.request_restart().await.expect("restart");
    assert_eq!(hear_any(&mut hints, |_| true).await, Signal::Restart);
}

pub async fn of_claims_in_a_row_the_first_and_the_last_are_told_of(cluster: Cluster) {
    const CLAIMS: usize = 5;
    let (broker, other) = (cluster.broker("a").await, cluster.visitor().await);
    for n in 0..CLAIMS {
        broker.leave_pending(&format!("r{n}")).await;
    }
    let mut hints = other.signals();
    for _ in 0..CLAIMS {
        let (claimed, ..) = broker.claim(&ClaimRequest { limit: 1, ..broker.appetite() }).await;
        assert_eq!(claimed.len(), 1);
    }
    broker.coordinator.request_restart().await.expect("restart");
    let mut told = 0;
    while hear_any(&mut hints, |signal| matches!(signal, Signal::Claimed | Signal::Restart)).await == Signal::Claimed {
        told += 1;
    }
    // Where the clock goes on, those in between may be told of, too.
    assert!(if cluster.clock_stands() { told == 2 } else { (2..=CLAIMS).contains(&told) }, "{told} hints");
}

pub async fn everybody_hears_of_a_restart_the_one_that_called_too(cluster: Cluster) {
    let (a, b) = (cluster.visitor().await, cluster.visitor().await);
    let (mut at_a, mut at_b) = (a.signals(), b.signals());
    a.request_restart().await.expect("restart");
    hear(&mut at_a, &Signal::Restart).await;
    hear(&mut at_b, &Signal::Restart).await;
}

pub async fn who_does_not_listen_for_long_is_told_that_hints_were_missed(cluster: Cluster) {
    const MANY: usize = 1_500;
    let (slow, loud) = (cluster.visitor().await, cluster.visitor().await);
    let mut hints = slow.signals();
    for _ in 0..MANY {
        loud.request_restart().await.expect("restart");
    }
    eventually("all hints arrived", async || hints.len() >= MANY).await;
    assert!(matches!(hints.recv().await, Err(RecvError::Lagged(_))));
    assert_eq!(hints.recv().await, Ok(Signal::Restart));
}

pub async fn hints_stay_within_their_namespace(cluster: Cluster) {
    let (here, there) = (cluster.visitor_of("here").await, cluster.visitor_of("there").await);
    let mut hints = here.signals();
    there.request_restart().await.expect("restart");
    here.register(&record("a"), LEASE).await.expect("register");
    let first = loop {
        match hints.recv().await {
            Ok(Signal::Resync | Signal::Settled) => {}
            other => break other,
        }
    };
    assert_eq!(first, Ok(Signal::Members));
}
