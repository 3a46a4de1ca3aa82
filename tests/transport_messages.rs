//! Frames between two transports that are well: order, sizes, both kinds of streams.
#![allow(clippy::unwrap_used)]

mod transport_support;

use bytes::Bytes;
use dworker::ids::Endpoint;
use dworker::transport::{CloseReason, ConnectError, SendError};
use dworker::wire::codec::encode_tell;
use dworker::wire::message::{Message, Payload};
use transport_support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_each_of_several_threads_arrive_in_their_order() {
    const THREADS: u32 = 4;
    const FRAMES: u32 = 25_000;
    for net in Net::all() {
        let (a, b) = (side(config("a")), side(config("b")));
        let (connection, _) = net.join(&a, &b).await;
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let connection = connection.clone();
                // No runtime here: the caller's own thread writes the socket.
                std::thread::spawn(move || {
                    for number in 0..FRAMES {
                        let max = connection.max_message_bytes();
                        let method = thread.to_string();
                        connection
                            .send_with(|out| encode_tell(out, max, numbered(number, &method, b"[1,2,3]")))
                            .unwrap();
                        if number % 7 == thread {
                            connection.flush();
                        }
                    }
                    connection.flush();
                })
            })
            .collect();
        let total = (THREADS * FRAMES) as usize;
        b.events.wait("all frames", |seen| (seen.messages.len() == total).then_some(())).await;
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        for thread in 0..THREADS {
            let method = Bytes::from(thread.to_string());
            let of_thread: Vec<Message> = b.events.look(|seen| {
                let of_thread =
                    |message: &&Message| matches!(message, Message::Tell { envelope } if envelope.method == method);
                seen.messages.iter().filter(of_thread).cloned().collect()
            });
            assert_eq!(sequences(&of_thread), (0..FRAMES).collect::<Vec<_>>());
        }
        a.transport.close().await;
        b.transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_of_the_limit_goes_both_ways_and_one_above_leaves_the_connection_usable() {
    for net in Net::all() {
        let echo = Recorder::with(true, |connection, message| {
            if let Message::Ask { call, envelope, .. } = message {
                connection.send(&Message::Reply { call: *call, payload: envelope.payload.clone() }).unwrap();
            }
        });
        let (a, b) = (side(config("a")), side_with(config("b"), echo));
        let (connection, _) = net.join(&a, &b).await;
        let names = "Test#1".len() + "method".len();
        let largest = connection.max_message_bytes() - 32 - names;
        let payload: Vec<u8> = (0..largest).map(|index| (index * 31 % 251) as u8).collect();
        for call in 1..=3 {
            connection.send(&ask(call, &payload)).unwrap();
        }
        connection.flush();
        let mut above = payload.clone();
        above.push(0);
        let refused = connection.send(&ask(4, &above));
        assert_eq!(refused, Err(SendError::TooLarge { length: 16 * 1024 * 1024 + 1, max: 16 * 1024 * 1024 }));
        connection.send(&ask(5, b"1")).unwrap();
        connection.flush();
        let replies =
            a.events.wait("four replies", |seen| (seen.messages.len() == 4).then(|| seen.messages.clone())).await;
        for (reply, call) in replies.iter().zip([1, 2, 3]) {
            assert_eq!(*reply, Message::Reply { call, payload: Payload::json(Bytes::from(payload.clone())) });
        }
        assert_eq!(replies[3], Message::Reply { call: 5, payload: Payload::json(Bytes::from_static(b"1")) });
        assert!(connection.is_open());
        assert_eq!(connection.queued_bytes(), 0);
        a.transport.close().await;
        b.transport.close().await;
    }
}

#[tokio::test]
async fn a_sender_keeps_to_the_smaller_limit_of_the_two() {
    let (a, b) = (
        side(config("a")),
        side({
            let mut small = config("b");
            small.max_message_bytes = 1000;
            small
        }),
    );
    let (ours, theirs) = Net::Tcp("127.0.0.1").join(&a, &b).await;
    assert_eq!(ours.max_message_bytes(), 1000);
    assert_eq!(theirs.max_message_bytes(), 1000);
    assert!(matches!(ours.send(&tell(1, &[b'1'; 1000])), Err(SendError::TooLarge { max: 1000, .. })));
    ours.send(&tell(2, b"1")).unwrap();
    ours.flush();
    b.events.wait("the small frame", |seen| (sequences(&seen.messages) == [2]).then_some(())).await;
    a.transport.close().await;
    b.transport.close().await;
}

