//! The embedded coordinator's tables: how a worker's entry, its holder's set and its holder's load stay in step.
//!
//! An entry changes hands by [`Tables::remove`] and one of the two inserts, never in place.

use super::super::history::{End, Trial};
use super::super::*;
use crate::ids::{ClassName, ClusterName, Epoch, Incarnation, ServerId, ServerTime, WorkerId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// The longest that a worker whose activations fail waits until its timer tries another one, ms.
const LONGEST_REST: u64 = 60_000;

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
    pub place: Place,
    /// When it was activated last, or since when it is asleep; zero: not known.
    pub activated: ServerTime,
}

/// Where a worker stands.
#[derive(Clone)]
pub(super) enum Place {
    Held(Hold),
    /// Waits to be made again; with a time: among those that wait for it, suspects from the first.
    Pending(Option<ServerTime>),
    Quarantined,
    /// Until a message wakes it; with a time: or its next timer.
    Asleep(Option<ServerTime>),
}

impl Worker {
    pub(super) fn hold(&self) -> Option<&Hold> {
        match &self.place {
            Place::Held(hold) => Some(hold),
            _ => None,
        }
    }

    pub(super) fn hold_mut(&mut self) -> Option<&mut Hold> {
        match &mut self.place {
            Place::Held(hold) => Some(hold),
            _ => None,
        }
    }
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
    /// What workers have stored, with the epoch of its writer.
    pub data: HashMap<WorkerId, (Epoch, Stored)>,
    pub holdings: HashMap<Incarnation, Holding>,
    pub pending: HashMap<(ClusterName, ClassName), ByAge>,
    /// By the time from which on they may be claimed.
    pub later: HashMap<(ClusterName, ClassName), ByAge>,
    /// Workers that are asleep, by the time of their next timer.
    pub timers: HashMap<(ClusterName, ClassName), ByAge>,
    /// The suspect that each incarnation activated last.
    pub trials: HashMap<Incarnation, Trial>,
    /// The last n of `Class#n`.
    pub counters: HashMap<ClassName, u64>,
    highest_epoch: Epoch,
    /// When it was last told that workers were claimed while more of them waited.
    pub hinted: Option<ServerTime>,
    hints: Vec<Signal>,
    /// The last worker that began to wait in this step, by where.
    began_to_wait: BTreeMap<(ClusterName, ClassName), WorkerId>,
}

