//! How a worker gets an owner: by being placed on the least loaded broker, or by being claimed.

use super::super::*;
use super::healing::unsettled;
use super::membership::waiting;
use super::tables::{Hold, Tables, Worker};

/// Whether a pending worker is too old to be recovered.
fn outlived(entry: &Entry, ttl: Duration, now: ServerTime) -> bool {
    !ttl.is_zero() && now.0.saturating_sub(entry.created.0) > ttl.as_millis() as u64
}

pub(super) fn place(tables: &mut Tables, request: &PlaceRequest, now: ServerTime) -> Placement {
    let unsure = unsettled(tables);
    if !tables.is_member(&request.by, now) {
        return if unsure { Placement::Unsettled } else { Placement::NotMember };
    }
    let known = request.id.as_ref().and_then(|id| tables.workers.get(id));
    if let Some(Worker { entry, hold: Some(hold) }) = known {
        let (id, class, owner) = (entry.id.clone(), entry.class.clone(), tables.owner(&hold.owner));
        return Placement::Existing { id, class, owner, epoch: entry.epoch, state: hold.state };
    }
    let pending = known.map(|worker| &worker.entry).filter(|entry| !outlived(entry, request.ttl, now)).cloned();
    if let Some(Entry { id, class, cluster, .. }) = pending.as_ref().filter(|entry| entry.class != request.class) {
        return Placement::OtherClassWaits { id: id.clone(), class: class.clone(), cluster: cluster.clone() };
    }
    if unsure {
        return Placement::Unsettled;
    }
    let cluster = pending.as_ref().map_or(&request.cluster, |entry| &entry.cluster);
    let Some(chosen) = least_loaded(tables, cluster, &request.class, now) else {
        return Placement::NoBroker { cluster: cluster.clone() };
    };
    let epoch = tables.next_epoch(now);
    let entry = match pending {
        Some(entry) => Entry { epoch, attempt: entry.attempt + 1, ..entry },
        None => Entry {
            id: request.id.clone().unwrap_or_else(|| next_id(tables, &request.class)),
            class: request.class.clone(),
            cluster: request.cluster.clone(),
            epoch,
            cause: Cause::New,
            attempt: 1,
            created: now,
            recoverable: request.recoverable,
            attributes: request.attributes.clone(),
        },
    };
    let owner = tables.owner(&chosen);
    let answer = Placement::Reserved { id: entry.id.clone(), class: entry.class.clone(), owner, epoch };
    tables.remove(&entry.id);
    tables.insert_held(entry, Hold { owner: chosen, state: EntryState::Placing, load: RESERVED_LOAD });
    answer
}

fn least_loaded(tables: &Tables, cluster: &ClusterName, class: &ClassName, now: ServerTime) -> Option<Incarnation> {
    let hosts = tables.members.iter().filter(|(_, member)| {
        let record = &member.record;
        member.lease_expires > now && !record.draining && record.cluster == *cluster && record.classes.contains(class)
    });
    // Members come by incarnation, and the first of equal ones is the minimum.
    hosts.map(|(incarnation, _)| incarnation).min_by_key(|incarnation| tables.load(incarnation)).cloned()
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
    let (mut entries, mut expired, mut left) = (Vec::new(), 0, CHUNK);
    for class in &request.classes {
        let place = (request.cluster.clone(), class.clone());
        let until = request.limit.min(entries.len() + portion(tables, request, &place));
        while entries.len() < until && left > 0 {
            let Some(id) = first_waiting(tables, &place) else { break };
            left -= 1;
            let Some(entry) = tables.remove(&id) else { continue };
            if outlived(&entry, request.ttl, now) {
                expired += 1;
                continue;
            }
            let entry = Entry { epoch: tables.next_epoch(now), attempt: entry.attempt + 1, ..entry };
            entries.push(entry.clone());
            let hold = Hold { owner: request.by.clone(), state: EntryState::Active, load: RESERVED_LOAD };
            tables.insert_held(entry, hold);
        }
    }
    Claim::Claimed { entries, remaining: waiting(tables, &request.cluster, &request.classes), expired }
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
