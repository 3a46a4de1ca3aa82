//! The order of one sender's messages to one worker, while the worker is moved about.

#[allow(dead_code)]
#[path = "support/host.rs"]
mod host;

use bytes::Bytes;
use dworker::broker::calls::table::Settled;
use dworker::broker::home::Home;
use dworker::clock::boot_millis;
use dworker::coordination::memory::MemoryStore;
use dworker::coordination::{Fate, PlaceRequest, Placement, Release};
use dworker::transport::MemoryHub;
use dworker::wire::call_chain::Chain;
use dworker::wire::message::{Envelope, Message, Payload};
use host::{eventually, Handler, Host};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A small generator with a seed: 1, or what `DWORKER_TEST_SEED` says.
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let text = std::env::var("DWORKER_TEST_SEED");
        let seed = text.map_or(1, |text| text.parse().expect("DWORKER_TEST_SEED is a whole number"));
        println!("DWORKER_TEST_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn home() -> Home {
    Home::Memory { store: MemoryStore::default(), hub: MemoryHub::default() }
}

type Journal = Arc<Mutex<Vec<u64>>>;

fn journal() -> (Journal, Handler) {
    let journal: Journal = Arc::default();
    let seen = journal.clone();
    let handler: Handler = Arc::new(move |_, _, payload| {
        let number = payload.and_then(|text| text.parse().ok()).unwrap_or(0);
        seen.lock().expect("no test panics with it").push(number);
        Some(number.to_string())
    });
    (journal, handler)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_sender_arrive_in_order_and_once_while_the_worker_moves() {
    let mut random = Random::seeded();
    let home = home();
    let (journal, handler) = journal();
    let sender = Host::start("sender", &home, handler.clone()).await;
    let mut hosts = vec![sender.clone()];
    for index in 0..3 {
        hosts.push(Host::start(&format!("host-{index}"), &home, handler.clone()).await);
    }
    sender.create("Room#x").await.expect("the worker is made");
    let (mut number, mut moves, mut crashes) = (0, 0, 0);
    for round in 0.. {
        if moves >= 30 && crashes >= 2 {
            break;
        }
        for _ in 0..random.below(40) {
            number += 1;
            sender.post("Room#x", "n", &number.to_string(), random.below(2) == 0);
        }
        match random.below(10) {
            0..=2 => eventually("the worker lives somewhere", || hosts.iter().any(|host| host.holds("Room#x"))).await,
            3..=5 => moves += u64::from(hosts.iter().any(|host| host.hand_over("Room#x"))),
            6 if crashes < 2 => {
                if let Some(index) = (1..hosts.len()).find(|index| hosts[*index].holds("Room#x")) {
                    hosts[index].crash();
                    crashes += 1;
                    hosts[index] = Host::start(&format!("again-{round}"), &home, handler.clone()).await;
                }
            }
            _ => tokio::time::sleep(std::time::Duration::from_millis(random.below(10))).await,
        }
    }
    number += 1;
    let last = number;
    let answer = sender.ask("Room#x", "n", &last.to_string()).await;
    assert_eq!(answer.expect("the worker is reachable after all"), Some(last.to_string()));
    let seen = journal.lock().expect("no test panics with it").clone();
    println!("{number} sent, {} handled, {moves} moves, {crashes} crashes", seen.len());
    if let Some(pair) = seen.windows(2).find(|pair| pair[0] >= pair[1]) {
        panic!("{} was handled before {}", pair[0], pair[1]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_a_worker_is_handed_over() {
    let home = home();
    let (journal, handler) = journal();
    let sender = Host::start("sender", &home, handler.clone()).await;
    let other = Host::start("other", &home, handler.clone()).await;
    sender.create("Room#x").await.expect("the worker is made");
    for number in 1..=2000u64 {
        sender.post("Room#x", "n", &number.to_string(), number % 2 == 0);
        if number % 100 == 0 {
            eventually("the worker lives somewhere", || sender.holds("Room#x") || other.holds("Room#x")).await;
            assert!(sender.hand_over("Room#x") || other.hand_over("Room#x"));
        }
    }
    eventually("all messages were handled", || journal.lock().expect("no test panics with it").len() == 2000).await;
    let seen = journal.lock().expect("no test panics with it").clone();
    if let Some(pair) = seen.windows(2).find(|pair| pair[0] >= pair[1]) {
        panic!("{} was handled before {}", pair[0], pair[1]);
    }
}

/// The registry says that a worker stands at a broker before that broker has heard so: what comes too early goes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_a_message_that_came_too_early_goes_back_too_until_its_sender_has_heard_of_that() {
    let home = home();
    let (journal, handler) = journal();
    let near = Host::start("near", &home, handler.clone()).await.core.life().expect("the broker is active");
    let far = Host::start("far", &home, handler.clone()).await;
    let request = PlaceRequest {
        purpose: Default::default(),
        exclude: Vec::new(),
        by: near.context.incarnation.clone(),
        id: Some("Room#x".into()),
        class: "Room".into(),
        cluster: "main".into(),
        recoverable: true,
        attributes: "{}".into(),
        ttl: Duration::ZERO,
    };
    let far_incarnation = far.core.life().expect("the broker is active").context.incarnation.clone();
    let (owner, epoch) = loop {
        match near.context.coordinator.place(&request).await.expect("the coordinator answers") {
            Placement::Reserved { owner, epoch, .. } if owner.incarnation == far_incarnation => break (owner, epoch),
            Placement::Reserved { owner, epoch, id, .. } => {
                let release = Release { id, epoch, fate: Fate::Delete };
                near.context
                    .coordinator
                    .release(&owner.incarnation, &[release])
                    .await
                    .expect("the coordinator answers");
            }
            other => panic!("{other:?}"),
        }
    };
    let connection = near.membership.members.connect(&owner).await.expect("the broker is reachable");
    let tell = |number: u32| {
        let payload = Payload::json(number.to_string().into_bytes().into());
        let (worker, method) = ("Room#x".into(), Bytes::from_static(b"n"));
        let envelope = Envelope { worker, epoch, sequence: number, method, chain: Chain::EMPTY, payload };
        connection.send(&Message::Tell { envelope }).expect("the connection is open");
        connection.flush();
    };
    tell(1);
    assert!(matches!(
        near.directory.routes.raise(&connection, &"Room#x".into(), Chain::EMPTY, boot_millis() + 3000).await,
        Settled::Reply(_)
    ));
    tell(2);
    connection.send(&Message::Sync { call: 1, worker: "Room#x".into() }).expect("the connection is open");
    tell(3);
    eventually("the last one was handled", || journal.lock().expect("no test panics with it").contains(&3)).await;
    assert_eq!(*journal.lock().expect("no test panics with it"), [3]);
}
