//! What threads share, under thousands of interleavings: `cargo test --features models --test models`.
//!
//! A failing run prints its seed; `SHUTTLE_RANDOM_SEED=… cargo test …` runs that one again.

use bytes::Bytes;
use dworker::broker::calls::table::{Calls, Place, Waiter};
use dworker::broker::js::delivery::Delivery;
use dworker::broker::js::delivery::Origin;
use dworker::broker::js::event::Event;
use dworker::broker::js::queue::{Inbox, MAX_BYTES};
use dworker::broker::lease::gate::Gate;
use dworker::config::{LeaseConfig, OnRedisLoss};
use dworker::ids::{Epoch, WorkerId};
use dworker::wire::call_chain::Chain;
use dworker::wire::message::{Envelope, Payload};
use shuttle::rand::Rng;
use shuttle::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use shuttle::sync::{Arc, Condvar, Mutex};
use shuttle::{check_pct, check_random, thread};

/// Schedules of each kind for each model. A wake-up lost between a gate that was read and one that opened was found in fewer than 100.
const SCHEDULES: usize = 2_000;
/// Points at which a schedule of the second kind changes its mind.
const DEPTH: usize = 3;

fn check(model: fn()) {
    check_random(model, SCHEDULES);
    check_pct(model, SCHEDULES, DEPTH);
}

/// JavaScript's thread: sleeps until it is woken.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.heard.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.heard.wait(rung).unwrap();
        }
        *rung = false;
    }
}

fn inbox() -> (Arc<Inbox>, Arc<Bell>) {
    let bell = Arc::new(Bell::default());
    let rope = bell.clone();
    (Arc::new(Inbox::new(Box::new(move || rope.ring()))), bell)
}

fn message(bytes: Bytes) -> Event {
    Event::Message(Delivery {
        handle: 1,
        inbound: 0,
        turn: false,
        origin: Origin::Local { slot: 0 },
        deadline: u64::MAX,
        envelope: Envelope {
            worker: WorkerId::new("w"),
            epoch: Epoch(1),
            sequence: 0,
            method: Bytes::new(),
            chain: Chain::EMPTY,
            payload: Payload::json(bytes),
        },
    })
}

fn take_all(inbox: &Inbox, gate: impl Fn() -> bool) -> usize {
    let mut taken = 0;
    let mut batch = Vec::new();
    loop {
        batch.clear();
        inbox.take(1, 1, &gate, &mut batch);
        if batch.is_empty() {
            return taken;
        }
        taken += batch.iter().filter(|event| matches!(event, Event::Message(_) | Event::Done { .. })).count();
    }
}

#[test]
fn every_event_reaches_javascript_whoever_pushes_while_it_goes_to_sleep() {
    check(|| {
        let (inbox, bell) = inbox();
        let pushers: Vec<_> = (0..2)
            .map(|slot| {
                let inbox = inbox.clone();
                thread::spawn(move || {
                    inbox.push(Event::done(slot));
                    inbox.push(message(Bytes::from_static(b"1")));
                })
            })
            .collect();
        let mut taken = 0;
        // A wake-up that is lost shows as a deadlock here.
        while taken < 4 {
            bell.wait();
            taken += take_all(&inbox, || true);
        }
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
        assert_eq!(take_all(&inbox, || true), 0);
    });
}

/// The lease runs out in the midst of it all, unnoticed or noticed by its thread, and is renewed.
#[test]
fn messages_that_wait_at_the_gate_come_when_it_opens_and_not_before() {
    const TTL: u64 = 5_000;
    check(|| {
        let (inbox, bell) = inbox();
        let config = LeaseConfig { ttl: TTL, renew: 500, strict: false };
        let lease = Arc::new(Gate::new(&config, OnRedisLoss::Suspend));
        lease.extend(0);
        let clock = Arc::new(AtomicU64::new(0));
        let peer = {
            let inbox = inbox.clone();
            thread::spawn(move || {
                inbox.push(message(Bytes::from_static(b"1")));
                inbox.push(message(Bytes::from_static(b"2")));
            })
        };
        let renewer = {
            let (inbox, lease, clock) = (inbox.clone(), lease.clone(), clock.clone());
            thread::spawn(move || {
                clock.store(TTL, Ordering::SeqCst);
                if !lease.holds_at(TTL) && shuttle::rand::thread_rng().gen::<bool>() {
                    lease.set_suspended(true);
                    inbox.push(Event::Suspended);
                }
                lease.extend(TTL);
                if lease.set_suspended(false) {
                    inbox.push(Event::Resumed);
                }
                inbox.nudge_if_waiting();
            })
        };
        let mut taken = 0;
        while taken < 2 {
            bell.wait();
            taken += take_all(&inbox, || lease.holds_at(clock.load(Ordering::SeqCst)));
        }
        peer.join().unwrap();
        renewer.join().unwrap();
    });
}

