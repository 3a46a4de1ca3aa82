//! How a worker gets an owner: by being placed on the least loaded broker, or by being claimed.

use super::super::history::History;
use super::super::history::Trial;
use super::super::*;
use super::entries::with_data;
use super::healing::unsettled;
use super::membership::waiting;
use super::tables::{Hold, Place, Tables, Worker};
use crate::ids::{ClassName, ClusterName, Incarnation, ServerTime, WorkerId};
use std::time::Duration;

/// Whether a pending worker is too old to be recovered, and is to be deleted.
fn outlived(entry: &Entry, ttl: Duration, now: ServerTime) -> bool {
    !entry.lasting.kept && is_too_old(entry, ttl, now)
}

fn is_too_old(entry: &Entry, ttl: Duration, now: ServerTime) -> bool {
    !ttl.is_zero() && now.0.saturating_sub(entry.created.0) > ttl.as_millis() as u64
}

/// Why it is activated now: for the first time as long as no activation has ended well, woken, or recovered.
fn next_cause(entry: &Entry, sleeps: bool) -> Cause {
    match entry.cause {
        Cause::New => Cause::New,
        // One that waits since its timer was due was asleep.
        Cause::Wake => Cause::Wake,
        _ if sleeps => Cause::Wake,
        _ => Cause::Recovery,
    }
}

pub(super) fn place(tables: &mut Tables, request: &PlaceRequest, now: ServerTime) -> Placement {
    let unsure = unsettled(tables);
    if !tables.is_member(&request.by, now) {
        return if unsure { Placement::Unsettled } else { Placement::NotMember };
    }
    let known = request.id.as_ref().and_then(|id| tables.workers.get(id));
    if let Some(answer) = known.and_then(|worker| not_to_be_placed(tables, worker, request, now)) {
        return answer;
    }
    let sleeps = known.is_some_and(|worker| matches!(worker.place, Place::Asleep(_)));
    let pending =
        known.map(|worker| &worker.entry).filter(|entry| sleeps || !outlived(entry, request.ttl, now)).cloned();
    if let Some(Entry { id, class, cluster, .. }) = pending.as_ref().filter(|entry| entry.class != request.class) {
        return Placement::OtherClassWaits { id: id.clone(), class: class.clone(), cluster: cluster.clone() };
    }
    if unsure {
        return Placement::Unsettled;
    }
    if request.purpose == Purpose::Wake && pending.is_none() {
        return Placement::Gone;
    }
    let cluster = pending.as_ref().map_or(&request.cluster, |entry| &entry.cluster);
    let Some(chosen) = least_loaded(tables, cluster, request, now) else {
        return Placement::NoBroker { cluster: cluster.clone() };
    };
    let epoch = tables.next_epoch(now);
    let entry = match pending {
        Some(entry) => Entry { epoch, attempt: entry.attempt + 1, cause: next_cause(&entry, sleeps), ..entry },
        None => Entry {
            lasting: Lasting {
                kept: request.purpose == Purpose::Keep,
                // Data that outlived its entry is not overwritten.
                has_data: request.purpose == Purpose::Keep
                    && request.id.as_ref().is_some_and(|id| tables.data.contains_key(id)),
                data: Loaded::Nothing,
            },
            id: request.id.clone().unwrap_or_else(|| next_id(tables, &request.class)),
            class: request.class.clone(),
            cluster: request.cluster.clone(),
            epoch,
            cause: Cause::New,
            attempt: 1,
            created: now,
            recoverable: request.recoverable,
            attributes: request.attributes.clone(),
            history: History::default(),
        },
    };
    let owner = tables.owner(&chosen);
    let answer = Placement::Reserved { id: entry.id.clone(), class: entry.class.clone(), owner, epoch };
    let waited = entry.cause != Cause::New || entry.attempt > 1;
    if tables.remove(&entry.id).is_some() && waited && !sleeps {
        tables.hint(Signal::Claimed);
    }
    tables.insert_held(entry, Hold { owner: chosen, state: EntryState::Placing, load: RESERVED_LOAD }, now);
    answer
}

