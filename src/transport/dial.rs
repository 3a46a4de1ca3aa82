//! Connecting to a peer: one attempt an endpoint at a time, one open connection, shared by whoever asks.

use super::connection::{Connection, Route};
use super::memory::{MemoryHub, MEMORY_HOST};
use super::outcome::ConnectError;
use super::peers::Place;
use super::session::{self, Link, ShakeError};
use super::shared::{Dial, Shared, State};
use super::{local, lock, stream};
use crate::backoff::{spread, Backoff};
use crate::ids::{Endpoint, Incarnation};
use crate::wire::handshake::{HandshakeError, Peer, Refusal, Role};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// The part of the time for an attempt that a local socket may take.
const LOCAL_SHARE: u32 = 3;
/// Pauses before a peer that let in others is tried again: it needs a millisecond for each.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

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

type Proven = (Place, Peer, Link);

/// Connects, again and again while the peer has too many to let in at once, as long as there is time.
async fn attempt(
    shared: &Arc<Shared>,
    endpoint: &Endpoint,
    expect: Option<&Incarnation>,
    hub: Option<&MemoryHub>,
    place: Place,
) -> Result<Proven, ConnectError> {
    let proven = async {
        let mut place = Some(place);
        let mut pauses = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE);
        loop {
            match attempt_once(shared, endpoint, expect, hub, &mut place).await {
                Ok(proven) => return Ok(proven),
                Err(ShakeError::Refused(HandshakeError::Refused(Refusal::Busy))) => {
                    sleep(spread(pauses.next_wait())).await
                }
                Err(ShakeError::Full(why)) => return Err(shared.no_place(why)),
                Err(ShakeError::Unreached(error)) => return Err(error),
                Err(error) => {
                    shared.incidents.note(error.incident(), endpoint, &error);
                    return Err(error.into());
                }
            }
        }
    };
    let (place, peer, mut link) =
        timeout(shared.config.handshake_timeout, proven).await.map_err(|_| ConnectError::Timeout)??;
    if expect.is_some_and(|incarnation| *incarnation != peer.identity.incarnation) {
        session::decline(&mut link, "another incarnation was expected").await;
        return Err(ConnectError::WrongIncarnation);
    }
    Ok((place, peer, link))
}

/// `place`: what is kept for the connection, until a handshake used it up.
async fn attempt_once(
    shared: &Arc<Shared>,
    endpoint: &Endpoint,
    expect: Option<&Incarnation>,
    hub: Option<&MemoryHub>,
    place: &mut Option<Place>,
) -> Result<Proven, ShakeError> {
    if let Some(proven) = attempt_locally(shared, expect, place).await? {
        return Ok(proven);
    }
    let mut link = match reach(endpoint, hub).await.map_err(ShakeError::Unreached)? {
        Reached::Socket(socket) => Link::over(shared, Role::Initiator, socket).await?,
        Reached::Memory(stream) => Link::new(stream::memory(stream)),
    };
    link.target = expect.cloned();
    let (peer, place) = session::shake_hands(shared, Role::Initiator, &mut link, place.take()).await?;
    Ok((place, peer, link))
}

/// The peer over its local socket; `None`: it is to be reached over the network, whatever the reason. What a stranger does
/// with a name that a dead broker left costs no more than a part of the time for the attempt.
async fn attempt_locally(
    shared: &Arc<Shared>,
    expect: Option<&Incarnation>,
    place: &mut Option<Place>,
) -> Result<Option<Proven>, ShakeError> {
    let Some(incarnation) = expect.filter(|_| shared.config.local_sockets && shared.tls().is_none()) else {
        return Ok(None);
    };
    let Ok(stream) = local::dial(incarnation).await else { return Ok(None) };
    let mut link = Link::locally(stream);
    link.target = expect.cloned();
    let shaken = session::shake_hands(shared, Role::Initiator, &mut link, place.take());
    match timeout(shared.config.handshake_timeout / LOCAL_SHARE, shaken).await {
        Ok(Ok((peer, place))) if peer.identity.incarnation == *incarnation => Ok(Some((place, peer, link))),
        Ok(Err(error @ ShakeError::Refused(HandshakeError::Refused(Refusal::Busy)))) => Err(error),
        _ => Ok(None),
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
            ShakeError::Unreached(error) => error,
            ShakeError::Full(_) | ShakeError::Broken(_) => ConnectError::Unreachable(error.to_string()),
        }
    }
}
