//! Who is not let in: strangers, slow ones, too many, and authenticated peers that send what is no frame.
#![allow(clippy::unwrap_used)]

mod transport_support;

use bytes::{BufMut, Bytes, BytesMut};
use dworker::ids::Endpoint;
use dworker::transport::{CloseReason, ConnectError, Incident, PeerTable, TransportConfig};
use dworker::wire::codec::{encode, MAX_FRAME_DEFAULT};
use dworker::wire::handshake::{take_frame, Handshake, Party, Secrets, Step};
use dworker::wire::message::Message;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use transport_support::*;

async fn raw(endpoint: &Endpoint) -> TcpStream {
    TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.unwrap()
}

/// Whether the other side closes within `limit`; what it says before does not matter.
async fn closed_within(stream: &mut TcpStream, limit: Duration) -> bool {
    let mut bytes = [0; 4096];
    let reading = async { while !matches!(stream.read(&mut bytes).await, Ok(0) | Err(_)) {} };
    timeout(limit, reading).await.is_ok()
}

async fn next_frame(stream: &mut TcpStream, buffer: &mut BytesMut) -> Bytes {
    loop {
        if let Some(frame) = take_frame(buffer).unwrap() {
            return frame;
        }
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "closed in the handshake");
    }
}

/// A socket on which the handshake of `who` succeeded, and nothing else was said.
async fn authenticated(endpoint: &Endpoint, who: &TransportConfig) -> TcpStream {
    let mut stream = raw(endpoint).await;
    let mut buffer = BytesMut::new();
    let party = Party::new(who.identity.clone(), who.secrets.clone(), who.max_message_bytes);
    let (mut handshake, hello) = Handshake::initiate(party, [7; 32]).unwrap();
    stream.write_all(&hello).await.unwrap();
    loop {
        let frame = next_frame(&mut stream, &mut buffer).await;
        match handshake.receive(&frame).unwrap() {
            Step::Send(bytes) => stream.write_all(&bytes).await.unwrap(),
            Step::Done { .. } => return stream,
        }
    }
}

