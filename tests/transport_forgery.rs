//! Handshakes that somebody recorded, turned round, changed or left half said: each refused, counted, and logged once a
//! minute at most.
#![allow(clippy::unwrap_used)]

mod transport_support;

use bytes::{Bytes, BytesMut};
use dworker::ids::Endpoint;
use dworker::transport::{ConnectError, Incident};
use dworker::wire::handshake::{take_frame, Handshake, Party, Step};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use transport_support::*;

const NET: Net = Net::Tcp("127.0.0.1");

async fn raw(endpoint: &Endpoint) -> TcpStream {
    TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.unwrap()
}

async fn next_frame(stream: &mut TcpStream, buffer: &mut BytesMut) -> Bytes {
    loop {
        if let Some(frame) = take_frame(buffer).unwrap() {
            return frame;
        }
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "closed in the handshake");
    }
}

/// Waits until the other side has closed.
async fn closed(stream: &mut TcpStream) {
    let mut bytes = [0; 4096];
    let reading = async { while !matches!(stream.read(&mut bytes).await, Ok(0) | Err(_)) {} };
    timeout(PATIENCE, reading).await.expect("the other side closes");
}

async fn noted(side: &Side, incident: Incident, times: u64) {
    let counted = async {
        while side.transport.incidents().of(incident) < times {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, counted).await.unwrap_or_else(|_| panic!("waited in vain for {incident:?}"));
}

fn party(broker: &str) -> Party {
    let config = config(broker);
    Party::new(config.identity, config.secrets, config.max_message_bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_handshake_is_refused_and_the_session_behind_it_is_not_read() {
    let b = side(config("b"));
    let endpoint = NET.listen(&b).await;
    let (mut stream, mut buffer) = (raw(&endpoint).await, BytesMut::new());
    let (mut honest, hello) = Handshake::initiate(party("a"), [7; 32]).unwrap();
    stream.write_all(&hello).await.unwrap();
    let Step::Send(proof) = honest.receive(&next_frame(&mut stream, &mut buffer).await).unwrap() else { panic!() };
    stream.write_all(&proof).await.unwrap();
    next_frame(&mut stream, &mut buffer).await;
    b.events.opened().await;
    for _ in 0..2 {
        let mut replayed = raw(&endpoint).await;
        replayed.write_all(&[&hello[..], &proof, b"\0\0\0\x0c\x0c\0\0\0\0\0\0\0\0\0\0\x01"].concat()).await.unwrap();
        closed(&mut replayed).await;
    }
    noted(&b, Incident::Replayed, 2).await;
    assert_eq!(b.events.look(|seen| (seen.opened.len(), seen.messages.len())), (1, 0));
    drop(stream);
    b.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_is_no_broker() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (mut input, mut output) = stream.into_split();
        let _ = tokio::io::copy(&mut input, &mut output).await;
    });
    let a = side(config("a"));
    let refused = a.transport.connect(&endpoint, None, None).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Unauthorized(_)), "{refused:?}");
    noted(&a, Incident::Reflected, 1).await;
    assert_eq!(a.events.look(|seen| seen.opened.len()), 0);
    a.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_is_not_spoken_is_refused() {
    let b = side(config("b"));
    let endpoint = NET.listen(&b).await;
    for (number, versions) in [(0, 0), (2, 9), (9, 1)].into_iter().enumerate() {
        let (_, hello) = Handshake::initiate(Party { versions, ..party("a") }, [7; 32]).unwrap();
        let mut stream = raw(&endpoint).await;
        stream.write_all(&hello).await.unwrap();
        closed(&mut stream).await;
        noted(&b, Incident::NoCommonVersion, number as u64 + 1).await;
    }
    assert_eq!(b.events.look(|seen| seen.opened.len()), 0);
    b.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_changes_a_hello_on_its_way_keeps_both_apart() {
    // The highest version, the limit of frames, the broker's id.
    for at in [14, 50, 59] {
        let b = side(config("b"));
        let target = NET.listen(&b).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
        tokio::spawn(async move {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = raw(&target).await;
            let mut hello = [0; 200];
            let read = near.read(&mut hello).await.unwrap();
            hello[at] ^= 2;
            far.write_all(&hello[..read]).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
        let a = side(config("a"));
        let refused = a.transport.connect(&endpoint, None, None).await.unwrap_err();
        assert!(matches!(refused, ConnectError::Unauthorized(_)), "byte {at}: {refused:?}");
        assert_eq!(b.events.look(|seen| seen.opened.len()), 0, "byte {at}");
        a.transport.close().await;
        b.transport.close().await;
    }
}

/// Counts warnings.
struct Warnings(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == tracing::Level::WARN {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

// On one thread, whose subscriber this is.
#[tokio::test]
async fn a_thousand_refusals_of_a_kind_are_one_line_of_the_log() {
    let warnings = Arc::new(AtomicUsize::new(0));
    // With one subscriber alone, a test on another thread that comes by the log line first would switch it off for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(Warnings(warnings.clone())));
    let b = side(config("b"));
    let endpoint = NET.listen(&b).await;
    for _ in 0..1000 {
        let mut stream = raw(&endpoint).await;
        let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
        closed(&mut stream).await;
    }
    noted(&b, Incident::NotABroker, 1000).await;
    assert_eq!(warnings.load(Ordering::SeqCst), 1);
    b.transport.close().await;
}