/// As `holds_back` and `open_gate` do: asked without the lock, then under it; opened first, then taken.
#[test]
fn an_answer_that_is_held_back_leaves_when_the_gate_opens() {
    check(|| {
        let lease = Arc::new(Gate::new(&LeaseConfig { ttl: 5_000, renew: 500, strict: false }, OnRedisLoss::Suspend));
        let held = Arc::new(Mutex::new(0));
        let left = Arc::new(AtomicUsize::new(0));
        let handler = {
            let (lease, held, left) = (lease.clone(), held.clone(), left.clone());
            thread::spawn(move || {
                if !lease.holds_at(0) {
                    let mut held = held.lock().unwrap();
                    if !lease.holds_at(0) {
                        *held += 1;
                        return;
                    }
                }
                left.fetch_add(1, Ordering::SeqCst);
            })
        };
        lease.extend(0);
        left.fetch_add(std::mem::take(&mut *held.lock().unwrap()), Ordering::SeqCst);
        handler.join().unwrap();
        assert_eq!(left.load(Ordering::SeqCst) + *held.lock().unwrap(), 1);
        assert_eq!(*held.lock().unwrap(), 0, "it would wait for the next renewal");
    });
}

#[test]
fn a_reader_that_waits_for_room_goes_on_when_javascript_has_taken_what_filled_it() {
    check(|| {
        let (inbox, bell) = inbox();
        let reader = {
            let inbox = inbox.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    shuttle::future::block_on(inbox.room());
                    inbox.push(message(full()));
                }
                shuttle::future::block_on(inbox.room());
            })
        };
        let mut taken = 0;
        while taken < 2 {
            bell.wait();
            taken += take_all(&inbox, || true);
        }
        reader.join().unwrap();
        assert!(!inbox.is_full());
    });
}

/// A payload that fills an inbox by itself; its bytes are shared by all runs.
fn full() -> Bytes {
    static FULL: std::sync::OnceLock<Bytes> = std::sync::OnceLock::new();
    FULL.get_or_init(|| Bytes::from(vec![0u8; MAX_BYTES])).clone()
}

#[test]
fn a_call_settles_once_whichever_of_answer_deadline_and_broken_connection_comes_first() {
    check(|| {
        let calls = Arc::new(Mutex::new(Calls::default()));
        calls.lock().unwrap().insert(1, 0, Waiter::JavaScript);
        calls.lock().unwrap().route(1, Place::There { connection: 7 });
        let settled = Arc::new(AtomicUsize::new(0));
        let ends: [fn(&mut Calls) -> usize; 3] = [
            |calls| usize::from(calls.settle(1).is_some()),
            |calls| calls.expire(1_000).len(),
            |calls| calls.lost(7).len(),
        ];
        let ends: Vec<_> = ends
            .into_iter()
            .map(|end| {
                let (calls, settled) = (calls.clone(), settled.clone());
                thread::spawn(move || {
                    settled.fetch_add(end(&mut calls.lock().unwrap()), Ordering::SeqCst);
                })
            })
            .collect();
        ends.into_iter().for_each(|end| end.join().unwrap());
        assert_eq!(settled.load(Ordering::SeqCst), 1);
        assert!(calls.lock().unwrap().is_empty());
    });
}

#[test]
fn no_call_is_left_waiting_for_a_connection_that_breaks_while_it_is_written() {
    check(|| {
        let calls = Arc::new(Mutex::new(Calls::default()));
        let outbox_open = Arc::new(Mutex::new(true));
        calls.lock().unwrap().insert(1, 1_000, Waiter::JavaScript);
        let breaker = {
            let (calls, outbox_open) = (calls.clone(), outbox_open.clone());
            thread::spawn(move || {
                // As the transport does: nothing is accepted any more before what was accepted is told lost.
                *outbox_open.lock().unwrap() = false;
                calls.lock().unwrap().lost(7).len()
            })
        };
        // As sending does: routed before it is written, taken back when it was not accepted.
        calls.lock().unwrap().route(1, Place::There { connection: 7 });
        let written = *outbox_open.lock().unwrap();
        if !written {
            calls.lock().unwrap().route(1, Place::Nowhere);
        }
        let lost = breaker.join().unwrap();
        let calls = calls.lock().unwrap();
        assert_eq!(lost == 1, !calls.is_waiting(1));
        assert!(!calls.has_in_flight(7), "it would wait for its deadline");
    });
}
