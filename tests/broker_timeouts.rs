//! What a call that got no answer in time means for the next message to its worker.

#[allow(dead_code)]
#[path = "support/host.rs"]
mod host;

use dworker::broker::directory::lane::Route;
use dworker::broker::home::Home;
use dworker::broker::js::event::Event;
use dworker::coordination::memory::MemoryStore;
use dworker::coordination::{Fate, LoadChange, Location, Release};
use dworker::error::{Code, Delivered};
use dworker::ids::{Epoch, WorkerId};
use dworker::transport::MemoryHub;
use dworker::wire::message::PayloadRef;
use host::{config, Handler, Host};
use std::sync::Arc;
use std::time::{Duration, Instant};

const TIMEOUT: u64 = 50;

/// Says whose it is; takes a while for `slow`.
fn named(name: &'static str) -> Handler {
    Arc::new(move |_, method, _| {
        if method == "slow" {
            std::thread::sleep(Duration::from_millis(5 * TIMEOUT));
        }
        Some(format!("\"{name}\""))
    })
}

async fn who(by: &Host, worker: &str) -> String {
    by.ask(worker, "who", "1").await.expect("the worker answers").expect("with a name")
}

async fn time_out(by: &Host, worker: &str) {
    let life = by.core.life().expect("it is active");
    let slow = by.run(|slot| life.messages.ask(worker, "slow", PayloadRef::json(b"1"), slot, TIMEOUT, 0)).await;
    assert_eq!(slow.expect_err("it takes too long").code, Code::Timeout);
}

async fn epoch_of(by: &Host, worker: &str) -> Epoch {
    match by.core.life().expect("it is active").context.coordinator.locate(&WorkerId::new(worker)).await {
        Ok(Location::Owned { epoch, .. }) => epoch,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_timeout_the_worker_is_looked_up_anew_and_found_where_it_was_or_elsewhere() {
    let home = Home::Memory { store: MemoryStore::default(), hub: MemoryHub::default() };
    let a = Host::start("a", &home, named("a")).await;
    let b = Host::start("b", &home, named("b")).await;
    let c = Host::start("c", &home, named("c")).await;
    let ids: Vec<String> = (0..6).map(|number| format!("Room#{number}")).collect();
    for id in &ids {
        a.create(id).await.expect("the worker is made");
    }
    let there: Vec<&str> = ids.iter().map(String::as_str).filter(|id| b.holds(id)).collect();
    let [worker, other] = there[..] else { panic!("not spread evenly: {there:?}") };
    assert_eq!(who(&a, worker).await, "\"b\"");
    time_out(&a, worker).await;
    assert_eq!(who(&a, worker).await, "\"b\"");

    // Behind the backs of its owner and of who talks to it: nothing but the registry tells that it lives elsewhere.
    let owner = b.core.life().expect("it is active");
    let busy = LoadChange { id: WorkerId::new(other), epoch: epoch_of(&b, other).await, load: 100 };
    owner.context.coordinator.set_load(&owner.context.incarnation, &[busy]).await.expect("the coordinator answers");
    let release = Release { id: WorkerId::new(worker), epoch: epoch_of(&b, worker).await, fate: Fate::Delete };
    owner.context.coordinator.release(&owner.context.incarnation, &[release]).await.expect("the coordinator answers");
    c.create(worker).await.expect("the worker is made");
    assert_eq!(who(&a, worker).await, "\"b\"", "its route is known, and nothing speaks against it");
    time_out(&a, worker).await;
    assert_ne!(who(&a, worker).await, "\"b\"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tell_that_waits_for_what_comes_back_first_fails_in_time() {
    const RETRIES: u64 = 300;
    let home = Home::Memory { store: MemoryStore::default(), hub: MemoryHub::default() };
    let mut impatient = config("a");
    impatient.retries.duration = RETRIES;
    let a = Host::start_with(impatient, &home, named("a")).await;
    let b = Host::start("b", &home, named("b")).await;
    for number in 0..2 {
        a.create(&format!("Room#{number}")).await.expect("the worker is made");
    }
    let worker = ["Room#0", "Room#1"].into_iter().find(|id| b.holds(id)).expect("they are spread evenly");
    assert_eq!(who(&a, worker).await, "\"b\"");
    let life = a.core.life().expect("it is active");
    let tell = || a.run(|slot| assert!(!life.messages.tell(worker, "who", PayloadRef::json(b"1"), slot, 0)));
    // As if a message had come back, and the broker did not say that it was the last one: it is frozen.
    let connection = {
        let mut lanes = life.directory.routes.lanes();
        let Some(Route::Remote { connection, .. }) = lanes.get_mut(worker).map(|lane| lane.route.clone()) else {
            panic!("the route is known");
        };
        lanes.fence_there(worker, &connection, u64::MAX);
        connection
    };
    for _ in 0..2 {
        let began = Instant::now();
        let failure = tell().await.expect_err("nothing is handed over");
        assert_eq!((failure.code, failure.delivered), (Code::Unreachable, Delivered::No));
        let took = began.elapsed();
        // The core's clock has whole milliseconds.
        assert!(took >= Duration::from_millis(RETRIES - 2) && took < Duration::from_millis(3 * RETRIES), "{took:?}");
    }
    // The fence comes up while it waits, and is found by who looked for a route meanwhile.
    let here = WorkerId::new(worker);
    let began = Instant::now();
    let late = a.run(|slot| {
        {
            let mut lanes = life.directory.routes.lanes();
            lanes.passed(u64::MAX);
            lanes.get_mut(worker).expect("it is known").resolving = true;
        }
        assert!(!life.messages.tell(worker, "who", PayloadRef::json(b"1"), slot, 0));
        life.directory.routes.lanes().fence_there(worker, &connection, u64::MAX);
        assert!(life.directory.routes.attach(&here, Route::Remote { connection: connection.clone(), epoch: Epoch(0) }));
    });
    assert_eq!(late.await.expect_err("nothing is handed over").code, Code::Unreachable);
    assert!(began.elapsed() < Duration::from_millis(3 * RETRIES), "{:?}", began.elapsed());
    // One that is still waiting then goes where the worker is found.
    let (told, ()) = tokio::join!(tell(), async {
        tokio::time::sleep(Duration::from_millis(RETRIES / 3)).await;
        life.directory.routes.lanes().passed(u64::MAX);
        life.directory.routes.look_for_route(&WorkerId::new(worker));
    });
    told.expect("it is handed over");
}

/// The one thread of this runtime is busy, as where a machine has no processor for it: no timer runs.
#[tokio::test(flavor = "current_thread")]
async fn a_call_ends_in_time_for_who_takes_events_although_the_runtime_is_blocked() {
    let home = Home::Memory { store: MemoryStore::default(), hub: MemoryHub::default() };
    let a = Host::start("a", &home, named("a")).await;
    let life = a.core.life().expect("it is active");
    life.messages.ask("nobody", "who", PayloadRef::json(b"1"), u64::MAX, TIMEOUT, 0);
    life.messages.ask("nobody", "who", PayloadRef::json(b"1"), u64::MAX - 1, 100 * TIMEOUT, 0);
    std::thread::sleep(Duration::from_millis(2 * TIMEOUT));
    assert!(life.calls.is_waiting(u64::MAX));
    let mut events = Vec::new();
    life.take_events(256, 256, &mut events);
    let failed: Vec<_> = events.iter().filter(|event| matches!(event, Event::Failed { .. })).collect();
    assert!(matches!(failed[..], [Event::Failed { slot: u64::MAX, failure, .. }] if failure.code == Code::Timeout));
}
