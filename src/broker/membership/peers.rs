//! The table of peers: the connections to each of them, and in which condition it is. Pure: it sends nothing.

use crate::ids::{BrokerId, Endpoint, Incarnation};
use crate::lock::lock;
use crate::transport::Connection;
use rustc_hash::FxHashMap;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

/// A control connection.
struct Control {
    connection: Arc<Connection>,
    /// Looks in a row without a word from the other side.
    silent: u32,
}

/// In which condition a peer is, as far as this broker knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Condition {
    /// Nothing speaks against it.
    Well,
    /// It fell silent, and was not heard since.
    Silent,
    /// Its death is being proven.
    Suspected,
    /// Its lease ran out, and it is being evicted.
    Evicting,
}

/// One peer.
#[derive(Default)]
struct Peer {
    /// The connection for messages that this broker opened.
    messages: Option<Arc<Connection>>,
    /// The control connection that this broker opened, and the one that the peer opened.
    opened: Option<Control>,
    accepted: Option<Control>,
    /// A control connection to it is being opened.
    dialing: bool,
    /// It fell silent, and was not heard since. This, its proof and its eviction begin and end apart from each other.
    silent: bool,
    proving: bool,
    evicting: bool,
}

impl Peer {
    fn control(&mut self, outgoing: bool) -> &mut Option<Control> {
        if outgoing {
            &mut self.opened
        } else {
            &mut self.accepted
        }
    }

    fn condition(&self) -> Condition {
        match self {
            Self { evicting: true, .. } => Condition::Evicting,
            Self { proving: true, .. } => Condition::Suspected,
            Self { silent: true, .. } => Condition::Silent,
            _ => Condition::Well,
        }
    }

    fn is_forgotten(&self) -> bool {
        let connected = self.messages.is_some() || self.opened.is_some() || self.accepted.is_some() || self.dialing;
        !connected && self.condition() == Condition::Well
    }
}

/// The peers of one incarnation.
#[derive(Default)]
pub struct Peers {
    table: Mutex<HashMap<Incarnation, Peer>>,
    /// The broker at the other end of each connection for messages, by the number of the connection.
    callers: Mutex<FxHashMap<u64, BrokerId>>,
}

impl Peers {
    /// Changes one peer, which is forgotten where nothing is known of it any more.
    fn with<T>(&self, incarnation: &Incarnation, change: impl FnOnce(&mut Peer) -> T) -> T {
        let mut table = lock(&self.table);
        if let Some(peer) = table.get_mut(incarnation) {
            let result = change(peer);
            if peer.is_forgotten() {
                table.remove(incarnation);
            }
            return result;
        }
        let mut peer = Peer::default();
        let result = change(&mut peer);
        if !peer.is_forgotten() {
            table.insert(incarnation.clone(), peer);
        }
        result
    }

    /// Looks at one peer.
    fn get<T>(&self, incarnation: &Incarnation, look: impl FnOnce(&Peer) -> T) -> Option<T> {
        lock(&self.table).get(incarnation).map(look)
    }

    /// The connection for messages to a peer, where it is open.
    pub fn connection(&self, to: &Incarnation) -> Option<Arc<Connection>> {
        self.get(to, |peer| peer.messages.clone()).flatten().filter(|connection| connection.is_open())
    }

    /// The last connection for messages to a peer, open or not.
    pub fn last_connection(&self, to: &Incarnation) -> Option<Arc<Connection>> {
        self.get(to, |peer| peer.messages.clone()).flatten()
    }

    /// A connection for messages to this peer was opened.
    pub fn connected(&self, to: &Incarnation, connection: &Arc<Connection>) {
        self.with(to, |peer| peer.messages = Some(connection.clone()));
    }

    /// Messages are not sent over the connection to this peer any more.
    pub fn disconnect(&self, from: &Incarnation) {
        self.with(from, |peer| peer.messages = None);
    }

    /// This connection for messages has ended.
    pub fn closed(&self, connection: &Arc<Connection>) {
        self.with(&connection.peer().incarnation, |peer| {
            if peer.messages.as_ref().is_some_and(|known| Arc::ptr_eq(known, connection)) {
                peer.messages = None;
            }
        });
        lock(&self.callers).remove(&connection.id());
    }

    /// The connections for messages that this broker opened.
    pub fn connections(&self) -> Vec<Arc<Connection>> {
        lock(&self.table).values().filter_map(|peer| peer.messages.clone()).collect()
    }

    /// The addresses of the peers that messages go to.
    pub fn targets(&self) -> Vec<(Incarnation, Endpoint)> {
        let table = lock(&self.table);
        let open = table.iter().filter_map(|(incarnation, peer)| Some((incarnation, peer.messages.as_ref()?)));
        let open = open.filter(|(_, connection)| connection.is_open());
        open.filter_map(|(incarnation, connection)| Some((incarnation.clone(), connection.target()?.clone()))).collect()
    }

    /// A connection for messages was opened by either side.
    pub fn opened(&self, connection: &Connection) {
        lock(&self.callers).insert(connection.id(), connection.peer().broker.clone());
    }

    /// The broker at the other end of the connection of this number.
    pub fn caller(&self, connection: u64) -> Option<BrokerId> {
        lock(&self.callers).get(&connection).cloned()
    }