impl Tables {
    /// Empty ones on this server.
    pub(super) fn new(server: ServerId) -> Self {
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
            data: HashMap::new(),
            holdings: HashMap::new(),
            pending: HashMap::new(),
            later: HashMap::new(),
            timers: HashMap::new(),
            trials: HashMap::new(),
            counters: HashMap::new(),
            highest_epoch: Epoch::default(),
            hinted: None,
            hints: Vec::new(),
            began_to_wait: BTreeMap::new(),
        }
    }

    /// Everybody is to hear of this after the step, once.
    pub(super) fn hint(&mut self, signal: Signal) {
        if !self.hints.contains(&signal) {
            self.hints.push(signal);
        }
    }

    /// How many wait there whose time has come.
    pub(super) fn waiting(&self, place: &(ClusterName, ClassName), now: ServerTime) -> u64 {
        let later = self.later.get(place).into_iter().flatten();
        let due = later.take_while(|(due, _)| *due <= now).count();
        (self.pending.get(place).map_or(0, |set| set.len()) + due) as u64
    }

    pub(super) fn take_hints(&mut self, now: ServerTime) -> Vec<Signal> {
        for (place, worker) in std::mem::take(&mut self.began_to_wait) {
            let waiting = self.waiting(&place, now);
            let (cluster, class) = place;
            self.hint(Signal::Pending { cluster, class, waiting, worker });
        }
        std::mem::take(&mut self.hints)
    }

    /// Whether the incarnation has a lease that has not expired.
    pub(super) fn is_member(&self, incarnation: &Incarnation, now: ServerTime) -> bool {
        self.members.get(incarnation).is_some_and(|member| member.lease_expires > now)
    }

    pub(super) fn owner(&self, incarnation: &Incarnation) -> Owner {
        let address = self.members.get(incarnation).map(|member| member.record.address.clone());
        Owner { incarnation: incarnation.clone(), address }
    }

    pub(super) fn load(&self, incarnation: &Incarnation) -> u64 {
        self.holdings.get(incarnation).map_or(0, |holding| holding.load)
    }

    /// Above every epoch given so far, whatever the clock did.
    pub(super) fn coming_epoch(&self, now: ServerTime) -> Epoch {
        Epoch((self.highest_epoch.0 + 1).max(now.0 * 1000))
    }

    pub(super) fn next_epoch(&mut self, now: ServerTime) -> Epoch {
        self.highest_epoch = self.coming_epoch(now);
        self.highest_epoch
    }

    /// An epoch that was given somewhere.
    pub(super) fn saw_epoch(&mut self, epoch: Epoch) {
        self.highest_epoch = self.highest_epoch.max(epoch);
    }

    /// The hold on a worker, where it stands under this owner and epoch.
    pub(super) fn hold(&mut self, owner: &Incarnation, id: &WorkerId, epoch: Epoch) -> Option<&mut Hold> {
        let worker = self.workers.get_mut(id).filter(|worker| worker.entry.epoch == epoch)?;
        worker.hold_mut().filter(|hold| hold.owner == *owner)
    }

    pub(super) fn insert_held(&mut self, entry: Entry, hold: Hold, activated: ServerTime) {
        let holding = self.holdings.entry(hold.owner.clone()).or_default();
        holding.load += hold.load;
        holding.workers.insert((entry.created, entry.id.clone()));
        self.workers.insert(entry.id.clone(), Worker { entry, place: Place::Held(hold), activated });
    }

    /// It waits to be made again; `due`: not before this time, or as a suspect.
    pub(super) fn insert_pending(
        &mut self,
        entry: Entry,
        due: Option<ServerTime>,
        activated: ServerTime,
        now: ServerTime,
    ) {
        let home = (entry.cluster.clone(), entry.class.clone());
        let id = entry.id.clone();
        if due.is_none_or(|due| due <= now) {
            self.began_to_wait.insert(home.clone(), id.clone());
        }
        match due {
            Some(due) => self.later.entry(home).or_default().insert((due, id.clone())),
            None => self.pending.entry(home).or_default().insert((entry.created, id.clone())),
        };
        self.workers.insert(id, Worker { entry, place: Place::Pending(due), activated });
    }

    /// It was taken out, and has no owner from now on until a message or its next timer wakes it. `attempts`: that failed in a row.
    pub(super) fn insert_asleep(&mut self, worker: Worker, attempts: u32, now: ServerTime) {
        let entry = &worker.entry;
        let next =
            self.data.get(&entry.id).filter(|_| entry.lasting.has_data).map_or(0, |(_, data)| data.timers.next.0);
        let rest = if attempts > 0 { (1000 << (attempts - 1).min(6)).min(LONGEST_REST) } else { 0 };
        let due = (next > 0).then(|| ServerTime(if rest > 0 { next.max(now.0 + rest) } else { next }));
        if let Some(due) = due {
            let home = (entry.cluster.clone(), entry.class.clone());
            let timers = self.timers.entry(home.clone()).or_default();
            let is_first = timers.first().is_none_or(|(first, _)| due < *first);
            timers.insert((due, entry.id.clone()));
            if is_first {
                let (cluster, class) = home;
                self.hint(Signal::Timer { cluster, class, next: Some(due) });
            }
        }
        self.workers.insert(worker.entry.id.clone(), Worker { place: Place::Asleep(due), activated: now, ..worker });
    }

    /// Takes an entry out of every table.
    pub(super) fn remove(&mut self, id: &WorkerId) -> Option<Worker> {
        let worker = self.workers.remove(id)?;
        let entry = &worker.entry;
        let home = (entry.cluster.clone(), entry.class.clone());
        match &worker.place {
            Place::Held(hold) => {
                let holding = self.holdings.get_mut(&hold.owner).expect("an owner has a holding");
                holding.load -= hold.load;
                holding.workers.remove(&(entry.created, id.clone()));
                if holding.workers.is_empty() {
                    self.holdings.remove(&hold.owner);
                }
            }
            Place::Pending(Some(due)) => forget(&mut self.later, home, (*due, id.clone())),
            Place::Pending(None) => forget(&mut self.pending, home, (entry.created, id.clone())),
            Place::Asleep(Some(due)) => forget(&mut self.timers, home, (*due, id.clone())),
            Place::Quarantined | Place::Asleep(None) => {}
        }
        Some(worker)
    }

    /// What becomes of an owner's worker.
    pub(super) fn give_up(&mut self, id: &WorkerId, fate: Fate, now: ServerTime) -> GivenUp {
        let Some(worker) = self.remove(id) else { return GivenUp::Deleted };
        let recovers = matches!(fate, Fate::Recover | Fate::Return | Fate::Crash) && worker.entry.recoverable;
        if !recovers && !is_kept_through(&worker.entry, fate) {
            if worker.entry.lasting.has_data {
                self.data.remove(id);
            }
            return GivenUp::Deleted;
        }
        self.wait_again(worker, fate, now, recovers)
    }

    /// It was taken out, and waits again, or sleeps, or is quarantined. `recovers`: it does not sleep.
    pub(super) fn wait_again(&mut self, mut worker: Worker, fate: Fate, now: ServerTime, recovers: bool) -> GivenUp {
        let end = match fate {
            Fate::Return => End::Return,
            Fate::Crash => End::Death,
            Fate::Delete | Fate::Recover | Fate::End | Fate::Fail => End::Departure,
        };
        let activated = worker.activated;
        let owner = worker.hold().map(|hold| hold.owner.clone());
        let trial = owner.and_then(|owner| self.trials.get(&owner));
        let spared = end == End::Death && trial.is_some_and(|trial| !trial.blames(&worker.entry.id));
        let counted = if spared { End::Departure } else { end };
        let history = worker.entry.history.after(counted, activated, now);
        worker.entry.history = history;
        let accused = end == End::Death && trial.is_some_and(|trial| trial.accuses(&worker.entry.id));
        if accused && history.is_convicted(activated, now) {
            self.workers.insert(worker.entry.id.clone(), Worker { place: Place::Quarantined, ..worker });
            return GivenUp::Quarantined(history.deaths);
        }
        if !recovers && !history.is_suspect() {
            let attempts = if fate == Fate::Fail { worker.entry.attempt } else { 0 };
            self.insert_asleep(worker, attempts, now);
            return GivenUp::Recovered;
        }
        let waits = history.is_suspect() || history.wait() > 0;
        self.insert_pending(worker.entry, waits.then(|| ServerTime(now.0 + history.wait())), activated, now);
        GivenUp::Recovered
    }
}

/// Whether a kept worker outlives such an end.
fn is_kept_through(entry: &Entry, fate: Fate) -> bool {
    entry.lasting.kept
        && match fate {
            Fate::End => false,
            Fate::Fail => entry.cause != Cause::New || entry.attempt > 1 || entry.lasting.has_data,
            _ => true,
        }
}

/// What became of a worker that was given up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum GivenUp {
    Deleted,
    Recovered,
    /// After so many deaths.
    Quarantined(u32),
}

fn forget(
    sets: &mut HashMap<(ClusterName, ClassName), ByAge>,
    home: (ClusterName, ClassName),
    key: (ServerTime, WorkerId),
) {
    let set = sets.get_mut(&home).expect("a worker that waits does so under its class");
    set.remove(&key);
    if set.is_empty() {
        sets.remove(&home);
    }
}
