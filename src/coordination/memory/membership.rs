//! Who belongs to the cluster: what becomes of leases, records, and of what an incarnation leaves behind.

use super::super::*;
use super::healing::{agree, await_no_more, awaited_until, look_at_the_clock, unsettled};
use super::roll::note_change;
use super::tables::{GivenUp, Identity, Registered, Tables};
use crate::ids::{random_hex, ClassName, ClusterName, Incarnation, ServerTime, WorkerId};
use std::collections::BTreeSet;
use std::time::Duration;

/// From so many members on it is suspicious when more than half of them fall silent together.
const MANY: usize = 3;

fn lease(now: ServerTime, ttl: Duration) -> ServerTime {
    ServerTime(now.0 + ttl.as_millis() as u64)
}

/// Another life of the broker, its lease valid or expired.
pub(super) fn other_life(tables: &Tables, record: &BrokerRecord, now: ServerTime) -> Option<Holder> {
    let is_other = |(incarnation, member): &(&Incarnation, &Registered)| {
        **incarnation != record.incarnation && member.record.broker == record.broker
    };
    let (incarnation, member) = tables.members.iter().find(is_other)?;
    Some(Holder {
        incarnation: incarnation.clone(),
        address: member.record.address.clone(),
        lease_expires: member.lease_expires,
        now,
        lease_ttl: member.record.lease_ttl,
        strict: member.record.strict,
    })
}

pub(super) fn register(tables: &mut Tables, record: &BrokerRecord, ttl: Duration, now: ServerTime) -> Registration {
    if let Some(holder) = other_life(tables, record, now) {
        return Registration::IdInUse(holder);
    }
    if tables.agreed.as_ref() != Some(&tables.server) {
        agree(tables, Duration::ZERO, Some(&record.incarnation), now);
    }
    Registration::Joined(join(tables, record, ttl, None, now))
}

/// Generation and secret of the namespace. The first call makes them, with `secret` where one is given.
pub(super) fn identity<'a>(tables: &'a mut Tables, secret: Option<&String>) -> &'a Identity {
    tables.identity.get_or_insert_with(|| Identity {
        generation: random_hex::<16>(),
        secret: secret.cloned().unwrap_or_else(random_hex::<32>),
    })
}

/// Lease and record; the first that joins makes the generation, and the secret unless it brings one.
pub(super) fn join(
    tables: &mut Tables,
    record: &BrokerRecord,
    ttl: Duration,
    secret: Option<&String>,
    now: ServerTime,
) -> Joined {
    let lease_expires = lease(now, ttl);
    tables.dead.remove(&record.incarnation);
    tables.members.insert(record.incarnation.clone(), Registered { record: record.clone(), lease_expires });
    note_change(tables, &record.incarnation, None, now);
    tables.hint(Signal::Members);
    let Identity { generation, secret } = identity(tables, secret).clone();
    Joined {
        now,
        lease_expires,
        restart_number: tables.restart_number,
        generation,
        secret,
        server: tables.server.clone(),
    }
}

pub(super) fn renew(tables: &mut Tables, incarnation: &Incarnation, ttl: Duration, now: ServerTime) -> Renewal {
    look_at_the_clock(tables, now);
    let server = tables.server.clone();
    let server_agreed = tables.agreed.as_ref() == Some(&server);
    let awaited_until = awaited_until(tables, incarnation);
    let generation = tables.identity.as_ref().map(|identity| identity.generation.clone());
    let Some(member) = tables.members.get_mut(incarnation) else {
        return Renewal::Evicted { now, generation, server, server_agreed };
    };
    let lease_expires = lease(now, ttl);
    member.lease_expires = lease_expires;
    let others = tables.members.iter().filter(|(other, _)| *other != incarnation);
    let others = others.map(|(other, member)| Expiry { incarnation: other.clone(), at: member.lease_expires });
    Renewal::Renewed {
        now,
        lease_expires,
        next_expiry: others.min_by_key(|expiry| expiry.at),
        generation: generation.unwrap_or_default(),
        server,
        server_agreed,
        awaited_until,
    }
}

pub(super) fn update(tables: &mut Tables, record: &BrokerRecord, now: ServerTime) -> bool {
    let Some(member) = tables.members.get_mut(&record.incarnation) else {
        return false;
    };
    if member.record != *record {
        member.record = record.clone();
        note_change(tables, &record.incarnation, None, now);
        tables.hint(Signal::Members);
    }
    true
}

/// A lease further away than its record's ttl was given before the clock stepped back.
pub(super) fn cut(member: &mut Registered, now: ServerTime) -> ServerTime {
    member.lease_expires = member.lease_expires.min(lease(now, member.record.lease_ttl));
    member.lease_expires
}

pub(super) fn scan(tables: &mut Tables, by: &Incarnation, now: ServerTime) -> Membership {
    for member in tables.members.values_mut() {
        cut(member, now);
    }
    let members = tables.members.iter().map(|(incarnation, member)| Member {
        record: member.record.clone(),
        lease_expires: member.lease_expires,
        load: tables.load(incarnation),
    });
    let claimable =
        tables.members.get(by).map_or(0, |member| waiting(tables, &member.record.cluster, &member.record.classes, now));
    Membership {
        now,
        members: members.collect(),
        claimable,
        restart_number: tables.restart_number,
        generation: tables.identity.as_ref().map(|identity| identity.generation.clone()).unwrap_or_default(),
        settled: !unsettled(tables),
        unsalvaged: tables.dead.keys().cloned().collect(),
    }
}

