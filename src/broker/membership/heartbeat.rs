//! Control connections: a peer that falls silent shows there, whatever JavaScript does here or there.
//!
//! There is one beside each connection for messages, made by the same side to the same address, so that it meets the
//! same fate; and one to the next incarnations in the order of their names, of any cluster, so that a death shows also
//! when nobody talks. They carry pings alone, and are read and answered by the runtime. Who made one pings on it; both
//! ends hear. After three pings without a word the connections of that direction are cut: calls fail at once, and until
//! a control connection opens again the peer counts as unreachable. That alone evicts nobody. A peer that answers
//! pings but does not read its messages is slow, not lost.

use crate::broker::context::shared::Context;
use crate::broker::membership::death::Sign;
use crate::broker::membership::eviction::Deaths;
use crate::broker::membership::members::Members;
use crate::error::Code;
use crate::level::Level;
use crate::transport::{CloseReason, Connection, Events};
use crate::wire::message::Message;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Between two pings.
pub(crate) const PING: Duration = Duration::from_secs(1);
/// Between two looks at who is silent.
const LOOK: Duration = Duration::from_millis(200);
/// Looks between two pings.
const LOOKS_PER_PING: u32 = 5;
/// Looks in a row without a word after which a peer counts as lost: three pings, and 200 ms for the answer to the
/// third. Looks are counted, not time, so that a process that stood still itself takes nobody for lost.
const MAX_SILENT: u32 = 3 * LOOKS_PER_PING + 1;

fn goes_the_same_way(one: &Connection, other: &Connection) -> bool {
    one.outgoing() == other.outgoing() && one.peer().incarnation == other.peer().incarnation
}

/// The events of control connections that this broker made, for one incarnation.
pub(crate) struct Watcher(pub Weak<Watch>);

impl Events for Watcher {
    fn on_open(&self, connection: &Arc<Connection>) {
        if let Some(watch) = self.0.upgrade() {
            watch.control_opened(connection);
        }
    }

    fn on_message(&self, connection: &Arc<Connection>, message: Message) {
        if let Some(watch) = self.0.upgrade() {
            watch.control_heard(connection, &message);
        }
    }

    fn on_close(&self, connection: &Arc<Connection>, reason: CloseReason, _unsent: Vec<Message>) {
        if let Some(watch) = self.0.upgrade() {
            watch.control_closed(connection, &reason);
        }
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

/// Watches peers over control connections.
pub struct Watch {
    pub(super) context: Arc<Context>,
    pub(super) members: Arc<Members>,
    pub(super) deaths: Arc<Deaths>,
}

impl Watch {
    pub(super) fn new(context: &Arc<Context>, members: &Arc<Members>, deaths: &Arc<Deaths>) -> Arc<Self> {
        Arc::new(Self { context: context.clone(), members: members.clone(), deaths: deaths.clone() })
    }

    /// Pings, and cuts off who is silent, as long as the life goes on. Apart from connecting, which may take seconds.
    pub async fn keep_pinging(self: Arc<Self>) {
        let mut interval = tokio::time::interval(LOOK);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for look in (0..LOOKS_PER_PING).cycle() {
            interval.tick().await;
            for connection in self.members.peers.take_silent(MAX_SILENT) {
                self.lose(&connection);
            }
            if look == 0 {
                self.ping_watched();
            }
        }
    }

    fn ping_watched(&self) {
        for (connection, silent) in self.members.peers.watched() {
            // A connection that is closed tells so by itself.
            let _ = connection.send(&Message::Ping { token: u64::from(silent) });
            connection.flush();
        }
    }

    /// Nothing comes from there: what is in flight is failed at once.
    pub fn lose(&self, silent: &Connection) {
        let peer = silent.peer();
        if silent.outgoing() {
            self.members.peers.fell_silent(&peer.incarnation);
        }
        self.context.log(Level::Warn, format!("Broker \"{}\" missed 3 pings. Closing its connections.", peer.broker));
        self.members.transports.cut_off(|connection| goes_the_same_way(connection, silent), "no answer to pings");
    }

    /// A control connection was made, by whichever side.
    pub fn control_opened(self: &Arc<Self>, connection: &Arc<Connection>) {
        let older = self.members.peers.control_opened(connection);
        if let Some(older) = older {
            older.close(Code::Unreachable, "another control connection is open");
        }
    }

    pub fn control_heard(self: &Arc<Self>, connection: &Arc<Connection>, message: &Message) {
        self.members.peers.heard(connection);
        if let Message::Ping { token } = message {
            // A connection that is closed tells so by itself.
            let _ = connection.send(&Message::Pong { token: *token });
            connection.flush();
        }
    }

    pub fn control_closed(self: &Arc<Self>, connection: &Arc<Connection>, reason: &CloseReason) {
        let incarnation = &connection.peer().incarnation;
        self.members.peers.control_closed(connection);
        match reason {
            CloseReason::Lost(_) => self.deaths.suspect(incarnation, Sign::Broken),
            _ => self.members.changes.watch_anew(),
        }
    }
}
