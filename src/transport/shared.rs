//! What the tasks of one transport have in common: its connections, its running tasks, and whether it is closed.

use super::admission::Admission;
use super::config::TransportConfig;
use super::connection::{Connection, Route};
use super::incidents::Incidents;
use super::lock;
use super::outbox::Outbox;
use super::outcome::{CloseReason, ConnectError};
use super::peers::{NoPlace, Place};
use super::polled::SocketLoop;
use super::stream::DirectOutput;
use super::tls::Tls;
use super::Events;
use crate::ids::{Endpoint, Incarnation};
use crate::wire::handshake::{Party, Peer, Secrets};
use crate::wire::message::Message;
use std::collections::HashMap;
use std::future::Future;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What an attempt to connect came to; `None`: still under way.
pub(super) type Attempt = Option<Result<Arc<Connection>, ConnectError>>;

/// An attempt to connect to an endpoint; there is one at a time for each.
#[derive(Clone)]
pub(super) struct Dial {
    pub expect: Option<Incarnation>,
    pub result: watch::Receiver<Attempt>,
}

#[derive(Default)]
pub(super) struct State {
    pub closed: bool,
    next_id: u64,
    pub connections: HashMap<u64, Arc<Connection>>,
    /// What each of them is counted by.
    places: HashMap<u64, Place>,
    pub dials: HashMap<Endpoint, Dial>,
    tasks: JoinSet<()>,
}

pub(super) struct Shared {
    pub config: TransportConfig,
    pub events: Arc<dyn Events>,
    pub runtime: Handle,
    /// Where sockets that carry work are served; `None`: on the runtime.
    pub sockets: Option<Arc<dyn SocketLoop>>,
    pub admission: Admission,
    /// Those of the config until others are set.
    pub secrets: RwLock<Secrets>,
    /// That of the config until another is set.
    pub tls: RwLock<Option<Arc<Tls>>>,
    pub incidents: Incidents,
    pub state: Mutex<State>,
    /// True: listeners, handshakes and attempts to connect end.
    pub stop: watch::Sender<bool>,
    /// Nothing is told any more.
    aborted: AtomicBool,
}

impl Shared {
    pub(crate) fn new(
        config: TransportConfig,
        events: Arc<dyn Events>,
        runtime: Handle,
        sockets: Option<Arc<dyn SocketLoop>>,
    ) -> Self {
        Self {
            admission: Admission::new(config.max_unauthenticated, config.max_unauthenticated_per_address),
            secrets: RwLock::new(config.secrets.clone()),
            tls: RwLock::new(config.tls.clone()),
            incidents: Incidents::new(&config.identity.incarnation),
            config,
            events,
            runtime,
            sockets,
            state: Mutex::default(),
            stop: watch::Sender::new(false),
            aborted: AtomicBool::new(false),
        }
    }

    /// What this side brings to a handshake.
    pub(crate) fn party(&self) -> Party {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner).clone();
        let party = Party::new(self.config.identity.clone(), secrets, self.config.max_message_bytes);
        Party { purpose: self.config.purpose, ..party }
    }

    pub(crate) fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Resolves when the transport closes.
    pub(crate) async fn stopped(&self) {
        // The sender lives as long as `self`.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Whether `task` was started: not on a closed transport.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        self.spawn_in(&mut lock(&self.state), task)
    }

    pub(crate) fn spawn_in(&self, state: &mut State, task: impl Future<Output = ()> + Send + 'static) -> bool {
        if state.closed {
            return false;
        }
        while let Some(ended) = state.tasks.try_join_next() {
            report(ended);
        }
        state.tasks.spawn_on(task, &self.runtime);
        true
    }

    /// Forbids new tasks; gives the running ones and the open connections.
    pub(crate) fn shut(&self) -> (JoinSet<()>, Vec<Arc<Connection>>) {
        let mut state = lock(&self.state);
        state.closed = true;
        self.stop.send_replace(true);
        (std::mem::take(&mut state.tasks), state.connections.values().cloned().collect())
    }

    /// Why an attempt to connect found no place.
    pub(crate) fn no_place(&self, why: NoPlace) -> ConnectError {
        match why {
            NoPlace::Peers => ConnectError::Full(self.config.peers.limit()),
            NoPlace::ConnectionsOfPeer => ConnectError::Unreachable("too many connections to it are open".into()),
        }
    }

    /// A connection to a peer that has proven itself; it keeps `place` until it ends. `None`: the transport is closed.
    pub(crate) fn enter(
        &self,
        place: Place,
        peer: Peer,
        route: Route,
        direct: Option<DirectOutput>,
    ) -> Option<Arc<Connection>> {
        let mut state = lock(&self.state);
        if state.closed {
            return None;
        }
        // From 1: 0 means that a call was written to no connection.
        state.next_id += 1;
        let id = state.next_id;
        let max_frame = self.config.max_message_bytes.min(peer.max_frame);
        let outbox = Outbox::new(self.config.outbox_bytes, max_frame, direct);
        let connection = Arc::new(Connection::new(id, peer, route, outbox));
        state.connections.insert(id, connection.clone());
        state.places.insert(id, place);
        Some(connection)
    }

    pub(crate) fn forget(&self, connection: &Connection) {
        let mut state = lock(&self.state);
        state.connections.remove(&connection.id());
        state.places.remove(&connection.id());
    }

    pub(crate) fn abort(&self) {
        self.aborted.store(true, SeqCst);
        let (mut tasks, connections) = self.shut();
        tasks.abort_all();
        connections.iter().for_each(|connection| connection.outbox.cut());
        let mut state = lock(&self.state);
        state.connections.clear();
        state.places.clear();
        state.dials.clear();
        // Whoever closes later still joins what is being aborted now.
        state.tasks = tasks;
    }

    pub(crate) fn on_open(&self, connection: &Arc<Connection>) {
        self.tell(|events| events.on_open(connection));
    }

    /// False: the handler panicked.
    pub(crate) fn on_message(&self, connection: &Arc<Connection>, message: Message) -> bool {
        self.tell(|events| events.on_message(connection, message))
    }

    pub(crate) fn on_close(&self, connection: &Arc<Connection>, reason: CloseReason, unsent: Vec<Message>) {
        self.tell(|events| events.on_close(connection, reason, unsent));
    }

    /// A handler that panics is an error in this program: it is reported, and the connection's task goes on.
    fn tell(&self, event: impl FnOnce(&dyn Events)) -> bool {
        if self.aborted.load(SeqCst) {
            return true;
        }
        let told = catch_unwind(AssertUnwindSafe(|| event(&*self.events)));
        if told.is_err() {
            tracing::error!("a handler of a connection's events panicked");
        }
        told.is_ok()
    }
}

/// A task that panicked is an error in this program: it is reported, and nothing else ends.
pub(super) fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        if error.is_panic() {
            tracing::error!(%error, "a task of the transport panicked");
        }
    }
}
