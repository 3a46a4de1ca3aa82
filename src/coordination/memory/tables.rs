//! The embedded coordinator's tables: how a worker's entry, its holder's set and its holder's load stay in step.
//!
//! An entry changes hands by [`Tables::remove`] and one of the two inserts, never in place.

use super::super::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Workers oldest first; ids tell those of one millisecond apart.
pub(super) type ByAge = BTreeSet<(ServerTime, WorkerId)>;

/// What tells a namespace in one database.
#[derive(Clone)]
pub(super) struct Identity {
    pub generation: String,
    pub secret: String,
}

#[derive(Clone)]
pub(super) struct Registered {
    pub record: BrokerRecord,
    pub lease_expires: ServerTime,
}

#[derive(Clone)]
pub(super) struct Hold {
    pub owner: Incarnation,
    pub state: EntryState,
    pub load: u64,
}

#[derive(Clone)]
pub(super) struct Worker {
    pub entry: Entry,
    /// `None`: pending.
    pub hold: Option<Hold>,
}

/// What stands under one incarnation, registered or not.
#[derive(Clone, Default)]
pub(super) struct Holding {
    pub load: u64,
    pub workers: ByAge,
}

/// While members are awaited.
#[derive(Clone)]
pub(super) struct Healing {
    /// When it ends at the latest.
    pub ends: ServerTime,
    pub patience: Duration,
    /// `true`: still awaited.
    pub awaited: BTreeMap<Incarnation, bool>,
}

/// What changed among the members.
#[derive(Clone, Default)]
pub(super) struct Roll {
    pub version: u64,
    /// Of the last departure that was forgotten.
    pub horizon: u64,
    /// Of each member's last change.
    pub changes: BTreeMap<Incarnation, u64>,
    pub departures: BTreeMap<u64, (Incarnation, Departure)>,
}

#[derive(Clone)]
pub(super) struct Tables {
    /// The life of the server that the tables stand on, and the one that the cluster has agreed on.
    pub server: ServerId,
    pub agreed: Option<ServerId>,
    pub healing: Option<Healing>,
    /// Made by the first that joins.
    pub identity: Option<Identity>,
    /// The generations that members knew who announced themselves in this one.
    pub generations_before: BTreeSet<String>,
    pub restart_number: u64,
    pub members: BTreeMap<Incarnation, Registered>,
    pub roll: Roll,
    /// Gone while workers of theirs are left, and what becomes of those.
    pub dead: BTreeMap<Incarnation, Fate>,
    pub workers: HashMap<WorkerId, Worker>,
    pub holdings: HashMap<Incarnation, Holding>,
    pub pending: HashMap<(ClusterName, ClassName), ByAge>,
    /// The last n of `Class#n`.
    pub counters: HashMap<ClassName, u64>,
    highest_epoch: Epoch,
    hints: Vec<Signal>,
    /// The last worker that began to wait in this step, by where.
    began_to_wait: BTreeMap<(ClusterName, ClassName), WorkerId>,
}

impl Tables {
    /// Empty ones on this server.
    pub fn new(server: ServerId) -> Self {
        Self {
            server,
            agreed: None,
            healing: None,
            identity: None,
            generations_before: BTreeSet::new(),
            restart_number: 0,
            members: BTreeMap::new(),
            roll: Roll::default(),
            dead: BTreeMap::new(),
            workers: HashMap::new(),
            holdings: HashMap::new(),
            pending: HashMap::new(),
            counters: HashMap::new(),
            highest_epoch: Epoch::default(),
            hints: Vec::new(),
            began_to_wait: BTreeMap::new(),
        }
    }

    /// Everybody is to hear of this after the step, once.
    pub fn hint(&mut self, signal: Signal) {
        if !self.hints.contains(&signal) {
            self.hints.push(signal);
        }
    }

    pub fn take_hints(&mut self) -> Vec<Signal> {
        for (place, worker) in std::mem::take(&mut self.began_to_wait) {
            let waiting = self.pending.get(&place).map_or(0, |waiting| waiting.len() as u64);
            let (cluster, class) = place;
            self.hint(Signal::Pending { cluster, class, waiting, worker });
        }
        std::mem::take(&mut self.hints)
    }

    /// Whether the incarnation has a lease that has not expired.
    pub fn is_member(&self, incarnation: &Incarnation, now: ServerTime) -> bool {
        self.members.get(incarnation).is_some_and(|member| member.lease_expires > now)
    }

    pub fn owner(&self, incarnation: &Incarnation) -> Owner {
        let address = self.members.get(incarnation).map(|member| member.record.address.clone());
        Owner { incarnation: incarnation.clone(), address }
    }

    pub fn load(&self, incarnation: &Incarnation) -> u64 {
        self.holdings.get(incarnation).map_or(0, |holding| holding.load)
    }

    /// Above every epoch given so far, whatever the clock did.
    pub fn next_epoch(&mut self, now: ServerTime) -> Epoch {
        self.highest_epoch = Epoch((self.highest_epoch.0 + 1).max(now.0 * 1000));
        self.highest_epoch
    }

    /// An epoch that was given somewhere.
    pub fn saw_epoch(&mut self, epoch: Epoch) {
        self.highest_epoch = self.highest_epoch.max(epoch);
    }

    /// The hold on a worker, where it stands under this owner and epoch.
    pub fn hold(&mut self, owner: &Incarnation, id: &WorkerId, epoch: Epoch) -> Option<&mut Hold> {
        let worker = self.workers.get_mut(id).filter(|worker| worker.entry.epoch == epoch)?;
        worker.hold.as_mut().filter(|hold| hold.owner == *owner)
    }

    pub fn insert_held(&mut self, entry: Entry, hold: Hold) {
        let holding = self.holdings.entry(hold.owner.clone()).or_default();
        holding.load += hold.load;
        holding.workers.insert((entry.created, entry.id.clone()));
        self.workers.insert(entry.id.clone(), Worker { entry, hold: Some(hold) });
    }

    pub fn insert_pending(&mut self, entry: Entry) {
        let place = (entry.cluster.clone(), entry.class.clone());
        self.began_to_wait.insert(place.clone(), entry.id.clone());
        self.pending.entry(place).or_default().insert((entry.created, entry.id.clone()));
        self.workers.insert(entry.id.clone(), Worker { entry, hold: None });
    }

    /// Takes an entry out of every table.
    pub fn remove(&mut self, id: &WorkerId) -> Option<Entry> {
        let Worker { entry, hold } = self.workers.remove(id)?;
        let key = (entry.created, id.clone());
        match hold {
            Some(hold) => {
                let holding = self.holdings.get_mut(&hold.owner).expect("an owner has a holding");
                holding.load -= hold.load;
                holding.workers.remove(&key);
                if holding.workers.is_empty() {
                    self.holdings.remove(&hold.owner);
                }
            }
            None => {
                let place = (entry.cluster.clone(), entry.class.clone());
                let waiting = self.pending.get_mut(&place).expect("a pending worker waits under its class");
                waiting.remove(&key);
                if waiting.is_empty() {
                    self.pending.remove(&place);
                }
            }
        }
        Some(entry)
    }

    /// An owner's worker goes to pending, or out of the tables; `true` when it went to pending.
    pub fn give_up(&mut self, id: &WorkerId, fate: Fate) -> bool {
        match self.remove(id) {
            Some(entry) if fate == Fate::Recover && entry.recoverable => {
                self.insert_pending(entry);
                true
            }
            _ => false,
        }
    }
}