#[tokio::test]
async fn a_frame_that_the_encoder_cannot_finish_leaves_nothing_behind() {
    let (a, b) = (side(config("a")), side(config("b")));
    let (ours, _) = Net::Tcp("127.0.0.1").join(&a, &b).await;
    let connection = ours.clone();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        connection.send_with(|out| {
            out.extend_from_slice(b"half a fra");
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    ours.send(&tell(1, b"1")).unwrap();
    ours.flush();
    b.events.wait("the next frame", |seen| (sequences(&seen.messages) == [1]).then_some(())).await;
    a.transport.close().await;
    b.transport.close().await;
}

#[tokio::test]
async fn ipv6_works() {
    let (a, b) = (side(config("a")), side(config("b")));
    let (ours, theirs) = Net::Tcp("::1").join(&a, &b).await;
    assert!(theirs.remote().starts_with("[::1]:"), "{}", theirs.remote());
    assert!(ours.outgoing() && !theirs.outgoing());
    theirs.send(&tell(1, b"1")).unwrap();
    theirs.flush();
    a.events.wait("a frame", |seen| (sequences(&seen.messages) == [1]).then_some(())).await;
    a.transport.close().await;
    b.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_connect_at_once_get_the_same_connection() {
    for net in Net::all() {
        let (a, b) = (side(config("a")), side(config("b")));
        let endpoint = net.listen(&b).await;
        let attempts: Vec<_> = (0..50)
            .map(|number| {
                let (transport, endpoint, hub) = (a.transport.clone(), endpoint.clone(), net.hub().cloned());
                // Some know whom they expect, others do not.
                let expect = (number % 3 > 0).then(|| b.incarnation.clone());
                tokio::spawn(
                    async move { transport.connect(&endpoint, expect.as_ref(), hub.as_ref()).await.unwrap().id() },
                )
            })
            .collect();
        let mut ids = Vec::new();
        for attempt in attempts {
            ids.push(attempt.await.unwrap());
        }
        ids.dedup();
        assert_eq!(ids.len(), 1);
        assert_eq!(a.events.look(|seen| seen.opened.len()), 1);
        a.transport.close().await;
        b.events.closed().await;
        assert_eq!(b.events.look(|seen| seen.opened.len()), 1);
        b.transport.close().await;
    }
}

#[tokio::test]
async fn another_incarnation_is_refused_with_the_reason() {
    for net in Net::all() {
        let (a, b) = (side(config("a")), side(config("b")));
        let endpoint = net.listen(&b).await;
        let stranger = identity("b").incarnation;
        let refused = a.transport.connect(&endpoint, Some(&stranger), net.hub()).await;
        assert_eq!(refused.unwrap_err(), ConnectError::WrongIncarnation);
        assert_eq!(a.events.look(|seen| seen.opened.len()), 0);
        assert!(matches!(b.events.closed().await.0, CloseReason::Peer { .. }));
        let accepted = a.transport.connect(&endpoint, Some(&b.incarnation), net.hub()).await.unwrap();
        assert_eq!(accepted.peer().incarnation, b.incarnation);
        a.transport.close().await;
        b.transport.close().await;
    }
}

#[tokio::test]
async fn nobody_there_is_refused_and_not_unreachable() {
    for net in Net::all() {
        let (a, b) = (side(config("a")), side(config("b")));
        let endpoint = net.listen(&b).await;
        b.transport.close().await;
        let refused = a.transport.connect(&endpoint, None, net.hub()).await;
        assert_eq!(refused.unwrap_err(), ConnectError::Refused);
        a.transport.close().await;
        assert_eq!(a.transport.connect(&endpoint, None, net.hub()).await.unwrap_err(), ConnectError::Closed);
    }
    let a = side(config("a"));
    let elsewhere = Endpoint { host: "memory".to_owned(), port: 1 };
    assert!(matches!(a.transport.connect(&elsewhere, None, None).await, Err(ConnectError::Unreachable(_))));
    a.transport.close().await;
}

#[tokio::test]
async fn who_asked_first_may_lose_patience_without_harm_to_the_others() {
    let (a, b) = (side(config("a")), side(config("b")));
    let net = Net::Tcp("127.0.0.1");
    let endpoint = net.listen(&b).await;
    let impatient = a.transport.connect(&endpoint, None, None);
    assert!(poll_once(impatient).is_none());
    let connection = a.transport.connect(&endpoint, None, None).await.unwrap();
    assert!(connection.is_open());
    assert_eq!(a.events.look(|seen| seen.opened.len()), 1);
    a.transport.close().await;
    b.transport.close().await;
}

/// Polls once and drops.
fn poll_once<T>(future: impl std::future::Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}