/// How many workers of these classes wait in a cluster.
pub(super) fn waiting(tables: &Tables, cluster: &ClusterName, classes: &BTreeSet<ClassName>, now: ServerTime) -> u64 {
    classes.iter().map(|class| tables.waiting(&(cluster.clone(), class.clone()), now)).sum()
}

pub(super) fn evict(
    tables: &mut Tables,
    by: &Incarnation,
    dead: &Incarnation,
    death: &Death,
    limit: usize,
    now: ServerTime,
) -> Eviction {
    let seen = match death {
        Death::Expired { .. } => None,
        Death::Proven { lease_expires, .. } | Death::Succeeded { lease_expires } => Some(*lease_expires),
    };
    if let Some(refusal) = refusal(tables, by, death, now) {
        return refusal;
    }
    if let Some(member) = tables.members.get_mut(dead) {
        let lease_expires = cut(member, now);
        let renewed = seen.is_some_and(|seen| seen != lease_expires);
        if renewed || lease_expires > now && (seen.is_none() || member.record.strict) {
            return Eviction::Alive { lease_expires };
        }
    }
    if let Some(until) = outage(tables, by, dead, death, now) {
        return Eviction::Outage { until };
    }
    if tables.members.remove(dead).is_some() {
        let (before, version) = note_change(tables, dead, Some(Departure::Dead), now);
        tables.hint(Signal::Dead { incarnation: dead.clone(), before, version });
    }
    await_no_more(tables, dead);
    salvage(tables, dead, Fate::Crash, limit, now)
}

/// Why this evictor may not evict here and now.
fn refusal(tables: &Tables, by: &Incarnation, death: &Death, now: ServerTime) -> Option<Eviction> {
    let elsewhere = match death {
        Death::Succeeded { .. } => return None,
        Death::Proven { server, .. } => *server != tables.server,
        Death::Expired { .. } => false,
    };
    if unsettled(tables) || elsewhere {
        return Some(Eviction::Unsettled);
    }
    if !tables.is_member(by, now) {
        return Some(Eviction::NotMember);
    }
    match death {
        Death::Expired { expected } if u128::from(expected.0.abs_diff(now.0)) > CLOCK_TOLERANCE.as_millis() => {
            Some(Eviction::ClockOff { now })
        }
        _ => None,
    }
}

/// Who fell silent within half a lease of each other fell silent together: renewals lie up to so much apart. Where that are
/// most of many, rather the server or the network was away: until when they may come back.
fn outage(tables: &Tables, by: &Incarnation, dead: &Incarnation, death: &Death, now: ServerTime) -> Option<ServerTime> {
    let Death::Expired { .. } = death else { return None };
    let member = tables.members.get(dead)?;
    let recent = lease(now, member.record.lease_ttl / 2);
    let others = tables.members.iter().filter(|(other, _)| *other != by);
    let silent = others.filter(|(_, member)| member.lease_expires <= recent).count();
    let until = lease(member.lease_expires, member.record.lease_ttl);
    (tables.members.len() >= MANY && 2 * silent > tables.members.len() && until > now).then_some(until)
}

pub(super) fn leave(tables: &mut Tables, incarnation: &Incarnation, fate: Fate, limit: usize, now: ServerTime) -> u64 {
    if tables.members.remove(incarnation).is_some() {
        note_change(tables, incarnation, Some(Departure::Left), now);
        tables.hint(Signal::Members);
    }
    await_no_more(tables, incarnation);
    match salvage(tables, incarnation, fate, limit, now) {
        Eviction::Evicted { remaining, .. } => remaining,
        _ => 0,
    }
}

/// Gives up to `limit` workers of an owner up, oldest first. While some are left it is remembered, and what becomes of them.
fn salvage(tables: &mut Tables, owner: &Incarnation, fate: Fate, limit: usize, now: ServerTime) -> Eviction {
    let fate = tables.dead.remove(owner).unwrap_or(fate);
    let all = tables.holdings.get(owner).map_or(0, |holding| holding.workers.len());
    let oldest = tables.holdings.get(owner).into_iter().flat_map(|holding| &holding.workers);
    let ids: Vec<WorkerId> = oldest.take(limit.min(CHUNK)).map(|(_, id)| id.clone()).collect();
    let (mut recovered, mut deleted, mut quarantined) = (0, 0, Vec::new());
    let remaining = (all - ids.len()) as u64;
    for id in ids {
        match tables.give_up(&id, fate, now) {
            GivenUp::Recovered => recovered += 1,
            GivenUp::Deleted => deleted += 1,
            GivenUp::Quarantined(deaths) => quarantined.push((id, deaths)),
        }
    }
    if remaining > 0 {
        tables.dead.insert(owner.clone(), fate);
    } else {
        tables.trials.remove(owner);
    }
    Eviction::Evicted { recovered, deleted, remaining, quarantined }
}

pub(super) fn request_restart(tables: &mut Tables) -> u64 {
    tables.restart_number += 1;
    tables.hint(Signal::Restart);
    tables.restart_number
}
