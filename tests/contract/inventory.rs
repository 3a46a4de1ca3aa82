//! What can be read of the tables without changing them.

use super::cluster::*;
use dworker::coordination::*;
use std::collections::{BTreeMap, BTreeSet};

async fn page(broker: &Broker, filter: &WorkerFilter, cursor: Option<&Cursor>, limit: usize) -> WorkerPage {
    let page = broker.coordinator.list_workers(filter, cursor, limit).await.expect("list_workers");
    page.expect("the cursor is one of this coordinator")
}

/// All pages, one after the other; `between` is called after each.
async fn all(
    broker: &Broker,
    filter: &WorkerFilter,
    limit: usize,
    mut between: impl AsyncFnMut(),
) -> Vec<ListedWorker> {
    let (mut workers, mut cursor) = (Vec::new(), None);
    loop {
        let page = page(broker, filter, cursor.as_ref(), limit).await;
        assert!(page.workers.len() <= limit, "{} workers on a page of {limit}", page.workers.len());
        workers.extend(page.workers);
        let Some(next) = page.cursor else { return workers };
        cursor = Some(next);
        between().await;
    }
}

async fn list(broker: &Broker, filter: &WorkerFilter) -> BTreeMap<String, ListedWorker> {
    let workers = all(broker, filter, 1000, async || ()).await;
    workers.into_iter().map(|worker| (worker.entry.id.to_string(), worker)).collect()
}

async fn describe(broker: &Broker, id: &str) -> Option<ListedWorker> {
    broker.coordinator.describe(&id.into()).await.expect("describe")
}

pub async fn a_list_shows_each_broker_with_its_record_lease_load_and_workers(cluster: Cluster) {
    let (b, a) = (cluster.broker("b").await, cluster.broker("a").await);
    a.create("r").await;
    let epoch = a.create("s").await.epoch;
    a.hold("s", 40).await;
    assert!(a.set_load("s", epoch, 41).await);
    let (now, brokers) = b.coordinator.list_brokers().await.expect("list_brokers");
    let records: Vec<_> = brokers.iter().map(|broker| broker.member.record.clone()).collect();
    assert_eq!(records, [a.record.clone(), b.record.clone()]);
    assert_eq!(
        brokers.iter().map(|broker| (broker.member.load, broker.workers)).collect::<Vec<_>>(),
        [(42, 2), (0, 0)]
    );
    assert!(brokers.iter().all(|broker| broker.member.lease_expires > now));
    a.leave(Fate::Recover, CHUNK).await;
    let (_, brokers) = b.coordinator.list_brokers().await.expect("list_brokers");
    assert_eq!(brokers.len(), 1);
}

pub async fn a_list_shows_each_worker_with_its_state_and_its_owner(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let epoch = a.create("placing").await.epoch;
    b.create("active").await;
    b.hold("active", 7).await;
    a.leave_pending("pending").await;
    let workers = list(&a, &WorkerFilter::default()).await;
    assert_eq!(workers.keys().collect::<Vec<_>>(), ["active", "pending", "placing"]);
    let owner = |broker: &Broker| Some((broker.incarnation().clone(), Some(broker.record.broker.clone())));
    let (placing, active, pending) = (&workers["placing"], &workers["active"], &workers["pending"]);
    assert_eq!((placing.state, placing.load, &placing.owner), (WorkerState::Placing, 1, &owner(&a)));
    assert_eq!((active.state, active.load, &active.owner), (WorkerState::Active, 7, &owner(&b)));
    assert_eq!((pending.state, &pending.owner), (WorkerState::Pending, &None));
    assert_eq!((placing.entry.epoch, placing.entry.class.as_str()), (epoch, "Room"));
    assert!(workers.values().all(|worker| worker.entry.attributes.is_empty()), "lists have no attributes");
}

pub async fn a_worker_is_described_with_its_attributes_without_being_activated(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let attributes = format!("{{\"text\":\"{}\"}}", "x".repeat(2000));
    let request = PlaceRequest { attributes: attributes.clone(), ..broker.wish("Room", Some("r")) };
    broker.reserve(&request).await;
    let worker = describe(&broker, "r").await.expect("it is there");
    assert_eq!((worker.state, worker.entry.attributes), (WorkerState::Placing, attributes));
    assert_eq!(describe(&broker, "r").await.map(|worker| worker.state), Some(WorkerState::Placing));
    assert_eq!(describe(&broker, "s").await, None);
}

pub async fn pages_have_each_worker_once_and_never_more_than_were_wanted(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let ids: BTreeSet<String> = (0..700).map(|n| format!("worker {n}")).collect();
    for id in &ids {
        broker.reserve(&broker.wish("Room", Some(id))).await;
    }
    for limit in [7, 499, 1000] {
        let workers = all(&broker, &WorkerFilter::default(), limit, async || ()).await;
        let seen: BTreeSet<String> = workers.iter().map(|worker| worker.entry.id.to_string()).collect();
        assert_eq!(seen.len(), workers.len(), "a worker was listed twice in pages of {limit}");
        assert_eq!(seen, ids);
    }
}

pub async fn workers_that_change_hands_between_pages_are_listed(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let ids: BTreeSet<String> = (0..60).map(|n| format!("w{n}")).collect();
    for id in &ids {
        a.create(id).await;
    }
    let mut turn = 0;
    let workers = all(&a, &WorkerFilter::default(), 3, async || {
        let (from, to) = if turn % 2 == 0 { (&a, &b) } else { (&b, &a) };
        turn += 1;
        for id in &ids {
            if let Location::Owned { epoch, owner, .. } = from.locate(id).await {
                assert_eq!(&owner.incarnation, from.incarnation());
                assert!(from.release(id, epoch, Fate::Recover).await);
            }
        }
        while !to.claim(&ClaimRequest { overflow: 1, ..to.appetite() }).await.0.is_empty() {}
    })
    .await;
    let seen: BTreeSet<String> = workers.iter().map(|worker| worker.entry.id.to_string()).collect();
    assert!(turn > 10 && seen == ids, "{turn} pages, not listed: {:?}", ids.difference(&seen));
}

pub async fn a_filter_accepts_a_class_a_cluster_a_broker_or_a_state(cluster: Cluster) {
    let a = cluster.broker_like(BrokerRecord { classes: classes(&["Hall", "Room"]), ..record("a") }).await;
    let b = cluster.broker_like(BrokerRecord { cluster: "side".into(), ..record("b") }).await;
    a.create("room").await;
    a.create_here(&a.wish("Hall", Some("hall"))).await;
    b.create("aside").await;
    b.leave_pending("waits").await;
    let ids = async |filter: WorkerFilter| list(&a, &filter).await.into_keys().collect::<Vec<_>>();
    let none = WorkerFilter::default;
    assert_eq!(ids(WorkerFilter { class: Some("Hall".into()), ..none() }).await, ["hall"]);
    assert_eq!(ids(WorkerFilter { cluster: Some("side".into()), ..none() }).await, ["aside", "waits"]);
    assert_eq!(ids(WorkerFilter { broker: Some("b".into()), ..none() }).await, ["aside"]);
    assert_eq!(ids(WorkerFilter { state: Some(WorkerState::Pending), ..none() }).await, ["waits"]);
    assert_eq!(ids(WorkerFilter { class: Some("Hall".into()), broker: Some("b".into()), ..none() }).await, [""; 0]);
}

pub async fn a_text_that_is_no_cursor_is_refused(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let cursor = Cursor("nonsense".into());
    let answer = broker.coordinator.list_workers(&WorkerFilter::default(), Some(&cursor), 10).await;
    assert_eq!(answer, Ok(None));
}
