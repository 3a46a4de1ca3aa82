//! What owners do with their workers, and what others may not.

use super::cluster::*;
use dworker::coordination::*;
use dworker::ids::*;
use std::time::Duration;

pub async fn an_owner_takes_its_worker_up_and_learns_all_of_it(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let before = now(&broker.coordinator).await;
    let request =
        PlaceRequest { recoverable: false, attributes: r#"{"a":1}"#.into(), ..broker.wish("Room", Some("r")) };
    let epoch = broker.reserve(&request).await.epoch;
    let entry = broker.activate("r").await.expect("it stands under its owner");
    assert!(entry.created >= before && entry.created <= now(&broker.coordinator).await);
    let expected = Entry {
        lasting: Default::default(),
        id: "r".into(),
        class: "Room".into(),
        cluster: "main".into(),
        epoch,
        cause: Cause::New,
        attempt: 1,
        created: entry.created,
        recoverable: false,
        attributes: request.attributes,
        history: Default::default(),
    };
    assert_eq!(entry, expected);
}

pub async fn activating_again_gives_the_same_answer(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let epoch = broker.create("r").await.epoch;
    let first = broker.activate("r").await;
    assert!(first.is_some());
    assert_eq!(broker.activate("r").await, first);
    let state = EntryState::Active;
    let owned = Location::Owned { class: "Room".into(), owner: broker.owner(), epoch, state };
    assert_eq!(broker.locate("r").await, owned);
    assert_eq!(broker.load().await, Some(1));
}

pub async fn only_its_owner_takes_a_worker_up(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    a.create("r").await;
    b.create("waits").await;
    let epoch = a.create("p").await.epoch;
    assert!(a.release("p", epoch, Fate::Recover).await);
    assert_eq!(b.activate("r").await, None);
    assert_eq!(a.activate("p").await, None);
    assert_eq!(a.activate("nothing").await, None);
    assert!(matches!(a.locate("r").await, Location::Owned { state: EntryState::Placing, .. }));
    assert_eq!(a.locate("p").await, Location::Pending { class: "Room".into(), cluster: "main".into() });
    assert_eq!(a.locate("nothing").await, Location::None);
}

pub async fn answers_come_in_the_order_of_the_questions(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let (one, two) = (broker.create("r1").await.epoch, broker.create("r2").await.epoch);
    let asked = ["r2", "x", "r1", "r2"].map(WorkerId::new);
    let answers = broker.activate_all(&asked).await;
    let epochs: Vec<_> = answers.into_iter().map(|answer| answer.map(|entry| entry.epoch)).collect();
    assert_eq!(epochs, [Some(two), None, Some(one), Some(two)]);
    let changes = [("r1", one, 5), ("r2", one, 7), ("x", one, 7), ("r2", two, 9)].map(|(id, epoch, load)| LoadChange {
        id: id.into(),
        epoch,
        load,
    });
    let set = broker.coordinator.set_load(broker.incarnation(), &changes).await;
    assert_eq!(set, Ok(vec![true, false, false, true]));
    assert_eq!(broker.load().await, Some(14));
    let releases = [("x", one), ("r2", two), ("r2", two), ("r1", one)].map(|(id, epoch)| Release {
        id: id.into(),
        epoch,
        fate: Fate::Delete,
    });
    let released = broker.coordinator.release(broker.incarnation(), &releases).await;
    assert_eq!(released, Ok(vec![false, true, false, true]));
}

pub async fn no_questions_have_no_answers(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    assert_eq!(broker.activate_all(&[]).await, []);
    assert_eq!(broker.coordinator.release(broker.incarnation(), &[]).await, Ok(vec![]));
    assert_eq!(broker.coordinator.set_load(broker.incarnation(), &[]).await, Ok(vec![]));
}

pub async fn more_workers_than_a_chunk_are_taken_up_loaded_and_given_up_in_one_call(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let mut placed = Vec::new();
    for n in 0..CHUNK + 3 {
        placed.push(broker.create(&format!("r{n}")).await);
    }
    let ids: Vec<_> = placed.iter().map(|reserved| reserved.id.clone()).collect();
    let entries = broker.activate_all(&ids).await;
    let got: Vec<_> = entries.iter().flatten().map(|entry| entry.id.clone()).collect();
    assert_eq!(got, ids);
    let changes: Vec<_> =
        placed.iter().map(|Reserved { id, epoch, .. }| LoadChange { id: id.clone(), epoch: *epoch, load: 2 }).collect();
    assert_eq!(broker.coordinator.set_load(broker.incarnation(), &changes).await, Ok(vec![true; ids.len()]));
    assert_eq!(broker.load().await, Some(2 * ids.len() as u64));
    let fate = Fate::Delete;
    let releases: Vec<_> =
        placed.iter().map(|Reserved { id, epoch, .. }| Release { id: id.clone(), epoch: *epoch, fate }).collect();
    assert_eq!(broker.coordinator.release(broker.incarnation(), &releases).await, Ok(vec![true; ids.len()]));
    assert_eq!((broker.load().await, broker.owned().await), (Some(0), vec![]));
}

pub async fn an_owner_keeps_its_rights_while_its_lease_is_expired(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let epoch = broker.create("r").await.epoch;
    cluster.expire(&broker).await;
    assert!(broker.activate("r").await.is_some());
    assert!(broker.set_load("r", epoch, 3).await);
    assert!(broker.release("r", epoch, Fate::Recover).await);
}

pub async fn a_worker_that_is_given_up_for_good_is_gone(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let epoch = broker.create("r").await.epoch;
    broker.activate("r").await;
    broker.set_load("r", epoch, 8).await;
    assert!(broker.release("r", epoch, Fate::Delete).await);
    assert_eq!(broker.locate("r").await, Location::None);
    assert_eq!((broker.load().await, broker.owned().await.len()), (Some(0), 0));
    assert!(!broker.release("r", epoch, Fate::Delete).await, "it is given up once");
}

pub async fn a_recoverable_worker_that_is_given_up_waits_and_any_other_is_gone(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let (lasting, mortal) = (broker.create("r").await, broker.create_mortal("m").await);
    assert!(broker.release("r", lasting.epoch, Fate::Recover).await);
    assert!(broker.release("m", mortal.epoch, Fate::Recover).await);
    assert_eq!(broker.locate("r").await, Location::Pending { class: "Room".into(), cluster: "main".into() });
    assert_eq!(broker.locate("m").await, Location::None);
    assert_eq!((broker.load().await, broker.scan().await.claimable), (Some(0), 1));
    assert!(!broker.release("r", lasting.epoch, Fate::Delete).await, "what waits has no owner");
    assert_eq!(broker.locate("r").await, Location::Pending { class: "Room".into(), cluster: "main".into() });
}

pub async fn who_is_not_the_owner_or_speaks_of_another_epoch_gives_nothing_up(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let epoch = a.create("r").await.epoch;
    let before = a.locate("r").await;
    for fate in [Fate::Delete, Fate::Recover] {
        assert!(!b.release("r", epoch, fate).await);
        assert!(!a.release("r", Epoch(epoch.0 + 1), fate).await);
        assert!(!a.release("r", Epoch(epoch.0 - 1), fate).await);
        assert!(!a.release("x", epoch, fate).await);
    }
    assert_eq!(a.locate("r").await, before);
    assert_eq!((a.load().await, b.load().await), (Some(1), Some(0)));
}

pub async fn a_new_placement_that_is_withdrawn_leaves_nothing(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let placed = a.create("r").await;
    assert_eq!(placed.owner, a.owner());
    assert!(b.withdraw(a.incarnation(), "r", placed.epoch).await);
    assert_eq!(b.locate("r").await, Location::None);
    assert_eq!((a.load().await, b.scan().await.claimable), (Some(0), 0));
    assert!(!b.withdraw(a.incarnation(), "r", placed.epoch).await, "it is withdrawn once");
}

pub async fn a_recovery_that_is_withdrawn_waits_again_as_it_was(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let first = PlaceRequest { attributes: r#"{"deep":{"empty":[]}}"#.into(), ..broker.wish("Room", Some("r")) };
    broker.pend(&first).await;
    let again = broker.create("r").await;
    assert!(broker.withdraw(broker.incarnation(), "r", again.epoch).await);
    assert_eq!(broker.locate("r").await, Location::Pending { class: "Room".into(), cluster: "main".into() });
    assert_eq!((broker.load().await, broker.scan().await.claimable), (Some(0), 1));
    let (claimed, ..) = broker.claim(&broker.appetite()).await;
    assert_eq!(claimed[0].attributes, first.attributes);
    assert!(claimed[0].epoch > again.epoch);
}

pub async fn what_was_made_new_after_its_ttl_is_deleted_when_it_is_withdrawn(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    broker.leave_pending("r").await;
    cluster.pass(5).await;
    let made = broker.reserve(&PlaceRequest { ttl: Duration::from_millis(1), ..broker.wish("Room", Some("r")) }).await;
    assert!(broker.withdraw(broker.incarnation(), "r", made.epoch).await);
    assert_eq!((broker.locate("r").await, broker.scan().await.claimable), (Location::None, 0));
}

pub async fn what_was_delivered_cannot_be_withdrawn(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let epoch = a.create("r").await.epoch;
    let stale = Epoch(epoch.0 - 1);
    assert!(!a.withdraw(b.incarnation(), "r", epoch).await, "another owner");
    assert!(!a.withdraw(a.incarnation(), "r", stale).await, "another epoch");
    assert!(!a.withdraw(a.incarnation(), "x", epoch).await, "no such worker");
    a.activate("r").await;
    assert!(!a.withdraw(a.incarnation(), "r", epoch).await, "its owner has it");
    let class = ClassName::new("Room");
    assert_eq!(a.locate("r").await, Location::Owned { class, owner: a.owner(), epoch, state: EntryState::Active });
    b.leave_pending("p").await;
    assert!(!b.withdraw(b.incarnation(), "p", epoch).await, "what waits has no owner");
}

pub async fn the_sum_of_a_brokers_loads_follows_each_of_them(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let (one, two) = (broker.create("r1").await.epoch, broker.create("r2").await.epoch);
    let mut sums = Vec::new();
    for (id, epoch, load) in [("r1", one, 10), ("r2", two, 5), ("r1", one, 3), ("r1", one, 0), ("r2", two, 0)] {
        assert!(broker.set_load(id, epoch, load).await);
        sums.push(broker.load().await);
    }
    assert_eq!(sums, [11, 15, 8, 5, 0].map(Some));
    broker.set_load("r2", two, 6).await;
    broker.release("r2", two, Fate::Recover).await;
    assert_eq!(broker.load().await, Some(0));
    let (claimed, ..) = broker.claim(&broker.appetite()).await;
    assert_eq!((claimed.len(), broker.load().await), (1, Some(1)));
}

pub async fn a_load_of_another_owner_or_epoch_is_not_taken(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let epoch = a.create("r").await.epoch;
    b.create("s").await;
    a.create("t").await;
    let waiting = b.leave_pending("p").await;
    assert!(!b.set_load("r", epoch, 9).await);
    assert!(!a.set_load("r", Epoch(epoch.0 + 1), 9).await);
    assert!(!a.set_load("x", epoch, 9).await);
    assert!(!b.set_load("p", waiting, 9).await);
    assert_eq!((a.load().await, b.load().await), (Some(2), Some(1)));
}

pub async fn a_load_beyond_the_limit_counts_as_the_limit(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let (one, two) = (broker.create("r1").await.epoch, broker.create("r2").await.epoch);
    assert!(broker.set_load("r1", one, u64::MAX).await);
    assert!(broker.set_load("r2", two, MAX_LOAD - 1).await);
    assert_eq!(broker.load().await, Some(2 * MAX_LOAD - 1));
    assert!(broker.set_load("r1", one, 1).await);
    assert!(broker.release("r2", two, Fate::Delete).await);
    assert_eq!(broker.load().await, Some(1));
}

pub async fn a_worker_can_be_located_in_each_of_its_states(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    let class = ClassName::new("Room");
    assert_eq!(broker.locate("r").await, Location::None);
    let epoch = broker.create("r").await.epoch;
    for state in [EntryState::Placing, EntryState::Active] {
        let owned = Location::Owned { class: class.clone(), owner: broker.owner(), epoch, state };
        assert_eq!(broker.locate("r").await, owned);
        broker.activate("r").await;
    }
    broker.release("r", epoch, Fate::Recover).await;
    assert_eq!(broker.locate("r").await, Location::Pending { class, cluster: "main".into() });
}

pub async fn what_stands_under_an_owner_is_listed_oldest_first_page_by_page(cluster: Cluster) {
    let (a, b) = (cluster.broker("a").await, cluster.broker("b").await);
    let mut placed = Vec::new();
    for id in ["z", "other1", "y", "other2", "x"] {
        let broker = if id.starts_with("other") { &b } else { &a };
        placed.push(broker.create(id).await);
        cluster.pass(2).await;
    }
    let expected: Vec<_> =
        placed.iter().filter(|one| one.owner == a.owner()).map(|one| (one.id.clone(), one.epoch)).collect();
    assert_eq!(expected.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["z", "y", "x"]);
    let page = async |offset, limit| {
        let page = a.coordinator.owned(a.incarnation(), offset, limit).await.expect("owned");
        page.into_iter().map(|owned| (owned.id, owned.epoch)).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 10).await, expected);
    assert_eq!(page(0, 2).await, expected[..2]);
    assert_eq!(page(2, 2).await, expected[2..]);
    assert_eq!(page(3, 2).await, []);
    assert_eq!(page(0, 0).await, []);
    assert_eq!(b.coordinator.owned(&"nobody".into(), 0, 10).await, Ok(vec![]));
}

pub async fn of_the_same_age_the_lower_id_comes_first(cluster: Cluster) {
    if !cluster.clock_stands() {
        return;
    }
    let broker = cluster.broker("a").await;
    for id in ["b", "é", "a", "B", "a#10", "a#9"] {
        broker.create(id).await;
    }
    assert_eq!(broker.owned().await, ["B", "a", "a#10", "a#9", "b", "é"]);
}

pub async fn a_page_holds_a_chunk_at_most(cluster: Cluster) {
    let broker = cluster.broker("a").await;
    for n in 0..CHUNK + 2 {
        broker.create(&format!("r{n}")).await;
    }
    let first = broker.coordinator.owned(broker.incarnation(), 0, CHUNK * 2).await.expect("owned");
    let second = broker.coordinator.owned(broker.incarnation(), CHUNK, CHUNK * 2).await.expect("owned");
    assert_eq!((first.len(), second.len()), (CHUNK, 2));
}
