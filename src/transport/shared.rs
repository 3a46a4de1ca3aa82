//! What the tasks of one transport have in common: its connections, its running tasks, and whether it is closed.

use super::admission::Admission;
use super::config::TransportConfig;
use super::connection::{Connection, Route};
use super::incidents::Incidents;
use super::lock;
use super::outbox::Outbox;
use super::outcome::{CloseReason, ConnectError};
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
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
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
    /// Connections that are about to be: see [`Place`]. Grows under the lock of `state` only; shrinks without it, for a
    /// task may be dropped where the lock is held.
    places: AtomicUsize,
    /// Nothing is told any more.
    aborted: AtomicBool,
}

impl Shared {
    pub fn new(
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
            places: AtomicUsize::new(0),
            aborted: AtomicBool::new(false),
        }
    }

    /// What this side brings to a handshake.
    pub fn party(&self) -> Party {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner).clone();
        let party = Party::new(self.config.identity.clone(), secrets, self.config.max_message_bytes);
        Party { purpose: self.config.purpose, ..party }
    }

    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Resolves when the transport closes.
    pub async fn stopped(&self) {
        // The sender lives as long as `self`.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Whether `task` was started: not on a closed transport.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        self.spawn_in(&mut lock(&self.state), task)
    }

    pub fn spawn_in(&self, state: &mut State, task: impl Future<Output = ()> + Send + 'static) -> bool {
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
    pub fn shut(&self) -> (JoinSet<()>, Vec<Arc<Connection>>) {
        let mut state = lock(&self.state);
        state.closed = true;
        self.stop.send_replace(true);
        (std::mem::take(&mut state.tasks), state.connections.values().cloned().collect())
    }

    pub fn is_full(&self) -> bool {
        self.is_full_with(&lock(&self.state))
    }

    /// A place for one more connection, unless there are too many.
    pub fn reserve(self: &Arc<Self>) -> Option<Place> {
        self.reserve_in(&lock(&self.state))
    }

    pub fn reserve_in(self: &Arc<Self>, state: &State) -> Option<Place> {
        if self.is_full_with(state) {
            return None;
        }
        self.places.fetch_add(1, SeqCst);
        Some(Place(self.clone()))
    }

    fn is_full_with(&self, state: &State) -> bool {
        state.connections.len() + self.places.load(SeqCst) >= self.config.max_connections
    }

    /// A connection to a peer that has proven itself, in the place of `_place`; `None`: the transport is closed.
    pub fn enter(
        &self,
        _place: Place,
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
        Some(connection)
    }

    pub fn forget(&self, connection: &Connection) {
        lock(&self.state).connections.remove(&connection.id());
    }

    pub fn abort(&self) {
        self.aborted.store(true, SeqCst);
        let (mut tasks, connections) = self.shut();
        tasks.abort_all();
        connections.iter().for_each(|connection| connection.outbox.cut());
        let mut state = lock(&self.state);
        state.connections.clear();
        state.dials.clear();
        // Whoever closes later still joins what is being aborted now.
        state.tasks = tasks;
    }

    pub fn on_open(&self, connection: &Arc<Connection>) {
        self.tell(|events| events.on_open(connection));
    }

    /// False: the handler panicked.
    pub fn on_message(&self, connection: &Arc<Connection>, message: Message) -> bool {
        self.tell(|events| events.on_message(connection, message))
    }

    pub fn on_close(&self, connection: &Arc<Connection>, reason: CloseReason, unsent: Vec<Message>) {
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

/// Kept for a connection from before the peer is told that it is let in, until it stands among the others: nobody who
/// was let in has to go again.
pub(super) struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.places.fetch_sub(1, SeqCst);
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
