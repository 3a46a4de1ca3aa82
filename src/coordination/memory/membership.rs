//! Who belongs to the cluster: what becomes of leases, records, and of what an incarnation leaves behind.

use super::super::*;
use super::tables::{Registered, Tables};

fn lease(now: ServerTime, ttl: Duration) -> ServerTime {
    ServerTime(now.0 + ttl.as_millis() as u64)
}

pub(super) fn register(tables: &mut Tables, record: &BrokerRecord, ttl: Duration, now: ServerTime) -> Registration {
    let rival = tables.members.iter().find(|(incarnation, member)| {
        **incarnation != record.incarnation && member.record.broker == record.broker && member.lease_expires > now
    });
    if let Some((incarnation, Registered { record, lease_expires })) = rival {
        let (address, lease_expires) = (record.address.clone(), *lease_expires);
        return Registration::IdInUse { incarnation: incarnation.clone(), address, lease_expires };
    }
    let lease_expires = lease(now, ttl);
    tables.members.insert(record.incarnation.clone(), Registered { record: record.clone(), lease_expires });
    tables.hint(Signal::Members);
    Registration::Joined(Joined {
        now,
        lease_expires,
        restart_number: tables.restart_number,
        generation: tables.generation.clone(),
        secret: tables.secret.clone(),
    })
}

pub(super) fn renew(tables: &mut Tables, incarnation: &Incarnation, ttl: Duration, now: ServerTime) -> Renewal {
    let Some(member) = tables.members.get_mut(incarnation) else {
        return Renewal::Evicted { now };
    };
    let lease_expires = lease(now, ttl);
    member.lease_expires = lease_expires;
    let others = tables.members.iter().filter(|(other, _)| *other != incarnation);
    Renewal::Renewed { now, lease_expires, next_expiry: others.map(|(_, member)| member.lease_expires).min() }
}

pub(super) fn update(tables: &mut Tables, record: &BrokerRecord) -> bool {
    let Some(member) = tables.members.get_mut(&record.incarnation) else {
        return false;
    };
    member.record = record.clone();
    tables.hint(Signal::Members);
    true
}

pub(super) fn scan(tables: &Tables, by: &Incarnation, now: ServerTime) -> Membership {
    let members = tables.members.iter().map(|(incarnation, member)| Member {
        record: member.record.clone(),
        lease_expires: member.lease_expires,
        load: tables.load(incarnation),
    });
    let claimable =
        tables.members.get(by).map_or(0, |member| waiting(tables, &member.record.cluster, &member.record.classes));
    Membership {
        now,
        members: members.collect(),
        claimable,
        restart_number: tables.restart_number,
        generation: tables.generation.clone(),
    }
}

/// How many workers of these classes wait in a cluster.
pub(super) fn waiting(tables: &Tables, cluster: &ClusterName, classes: &BTreeSet<ClassName>) -> u64 {
    let sets = classes.iter().filter_map(|class| tables.pending.get(&(cluster.clone(), class.clone())));
    sets.map(|set| set.len() as u64).sum()
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
        Death::Expired => None,
        Death::Proven { lease_expires } | Death::Succeeded { lease_expires } => Some(*lease_expires),
    };
    if !matches!(death, Death::Succeeded { .. }) && !tables.is_member(by, now) {
        return Eviction::NotMember;
    }
    if let Some(&Registered { lease_expires, .. }) = tables.members.get(dead) {
        let proven = seen == Some(lease_expires);
        if lease_expires > now && !proven {
            return Eviction::Alive { lease_expires };
        }
    }
    if tables.members.remove(dead).is_some() {
        tables.hint(Signal::Dead(dead.clone()));
    }
    let (recovered, deleted, remaining) = salvage(tables, dead, Fate::Recover, limit);
    Eviction::Evicted { recovered, deleted, remaining }
}

pub(super) fn leave(tables: &mut Tables, incarnation: &Incarnation, fate: Fate, limit: usize) -> u64 {
    if tables.members.remove(incarnation).is_some() {
        tables.hint(Signal::Members);
    }
    salvage(tables, incarnation, fate, limit).2
}

/// Gives up to `limit` workers of an owner up, oldest first: how many were recovered, were deleted, are left.
fn salvage(tables: &mut Tables, owner: &Incarnation, fate: Fate, limit: usize) -> (u64, u64, u64) {
    let Some(holding) = tables.holdings.get(owner) else {
        return (0, 0, 0);
    };
    let total = holding.workers.len();
    let ids: Vec<WorkerId> = holding.workers.iter().take(limit.min(CHUNK)).map(|(_, id)| id.clone()).collect();
    let recovered = ids.iter().filter(|id| tables.give_up(id, fate)).count();
    (recovered as u64, (ids.len() - recovered) as u64, (total - ids.len()) as u64)
}

pub(super) fn request_restart(tables: &mut Tables) -> u64 {
    tables.restart_number += 1;
    tables.hint(Signal::Restart);
    tables.restart_number
}
