//! How tables that may have lost something become whole again: who is awaited, what is put back, when that is over.

use super::super::*;
use super::membership::{join, other_life};
use super::tables::{Healing, Hold, Tables};
use crate::ids::{Incarnation, ServerTime};
use std::collections::BTreeMap;
use std::time::Duration;

/// Whether something may be missing: nothing unknown is activated then, and nobody is evicted.
pub(super) fn unsettled(tables: &Tables) -> bool {
    tables.agreed.as_ref() != Some(&tables.server) || tables.healing.is_some()
}

fn begin(tables: &mut Tables, patience: Duration, now: ServerTime) {
    let patience = patience.min(MAX_PATIENCE);
    tables.agreed = Some(tables.server.clone());
    let ends = ServerTime(now.0 + patience.as_millis() as u64);
    tables.healing = Some(Healing { ends, patience, awaited: BTreeMap::new() });
}

fn end(tables: &mut Tables) {
    tables.healing = None;
    tables.hint(Signal::Settled);
}

/// Agrees on this server. Whoever but `newcomer` has a lease here is awaited, run out or not: after an outage the living
/// look expired too. With nobody to wait for there is nothing to heal.
pub(super) fn agree(tables: &mut Tables, patience: Duration, newcomer: Option<&Incarnation>, now: ServerTime) {
    let found = tables.members.iter().filter(|(incarnation, _)| Some(*incarnation) != newcomer);
    let found: Vec<_> = found.map(|(incarnation, member)| (incarnation.clone(), member.record.lease_ttl)).collect();
    let patience = found.iter().map(|(_, ttl)| *ttl).fold(patience, Duration::max);
    begin(tables, patience, now);
    if found.is_empty() {
        return end(tables);
    }
    for (incarnation, _) in found {
        await_return(tables, &incarnation);
    }
}

/// Who is awaited already, or was and came, stays what it is.
fn await_return(tables: &mut Tables, incarnation: &Incarnation) {
    if let Some(healing) = &mut tables.healing {
        healing.awaited.entry(incarnation.clone()).or_insert(true);
    }
}

/// Who has put back everything, or will never do so, is awaited no more.
pub(super) fn await_no_more(tables: &mut Tables, incarnation: &Incarnation) {
    let Some(healing) = &mut tables.healing else { return };
    let Some(awaited) = healing.awaited.get_mut(incarnation) else { return };
    *awaited = false;
    if healing.awaited.values().all(|awaited| !awaited) {
        end(tables);
    }
}

/// Ends it where the time is up.
pub(super) fn look_at_the_clock(tables: &mut Tables, now: ServerTime) {
    if tables.agreed.as_ref() != Some(&tables.server) {
        return;
    }
    let Some(healing) = &mut tables.healing else { return };
    // Further away: the clock stepped back.
    healing.ends = healing.ends.min(ServerTime(now.0 + healing.patience.as_millis() as u64));
    if healing.ends <= now {
        end(tables);
    }
}

/// Until when a member is surely awaited; `None`: it is not.
pub(super) fn awaited_until(tables: &Tables, incarnation: &Incarnation) -> Option<ServerTime> {
    let healing = tables.healing.as_ref().filter(|_| tables.agreed.as_ref() == Some(&tables.server))?;
    (healing.awaited.get(incarnation) == Some(&true)).then_some(healing.ends)
}

pub(super) fn announce(tables: &mut Tables, announcement: &Announcement, now: ServerTime) -> Registration {
    let Announcement { record, ttl, generation, secret, epoch, counters, restart_number, remembered, patience } =
        announcement;
    if let Some(holder) = other_life(tables, record, now) {
        return Registration::IdInUse(holder);
    }
    let joined = join(tables, record, *ttl, Some(secret), now);
    tables.saw_epoch(*epoch);
    tables.restart_number = tables.restart_number.max(*restart_number);
    for (class, n) in counters {
        let counter = tables.counters.entry(class.clone()).or_default();
        *counter = (*counter).max(*n);
    }
    let foreign = joined.generation != *generation;
    let wiped = foreign && tables.generations_before.insert(generation.clone());
    if tables.agreed.as_ref() != Some(&tables.server) {
        agree(tables, *patience, None, now);
    } else if wiped && tables.healing.is_none() {
        begin(tables, *patience, now);
    }
    await_return(tables, &record.incarnation);
    for incarnation in remembered {
        // Who has a lease is awaited already, or has joined these tables since.
        if !tables.members.contains_key(incarnation) {
            await_return(tables, incarnation);
        }
    }
    Registration::Joined(Joined { restart_number: tables.restart_number, ..joined })
}

pub(super) fn settle(tables: &mut Tables, owner: &Incarnation, joined: &Joined) -> bool {
    let generation = tables.identity.as_ref().map(|identity| &identity.generation);
    let same = joined.server == tables.server
        && tables.agreed.as_ref() == Some(&joined.server)
        && generation == Some(&joined.generation);
    if same {
        await_no_more(tables, owner);
    }
    same
}

/// What an awaited owner reads or puts back buys as much time as it takes at the slowest rate that is waited for.
pub(super) fn gain_time(tables: &mut Tables, owner: &Incarnation, restored: usize, now: ServerTime) {
    let Some(healing) = &mut tables.healing else { return };
    if restored > 0 && healing.awaited.get(owner) == Some(&true) && healing.ends > now {
        let latest = now.0 + healing.patience.as_millis() as u64;
        let gained = healing.ends.0 + restored as u64 * SLOWEST_RESTORATION.as_millis() as u64;
        healing.ends = ServerTime(gained.min(latest));
    }
}

pub(super) fn restore(tables: &mut Tables, owner: &Incarnation, held: &[Held], now: ServerTime) -> Restoration {
    if !tables.members.contains_key(owner) && !held.is_empty() {
        return Restoration::NotMember;
    }
    let stand = held.iter().map(|held| restore_one(tables, owner, held)).collect();
    gain_time(tables, owner, held.len(), now);
    Restoration::Restored(stand)
}

fn restore_one(tables: &mut Tables, owner: &Incarnation, held: &Held) -> bool {
    tables.saw_epoch(held.entry.epoch);
    let activated = tables.workers.get(&held.entry.id).map_or(ServerTime(0), |worker| worker.activated);
    if let Some(worker) = tables.workers.get(&held.entry.id) {
        let other = worker.hold().map(|hold| hold.owner.clone()).filter(|other| other != owner);
        let (stands, comes) = (worker.entry.epoch, held.entry.epoch);
        if stands > comes || (stands == comes && other.is_some()) {
            return false;
        }
        tables.remove(&held.entry.id);
        if let Some(other) = other {
            tables.hint(Signal::Overruled(other));
        }
    }
    let hold = Hold { owner: owner.clone(), state: held.state, load: held.load.min(MAX_LOAD) };
    tables.insert_held(held.entry.clone(), hold, activated);
    true
}
