//! How fast frames go over loopback; run with `cargo test --release --test transport_speed -- --ignored --nocapture`.
#![allow(clippy::unwrap_used)]

mod transport_support;

use dworker::transport::Connection;
use dworker::wire::codec::{encode_ask, encode_reply, encode_tell};
use dworker::wire::message::Message;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc};
use std::time::Instant;
use transport_support::*;

const PAYLOAD: [u8; 100] = [b'1'; 100];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn ping_pong_between_two_threads() {
    const ROUNDS: u64 = 50_000;
    for net in Net::all() {
        // The answer is written by the reader's own flush, as the core does for its batches.
        let echo = Recorder::with(false, |connection, message| {
            if let Message::Ask { call, envelope, .. } = message {
                let max = connection.max_message_bytes();
                connection.send_with(|out| encode_reply(out, max, *call, (&envelope.payload).into())).unwrap();
            }
        });
        let (replies, arrived) = mpsc::channel();
        let caller = Recorder::with(false, move |_, message| {
            if let Message::Reply { call, .. } = message {
                replies.send(*call).unwrap();
            }
        });
        let (a, b) = (side_with(config("a"), caller), side_with(config("b"), echo));
        let (connection, _) = net.join(&a, &b).await;
        let thread = std::thread::spawn(move || {
            let mut micros: Vec<u128> = (0..ROUNDS)
                .map(|call| {
                    let started = Instant::now();
                    let max = connection.max_message_bytes();
                    connection
                        .send_with(|out| encode_ask(out, max, call, 1000, numbered(1, "method", &PAYLOAD)))
                        .unwrap();
                    connection.flush();
                    assert_eq!(arrived.recv().unwrap(), call);
                    started.elapsed().as_nanos() / 100
                })
                .collect();
            micros.sort_unstable();
            let at = |share: f64| micros[(micros.len() as f64 * share) as usize] as f64 / 10.0;
            println!("ping-pong of 100 bytes: p50 {} µs, p95 {} µs, p99 {} µs", at(0.5), at(0.95), at(0.99));
        });
        tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
        a.transport.close().await;
        b.transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn one_way_from_a_thread_that_flushes_every_hundred() {
    const FRAMES: usize = 3_000_000;
    for net in Net::all() {
        let received = Arc::new(AtomicUsize::new(0));
        let (done, finished) = mpsc::channel();
        let counter = received.clone();
        let count = Recorder::with(false, move |_, _| {
            if counter.fetch_add(1, Ordering::Relaxed) + 1 == FRAMES {
                done.send(Instant::now()).unwrap();
            }
        });
        let (a, b) = (side(config("a")), side_with(config("b"), count));
        let (connection, _) = net.join(&a, &b).await;
        let thread = std::thread::spawn(move || {
            let started = Instant::now();
            let mut waited = 0;
            for number in 0..FRAMES as u32 {
                while send(&connection, number).is_err() {
                    waited += 1;
                    connection.flush();
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                if number % 100 == 99 {
                    connection.flush();
                }
            }
            connection.flush();
            let sent = started.elapsed();
            let took = finished.recv().unwrap() - started;
            println!(
                "one way, frames of 100 bytes: {:.0}/s ({sent:?} to send, overloaded {waited} times)",
                FRAMES as f64 / took.as_secs_f64()
            );
        });
        tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
        a.transport.close().await;
        b.transport.close().await;
    }
}

fn send(connection: &Connection, number: u32) -> Result<(), dworker::transport::SendError> {
    let max = connection.max_message_bytes();
    connection.send_with(|out| encode_tell(out, max, numbered(number, "method", &PAYLOAD)))
}
