//! Peers of one host are reached over a Unix socket, and over TCP wherever that is not possible.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod transport_support;

use dworker::ids::Incarnation;
use std::time::Duration;
use tokio::net::UnixListener;
use transport_support::*;

fn name_of(incarnation: &Incarnation) -> String {
    format!("\0dworker/{incarnation}")
}

fn is_local(remote: &str) -> bool {
    remote.contains("local socket")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_listens_locally_is_reached_over_its_local_socket() {
    let (a, b) = (side(config("a")), side(config("b")));
    let (ours, theirs) = Net::Local.join(&a, &b).await;
    assert!(is_local(ours.remote()), "{}", ours.remote());
    assert!(is_local(theirs.remote()), "{}", theirs.remote());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_without_a_local_socket_is_reached_over_tcp() {
    let (a, b) = (side(config("a")), side(config("b")));
    let (ours, _) = Net::Tcp("127.0.0.1").join(&a, &b).await;
    assert!(!is_local(ours.remote()), "{}", ours.remote());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_want_local_sockets_neither_offers_nor_uses_them() {
    let without = |broker| {
        let mut config = config(broker);
        config.local_sockets = false;
        side(config)
    };
    let (a, b) = (without("a"), side(config("b")));
    let (ours, _) = Net::Local.join(&a, &b).await;
    assert!(!is_local(ours.remote()), "{}", ours.remote());
    assert!(!without("c").transport.listen_locally().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_knows_which_peer_to_expect_at_a_bare_address_so_it_is_reached_over_tcp() {
    let (a, b) = (side(config("a")), side(config("b")));
    let endpoint = Net::Local.listen(&b).await;
    let ours = a.transport.connect(&endpoint, None, None).await.unwrap();
    assert!(!is_local(ours.remote()), "{}", ours.remote());
}

/// Any user of the host can take the name that a dead broker left, or that of one without local sockets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_behind_the_name_of_a_peer_does_not_keep_it_from_being_reached() {
    let mut hasty = config("a");
    hasty.handshake_timeout = Duration::from_secs(6);
    let (a, b) = (side(hasty), side(config("b")));
    let silent = UnixListener::bind(name_of(&b.incarnation)).unwrap();
    let accepted = tokio::spawn(async move { silent.accept().await });
    let (ours, _) = Net::Tcp("127.0.0.1").join(&a, &b).await;
    assert!(!is_local(ours.remote()), "{}", ours.remote());
    assert!(accepted.await.unwrap().is_ok(), "the stranger was not asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_that_hangs_up_does_not_either() {
    let (a, b) = (side(config("a")), side(config("b")));
    let rude = UnixListener::bind(name_of(&b.incarnation)).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = rude.accept().await {
            drop(stream);
        }
    });
    let (ours, _) = Net::Tcp("127.0.0.1").join(&a, &b).await;
    assert!(!is_local(ours.remote()), "{}", ours.remote());
}