/// What is answered of a worker that has an owner, waits for its time, or is quarantined.
fn not_to_be_placed(tables: &Tables, worker: &Worker, request: &PlaceRequest, now: ServerTime) -> Option<Placement> {
    let Worker { entry, place, .. } = worker;
    let (id, class, deaths) = (entry.id.clone(), entry.class.clone(), entry.history.deaths);
    match place {
        Place::Held(hold) => {
            let owner = tables.owner(&hold.owner);
            Some(Placement::Existing { id, class, owner, epoch: entry.epoch, state: hold.state })
        }
        Place::Pending(Some(due)) if entry.history.is_suspect() || *due > now => {
            Some(Placement::Later { class, deaths })
        }
        Place::Pending(_) => None,
        Place::Asleep(_) if request.purpose == Purpose::Create || class != request.class => {
            Some(Placement::Asleep { id, class })
        }
        Place::Asleep(_) if entry.attempt > 0 && now.0.abs_diff(worker.activated.0) < REST.as_millis() as u64 => {
            Some(Placement::Later { class, deaths: 0 })
        }
        Place::Asleep(_) => None,
        Place::Quarantined => Some(Placement::Quarantined { class, deaths }),
    }
}

fn least_loaded(
    tables: &Tables,
    cluster: &ClusterName,
    request: &PlaceRequest,
    now: ServerTime,
) -> Option<Incarnation> {
    let PlaceRequest { class, exclude, .. } = request;
    let hosts = tables.members.iter().filter(|(incarnation, member)| {
        let record = &member.record;
        member.lease_expires > now
            && !record.draining
            && record.cluster == *cluster
            && record.classes.contains(class)
            && !exclude.contains(incarnation)
    });
    let hosts: Vec<_> = hosts.map(|(incarnation, _)| (incarnation, tables.load(incarnation))).collect();
    let lowest = hosts.iter().map(|(_, load)| *load).min()?;
    let equals: Vec<_> = hosts.into_iter().filter(|(_, load)| *load == lowest).collect();
    // Each of them has its turn. A clock that counts only milliseconds makes epochs of whole thousands.
    let epoch = tables.coming_epoch(now).0;
    let turn = (epoch / 1000 % 1_000_000 + epoch % 1000) as usize;
    Some(equals[turn % equals.len()].0.clone())
}

fn next_id(tables: &mut Tables, class: &ClassName) -> WorkerId {
    let counter = tables.counters.entry(class.clone()).or_default();
    loop {
        *counter += 1;
        let id = WorkerId::new(format!("{class}#{counter}"));
        if !tables.workers.contains_key(&id) {
            return id;
        }
    }
}

pub(super) fn claim(tables: &mut Tables, request: &ClaimRequest, now: ServerTime) -> Claim {
    if unsettled(tables) {
        return Claim::Unsettled;
    }
    if !tables.is_member(&request.by, now) {
        return Claim::NotMember;
    }
    let mut taken =
        Taken { tables, request, now, left: CHUNK, free: request.trial_over, entries: Vec::new(), expired: 0 };
    if let Some(trial) = taken.tables.trials.get_mut(&request.by).filter(|_| request.trial_over) {
        trial.end();
    }
    for class in &request.classes {
        let place = (request.cluster.clone(), class.clone());
        taken.take_pending(&place);
        taken.take_later(&place);
    }
    let Taken { entries, expired, .. } = taken;
    let remaining = waiting(tables, &request.cluster, &request.classes, now);
    if !entries.is_empty() {
        tell_of_claims(tables, remaining, now);
    }
    Claim::Claimed { entries, remaining, expired }
}