    /// A control connection was opened, by either side; the one before it in the same direction.
    pub fn control_opened(&self, connection: &Arc<Connection>) -> Option<Arc<Connection>> {
        let outgoing = connection.outgoing();
        self.with(&connection.peer().incarnation, |peer| {
            if outgoing {
                peer.silent = false;
            }
            let newer = Control { connection: connection.clone(), silent: 0 };
            peer.control(outgoing).replace(newer).map(|older| older.connection)
        })
    }

    /// Something came over this control connection.
    pub fn heard(&self, connection: &Arc<Connection>) {
        self.with(&connection.peer().incarnation, |peer| {
            if let Some(control) = peer.control(connection.outgoing()) {
                if Arc::ptr_eq(&control.connection, connection) {
                    control.silent = 0;
                }
            }
        });
    }

    /// This control connection has ended.
    pub fn control_closed(&self, connection: &Arc<Connection>) {
        self.with(&connection.peer().incarnation, |peer| {
            let control = peer.control(connection.outgoing());
            if control.as_ref().is_some_and(|known| Arc::ptr_eq(&known.connection, connection)) {
                *control = None;
            }
        });
    }

    /// One more look at every control connection: those over which nothing came in `max` looks, which are forgotten.
    pub fn take_silent(&self, max: u32) -> Vec<Arc<Connection>> {
        let mut silent = Vec::new();
        lock(&self.table).retain(|_, peer| {
            for outgoing in [true, false] {
                let control = peer.control(outgoing);
                if let Some(known) = control.as_mut() {
                    known.silent += 1;
                    if known.silent >= max {
                        silent.extend(control.take().map(|control| control.connection));
                    }
                }
            }
            !peer.is_forgotten()
        });
        silent
    }

    /// The control connections that this broker opened, with the looks since something came over them.
    pub fn watched(&self) -> Vec<(Arc<Connection>, u32)> {
        let table = lock(&self.table);
        let opened = table.values().filter_map(|peer| peer.opened.as_ref());
        opened.map(|control| (control.connection.clone(), control.silent)).collect()
    }

    /// How many peers this broker keeps a control connection to.
    pub fn watched_count(&self) -> usize {
        lock(&self.table).values().filter(|peer| peer.opened.is_some()).count()
    }

    /// Forgets the control connections that this broker opened to peers which need not be watched any more.
    pub fn take_unwanted(&self, is_wanted: impl Fn(&Incarnation) -> bool) -> Vec<Arc<Connection>> {
        let mut unwanted = Vec::new();
        lock(&self.table).retain(|incarnation, peer| {
            if !is_wanted(incarnation) {
                unwanted.extend(peer.opened.take().map(|control| control.connection));
            }
            !peer.is_forgotten()
        });
        unwanted
    }

    /// A control connection to this peer is about to be opened. `false`: it is open, or being opened.
    pub fn begin_dialing(&self, incarnation: &Incarnation) -> bool {
        self.with(incarnation, |peer| {
            let open = peer.opened.as_ref().is_some_and(|control| control.connection.is_open());
            !open && !std::mem::replace(&mut peer.dialing, true)
        })
    }

    /// The attempt to open a control connection ended.
    pub fn end_dialing(&self, incarnation: &Incarnation) {
        self.with(incarnation, |peer| peer.dialing = false);
    }

    /// This peer fell silent: messages are not sent to it any more.
    pub fn fell_silent(&self, incarnation: &Incarnation) {
        self.with(incarnation, |peer| (peer.silent, peer.messages) = (true, None));
    }

    /// Whether it fell silent and was not heard since.
    pub fn is_silent(&self, incarnation: &Incarnation) -> bool {
        self.get(incarnation, |peer| peer.silent).unwrap_or(false)
    }

    /// The silent peers that are still members; the others count as silent no longer.
    pub fn silent_members(&self, is_member: impl Fn(&Incarnation) -> bool) -> Vec<Incarnation> {
        let mut silent = Vec::new();
        lock(&self.table).retain(|incarnation, peer| {
            peer.silent &= is_member(incarnation);
            if peer.silent {
                silent.push(incarnation.clone());
            }
            !peer.is_forgotten()
        });
        silent
    }

    /// Its death is about to be proven. `false`: that is under way.
    pub fn begin_proof(&self, incarnation: &Incarnation) -> bool {
        self.with(incarnation, |peer| !std::mem::replace(&mut peer.proving, true))
    }

    /// The proof of its death ended, whatever it found.
    pub fn end_proof(&self, incarnation: &Incarnation) {
        self.with(incarnation, |peer| peer.proving = false);
    }

    /// It is about to be evicted. `false`: that is under way.
    pub fn begin_eviction(&self, incarnation: &Incarnation) -> bool {
        self.with(incarnation, |peer| !std::mem::replace(&mut peer.evicting, true))
    }

    /// Its eviction ended, whatever came of it.
    pub fn end_eviction(&self, incarnation: &Incarnation) {
        self.with(incarnation, |peer| peer.evicting = false);
    }

    /// The peers that may be dead.
    pub fn doubted(&self) -> HashSet<Incarnation> {
        let table = lock(&self.table);
        let doubted = table.iter().filter(|(_, peer)| peer.condition() != Condition::Well);
        doubted.map(|(incarnation, _)| incarnation.clone()).collect()
    }

    /// Whether the death of any peer is being proven.
    pub fn is_proving(&self) -> bool {
        lock(&self.table).values().any(|peer| peer.proving)
    }
}
