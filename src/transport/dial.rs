//! Connecting to a peer: one attempt an endpoint at a time, one open connection, shared by whoever asks.

use super::connection::{Connection, Route};
use super::memory::{MemoryHub, MEMORY_HOST};
use super::outcome::ConnectError;
use super::peers::Place;
use super::session::{self, Link, ShakeError};
use super::shared::{Dial, Shared, State};
use super::{local, lock, stream};
use crate::ids::{Endpoint, Incarnation};
use crate::wire::handshake::{HandshakeError, Peer, Refusal, Role};
use std::io;
use std::sync::Arc;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// The part of the time for an attempt that a local socket may take.
const LOCAL_SHARE: u32 = 3;

pub(super) async fn connect(
    shared: &Arc<Shared>,
    endpoint: &Endpoint,
    expect: Option<&Incarnation>,
    hub: Option<&MemoryHub>,
) -> Result<Arc<Connection>, ConnectError> {
    loop {
        let dial = {
            let mut state = lock(&shared.state);
            if state.closed {
                return Err(ConnectError::Closed);
            }
            if let Some(connection) = find_open(&state, endpoint, expect) {
                return Ok(connection);
            }
            match state.dials.get(endpoint) {
                Some(dial) => dial.clone(),
                None => start(shared, &mut state, endpoint, expect, hub)?,
            }
        };
        let mut result = dial.result;
        // The task that attempts it is gone without a word only when the transport is.
        let outcome = result
            .wait_for(Option::is_some)
            .await
            .map_or(Err(ConnectError::Closed), |attempt| attempt.clone().unwrap_or(Err(ConnectError::Closed)));
        // An attempt that looked for somebody else says nothing about ours.
        if dial.expect.as_ref() == expect || matches!(outcome, Err(ConnectError::Closed)) {
            return outcome;
        }
    }
}

fn find_open(state: &State, endpoint: &Endpoint, expect: Option<&Incarnation>) -> Option<Arc<Connection>> {
    let fits = |connection: &&Arc<Connection>| {
        connection.target() == Some(endpoint)
            && expect.is_none_or(|incarnation| *incarnation == connection.peer().incarnation)
            && connection.is_open()
    };
    state.connections.values().find(fits).cloned()
}

/// Starts an attempt. It goes on when whoever asked for it is gone: others may wait for it.
fn start(
    shared: &Arc<Shared>,
    state: &mut State,
    endpoint: &Endpoint,
    expect: Option<&Incarnation>,
    hub: Option<&MemoryHub>,
) -> Result<Dial, ConnectError> {
    let place = shared.config.peers.reserve(expect, shared.config.purpose).map_err(|why| shared.no_place(why))?;
    let (publish, result) = watch::channel(None);
    let dial = Dial { expect: expect.cloned(), result };
    let (owned, target, expect, hub) = (shared.clone(), endpoint.clone(), expect.cloned(), hub.cloned());
    shared.spawn_in(state, async move {
        let shared = owned;
        let attempt = tokio::select! {
            attempt = attempt(&shared, &target, expect.as_ref(), hub.as_ref(), place) => attempt,
            () = shared.stopped() => Err(ConnectError::Closed),
        };
        let entered = attempt.and_then(|(place, peer, link)| {
            let remote = if link.is_local() { format!("{target} over a local socket") } else { target.to_string() };
            let route = Route { remote, target: Some(target.clone()) };
            let connection = session::enter(&shared, place, peer, route, &link);
            Ok((connection.ok_or(ConnectError::Closed)?, link))
        });
        // First the connection is there to be found, then the attempt is over: nobody starts a second one in between.
        lock(&shared.state).dials.remove(&target);
        match entered {
            Ok((connection, link)) => {
                publish.send_replace(Some(Ok(connection.clone())));
                session::run(&shared, connection, link).await;
            }
            Err(error) => {
                publish.send_replace(Some(Err(error)));
            }
        }
    });
    state.dials.insert(endpoint.clone(), dial.clone());
    Ok(dial)
}