/// While more of them wait not every claim is told of.
fn tell_of_claims(tables: &mut Tables, remaining: u64, now: ServerTime) {
    let interval = CLAIM_HINT_INTERVAL.as_millis() as u64;
    let soon = tables.hinted.is_some_and(|hinted| hinted <= now && now.0 - hinted.0 < interval);
    if remaining > 0 && soon {
        return;
    }
    if remaining > 0 {
        tables.hinted = Some(now);
    }
    tables.hint(Signal::Claimed);
}

/// What one claim takes.
struct Taken<'a> {
    tables: &'a mut Tables,
    request: &'a ClaimRequest,
    now: ServerTime,
    /// How many more are looked at.
    left: usize,
    /// A suspect may be taken.
    free: bool,
    entries: Vec<Entry>,
    expired: u64,
}

impl Taken<'_> {
    fn is_full(&self) -> bool {
        self.entries.len() >= self.request.limit
    }

    fn take_pending(&mut self, place: &(ClusterName, ClassName)) {
        let until = self.request.limit.min(self.entries.len() + portion(self.tables, self.request, place));
        while self.entries.len() < until && self.left > 0 {
            let Some(id) = first_waiting(self.tables, place) else { break };
            self.left -= 1;
            self.take(&id);
        }
    }

    /// What waited for its time, and the first suspect.
    fn take_later(&mut self, place: &(ClusterName, ClassName)) {
        let waiting = self.tables.later.get(place).into_iter().flatten();
        let due = waiting.take_while(|(due, _)| *due <= self.now).take(self.left);
        let ids: Vec<WorkerId> = due.map(|(_, id)| id.clone()).collect();
        self.left -= ids.len();
        for id in ids {
            let suspect = self.tables.workers[&id].entry.history.is_suspect();
            if suspect && self.free || !suspect && !self.is_full() {
                self.take(&id);
            }
        }
    }

    fn take(&mut self, id: &WorkerId) {
        let Some(worker) = self.tables.remove(id) else { return };
        if is_too_old(&worker.entry, self.request.ttl, self.now) && worker.entry.lasting.kept {
            return self.tables.insert_asleep(worker, 0, self.now);
        }
        let Worker { entry, .. } = worker;
        if outlived(&entry, self.request.ttl, self.now) {
            self.expired += 1;
            return;
        }
        let by = &self.request.by;
        if entry.history.is_suspect() {
            let before = self.tables.trials.remove(by);
            self.tables.trials.insert(by.clone(), Trial::begin(id.clone(), before));
            self.free = false;
        }
        let cause = next_cause(&entry, false);
        let entry = Entry { epoch: self.tables.next_epoch(self.now), attempt: entry.attempt + 1, cause, ..entry };
        self.entries.push(with_data(self.tables, entry.clone()));
        let hold = Hold { owner: by.clone(), state: EntryState::Active, load: RESERVED_LOAD };
        self.tables.insert_held(entry, hold, self.now);
    }
}

fn first_waiting(tables: &Tables, place: &(ClusterName, ClassName)) -> Option<WorkerId> {
    tables.pending.get(place)?.first().map(|(_, id)| id.clone())
}

/// How many of a class the claimer is to take.
fn portion(tables: &Tables, request: &ClaimRequest, place: &(ClusterName, ClassName)) -> usize {
    let waits = tables.pending.get(place).map_or(0, |waiting| waiting.len() as u64);
    let hosts = tables.members.iter().filter(|(_, member)| {
        let record = &member.record;
        !record.draining && record.cluster == place.0 && record.classes.contains(&place.1)
    });
    let (load, hosts) =
        hosts.fold((0, 0), |(load, hosts), (incarnation, _)| (load + tables.load(incarnation), hosts + 1));
    let fair = (load + waits).div_ceil(hosts.max(1)).saturating_sub(tables.load(&request.by));
    let beyond = if request.overflow == 0 { 0 } else { waits.div_ceil(request.overflow) };
    fair.max(beyond) as usize
}
