//! Who owns the sockets between brokers: connections to proven peers, frames in, frames out.
//!
//! | you look for | file |
//! | --- | --- |
//! | limits and their reasons | `config.rs` |
//! | how sending, connecting, a connection end | `outcome.rs` |
//! | what others do with a connection | `connection.rs` |
//! | order, bounds, who writes | `outbox.rs` |
//! | reading: what is done with frames; back pressure, idleness, goodbye | `intake.rs`, `reader.rs` |
//! | one connection from handshake to end | `session.rs` |
//! | how many peers, and connections of each | `peers.rs` |
//! | accepting | `listener.rs`, `admission.rs` (who may wait unproven), `incidents.rs` (what is counted) |
//! | connecting | `dial.rs` |
//! | TCP, TLS, Unix sockets of one host, memory, sockets on somebody else's loop | `stream.rs`, `tls.rs`, `local.rs`, `memory.rs`, `polled.rs` |
//!
//! Frames that one thread sends arrive in that order. A goodbye loses nothing by itself: what the peer had on its way is
//! bounced. `Message::Close` is spoken by the transport itself; every other message is for [`Events`].

mod admission;
mod config;
mod connection;
mod dial;
mod incidents;
mod intake;
mod listener;
mod local;
mod memory;
mod outbox;
mod outcome;
mod peers;
mod polled;
mod reader;
mod session;
mod shared;
mod stream;
mod tls;

pub use config::{
    TransportConfig, HANDSHAKE_TIMEOUT, IDLE_TIMEOUT, MAX_UNAUTHENTICATED, MAX_UNAUTHENTICATED_PER_ADDRESS,
    OUTBOX_BYTES, WAITING_BYTES,
};
pub use connection::Connection;
pub use incidents::{Incident, IncidentCounts};
pub use memory::{MemoryHub, MEMORY_HOST};
pub use outcome::{CloseReason, ConnectError, SendError};
pub use peers::{PeerTable, MAX_PEERS};
pub use polled::{PolledSocket, Ready, Session, SocketLoop};
pub use tls::Tls;

use crate::error::Code;
use crate::ids::{Endpoint, Incarnation};
use crate::wire::handshake::Secrets;
use crate::wire::message::Message;
use shared::Shared;
use std::fmt::Display;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// What happens on connections. Called on the tasks of the transport: must not block.
pub trait Events: Send + Sync + 'static {
    /// A peer has proven itself. Before every other event of this connection, and before `connect` returns it.
    fn on_open(&self, connection: &Arc<Connection>);

    /// In the order of the peer's frames.
    fn on_message(&self, connection: &Arc<Connection>, message: Message);

    /// Once, after the last `on_message`. `unsent`: what `send` accepted and of which the socket got no byte, in
    /// order; certainly not delivered.
    fn on_close(&self, connection: &Arc<Connection>, reason: CloseReason, unsent: Vec<Message>);

    /// Whether this side awaits an answer on a connection that would be closed as idle.
    fn is_waiting(&self, _connection: &Arc<Connection>) -> bool {
        false
    }

    /// Whether there is room for more. False also where that is not known at once: then [`Events::ready`] tells.
    fn is_ready(&self) -> bool {
        false
    }

    /// Awaited between two reads of a socket: resolves when there is room for more.
    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The connections of one broker. Clones are the same transport. It lives until it is closed or aborted.
#[derive(Clone)]
pub struct Transport(Arc<Shared>);

impl Transport {
    /// `sockets` serves the connections that carry asks or tells, and tells their events on its thread; without it, the
    /// runtime does.
    pub fn new(
        config: TransportConfig,
        events: Arc<dyn Events>,
        runtime: Handle,
        sockets: Option<Arc<dyn SocketLoop>>,
    ) -> Self {
        Self(Arc::new(Shared::new(config, events, runtime, sockets)))
    }

    /// Listens on a TCP port (0: a free one) and tells the address.
    pub async fn listen(&self, host: &str, port: u16) -> io::Result<Endpoint> {
        let host = host.to_owned();
        // Bound on our runtime, whichever one calls.
        let bound = self.0.runtime.spawn(async move { TcpListener::bind((host.as_str(), port)).await });
        let listener = bound.await.map_err(io::Error::other)??;
        let address = listener.local_addr()?;
        if !self.0.spawn(listener::serve_tcp(self.0.clone(), listener)) {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the transport is closed"));
        }
        Ok(Endpoint { host: address.ip().to_string(), port: address.port() })
    }

