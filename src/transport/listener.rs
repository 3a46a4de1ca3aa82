//! The door: takes up connections that peers make.

use super::config::ACCEPT_PAUSE;
use super::connection::Route;
use super::incidents::Incident;
use super::memory::MemoryListener;
use super::peers::Place;
use super::session::{self, Link, ShakeError};
use super::shared::Shared;
use super::{local, stream};
use crate::wire::handshake::{HandshakeError, Peer, Role};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

pub(super) async fn serve_tcp(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            () = shared.stopped() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => take_up(&shared, stream, address),
            Err(error) => {
                shared.incidents.note(Incident::AcceptFailed, &"the listener", &error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

pub(super) async fn serve_local(shared: Arc<Shared>, listener: local::Listener) {
    loop {
        let accepted = tokio::select! {
            () = shared.stopped() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => take_up_local(&shared, stream),
            Err(error) => {
                shared.incidents.note(Incident::AcceptFailed, &"the local listener", &error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn take_up_local(shared: &Arc<Shared>, stream: local::Stream) {
    // Certificates may have been set since the listener began: then nothing is said in the clear.
    if shared.tls().is_none() {
        let link = std::future::ready(Ok(Link::locally(stream)));
        admit(shared, link, local::PEER_ADDRESS, "a local socket".to_owned());
    }
}

fn take_up(shared: &Arc<Shared>, stream: TcpStream, address: SocketAddr) {
    let remote = SocketAddr::new(address.ip().to_canonical(), address.port());
    let owned = shared.clone();
    let link = async move { Link::over(&owned, Role::Responder, stream).await };
    admit(shared, link, remote.ip(), remote.to_string());
}

/// Serves a peer once it has proven itself; until then it counts against the limits for its address.
fn admit(
    shared: &Arc<Shared>,
    link: impl Future<Output = Result<Link, ShakeError>> + Send + 'static,
    address: IpAddr,
    remote: String,
) {
    let (ticket, leave) = shared.admission.admit(address);
    let owned = shared.clone();
    shared.spawn(async move {
        let shared = owned;
        // The sender is dropped for a newer peer.
        let leave = async move {
            let _ = leave.await;
        };
        let proven = tokio::select! {
            proven = prove(&shared, remote, link, leave) => proven,
            () = shared.stopped() => return,
        };
        drop(ticket);
        if let Some(proven) = proven {
            open(&shared, proven).await;
        }
    });
}

pub(super) async fn serve_memory(shared: Arc<Shared>, mut listener: MemoryListener) {
    let remote = listener.endpoint().to_string();
    loop {
        let accepted = tokio::select! {
            () = shared.stopped() => return,
            accepted = listener.accept() => accepted,
        };
        let Some(stream) = accepted else { return };
        let link = std::future::ready(Ok(Link::new(stream::memory(stream))));
        let (owned, remote) = (shared.clone(), remote.clone());
        shared.spawn(async move {
            let shared = owned;
            let proven = tokio::select! {
                proven = prove(&shared, remote, link, std::future::pending()) => proven,
                () = shared.stopped() => return,
            };
            if let Some(proven) = proven {
                open(&shared, proven).await;
            }
        });
    }
}

type Proven = (Place, Peer, Route, Link);

/// Lets the peer prove itself in time, or notes why not. Once `leave` resolves it has to go, and is told that it may come
/// again.
async fn prove(
    shared: &Arc<Shared>,
    remote: String,
    link: impl Future<Output = Result<Link, ShakeError>>,
    leave: impl Future<Output = ()>,
) -> Option<Proven> {
    let proving = async {
        let mut leave = pin!(leave);
        let mut link = tokio::select! {
            biased;
            link = link => link?,
            () = &mut leave => return Err(HandshakeError::Busy.into()),
        };
        let shaken = tokio::select! {
            shaken = session::shake_hands(shared, Role::Responder, &mut link, None) => shaken,
            () = &mut leave => Err(HandshakeError::Busy.into()),
        };
        if matches!(shaken, Err(ShakeError::Refused(HandshakeError::Busy))) {
            session::refuse(&mut link, HandshakeError::Busy).await;
        }
        let (peer, place) = shaken?;
        Ok::<_, ShakeError>((peer, place, link))
    };
    match timeout(shared.config.handshake_timeout, proving).await {
        Ok(Ok((peer, place, link))) => Some((place, peer, Route { remote, target: None }, link)),
        Ok(Err(error)) => {
            shared.incidents.note(error.incident(), &remote, &error);
            None
        }
        Err(_) => {
            shared.incidents.note(Incident::TimedOut, &remote, &"no handshake in time");
            None
        }
    }
}

async fn open(shared: &Arc<Shared>, (place, peer, route, link): Proven) {
    if let Some(connection) = session::enter(shared, place, peer, route, &link) {
        session::run(shared, connection, link).await;
    }
}