async fn attempt(
    shared: &Arc<Shared>,
    endpoint: &Endpoint,
    expect: Option<&Incarnation>,
    hub: Option<&MemoryHub>,
    place: Place,
) -> Result<(Place, Peer, Link), ConnectError> {
    let proven = async {
        let place = match attempt_locally(shared, expect, place).await {
            Ok(found) => return Ok(found),
            Err(place) => place,
        };
        let refused = |error: ShakeError| {
            shared.incidents.note(error.incident(), endpoint, &error);
            ConnectError::from(error)
        };
        let mut link = match reach(endpoint, hub).await? {
            Reached::Socket(socket) => Link::over(shared, Role::Initiator, socket).await.map_err(refused)?,
            Reached::Memory(stream) => Link::new(stream::memory(stream)),
        };
        link.target = expect.cloned();
        let shaken = session::shake_hands(shared, Role::Initiator, &mut link, place).await;
        let (peer, place) = shaken.map_err(|error| match error {
            ShakeError::Full(why) => shared.no_place(why),
            error => refused(error),
        })?;
        Ok::<_, ConnectError>((place, peer, link))
    };
    let (place, peer, mut link) =
        timeout(shared.config.handshake_timeout, proven).await.map_err(|_| ConnectError::Timeout)??;
    if expect.is_some_and(|incarnation| *incarnation != peer.identity.incarnation) {
        session::decline(&mut link, "another incarnation was expected").await;
        return Err(ConnectError::WrongIncarnation);
    }
    Ok((place, peer, link))
}

/// The peer over its local socket. Otherwise, whatever the reason, it is to be reached over the network: then the place for
/// the connection comes back, unless a handshake used it up. What a stranger does with a name that a dead broker left costs
/// no more than a part of the time for the attempt.
async fn attempt_locally(
    shared: &Arc<Shared>,
    expect: Option<&Incarnation>,
    place: Place,
) -> Result<(Place, Peer, Link), Option<Place>> {
    let Some(incarnation) = expect.filter(|_| shared.config.local_sockets && shared.tls().is_none()) else {
        return Err(Some(place));
    };
    let Ok(stream) = local::dial(incarnation).await else { return Err(Some(place)) };
    let mut link = Link::locally(stream);
    link.target = expect.cloned();
    let shaken = session::shake_hands(shared, Role::Initiator, &mut link, Some(place));
    match timeout(shared.config.handshake_timeout / LOCAL_SHARE, shaken).await {
        Ok(Ok((peer, place))) if peer.identity.incarnation == *incarnation => Ok((place, peer, link)),
        _ => Err(None),
    }
}

enum Reached {
    Socket(TcpStream),
    Memory(DuplexStream),
}

/// A stream to whoever is there.
async fn reach(endpoint: &Endpoint, hub: Option<&MemoryHub>) -> Result<Reached, ConnectError> {
    if endpoint.host != MEMORY_HOST {
        return Ok(Reached::Socket(TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?));
    }
    let hub = hub.ok_or_else(|| ConnectError::Unreachable("it is inside another process".to_owned()))?;
    let stream = hub.dial(endpoint.port).await.ok_or(ConnectError::Refused)?;
    Ok(Reached::Memory(stream))
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            _ if stream::is_out_of_descriptors(&error) => ConnectError::NoDescriptor,
            io::ErrorKind::ConnectionRefused => ConnectError::Refused,
            io::ErrorKind::TimedOut => ConnectError::Timeout,
            _ => ConnectError::Unreachable(error.to_string()),
        }
    }
}

impl From<ShakeError> for ConnectError {
    fn from(error: ShakeError) -> Self {
        match error {
            ShakeError::Refused(HandshakeError::Refused(Refusal::Full)) => ConnectError::PeerFull,
            ShakeError::Refused(refused) => ConnectError::Unauthorized(refused.to_string()),
            ShakeError::NoTls | ShakeError::Tls(_) => ConnectError::Unauthorized(error.to_string()),
            // Somebody listened: this is not the refusal that says nobody does.
            ShakeError::Full(_) | ShakeError::Broken(_) => ConnectError::Unreachable(error.to_string()),
        }
    }
}
