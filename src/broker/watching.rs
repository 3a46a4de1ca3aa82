//! Control connections to the neighbours: a death shows there also when nobody talks.
//!
//! Each broker watches the next incarnations in the order of their names, of any cluster. These connections carry pings
//! alone, and are read and answered by the runtime whatever JavaScript does.

use crate::broker::inbox::lock;
use crate::broker::life::Life;
use crate::broker::proving::Sign;
use crate::coordination::Member;
use crate::error::Code;
use crate::ids::Incarnation;
use crate::transport::{CloseReason, Connection, Events, Transport};
use crate::wire::message::Message;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

/// Incarnations that each broker watches: with two, a death is seen also when one watcher dies with it.
const NEIGHBOURS: usize = 2;
/// Between two pings.
const PING: Duration = Duration::from_secs(1);
/// Pings without an answer after which a connection counts as lost.
const MAX_MISSED: u32 = 3;

struct Watched {
    connection: Arc<Connection>,
    missed: u32,
}

/// See the module.
#[derive(Default)]
pub struct Watch {
    /// Apart from the transport of messages, so that the two never share a connection. It only connects.
    transport: OnceLock<Transport>,
    watched: Mutex<HashMap<Incarnation, Watched>>,
    /// Incarnations whose death is being proven.
    pub suspects: Mutex<HashSet<Incarnation>>,
}

impl Watch {
    /// Set once, before the life is known to anybody else.
    pub fn set_transport(&self, transport: Transport) {
        let _ = self.transport.set(transport);
    }

    /// Neighbours with an open control connection.
    pub fn watched_count(&self) -> usize {
        lock(&self.watched).len()
    }

    pub fn transport(&self) -> Option<&Transport> {
        self.transport.get()
    }
}

/// The events of control connections, for a life.
pub struct Watcher(pub Weak<Life>);

impl Events for Watcher {
    fn on_open(&self, _connection: &Arc<Connection>) {}

    fn on_message(&self, connection: &Arc<Connection>, message: Message) {
        let Some(life) = self.0.upgrade() else { return };
        if let Message::Pong { .. } = message {
            if let Some(watched) = lock(&life.watch.watched).get_mut(&connection.peer().incarnation) {
                watched.missed = 0;
            }
        }
    }

    fn on_close(&self, connection: &Arc<Connection>, reason: CloseReason, _unsent: Vec<Message>) {
        let Some(life) = self.0.upgrade() else { return };
        let incarnation = &connection.peer().incarnation;
        {
            let mut watched = lock(&life.watch.watched);
            if watched.get(incarnation).is_some_and(|watched| Arc::ptr_eq(&watched.connection, connection)) {
                watched.remove(incarnation);
            }
        }
        if let CloseReason::Lost(_) = reason {
            life.suspect(incarnation, Sign::Broken);
        }
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

/// The members that come after `own` in the order of incarnations, around the end.
fn neighbours(members: &[Member], own: &Incarnation) -> Vec<Member> {
    let mut others: Vec<&Member> = members.iter().filter(|member| member.record.incarnation != *own).collect();
    others.sort_by(|a, b| a.record.incarnation.cmp(&b.record.incarnation));
    let after = others.iter().position(|member| member.record.incarnation > *own).unwrap_or(0);
    (0..others.len().min(NEIGHBOURS)).map(|step| others[(after + step) % others.len()].clone()).collect()
}

impl Life {
    /// Pings the neighbours, as long as the life goes on. Apart from connecting, which may take seconds.
    pub async fn keep_pinging(self: Arc<Self>) {
        let mut interval = tokio::time::interval(PING);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            self.ping_watched();
        }
    }

    /// Keeps connections to the neighbours, as long as the life goes on.
    pub async fn keep_watch(self: Arc<Self>) {
        loop {
            // What broke without a death, or could not be reached, is tried again.
            let _ = tokio::time::timeout(PING, self.watch_anew.notified()).await;
            let wanted = neighbours(&lock(&self.members), &self.incarnation);
            self.drop_unwanted(&wanted);
            for member in wanted {
                self.watch_member(&member).await;
            }
        }
    }

    fn ping_watched(&self) {
        let mut lost = Vec::new();
        lock(&self.watch.watched).retain(|_, watched| {
            watched.missed += 1;
            if watched.missed > MAX_MISSED {
                lost.push(watched.connection.clone());
                return false;
            }
            // A connection that is closed tells so by itself.
            let _ = watched.connection.send(&Message::Ping { token: u64::from(watched.missed) });
            watched.connection.flush();
            true
        });
        for connection in lost {
            self.part_from(&connection.peer().incarnation, "no answer to pings");
        }
    }

    fn drop_unwanted(&self, wanted: &[Member]) {
        lock(&self.watch.watched).retain(|incarnation, watched| {
            let keep = wanted.iter().any(|member| member.record.incarnation == *incarnation);
            if !keep {
                watched.connection.close(Code::Unreachable, "no neighbour any more");
            }
            keep
        });
    }

    async fn watch_member(self: &Arc<Self>, member: &Member) {
        let incarnation = &member.record.incarnation;
        let known = lock(&self.watch.watched).get(incarnation).is_some_and(|watched| watched.connection.is_open());
        let Some(transport) = self.watch.transport().filter(|_| !known) else { return };
        match transport.connect(&member.record.address, Some(incarnation), self.hub.as_ref()).await {
            Ok(connection) => {
                lock(&self.watch.watched).insert(incarnation.clone(), Watched { connection, missed: 0 });
            }
            // It died between the look and now, or it cannot be reached from here: a proof tells which.
            Err(_) => self.suspect(incarnation, Sign::Unreachable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordination::BrokerRecord;
    use crate::ids::{Endpoint, ServerTime};

    fn member(incarnation: &str) -> Member {
        Member {
            record: BrokerRecord {
                incarnation: incarnation.into(),
                broker: incarnation.into(),
                cluster: "main".into(),
                address: Endpoint { host: "h".into(), port: 1 },
                classes: Default::default(),
                protocol: (1, 1),
                lease_ttl: Duration::from_secs(5),
                draining: false,
            },
            lease_expires: ServerTime(0),
            load: 0,
        }
    }

    #[test]
    fn everybody_is_watched_by_two_others_where_there_are_three_or_more() {
        let names = ["d", "a", "c", "b"];
        let members: Vec<Member> = names.iter().map(|name| member(name)).collect();
        let mut watchers = HashMap::new();
        for name in names {
            for watched in neighbours(&members, &name.into()) {
                assert_ne!(watched.record.incarnation.as_str(), name);
                *watchers.entry(watched.record.incarnation.to_string()).or_insert(0) += 1;
            }
        }
        assert_eq!(watchers.len(), 4);
        assert!(watchers.values().all(|count| *count == 2), "{watchers:?}");
        assert_eq!(neighbours(&members[..1], &"d".into()).len(), 0);
        assert_eq!(neighbours(&members[..2], &"d".into()).len(), 1);
    }
}
