//! How many peers one broker is connected to: a peer counts once, however many connections lead to it or come from it.
//!
//! A peer counts against the limit as long as a connection for messages is open, or about to be. Control connections alone
//! do not count: a broker that is full still watches its neighbours, and is watched by them.

use super::lock;
use crate::ids::Incarnation;
use crate::wire::handshake::Purpose;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Peers that a broker is connected to at most, by default. Each takes four file descriptors where both sides talk.
pub const MAX_PEERS: usize = 4096;
/// Peers beyond the limit that may have control connections: two neighbours on each side, and those that were neighbours a
/// moment ago.
const WATCHERS: usize = 64;
/// Connections of one peer: two a direction are in use, and some may not have ended yet. More is a peer gone wrong.
const MAX_CONNECTIONS_PER_PEER: usize = 64;
/// The share of the limit, in percent, from which on the application is warned, and below which it may be warned again.
const WARN_AT: usize = 80;
const CALM_BELOW: usize = 70;

/// Why there is no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoPlace {
    Peers,
    ConnectionsOfPeer,
}

/// What a place is counted for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    Peer(Incarnation),
    /// An address at which any peer is welcome, until it is known which one answers.
    Attempt(u64),
}

/// The connections of one peer.
#[derive(Default)]
struct Connections {
    messages: usize,
    control: usize,
}

impl Connections {
    fn total(&self) -> usize {
        self.messages + self.control
    }

    fn of(&mut self, purpose: Purpose) -> &mut usize {
        match purpose {
            Purpose::Messages => &mut self.messages,
            Purpose::Control => &mut self.control,
        }
    }
}

#[derive(Default)]
struct Counts {
    peers: HashMap<Key, Connections>,
    /// Those of them with a connection for messages.
    counted: usize,
    attempts: u64,
    warned: bool,
}

impl Counts {
    fn add(&mut self, key: Key, purpose: Purpose) {
        let connections = self.peers.entry(key).or_default();
        self.counted += usize::from(purpose == Purpose::Messages && connections.messages == 0);
        *connections.of(purpose) += 1;
    }

    fn remove(&mut self, key: &Key, purpose: Purpose) {
        let Some(connections) = self.peers.get_mut(key) else { return };
        *connections.of(purpose) -= 1;
        self.counted -= usize::from(purpose == Purpose::Messages && connections.messages == 0);
        if connections.total() == 0 {
            self.peers.remove(key);
        }
    }
}

/// The places of one broker, for all of its transports.
pub struct PeerTable {
    limit: usize,
    /// The broker, for the log.
    broker: Incarnation,
    counts: Mutex<Counts>,
}

impl PeerTable {
    pub fn new(broker: &Incarnation, limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, broker: broker.clone(), counts: Mutex::default() })
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Peers that count against the limit.
    pub fn counted(&self) -> usize {
        lock(&self.counts).counted
    }

    /// A place for one more connection to this peer; `None`: to whichever peer answers.
    pub(super) fn reserve(self: &Arc<Self>, peer: Option<&Incarnation>, purpose: Purpose) -> Result<Place, NoPlace> {
        let mut counts = lock(&self.counts);
        let key = peer.map_or_else(
            || {
                counts.attempts += 1;
                Key::Attempt(counts.attempts)
            },
            |peer| Key::Peer(peer.clone()),
        );
        let known = counts.peers.get(&key);
        if known.is_some_and(|known| known.total() >= MAX_CONNECTIONS_PER_PEER) {
            return Err(NoPlace::ConnectionsOfPeer);
        }
        let is_full = match purpose {
            Purpose::Messages => known.is_none_or(|known| known.messages == 0) && counts.counted >= self.limit,
            Purpose::Control => known.is_none() && counts.peers.len() >= self.limit + WATCHERS,
        };
        if is_full {
            return Err(NoPlace::Peers);
        }
        counts.add(key.clone(), purpose);
        let warn = !counts.warned && counts.counted * 100 >= self.limit * WARN_AT;
        counts.warned |= warn;
        let counted = counts.counted;
        drop(counts);
        if warn {
            self.warn(counted);
        }
        Ok(Place { table: self.clone(), key, purpose })
    }

    fn warn(&self, counted: usize) {
        tracing::warn!(
            broker = %self.broker,
            "This broker is connected to {counted} of the {} other brokers that option.maxPeers allows; beyond that, further \
             ones are refused. Raise option.maxPeers, or lower option.socTimeout, so that unused connections are closed \
             sooner.",
            self.limit
        );
    }

    fn release(&self, key: &Key, purpose: Purpose) {
        let mut counts = lock(&self.counts);
        counts.remove(key, purpose);
        if counts.counted * 100 < self.limit * CALM_BELOW {
            counts.warned = false;
        }
    }
}

/// Counts as one connection to a peer as long as it lives. It is taken before the peer is told that it is let in, so that
/// nobody who was let in has to go again.
pub(super) struct Place {
    table: Arc<PeerTable>,
    key: Key,
    purpose: Purpose,
}

impl Place {
    /// This peer answered.
    pub(crate) fn assign(mut self, peer: &Incarnation) -> Self {
        let key = Key::Peer(peer.clone());
        if key != self.key {
            lock(&self.table.counts).add(key.clone(), self.purpose);
            self.table.release(&std::mem::replace(&mut self.key, key), self.purpose);
        }
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.release(&self.key, self.purpose);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(limit: usize) -> Arc<PeerTable> {
        PeerTable::new(&"own".into(), limit)
    }

    fn talk(table: &Arc<PeerTable>, peer: &str) -> Result<Place, NoPlace> {
        table.reserve(Some(&peer.into()), Purpose::Messages)
    }

    fn watch(table: &Arc<PeerTable>, peer: &str) -> Result<Place, NoPlace> {
        table.reserve(Some(&peer.into()), Purpose::Control)
    }

    #[test]
    fn a_peer_counts_once_however_many_connections_it_has() {
        let table = table(1);
        let connections = [talk(&table, "a"), watch(&table, "a"), talk(&table, "a"), watch(&table, "a")];
        assert!(connections.iter().all(Result::is_ok));
        assert_eq!((table.counted(), talk(&table, "b").err()), (1, Some(NoPlace::Peers)));
        drop(connections);
        assert!(talk(&table, "b").is_ok());
    }

    #[test]
    fn watchers_do_not_count_and_are_bounded_all_the_same() {
        let table = table(1);
        let watchers: Vec<_> = (0..).map_while(|n| watch(&table, &format!("watcher{n}")).ok()).collect();
        assert_eq!(watchers.len(), 1 + WATCHERS);
        let place = talk(&table, "watcher0");
        assert!(place.is_ok());
        assert_eq!(talk(&table, "watcher1").err(), Some(NoPlace::Peers));
    }

    #[test]
    fn connections_of_one_peer_are_bounded() {
        let table = table(8);
        let places: Vec<_> = std::iter::from_fn(|| talk(&table, "a").ok()).collect();
        assert_eq!(places.len(), MAX_CONNECTIONS_PER_PEER);
        assert_eq!(talk(&table, "a").err(), Some(NoPlace::ConnectionsOfPeer));
        assert!(talk(&table, "b").is_ok());
    }

    #[test]
    fn whoever_answers_takes_over_the_place_of_the_attempt() {
        let table = table(2);
        let attempt = || table.reserve(None, Purpose::Messages).map(|place| place.assign(&"a".into()));
        let places = [attempt(), attempt()];
        assert!(places.iter().all(Result::is_ok));
        assert_eq!(table.counted(), 1);
        drop(places);
        assert_eq!(table.counted(), 0);
    }
}
