//! Control connections: a peer that falls silent shows there, whatever JavaScript does here or there.
//!
//! There is one beside each connection for messages, made by the same side to the same address, so that it meets the
//! same fate; and one to the next incarnations in the order of their names, of any cluster, so that a death shows also
//! when nobody talks. They carry pings alone, and are read and answered by the runtime. Who made one pings on it; both
//! ends hear. After three pings without a word the connections of that direction are cut: calls fail at once, and until
//! a control connection opens again the peer counts as unreachable. That alone evicts nobody. A peer that answers
//! pings but does not read its messages is slow, not lost.

use crate::broker::incarnation::Life;
use crate::broker::membership::death::Sign;
use crate::error::Code;
use crate::ids::Incarnation;
use crate::level::Level;
use crate::lock::lock;
use crate::transport::{CloseReason, Connection, Events, Transport};
use crate::wire::message::Message;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

/// Between two pings.
pub const PING: Duration = Duration::from_secs(1);
/// Between two looks at who is silent.
const LOOK: Duration = Duration::from_millis(200);
/// Looks between two pings.
const LOOKS_PER_PING: u32 = 5;
/// Looks in a row without a word after which a peer counts as lost: three pings, and 200 ms for the answer to the
/// third. Looks are counted, not time, so that a process that stood still itself takes nobody for lost.
const MAX_SILENT: u32 = 3 * LOOKS_PER_PING + 1;

/// The other side, and whether this one connected.
pub type Key = (Incarnation, bool);

fn key(connection: &Connection) -> Key {
    (connection.peer().incarnation.clone(), connection.outgoing())
}

pub struct Watched {
    pub connection: Arc<Connection>,
    silent: u32,
}

/// See the module.
#[derive(Default)]
pub struct Watch {
    /// Apart from the transport of messages, so that the two never share a connection. It only connects.
    transport: OnceLock<Transport>,
    pub watched: Mutex<HashMap<Key, Watched>>,
    /// Attempts to connect that are under way.
    pub dialing: Mutex<HashSet<Incarnation>>,
    /// Who fell silent, until it is heard again.
    pub unreachable: Mutex<HashSet<Incarnation>>,
    /// Incarnations whose death is being proven.
    pub suspects: Mutex<HashSet<Incarnation>>,
    /// Incarnations whose lease ran out and which are being evicted.
    pub evicting: Mutex<HashSet<Incarnation>>,
}

impl Watch {
    /// Set once, before the life is known to anybody else.
    pub fn set_transport(&self, transport: Transport) {
        let _ = self.transport.set(transport);
    }

    /// Peers that this broker keeps a control connection to.
    pub fn watched_count(&self) -> usize {
        lock(&self.watched).keys().filter(|(_, outgoing)| *outgoing).count()
    }

    pub fn transport(&self) -> Option<&Transport> {
        self.transport.get()
    }

    /// Whether it fell silent and was not heard since.
    pub fn is_unreachable(&self, incarnation: &Incarnation) -> bool {
        lock(&self.unreachable).contains(incarnation)
    }

    fn heard(&self, connection: &Arc<Connection>) {
        if let Some(watched) = lock(&self.watched).get_mut(&key(connection)) {
            if Arc::ptr_eq(&watched.connection, connection) {
                watched.silent = 0;
            }
        }
    }

    /// Everybody who has been silent for too long, and is not watched any more.
    fn take_lost(&self) -> Vec<Arc<Connection>> {
        let mut lost = Vec::new();
        lock(&self.watched).retain(|_, watched| {
            watched.silent += 1;
            let keep = watched.silent < MAX_SILENT;
            if !keep {
                lost.push(watched.connection.clone());
            }
            keep
        });
        lost
    }
}

/// The events of control connections that this broker made, for a life.
pub struct Watcher(pub Weak<Life>);

impl Events for Watcher {
    fn on_open(&self, connection: &Arc<Connection>) {
        if let Some(life) = self.0.upgrade() {
            life.control_opened(connection);
        }
    }

    fn on_message(&self, connection: &Arc<Connection>, message: Message) {
        if let Some(life) = self.0.upgrade() {
            life.control_heard(connection, &message);
        }
    }

    fn on_close(&self, connection: &Arc<Connection>, reason: CloseReason, _unsent: Vec<Message>) {
        if let Some(life) = self.0.upgrade() {
            life.control_closed(connection, &reason);
        }
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

impl Life {
    /// Pings, and cuts off who is silent, as long as the life goes on. Apart from connecting, which may take seconds.
    pub async fn keep_pinging(self: Arc<Self>) {
        let mut interval = tokio::time::interval(LOOK);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for look in (0..LOOKS_PER_PING).cycle() {
            interval.tick().await;
            for connection in self.watch.take_lost() {
                self.lose(&connection);
            }
            if look == 0 {
                self.ping_watched();
            }
        }
    }

    fn ping_watched(&self) {
        for watched in lock(&self.watch.watched).values().filter(|watched| watched.connection.outgoing()) {
            // A connection that is closed tells so by itself.
            let _ = watched.connection.send(&Message::Ping { token: u64::from(watched.silent) });
            watched.connection.flush();
        }
    }

    /// Nothing comes from there: what is in flight is failed at once.
    pub fn lose(&self, silent: &Connection) {
        let peer = silent.peer();
        if silent.outgoing() {
            lock(&self.watch.unreachable).insert(peer.incarnation.clone());
            lock(&self.peers).remove(&peer.incarnation);
        }
        self.context
            .log(Level::Warn, format!("Nothing is heard of the broker \"{}\": its connections are cut.", peer.broker));
        let same_way = |connection: &Connection| key(connection) == key(silent);
        for transport in self.transport.get().into_iter().chain(self.watch.transport()) {
            transport.cut_off(same_way, "no answer to pings");
        }
    }

    /// A control connection was made, by whichever side.
    pub fn control_opened(self: &Arc<Self>, connection: &Arc<Connection>) {
        if connection.outgoing() {
            lock(&self.watch.unreachable).remove(&connection.peer().incarnation);
        }
        let newer = Watched { connection: connection.clone(), silent: 0 };
        let older = lock(&self.watch.watched).insert(key(connection), newer);
        if let Some(older) = older {
            older.connection.close(Code::Unreachable, "another control connection is open");
        }
    }

    pub fn control_heard(self: &Arc<Self>, connection: &Arc<Connection>, message: &Message) {
        self.watch.heard(connection);
        if let Message::Ping { token } = message {
            // A connection that is closed tells so by itself.
            let _ = connection.send(&Message::Pong { token: *token });
            connection.flush();
        }
    }

    pub fn control_closed(self: &Arc<Self>, connection: &Arc<Connection>, reason: &CloseReason) {
        let incarnation = &connection.peer().incarnation;
        {
            let mut watched = lock(&self.watch.watched);
            let key = key(connection);
            if watched.get(&key).is_some_and(|watched| Arc::ptr_eq(&watched.connection, connection)) {
                watched.remove(&key);
            }
        }
        match reason {
            CloseReason::Lost(_) => self.suspect(incarnation, Sign::Broken),
            _ => self.watch_anew.notify_one(),
        }
    }
}