    /// Listens for the processes of this host, too, where [`TransportConfig::local_sockets`] allows it and the system has
    /// such sockets; false: peers of this host come over TCP like all others.
    pub async fn listen_locally(&self) -> bool {
        if !self.0.config.local_sockets {
            return false;
        }
        let incarnation = self.0.config.identity.incarnation.clone();
        // Bound on our runtime, whichever one calls.
        let bound = self.0.runtime.spawn(async move { local::listen(&incarnation) }).await;
        match bound.map_err(io::Error::other).and_then(|bound| bound) {
            Ok(listener) => self.0.spawn(listener::serve_local(self.0.clone(), listener)),
            Err(error) => {
                tracing::debug!(%error, "no local socket to listen on");
                false
            }
        }
    }

    /// Listens on a port of `hub`. On a closed transport, or with every port taken, nobody answers there.
    pub async fn listen_memory(&self, hub: &MemoryHub) -> Endpoint {
        let Some(listener) = hub.listen() else { return memory::endpoint(0) };
        let endpoint = listener.endpoint();
        self.0.spawn(listener::serve_memory(self.0.clone(), listener));
        endpoint
    }

    /// A connection to `address`: the open one, or a new one which everybody who asks meanwhile gets too. The peer must
    /// be the incarnation `expect`. `hub` serves addresses of host `memory`. Cancel safe: the attempt goes on.
    pub async fn connect(
        &self,
        address: &Endpoint,
        expect: Option<&Incarnation>,
        hub: Option<&MemoryHub>,
    ) -> Result<Arc<Connection>, ConnectError> {
        dial::connect(&self.0, address, expect, hub).await
    }

    /// From now on peers prove themselves by these; connections that are open stay.
    pub fn set_secrets(&self, secrets: Secrets) {
        *self.0.secrets.write().unwrap_or_else(PoisonError::into_inner) = secrets;
    }

    /// The same for certificates; `None`: connections over TCP are in the clear.
    pub fn set_tls(&self, tls: Option<Arc<Tls>>) {
        *self.0.tls.write().unwrap_or_else(PoisonError::into_inner) = tls;
    }

    /// Ends these connections at once: their peers hear no goodbye.
    pub fn cut_off(&self, which: impl Fn(&Connection) -> bool, why: &str) {
        let state = lock(&self.0.state);
        let connections: Vec<_> = state.connections.values().filter(|connection| which(connection)).cloned().collect();
        drop(state);
        for connection in connections {
            connection.close(Code::PeerLost, why);
            connection.kill();
        }
    }

    /// Counts something that a peer did wrong; logged once a minute at most. `detail` must be neither secret nor payload.
    pub fn note(&self, incident: Incident, remote: &dyn Display, detail: &dyn Display) {
        self.0.incidents.note(incident, remote, detail);
    }

    /// What was refused or broke at the door so far.
    pub fn incidents(&self) -> IncidentCounts {
        self.0.incidents.counts()
    }

    /// Stops listening, says goodbye on every connection, lets them write for 200 ms at most, and joins every task.
    /// Cancel safe: it goes on.
    pub async fn close(&self) {
        let shared = self.0.clone();
        shared::report(self.0.runtime.spawn(async move { close(&shared).await }).await);
    }

    /// Drops everything at once, without a goodbye and without a further event.
    pub fn abort(&self) {
        self.0.abort();
    }
}

async fn close(shared: &Shared) {
    let (mut tasks, connections) = shared.shut();
    for connection in &connections {
        connection.close(Code::Unreachable, "the broker leaves");
    }
    let joined = timeout(config::CLOSE_GRACE, async {
        while let Some(ended) = tasks.join_next().await {
            shared::report(ended);
        }
    });
    if joined.await.is_err() {
        connections.iter().for_each(|connection| connection.kill());
        while let Some(ended) = tasks.join_next().await {
            shared::report(ended);
        }
    }
}

/// The state behind a mutex is whole also after a panic: every change to it is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
