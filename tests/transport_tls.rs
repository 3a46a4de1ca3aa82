//! Encrypted connections: who is let in, that nothing is said in the clear, and certificates that change.
#![allow(clippy::unwrap_used)]

mod transport_support;

use dworker::error::Code;
use dworker::ids::Endpoint;
use dworker::transport::{CloseReason, ConnectError, Incident, Tls, TransportConfig};
use dworker::wire::codec::MAX_FRAME_DEFAULT;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use transport_support::*;

const NET: Net = Net::Tcp("127.0.0.1");

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/certificates/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn tls(name: &str, authority: &str) -> Arc<Tls> {
    let authorities: String = authority.split('+').map(|name| file(&format!("{name}.pem"))).collect();
    Arc::new(Tls::new(&file(&format!("{name}.key")), &file(&format!("{name}.pem")), &authorities).unwrap())
}

fn encrypted(broker: &str, name: &str, authority: &str) -> TransportConfig {
    TransportConfig { tls: Some(tls(name, authority)), ..config(broker) }
}

async fn noted(side: &Side, incident: Incident) {
    let counted = async {
        while side.transport.incidents().of(incident) < 1 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, counted).await.unwrap_or_else(|_| panic!("waited in vain for {incident:?}"));
}

/// Copies everything between who connects and `target`; what went by.
async fn eavesdrop(target: Endpoint) -> (Endpoint, Arc<std::sync::Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
    let seen: Arc<std::sync::Mutex<Vec<u8>>> = Arc::default();
    let heard = seen.clone();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect((target.host.as_str(), target.port)).await.unwrap();
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            for (mut from, mut to) in [(near_in, far_out), (far_in, near_out)] {
                let heard = heard.clone();
                tokio::spawn(async move {
                    let mut bytes = [0; 4096];
                    while let Ok(read @ 1..) = from.read(&mut bytes).await {
                        heard.lock().unwrap().extend_from_slice(&bytes[..read]);
                        if to.write_all(&bytes[..read]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        }
    });
    (endpoint, seen)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_any_size_arrive_whole_in_order_and_unreadable_on_the_way() {
    for encrypting in [true, false] {
        let made = |broker| if encrypting { encrypted(broker, "broker", "authority") } else { config(broker) };
        let (a, b) = (side(made("a")), side(made("b")));
        let (endpoint, seen) = eavesdrop(NET.listen(&b).await).await;
        let ours = a.transport.connect(&endpoint, Some(&b.incarnation), None).await.unwrap();
        let large = vec![b'7'; MAX_FRAME_DEFAULT / 4];
        for number in 0..200 {
            ours.send(&tell(number, b"\"a well known payload\"")).unwrap();
            if number % 3 == 0 {
                ours.flush();
            }
        }
        for number in 200..204 {
            ours.send(&tell(number, &large)).unwrap();
        }
        ours.flush();
        let arrived =
            b.events.wait("all of them", |seen| (seen.messages.len() == 204).then(|| sequences(&seen.messages)));
        assert_eq!(arrived.await, (0..204).collect::<Vec<_>>());
        let back = b.events.opened().await;
        back.send(&tell(1, b"\"an answer\"")).unwrap();
        back.flush();
        a.events.wait("the answer", |seen| (seen.messages.len() == 1).then_some(())).await;
        let went_by = seen.lock().unwrap().clone();
        assert!(went_by.len() > large.len());
        assert_eq!(contains(&went_by, b"well known payload"), !encrypting);
        assert_eq!(contains(&went_by, b"DWRK"), !encrypting);
        a.transport.close().await;
        assert!(matches!(b.events.closed().await.0, CloseReason::Peer { code: Code::Unreachable, .. }));
        b.transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_falls_back_to_a_connection_in_the_clear() {
    for (ours, theirs, here, there) in [
        (encrypted("a", "broker", "authority"), config("b"), Incident::NoTls, Incident::UnexpectedTls),
        (config("a"), encrypted("b", "broker", "authority"), Incident::UnexpectedTls, Incident::NoTls),
    ] {
        let (a, b) = (side(ours), side(theirs));
        let endpoint = NET.listen(&b).await;
        let refused = a.transport.connect(&endpoint, None, None).await.unwrap_err();
        assert!(matches!(&refused, ConnectError::Unauthorized(why) if why.contains("TLS")), "{refused:?}");
        noted(&a, here).await;
        noted(&b, there).await;
        assert_eq!(b.events.look(|seen| seen.opened.len()), 0);
        a.transport.close().await;
        b.transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_authority_is_refused_by_either_side_whatever_the_secret() {
    for (ours, theirs) in [
        (encrypted("a", "moved", "authority"), encrypted("b", "broker", "authority")),
        (encrypted("a", "broker", "authority"), encrypted("b", "moved", "authority")),
        (encrypted("a", "broker", "another-authority"), encrypted("b", "broker", "authority")),
    ] {
        let (a, b) = (side(ours), side(theirs));
        let endpoint = NET.listen(&b).await;
        let refused = a.transport.connect(&endpoint, None, None).await.unwrap_err();
        assert!(matches!(refused, ConnectError::Unauthorized(_)), "{refused:?}");
        noted(&b, Incident::Tls).await;
        assert_eq!(b.events.look(|seen| seen.opened.len()), 0);
        a.transport.close().await;
        b.transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_alone_is_not_enough() {
    let mut stranger = encrypted("a", "broker", "authority");
    stranger.secrets.0 = vec![b"another".to_vec()];
    let (a, b) = (side(stranger), side(encrypted("b", "broker", "authority")));
    let endpoint = NET.listen(&b).await;
    let refused = a.transport.connect(&endpoint, None, None).await.unwrap_err();
    assert!(matches!(&refused, ConnectError::Unauthorized(why) if why.contains("secret")), "{refused:?}");
    noted(&b, Incident::WrongSecret).await;
    a.transport.close().await;
    b.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_and_authorities_are_replaced_while_connections_go_on() {
    let (a, b) = (side(encrypted("a", "broker", "authority")), side(encrypted("b", "broker", "authority")));
    let endpoint = NET.listen(&b).await;
    let first = a.transport.connect(&endpoint, None, None).await.unwrap();
    let steps = [
        ("renewed", "authority"),
        ("renewed", "authority+another-authority"),
        ("moved", "authority+another-authority"),
        ("moved", "another-authority"),
    ];
    // One side after the other, as a deployment does it; a new peer meets both in every step.
    for (name, authority) in steps {
        for side_of in [&a, &b] {
            side_of.transport.set_tls(Some(tls(name, authority)));
            let c = side(TransportConfig { tls: Some(tls(name, authority)), ..config("c") });
            let connected = c.transport.connect(&endpoint, None, None).await;
            assert!(connected.is_ok(), "{name} {authority}: {connected:?}");
            c.transport.close().await;
        }
    }
    assert!(first.is_open());
    first.send(&tell(1, b"1")).unwrap();
    first.flush();
    b.events.wait("the old connection's message", |seen| (seen.messages.len() == 1).then_some(())).await;
    let late = side(encrypted("late", "broker", "authority"));
    assert!(matches!(late.transport.connect(&endpoint, None, None).await, Err(ConnectError::Unauthorized(_))));
    for side in [a, b, late] {
        side.transport.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_no_tls_is_cut_counted_and_harmless() {
    let mut hasty = encrypted("b", "broker", "authority");
    hasty.handshake_timeout = Duration::from_millis(500);
    let b = side(hasty);
    let endpoint = NET.listen(&b).await;
    let half_a_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 5000], &[0; 5000], b"\x16\x03\x01\xff\xff", half_a_hello, b""]
    {
        let before = b.transport.incidents().total();
        let mut stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.unwrap();
        // The other side may close before it took everything.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is cut");
        let counted = async {
            while b.transport.incidents().total() == before {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, counted).await.expect("it is counted");
    }
    assert_eq!(b.events.look(|seen| seen.opened.len()), 0);
    let a = side(encrypted("a", "broker", "authority"));
    a.transport.connect(&endpoint, Some(&b.incarnation), None).await.unwrap();
    a.transport.close().await;
    b.transport.close().await;
}

#[test]
fn what_is_no_certificate_is_refused_without_being_shown() {
    let (key, cert, ca) = (file("broker.key"), file("broker.pem"), file("authority.pem"));
    for (key, cert, ca) in [("", &*cert, &*ca), (&*key, "", &*ca), (&*key, &*cert, "hunter2"), (&*cert, &*key, &*ca)] {
        let refused = Tls::new(key, cert, ca).unwrap_err();
        assert!(!refused.contains("hunter2") && !refused.contains("BEGIN"), "{refused}");
    }
    assert!(Tls::new(&file("renewed.key"), &cert, &ca).is_err(), "the key of another certificate");
}
