//! What an owner does with its workers, and what anybody may read of them.

use super::super::history::History;
use super::super::*;
use super::healing::{gain_time, unsettled};
use super::tables::{Hold, Place, Tables, Worker};
use crate::ids::{Epoch, Incarnation, ServerTime, WorkerId};

pub(super) fn activate(tables: &mut Tables, owner: &Incarnation, ids: &[WorkerId]) -> Activation {
    if !ids.is_empty() && unsettled(tables) {
        return Activation::Unsettled;
    }
    let taken_up = |id| take_up(tables, owner, id).map(|entry| with_data(tables, entry));
    Activation::Answers(ids.iter().map(taken_up).collect())
}

/// An entry as an activation finds it.
pub(super) fn with_data(tables: &Tables, mut entry: Entry) -> Entry {
    if entry.lasting.has_data {
        let stored = tables.data.get(&entry.id).map(|(_, stored)| stored.clone());
        entry.lasting.data = stored.map_or(Loaded::Missing, Loaded::Stored);
    }
    entry
}

pub(super) fn commit(tables: &mut Tables, owner: &Incarnation, commit: &Commit) -> Committed {
    if unsettled(tables) {
        return Committed::Unsettled;
    }
    let stands = tables.workers.get(&commit.id).map(|worker| worker.entry.epoch);
    if tables.hold(owner, &commit.id, commit.epoch).is_none() {
        return match stands {
            Some(epoch) if epoch >= commit.epoch => Committed::Fenced,
            _ => Committed::Unsettled,
        };
    }
    if let Some(worker) = tables.workers.get_mut(&commit.id) {
        (worker.entry.lasting.kept, worker.entry.lasting.has_data) = (true, true);
    }
    let written = tables.data.get(&commit.id).filter(|(epoch, _)| *epoch == commit.epoch);
    if written.is_none_or(|(_, stored)| stored.revision < commit.data.revision) {
        tables.data.insert(commit.id.clone(), (commit.epoch, commit.data.clone()));
    }
    Committed::Written
}

pub(super) fn erase(tables: &mut Tables, id: &WorkerId, epoch: Option<Epoch>) -> Erasure {
    let Some(worker) = tables.workers.get(id) else {
        return if unsettled(tables) { Erasure::Unsettled } else { Erasure::Gone };
    };
    if epoch.is_some_and(|epoch| epoch != worker.entry.epoch) {
        return Erasure::Gone;
    }
    if worker.hold().is_some() {
        return Erasure::Owned(worker.entry.epoch);
    }
    let removed = tables.remove(id);
    if removed.is_some_and(|worker| worker.entry.lasting.has_data) {
        tables.data.remove(id);
    }
    Erasure::Gone
}

fn take_up(tables: &mut Tables, owner: &Incarnation, id: &WorkerId) -> Option<Entry> {
    let worker = tables.workers.get_mut(id)?;
    let hold = worker.hold_mut().filter(|hold| hold.owner == *owner)?;
    hold.state = EntryState::Active;
    Some(worker.entry.clone())
}

pub(super) fn confirm(tables: &mut Tables, owner: &Incarnation, id: &WorkerId, epoch: Epoch) -> bool {
    if tables.hold(owner, id, epoch).is_none() {
        return false;
    }
    if let Some(worker) = tables.workers.get_mut(id) {
        worker.entry.cause = Cause::Recovery;
        worker.entry.attempt = 0;
    }
    true
}

pub(super) fn release(tables: &mut Tables, owner: &Incarnation, release: &Release, now: ServerTime) -> bool {
    let stands = tables.hold(owner, &release.id, release.epoch).is_some();
    if stands {
        tables.give_up(&release.id, release.fate, now);
    }
    stands
}

pub(super) fn withdraw(tables: &mut Tables, owner: &Incarnation, id: &WorkerId, epoch: Epoch, now: ServerTime) -> bool {
    let hold = tables.hold(owner, id, epoch);
    if !hold.is_some_and(|hold| hold.state == EntryState::Placing) {
        return false;
    }
    let Some(Worker { entry, .. }) = tables.workers.get_mut(id) else { return true };
    let waited = entry.cause != Cause::New || entry.attempt > 1;
    if entry.cause == Cause::Wake && !entry.lasting.kept && !entry.recoverable {
        (entry.cause, entry.attempt) = (Cause::Recovery, entry.attempt.saturating_sub(1));
        if let Some(worker) = tables.remove(id) {
            tables.insert_asleep(worker, 0, now);
        }
    } else if entry.lasting.kept && !entry.recoverable {
        let outlives = waited || entry.lasting.has_data;
        // It was not tried: it need not rest.
        entry.attempt = entry.attempt.saturating_sub(u32::from(outlives));
        let fate = if outlives { Fate::Delete } else { Fate::End };
        tables.give_up(id, fate, now);
    } else if waited {
        if let Some(worker) = tables.remove(id) {
            tables.wait_again(worker, Fate::Recover, now, true);
        }
    } else {
        tables.give_up(id, Fate::Fail, now);
    }
    true
}

/// Frees a worker that is quarantined, or waits because of its history.
pub(super) fn pardon(tables: &mut Tables, id: &WorkerId, now: ServerTime) -> bool {
    let place = tables.workers.get(id).map(|worker| &worker.place);
    if !matches!(place, Some(Place::Quarantined | Place::Pending(Some(_)))) {
        return false;
    }
    if let Some(worker) = tables.remove(id) {
        let entry = Entry { history: History::default(), ..worker.entry };
        tables.insert_pending(entry, None, worker.activated, now);
    }
    true
}

pub(super) fn set_load(tables: &mut Tables, owner: &Incarnation, change: &LoadChange) -> bool {
    let Some(hold) = tables.hold(owner, &change.id, change.epoch) else {
        return false;
    };
    let load = change.load.min(MAX_LOAD);
    let before = std::mem::replace(&mut hold.load, load);
    let holding = tables.holdings.get_mut(owner).expect("an owner has a holding");
    holding.load = holding.load - before + load;
    true
}

pub(super) fn locate(tables: &Tables, id: &WorkerId) -> Location {
    let Some(worker) = tables.workers.get(id) else {
        return if unsettled(tables) { Location::Unsettled } else { Location::None };
    };
    let class = worker.entry.class.clone();
    let deaths = worker.entry.history.deaths;
    match &worker.place {
        Place::Asleep(_) => Location::Asleep { class, cluster: worker.entry.cluster.clone() },
        Place::Quarantined => Location::Quarantined { class, deaths },
        Place::Pending(_) if worker.entry.history.is_suspect() => Location::Suspected { class, deaths },
        Place::Pending(_) => Location::Pending { class, cluster: worker.entry.cluster.clone() },
        Place::Held(hold) => {
            let owner = tables.owner(&hold.owner);
            Location::Owned { class, owner, epoch: worker.entry.epoch, state: hold.state }
        }
    }
}

pub(super) fn owned(
    tables: &mut Tables,
    owner: &Incarnation,
    offset: usize,
    limit: usize,
    now: ServerTime,
) -> Vec<Owned> {
    let Some(holding) = tables.holdings.get(owner) else {
        return Vec::new();
    };
    let page = holding.workers.iter().skip(offset).take(limit.min(CHUNK));
    let workers = page.filter_map(|(_, id)| tables.workers.get(id));
    let owned: Vec<Owned> = workers
        .filter_map(|worker| {
            let Hold { state, load, .. } = worker.hold()?;
            Some(Owned::of(&Held { entry: worker.entry.clone(), state: *state, load: *load }))
        })
        .collect();
    gain_time(tables, owner, owned.len(), now);
    owned
}