/// Waits until `incident` was counted.
async fn noted(side: &Side, incident: Incident, times: u64) {
    let counted = async {
        while side.transport.incidents().of(incident) < times {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, counted).await.unwrap_or_else(|_| panic!("waited in vain for {incident:?}"));
}

async fn still_serves(b: &Side, endpoint: &Endpoint) {
    let a = side(config("well"));
    let connection = a.transport.connect(endpoint, Some(&b.incarnation), None).await.unwrap();
    connection.send(&tell(4711, b"1")).unwrap();
    connection.flush();
    b.events.wait("a frame of a good peer", |seen| sequences(&seen.messages).contains(&4711).then_some(())).await;
    a.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_no_handshake_is_cut_counted_and_harmless() {
    let b = side(config("b"));
    let endpoint = Net::Tcp("127.0.0.1").listen(&b).await;
    let mut oversized = BytesMut::new();
    oversized.put_u32(1025);
    let mut malformed = BytesMut::new();
    malformed.put_u32(6);
    malformed.put_slice(b"DWRK\x01\x07");
    let mut out_of_turn = BytesMut::new();
    out_of_turn.put_u32(6 + 33);
    out_of_turn.put_slice(b"DWRK\x02\x01");
    out_of_turn.put_bytes(0, 33);
    let cases: Vec<(Incident, Vec<u8>)> = vec![
        (Incident::NotABroker, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        (Incident::NotABroker, b"\0\0\0\x04null".to_vec()),
        (Incident::Oversized, b"null".to_vec()),
        (Incident::NotABroker, vec![0xff; 100_000]),
        (Incident::Oversized, oversized.to_vec()),
        (Incident::Malformed, malformed.to_vec()),
        (Incident::OutOfTurn, out_of_turn.to_vec()),
    ];
    for (incident, bytes) in cases {
        let before = b.transport.incidents().of(incident);
        let mut stream = raw(&endpoint).await;
        // The other side may close before it took everything.
        let _ = stream.write_all(&bytes).await;
        assert!(closed_within(&mut stream, Duration::from_secs(2)).await, "{incident:?}");
        noted(&b, incident, before + 1).await;
    }
    let stream = raw(&endpoint).await;
    drop(stream);
    noted(&b, Incident::Broken, 1).await;
    assert_eq!(b.events.look(|seen| seen.opened.len()), 0);
    still_serves(&b, &endpoint).await;
    b.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_and_a_foreign_namespace_are_unauthorized() {
    let b = side(config("b"));
    let endpoint = Net::Tcp("127.0.0.1").listen(&b).await;
    let mut other_secret = config("a");
    other_secret.secrets = Secrets(vec![b"another".to_vec()]);
    let mut foreign = config("a");
    foreign.identity.namespace = "foreign".to_owned();
    for (stranger, incident, text) in [
        (other_secret, Incident::WrongSecret, "no secret in common"),
        (foreign, Incident::ForeignNamespace, "another namespace"),
    ] {
        let a = side(stranger);
        let refused = a.transport.connect(&endpoint, None, None).await.unwrap_err();
        assert!(matches!(&refused, ConnectError::Unauthorized(why) if why.contains(text)), "{refused:?}");
        // The peer is told before it is counted.
        noted(&b, incident, 1).await;
        assert_eq!(a.transport.incidents().of(Incident::RefusedByPeer), 1);
        assert_eq!(a.events.look(|seen| seen.opened.len()), 0);
        a.transport.close().await;
    }
    assert_eq!(b.transport.incidents().total(), 2);
    assert_eq!(b.events.look(|seen| seen.opened.len()), 0);
    still_serves(&b, &endpoint).await;
    b.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_loris_is_cut_after_its_time_however_it_dribbles() {
    let mut hasty = config("b");
    hasty.handshake_timeout = Duration::from_millis(300);
    let b = side(hasty);
    let endpoint = Net::Tcp("127.0.0.1").listen(&b).await;
    let mut silent = raw(&endpoint).await;
    let mut dribbling = raw(&endpoint).await;
    let started = Instant::now();
    let dribble = async {
        let mut bytes = vec![0, 0, 4, 0];
        bytes.extend_from_slice(b"DWRK");
        bytes.resize(1000, 0);
        for byte in bytes {
            if dribbling.write_all(&[byte]).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("a thousand bytes were awaited");
    };
    let (cut, ()) = tokio::join!(closed_within(&mut silent, PATIENCE), dribble);
    assert!(cut);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(b.transport.incidents().of(Incident::TimedOut), 2);
    still_serves(&b, &endpoint).await;
    b.transport.close().await;
}

#[tokio::test]
async fn the_handshake_takes_three_seconds_at_most_by_default() {
    assert_eq!(config("a").handshake_timeout, Duration::from_secs(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_unproven_peer_goes_when_there_are_too_many() {
    let mut narrow = config("b");
    narrow.max_unauthenticated_per_address = 3;
    narrow.handshake_timeout = PATIENCE;
    let b = side(narrow);
    let endpoint = Net::Tcp("127.0.0.1").listen(&b).await;
    let mut strangers = Vec::new();
    for _ in 0..3 {
        strangers.push(raw(&endpoint).await);
    }
    // A good peer comes fourth, and gets in at the cost of the first.
    still_serves(&b, &endpoint).await;
    assert!(closed_within(&mut strangers[0], Duration::from_secs(2)).await);
    assert!(!closed_within(&mut strangers[1], Duration::from_millis(200)).await);
    assert!(!closed_within(&mut strangers[2], Duration::from_millis(1)).await);
    assert_eq!(b.transport.incidents().of(Incident::Cut), 1);
    for _ in 0..100 {
        strangers.push(raw(&endpoint).await);
    }
    still_serves(&b, &endpoint).await;
    b.transport.close().await;
}

/// As when a fleet starts, or finds a worker that everybody calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_peers_of_one_address_that_come_at_once_are_all_let_in() {
    const PEERS: usize = 100;
    let b = side(config("b"));
    for net in [Net::Tcp("127.0.0.1"), Net::Local] {
        if matches!(net, Net::Local) && cfg!(not(target_os = "linux")) {
            continue;
        }
        let endpoint = net.listen(&b).await;
        let peers: Vec<_> = (0..PEERS).map(|number| side(config(&format!("peer{number}")))).collect();
        let attempts: Vec<_> = peers
            .iter()
            .map(|peer| {
                let (transport, endpoint, incarnation) =
                    (peer.transport.clone(), endpoint.clone(), b.incarnation.clone());
                tokio::spawn(async move { transport.connect(&endpoint, Some(&incarnation), None).await })
            })
            .collect();
        for attempt in attempts {
            attempt.await.unwrap().unwrap();
        }
        for peer in peers {
            peer.transport.close().await;
        }
    }
    assert!(b.transport.incidents().of(Incident::Cut) > 0, "so many at once are over the limit");
    b.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_are_bounded_on_both_sides() {
    let mut narrow = config("b");
    narrow.peers = PeerTable::new(&narrow.identity.incarnation, 2);
    let b = side(narrow);
    let net = Net::Tcp("127.0.0.1");
    let endpoint = net.listen(&b).await;
    let room = |connections| {
        let mut config = config("peer");
        config.peers = PeerTable::new(&config.identity.incarnation, connections);
        config.max_unauthenticated_per_address = 64;
        side(config)
    };
    let peers = [room(5), room(5), room(5)];
    for peer in &peers[..2] {
        peer.transport.connect(&endpoint, None, None).await.unwrap();
    }
    let refused = peers[2].transport.connect(&endpoint, None, None).await.unwrap_err();
    assert_eq!(refused, ConnectError::PeerFull);
    noted(&b, Incident::Full, 1).await;
    let elsewhere = net.listen(&peers[2]).await;
    let refused = b.transport.connect(&elsewhere, None, None).await.unwrap_err();
    assert_eq!(refused, ConnectError::Full(2));
    // However many come at once, whoever is let in stays, and no more are.
    let attempts: Vec<_> = (0..20)
        .map(|number| {
            let (endpoint, many) = (elsewhere.clone(), side(config(&format!("many{number}"))));
            tokio::spawn(async move {
                let connection = many.transport.connect(&endpoint, None, None).await;
                (many, connection)
            })
        })
        .collect();
    let mut let_in = Vec::new();
    for attempt in attempts {
        let (many, connection) = attempt.await.unwrap();
        match connection {
            Ok(connection) => let_in.push((many, connection)),
            Err(refused) => assert_eq!(refused, ConnectError::PeerFull),
        }
    }
    assert_eq!(let_in.len(), 5);
    assert!(let_in.iter().all(|(_, connection)| connection.is_open()));
    assert_eq!(peers[2].events.look(|seen| seen.opened.len()), 5);
    for (many, _) in let_in {
        many.transport.close().await;
    }
    peers[2].events.wait("five ends", |seen| (seen.closed.len() == 5).then_some(())).await;
    // One goes, another may come.
    peers[0].transport.close().await;
    b.events.closed().await;
    peers[2].transport.connect(&endpoint, None, None).await.unwrap();
    for side in peers.iter().chain([&b]) {
        side.transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authenticated_peer_that_sends_no_frames_loses_its_connection_only() {
    let b = side(config("b"));
    let endpoint = Net::Tcp("127.0.0.1").listen(&b).await;
    let mut giant = BytesMut::new();
    giant.put_u32(MAX_FRAME_DEFAULT as u32 + 1);
    let mut garbage = BytesMut::new();
    garbage.put_u32(20);
    garbage.put_bytes(1, 20);
    let cases: [&[u8]; 5] = [&giant, &garbage, b"\0\0\0\0", b"\0\0\0\x04null", &[0xff; 1000]];
    for (number, bytes) in cases.into_iter().enumerate() {
        let mut stream = authenticated(&endpoint, &config(&format!("bad{number}"))).await;
        let mut good = BytesMut::new();
        encode(&tell(number as u32, b"1"), MAX_FRAME_DEFAULT, &mut good).unwrap();
        stream.write_all(&good).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        // "null" is a frame of an unknown kind, which is not punished.
        let unknown = bytes.ends_with(b"null");
        if unknown {
            let known = |message: &Message| *message == Message::Unknown { kind: b'n', call: 0 };
            b.events.wait("the unknown kind", |seen| seen.messages.iter().any(known).then_some(())).await;
            drop(stream);
        } else {
            assert!(closed_within(&mut stream, Duration::from_secs(3)).await, "case {number}");
        }
        let accepted = number + 1;
        let ended = b
            .events
            .wait("its end", |seen| (seen.closed.len() == accepted).then(|| seen.closed[accepted - 1].1.clone()))
            .await;
        assert_eq!(matches!(ended, CloseReason::Protocol(_)), !unknown, "case {number}: {ended:?}");
        assert!(b.events.look(|seen| sequences(&seen.messages)).contains(&(number as u32)), "what came before counts");
    }
    assert_eq!(b.transport.incidents().of(Incident::BadFrame), 4);
    still_serves(&b, &endpoint).await;
    b.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_is_no_broker_cannot_harm_the_connecting_side() {
    let answers: [&[u8]; 4] = [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", &[0xff; 5000], b"\0\0\0\x06DWRK\x03\x03"];
    for answer in answers {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
            closed_within(&mut stream, PATIENCE).await
        });
        let a = side(config("a"));
        let refused = a.transport.connect(&endpoint, None, None).await.unwrap_err();
        assert!(matches!(refused, ConnectError::Unauthorized(_) | ConnectError::Unreachable(_)), "{refused:?}");
        assert!(serving.await.unwrap());
        assert_eq!(a.events.look(|seen| seen.opened.len()), 0);
        a.transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_stays_silent_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
    let mut hasty = config("a");
    hasty.handshake_timeout = Duration::from_millis(200);
    let a = side(hasty);
    assert_eq!(a.transport.connect(&endpoint, None, None).await.unwrap_err(), ConnectError::Timeout);
    a.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_sent_frame_and_a_reset_are_the_end_of_that_connection_only() {
    let b = side(config("b"));
    let endpoint = Net::Tcp("127.0.0.1").listen(&b).await;
    let mut stream = authenticated(&endpoint, &config("a")).await;
    let mut frame = BytesMut::new();
    encode(&tell(1, &[b'1'; 5000]), MAX_FRAME_DEFAULT, &mut frame).unwrap();
    stream.write_all(&frame[..3000]).await.unwrap();
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    assert!(matches!(b.events.closed().await.0, CloseReason::Lost(_)));
    assert_eq!(b.events.look(|seen| seen.messages.len()), 0);
    still_serves(&b, &endpoint).await;
    b.transport.close().await;
}
