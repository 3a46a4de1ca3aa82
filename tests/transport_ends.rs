//! How connections end, and what is known about what they carried.
#![allow(clippy::unwrap_used)]

mod transport_support;

use dworker::error::Code;
use dworker::ids::Endpoint;
use dworker::transport::{CloseReason, ConnectError, SendError};
use dworker::wire::message::{Message, Payload};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use transport_support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_read_fills_its_own_outbox_and_disturbs_nobody() {
    for net in Net::all() {
        let limit = 4 * 1024 * 1024;
        let mut bounded = config("a");
        bounded.outbox_bytes = limit;
        let (a, slow, well) = (side(bounded), side(config("slow")), side(config("well")));
        slow.events.open_gate(false);
        let (to_slow, _) = net.join(&a, &slow).await;
        let (to_well, _) = net.join(&a, &well).await;
        let payload = vec![b'1'; 64 * 1024];
        let mut accepted = 0u32;
        let error = loop {
            match to_slow.send(&tell(accepted, &payload)) {
                Ok(()) => accepted += 1,
                Err(error) => {
                    // What a stream holds by itself is bounded by the system; wait until it takes no more.
                    let before = to_slow.queued_bytes();
                    to_slow.flush();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    if to_slow.queued_bytes() == before {
                        break error;
                    }
                }
            }
            to_slow.flush();
            assert!(to_slow.queued_bytes() <= limit);
        };
        assert_eq!(error, SendError::Overloaded);
        to_well.send(&tell(1, b"1")).unwrap();
        to_well.flush();
        well.events.wait("the other peer's frame", |seen| (sequences(&seen.messages) == [1]).then_some(())).await;
        slow.events.open_gate(true);
        slow.events
            .wait("all that was accepted", |seen| (seen.messages.len() == accepted as usize).then_some(()))
            .await;
        assert_eq!(slow.events.look(|seen| sequences(&seen.messages)), (0..accepted).collect::<Vec<_>>());
        to_slow.send(&tell(accepted, b"1")).unwrap();
        for side in [a, slow, well] {
            side.transport.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_which_the_socket_got_nothing_come_back_in_order() {
    for net in Net::all() {
        let (a, b) = (side(config("a")), side(config("b")));
        b.events.open_gate(false);
        let (ours, _) = net.join(&a, &b).await;
        let payload = vec![b'1'; 300 * 1024];
        for number in 0..100 {
            ours.send(&tell(number, &payload)).unwrap();
            ours.flush();
        }
        // The socket takes what its buffers have room for.
        let something_left = async {
            while ours.queued_bytes() > 99 * payload.len() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), something_left).await.unwrap();
        b.transport.abort();
        let (reason, unsent) = a.events.closed().await;
        assert!(matches!(reason, CloseReason::Lost(_)), "{reason:?}");
        let unsent = sequences(&unsent);
        assert!(!unsent.is_empty() && unsent.len() < 100, "{}", unsent.len());
        let first = unsent[0];
        assert_eq!(unsent, (first..100).collect::<Vec<_>>());
        // What the peer was given in full is among what did not come back.
        let delivered = b.events.look(|seen| sequences(&seen.messages));
        assert!(delivered.iter().all(|number| *number < first));
        assert_eq!(ours.send(&tell(100, b"1")), Err(SendError::Closed));
        assert_eq!(ours.queued_bytes(), 0);
        a.transport.close().await;
        assert_eq!(a.events.look(|seen| seen.closed.len()), 1);
        assert_eq!(b.events.look(|seen| seen.closed.len()), 0, "an aborted transport says nothing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_before_a_goodbye_is_delivered_and_both_sides_know_why() {
    for net in Net::all() {
        let (a, b) = (side(config("a")), side(config("b")));
        let (ours, _) = net.join(&a, &b).await;
        for number in 0..1000 {
            ours.send(&tell(number, &[b'1'; 1000])).unwrap();
        }
        ours.close(Code::State, "enough");
        assert!(!ours.is_open());
        assert_eq!(ours.send(&tell(1000, b"1")), Err(SendError::Closed));
        let (reason, unsent) = a.events.closed().await;
        assert_eq!(reason, CloseReason::Local { code: Code::State, message: "enough".to_owned() });
        assert_eq!(unsent, []);
        let (reason, _) = b.events.closed().await;
        assert_eq!(reason, CloseReason::Peer { code: Code::State, message: "enough".to_owned() });
        assert_eq!(b.events.look(|seen| sequences(&seen.messages)), (0..1000).collect::<Vec<_>>());
        a.transport.close().await;
        b.transport.close().await;
        assert_eq!(a.events.look(|seen| seen.closed.len()), 1);
        assert_eq!(b.events.look(|seen| seen.closed.len()), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_crosses_a_goodbye_is_bounced_and_never_lost() {
    for net in Net::all() {
        let (a, b) = (side(config("a")), side(config("b")));
        let (ours, theirs) = net.join(&a, &b).await;
        // `a` is behind and does not read when the ask comes, then leaves.
        a.events.shut_gate_at_next_message();
        theirs.send(&tell(0, b"0")).unwrap();
        theirs.flush();
        a.events.wait("the first frame", |seen| (!seen.messages.is_empty()).then_some(())).await;
        theirs.send(&ask(7, b"1")).unwrap();
        theirs.send(&tell(8, b"2")).unwrap();
        theirs.flush();
        ours.close(Code::State, "leaving");
        let back = b.events.wait("two bounces", |seen| (seen.messages.len() == 2).then(|| seen.messages.clone())).await;
        assert_eq!(back[0], Message::Bounce { call: 7, code: Code::WorkerNotFound, envelope: envelope(7, b"1") });
        assert_eq!(back[1], Message::Bounce { call: 0, code: Code::WorkerNotFound, envelope: envelope(8, b"2") });
        b.events.closed().await;
        a.events.closed().await;
        assert_eq!(a.events.look(|seen| seen.messages.len()), 1);
        a.transport.close().await;
        b.transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_taken_after_the_goodbye_and_nothing_else_is() {
    for net in Net::all() {
        let (a, b) = (side(config("a")), side(config("b")));
        let (ours, _) = net.join(&a, &b).await;
        // `b` does not read: it cannot have heard of the goodbye when the answer is given.
        b.events.shut_gate_at_next_message();
        ours.send(&tell(0, b"0")).unwrap();
        ours.flush();
        b.events.wait("the first frame", |seen| (!seen.messages.is_empty()).then_some(())).await;
        ours.close(Code::State, "leaving");
        let reply = Message::Reply { call: 7, payload: Payload::json("1".into()) };
        assert_eq!(ours.send(&reply), Err(SendError::Closed));
        assert_eq!(ours.answer(&reply), Ok(()));
        b.events.open_gate(true);
        b.events.wait("the answer", |seen| seen.messages.contains(&reply).then_some(())).await;
        a.events.closed().await;
        assert_eq!(ours.answer(&reply), Err(SendError::Closed));
        b.events.closed().await;
        a.transport.close().await;
        b.transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_may_say_goodbye_at_once() {
    for net in Net::all() {
        for _ in 0..20 {
            let (a, b) = (side(config("a")), side(config("b")));
            let (ours, theirs) = net.join(&a, &b).await;
            let started = Instant::now();
            ours.close(Code::State, "a leaves");
            theirs.close(Code::State, "b leaves");
            a.events.closed().await;
            b.events.closed().await;
            assert!(started.elapsed() < Duration::from_millis(900), "nobody waits for the other's end");
            a.transport.close().await;
            b.transport.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_without_frames_is_closed_as_idle_but_not_with_a_call_in_flight() {
    for net in Net::all() {
        let mut idle = config("a");
        idle.idle_timeout = Duration::from_millis(200);
        let (a, b) = (side(idle), side(config("b")));
        let (ours, theirs) = net.join(&a, &b).await;
        ours.in_flight().fetch_add(1, Ordering::SeqCst);
        let calm = tokio::time::timeout(Duration::from_millis(1000), a.events.closed()).await;
        assert!(calm.is_err(), "closed with a call in flight");
        ours.in_flight().fetch_sub(1, Ordering::SeqCst);
        // Frames keep it open as well.
        for number in 0..10 {
            theirs.send(&tell(number, b"1")).unwrap();
            theirs.flush();
            a.events.wait("a frame", |seen| (seen.messages.len() > number as usize).then_some(())).await;
            tokio::time::sleep(Duration::from_millis(60)).await;
            assert!(ours.is_open());
        }
        let (reason, unsent) = a.events.closed().await;
        assert_eq!((reason, unsent), (CloseReason::Idle, vec![]));
        assert!(matches!(b.events.closed().await.0, CloseReason::Peer { .. }));
        a.transport.close().await;
        b.transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_behind_is_not_idle() {
    let mut idle = config("b");
    idle.idle_timeout = Duration::from_millis(100);
    let (a, b) = (side(config("a")), side(idle));
    let net = Net::Tcp("127.0.0.1");
    let (ours, _) = net.join(&a, &b).await;
    b.events.shut_gate_at_next_message();
    ours.send(&tell(0, b"1")).unwrap();
    ours.flush();
    b.events.wait("the first frame", |seen| (!seen.messages.is_empty()).then_some(())).await;
    ours.send(&tell(1, b"1")).unwrap();
    ours.flush();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(b.events.look(|seen| seen.closed.len()), 0);
    b.events.open_gate(true);
    b.events.wait("the second frame", |seen| (seen.messages.len() == 2).then_some(())).await;
    a.transport.close().await;
    b.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_crashes_is_noticed_at_once_and_once() {
    for net in Net::all() {
        let (a, b) = (side(config("a")), side(config("b")));
        let (ours, theirs) = net.join(&a, &b).await;
        theirs.send(&tell(1, b"1")).unwrap();
        theirs.flush();
        a.events.wait("a frame", |seen| (!seen.messages.is_empty()).then_some(())).await;
        let crashed = Instant::now();
        b.transport.abort();
        let (reason, _) = a.events.closed().await;
        assert!(matches!(reason, CloseReason::Lost(_)), "{reason:?}");
        assert!(crashed.elapsed() < Duration::from_millis(500), "{:?}", crashed.elapsed());
        assert!(!ours.is_open());
        a.transport.close().await;
        assert_eq!(a.events.look(|seen| seen.closed.len()), 1);
        b.transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_waits_for_a_stalled_peer_only_briefly_and_ends_every_task() {
    for net in Net::all() {
        let (a, b, c) = (side(config("a")), side(config("b")), side(config("c")));
        b.events.open_gate(false);
        let (to_b, _) = net.join(&a, &b).await;
        net.join(&a, &c).await;
        let endpoint = net.listen(&a).await;
        for number in 0..200 {
            to_b.send(&tell(number, &[b'1'; 300 * 1024])).unwrap();
            to_b.flush();
        }
        // A handshake under way, and an attempt to connect to somebody silent.
        let nobody_accepts = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = Endpoint { host: "127.0.0.1".to_owned(), port: nobody_accepts.local_addr().unwrap().port() };
        let transport = a.transport.clone();
        let attempt = tokio::spawn(async move { transport.connect(&silent, None, None).await });
        let started = Instant::now();
        tokio::join!(a.transport.close(), a.transport.close());
        assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
        assert!(matches!(attempt.await.unwrap(), Err(ConnectError::Closed)));
        let closed = a.events.look(|seen| seen.closed.len());
        assert_eq!(closed, 2, "every connection was told of before close returned");
        assert_eq!(c.transport.connect(&endpoint, None, net.hub()).await.unwrap_err(), ConnectError::Refused);
        let unsent = a.events.look(|seen| seen.closed.iter().map(|(_, _, unsent)| unsent.len()).sum::<usize>());
        assert!(unsent > 0);
        b.transport.abort();
        b.transport.close().await;
        c.transport.close().await;
    }
}

#[test]
fn a_closed_transport_leaves_nothing_on_the_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        for net in Net::all() {
            let (a, b) = (side(config("a")), side(config("b")));
            net.join(&a, &b).await;
            net.join(&b, &a).await;
            assert!(tokio::runtime::Handle::current().metrics().num_alive_tasks() > before);
            a.transport.close().await;
            b.transport.abort();
            b.transport.close().await;
        }
        // A task counts for a moment after it was joined.
        let alive = async {
            while tokio::runtime::Handle::current().metrics().num_alive_tasks() > before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), alive).await.expect("tasks are left");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_panics_ends_its_own_connection_only() {
    let events = Recorder::with(true, |_, message| {
        if matches!(message, Message::Ask { .. }) {
            panic!("on purpose");
        }
    });
    let (a, b, c) = (side(config("a")), side_with(config("b"), events), side(config("c")));
    let net = Net::Tcp("127.0.0.1");
    let endpoint = net.listen(&b).await;
    let bad = a.transport.connect(&endpoint, None, None).await.unwrap();
    let good = c.transport.connect(&endpoint, None, None).await.unwrap();
    bad.send(&ask(1, b"1")).unwrap();
    bad.flush();
    assert!(matches!(a.events.closed().await.0, CloseReason::Peer { .. }));
    assert!(matches!(b.events.closed().await.0, CloseReason::Protocol(_)));
    good.send(&tell(1, b"1")).unwrap();
    good.flush();
    b.events.wait("a frame", |seen| (sequences(&seen.messages) == [1]).then_some(())).await;
    for side in [a, b, c] {
        side.transport.close().await;
    }
}
