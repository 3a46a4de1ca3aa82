//! How brokers follow the members: the version, and what changed since an earlier one.

use super::super::*;
use super::healing::unsettled;
use super::membership::{cut, waiting};
use super::tables::Tables;
use crate::ids::{Incarnation, ServerTime};

/// An incarnation joined or said something else of itself (`None`), or departed: the version before, and the new one.
pub(super) fn note_change(
    tables: &mut Tables,
    incarnation: &Incarnation,
    departure: Option<Departure>,
    now: ServerTime,
) -> (u64, u64) {
    let roll = &mut tables.roll;
    let before = roll.version;
    roll.version = (before + 1).max(now.0 * 1000);
    roll.departures.retain(|_, (other, _)| other != incarnation);
    let Some(departure) = departure else {
        roll.changes.insert(incarnation.clone(), roll.version);
        return (before, roll.version);
    };
    roll.changes.remove(incarnation);
    if tables.members.is_empty() {
        // There is nobody left to tell.
        roll.departures.clear();
        roll.horizon = roll.version;
        return (before, roll.version);
    }
    roll.departures.insert(roll.version, (incarnation.clone(), departure));
    while roll.departures.len() > DEPARTURES {
        roll.horizon = roll.departures.pop_first().map_or(roll.horizon, |(version, _)| version);
    }
    (before, roll.version)
}

pub(super) fn look(tables: &mut Tables, by: &Incarnation, known: Option<&Known>, now: ServerTime) -> Look {
    let farthest = tables.members.iter_mut().max_by_key(|(incarnation, member)| (member.lease_expires, *incarnation));
    if let Some((_, member)) = farthest {
        cut(member, now);
    }
    let identity = tables.identity.as_ref();
    let state = Known {
        generation: identity.map(|identity| identity.generation.clone()).unwrap_or_default(),
        server: tables.server.clone(),
        version: tables.roll.version,
    };
    let own = tables.members.get(by).map(|member| &member.record);
    Look {
        now,
        changes: changes(tables, known, &state),
        known: state,
        overdue: overdue(tables, by, now),
        claimable: own.map_or(0, |record| waiting(tables, &record.cluster, &record.classes, now)),
        load: own.map_or(0, |_| tables.load(by)),
        record: own.cloned(),
        restart_number: tables.restart_number,
        settled: !unsettled(tables),
        unsalvaged: tables.dead.keys().cloned().collect(),
    }
}

fn changes(tables: &Tables, known: Option<&Known>, state: &Known) -> Changes {
    let roll = &tables.roll;
    // A database that was wiped has no generation: nothing that a broker knows of the members holds there.
    let same = |known: &&Known| {
        tables.identity.is_some()
            && known.generation == state.generation
            && known.server == state.server
            && known.version <= state.version
    };
    let is_first = known.is_none();
    let known = known.filter(same).map(|known| known.version);
    let complete = known.is_none_or(|known| known < roll.horizon);
    let is_new = |incarnation: &Incarnation| {
        known.is_none_or(|known| roll.changes.get(incarnation).is_some_and(|version| *version > known))
    };
    let members = tables.members.iter().filter(|(incarnation, _)| complete || is_new(incarnation));
    let departures =
        roll.departures.iter().filter(|(version, _)| !is_first && known.is_none_or(|known| **version > known));
    let mut departed: Vec<_> = departures.map(|(_, departed)| departed.clone()).collect();
    departed.sort();
    Changes { complete, records: members.map(|(_, member)| member.record.clone()).collect(), departed }
}

/// In the order of a sorted set; the limit counts the asking broker, too.
fn overdue(tables: &Tables, by: &Incarnation, now: ServerTime) -> Vec<Expiry> {
    let expired = tables.members.iter().filter(|(_, member)| member.lease_expires <= now);
    let mut expired: Vec<_> = expired
        .map(|(incarnation, member)| Expiry { incarnation: incarnation.clone(), at: member.lease_expires })
        .collect();
    expired.sort_by(|a, b| (a.at, &a.incarnation).cmp(&(b.at, &b.incarnation)));
    expired.truncate(OVERDUE);
    expired.retain(|expiry| expiry.incarnation != *by);
    expired
}

pub(super) fn find_member(tables: &mut Tables, incarnation: &Incarnation, now: ServerTime) -> Sighting {
    if let Some(member) = tables.members.get_mut(incarnation) {
        cut(member, now);
    }
    let member = tables.members.get(incarnation).map(|member| Member {
        record: member.record.clone(),
        lease_expires: member.lease_expires,
        load: tables.load(incarnation),
    });
    let generation = tables.identity.as_ref().map(|identity| identity.generation.clone()).unwrap_or_default();
    Sighting { now, generation, settled: !unsettled(tables), member }
}
