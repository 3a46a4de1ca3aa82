//! The scripts' answers as domain values; `None` for an answer of another shape.

use super::reply::{flags, load, number, text, Parts};
use super::{entry, record, stored};
use crate::coordination::{
    BrokerRecord, Changes, Claim, Committed, Departure, Entry, Erasure, Eviction, Expiry, Holder, Joined, Known,
    Location, Look, Member, Membership, Owned, Placement, Registration, Renewal, Ring, Sighting, Slept,
};
use crate::ids::{Incarnation, ServerTime, WorkerId};
use redis::Value;
use tracing::debug;

/// TIME: seconds and microseconds.
pub(super) fn micros(value: Value) -> Option<u64> {
    let mut parts = Parts::of(value)?;
    parts.number()?.checked_mul(1_000_000)?.checked_add(parts.number()?)
}

/// PUBSUB NUMSUB: of all channels that were asked for together.
pub(super) fn subscribers(value: Value) -> Option<u64> {
    let mut parts = Parts::of(value)?;
    let mut sum: u64 = 0;
    while parts.left() > 0 {
        parts.text()?;
        sum = sum.saturating_add(parts.number()?);
    }
    Some(sum)
}

/// `Err`: the namespace belongs to this other version.
pub(super) fn registered(value: Value) -> Option<Result<Registration, String>> {
    let mut parts = Parts::of(value)?;
    Some(match parts.text()?.as_str() {
        "joined" => Ok(Registration::Joined(Joined {
            now: parts.time()?,
            lease_expires: parts.time()?,
            restart_number: parts.number()?,
            generation: parts.text()?,
            secret: parts.text()?,
            server: parts.server()?,
        })),
        "used" => {
            let incarnation = parts.incarnation()?;
            let BrokerRecord { address, strict, lease_ttl, .. } = record::decode(incarnation.clone(), &parts.text()?)?;
            let (lease_expires, now) = (parts.time()?, parts.time()?);
            Ok(Registration::IdInUse(Holder { incarnation, address, lease_expires, now, lease_ttl, strict }))
        }
        "schema" => Err(parts.text()?),
        _ => return None,
    })
}

/// `Err`: the namespace belongs to this other version.
pub(super) fn secret(value: Value) -> Option<Result<String, String>> {
    let mut parts = Parts::of(value)?;
    Some(match parts.text()?.as_str() {
        "secret" => Ok(parts.text()?),
        "schema" => Err(parts.text()?),
        _ => return None,
    })
}

pub(super) fn renewed(value: Value) -> Option<Renewal> {
    let mut parts = Parts::of(value)?;
    let (now, server, server_agreed) = (parts.time()?, parts.server()?, parts.text()? == "1");
    let generation = match parts.value() {
        None => None,
        // One that another program wrote is none: the brokers restore the tables.
        Some(value) => text(value),
    };
    if parts.left() == 0 {
        return Some(Renewal::Evicted { now, generation, server, server_agreed });
    }
    Some(Renewal::Renewed {
        now,
        lease_expires: parts.time()?,
        awaited_until: parts.text()?.parse().ok().map(ServerTime),
        next_expiry: if parts.left() == 0 { None } else { Some(expiry(&mut parts)?) },
        // Only foreign hands take it away from a namespace with leases.
        generation: generation.unwrap_or_default(),
        server,
        server_agreed,
    })
}

fn expiry(parts: &mut Parts) -> Option<Expiry> {
    let at = parts.time()?;
    Some(Expiry { incarnation: parts.incarnation()?, at })
}

/// Everything of an array, read piece by piece.
fn all<T>(mut parts: Parts, mut read: impl FnMut(&mut Parts) -> Option<T>) -> Option<Vec<T>> {
    let mut found = Vec::with_capacity(parts.left());
    while parts.left() > 0 {
        found.push(read(&mut parts)?);
    }
    Some(found)
}

/// Incarnations and records; without those that another program wrote over.
fn readable(mut parts: Parts) -> Option<Vec<BrokerRecord>> {
    let mut records = Vec::with_capacity(parts.left() / 2);
    while parts.left() > 0 {
        let (incarnation, record) = (parts.incarnation(), parts.text());
        match incarnation.zip(record).and_then(|(incarnation, record)| record::decode(incarnation, &record)) {
            Some(record) => records.push(record),
            None => debug!("the record of a broker cannot be read"),
        }
    }
    Some(records)
}

fn departure(parts: &mut Parts) -> Option<(Incarnation, Departure)> {
    let text = parts.text()?;
    let (incarnation, how) = text.rsplit_once(':')?;
    let departure = match how {
        "dead" => Departure::Dead,
        "left" => Departure::Left,
        _ => return None,
    };
    Some((Incarnation::new(incarnation), departure))
}

pub(super) fn look(by: &Incarnation, value: Value) -> Option<Look> {
    let mut parts = Parts::of(value)?;
    let (now, restart_number) = (parts.time()?, parts.number()?);
    let known = Known {
        generation: text(parts.value()?).unwrap_or_default(),
        server: parts.server()?,
        version: parts.number()?,
    };
    let (settled, claimable, own) = (parts.text()? == "1", parts.number()?, load(parts.value()?)?);
    let own_record = text(parts.value()?);
    let mut unsalvaged =
        all(parts.parts()?, |parts| Some(parts.incarnation()))?.into_iter().flatten().collect::<Vec<_>>();
    unsalvaged.sort();
    let overdue = all(parts.parts()?, |parts| Some(Expiry { incarnation: parts.incarnation()?, at: parts.time()? }))?;
    let complete = parts.text()? == "1";
    let mut records = readable(parts.parts()?)?;
    records.sort_by(|a, b| a.incarnation.cmp(&b.incarnation));
    let mut departed = all(parts.parts()?, departure)?;
    departed.sort();
    let record = own_record.and_then(|text| record::decode(by.clone(), &text));
    let changes = Changes { complete, records, departed };
    Some(Look { now, known, changes, overdue, claimable, load: own, restart_number, settled, unsalvaged, record })
}

pub(super) fn sighting(incarnation: &Incarnation, value: Value) -> Option<Sighting> {
    let mut parts = Parts::of(value)?;
    let (now, generation, settled) = (parts.time()?, parts.text()?, parts.text()? == "1");
    let member = if parts.left() == 0 {
        None
    } else {
        // One whose record another program wrote over is none for now: it publishes it again.
        let record = parts.text().and_then(|record| record::decode(incarnation.clone(), &record));
        let (lease_expires, load) = (parts.time()?, load(parts.value()?)?);
        record.map(|record| Member { record, lease_expires, load })
    };
    Some(Sighting { now, generation, settled, member })
}

pub(super) fn membership(value: Value) -> Option<Membership> {
    let mut parts = Parts::of(value)?;
    let now = parts.time()?;
    let restart_number = parts.number()?;
    let generation = text(parts.value()?).unwrap_or_default();
    let claimable = parts.number()?;
    let settled = parts.text()? == "1";
    let mut gone = parts.parts()?;
    let mut unsalvaged = Vec::with_capacity(gone.left());
    while gone.left() > 0 {
        unsalvaged.extend(gone.incarnation());
    }
    let mut members = Vec::with_capacity(parts.left() / 4);
    while parts.left() > 0 {
        let (incarnation, record, expires, sum) = (parts.incarnation(), parts.text(), parts.value()?, parts.value()?);
        let (Some(incarnation), Some(lease_expires)) = (incarnation, number(expires).map(ServerTime)) else { continue };
        match record.and_then(|record| record::decode(incarnation.clone(), &record)) {
            Some(record) => members.push(Member { record, lease_expires, load: load(sum).unwrap_or(0) }),
            None => {
                debug!(%incarnation, "the record of a broker cannot be read");
                // Nobody can tell how long its lease is; that it has run out is checked again by who evicts it.
                if lease_expires <= now {
                    unsalvaged.push(incarnation);
                }
            }
        }
    }
    unsalvaged.sort();
    unsalvaged.dedup();
    members.sort_by(|a, b| a.record.incarnation.cmp(&b.record.incarnation));
    Some(Membership { now, members, claimable, restart_number, generation, settled, unsalvaged })
}

/// One a request, `None` for an answer of another shape. The inner `None`: the counter went past ids that are taken, ask
/// again.
pub(super) fn placed(value: Value, count: usize) -> Option<Vec<Option<Option<Placement>>>> {
    let mut answers = Parts::of(value).filter(|answers| answers.left() == count)?;
    Some((0..count).map(|_| placement(answers.parts()?)).collect())
}

fn placement(mut parts: Parts) -> Option<Option<Placement>> {
    Some(Some(match parts.text()?.as_str() {
        "reserved" => {
            let (id, class, owner, epoch) = (parts.worker()?, parts.class()?, parts.incarnation()?, parts.epoch()?);
            Placement::Reserved { id, class, owner: parts.owner(owner)?, epoch }
        }
        "existing" => {
            let (id, class, owner, epoch) = (parts.worker()?, parts.class()?, parts.incarnation()?, parts.epoch()?);
            let state = parts.state()?;
            Placement::Existing { id, class, owner: parts.owner(owner)?, epoch, state }
        }
        "later" => Placement::Later { class: parts.class()?, deaths: parts.deaths()? },
        "quarantined" => Placement::Quarantined { class: parts.class()?, deaths: parts.deaths()? },
        "asleep" => Placement::Asleep { id: parts.worker()?, class: parts.class()? },
        "gone" => Placement::Gone,
        "none" => Placement::NoBroker { cluster: parts.cluster()? },
        "waits" => Placement::OtherClassWaits { id: parts.worker()?, class: parts.class()?, cluster: parts.cluster()? },
        "stranger" => Placement::NotMember,
        "unsettled" => Placement::Unsettled,
        "again" => return Some(None),
        _ => return None,
    }))
}

/// An entry that was asked for.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    Entry(Entry),
    /// It stands elsewhere.
    Elsewhere,
    /// It stands here and cannot be read.
    Unreadable,
}

/// `data`: its text, of an entry that has any.
fn with_data(mut entry: Entry, data: Option<String>) -> Entry {
    if entry.lasting.has_data {
        entry.lasting.data = stored::decode(data);
    }
    entry
}

/// One a write.
pub(super) fn committed(value: Value, count: usize) -> Option<Vec<Committed>> {
    let parts = Parts::of(value).filter(|parts| parts.left() == count)?;
    all(parts, |parts| match parts.text()?.as_str() {
        "w" => Some(Committed::Written),
        "f" => Some(Committed::Fenced),
        "u" => Some(Committed::Unsettled),
        _ => None,
    })
}

/// One a worker.
pub(super) fn slept(value: Value, count: usize) -> Option<Vec<Slept>> {
    let parts = Parts::of(value).filter(|parts| parts.left() == count)?;
    all(parts, |parts| match parts.text()?.as_str() {
        "s" => Some(Slept::Asleep),
        "f" => Some(Slept::Elsewhere),
        "u" => Some(Slept::Unsettled),
        _ => None,
    })
}

pub(super) fn ring(value: Value, classes: usize) -> Option<Ring> {
    let mut parts = Parts::of(value)?;
    let rung = match parts.text()?.as_str() {
        "stranger" => return Some(Ring::NotMember),
        "unsettled" => return Some(Ring::Unsettled),
        rung => rung.parse().ok()?,
    };
    let mut next = Vec::with_capacity(classes);
    while parts.left() > 0 {
        let text = parts.text()?;
        next.push(if text.is_empty() { None } else { Some(ServerTime(text.parse().ok()?)) });
    }
    (next.len() == classes).then_some(Ring::Rung { rung, next })
}

pub(super) fn erasure(value: Value) -> Option<Erasure> {
    match value {
        Value::Int(1) => Some(Erasure::Gone),
        Value::Int(0) => Some(Erasure::Unsettled),
        value => Some(Erasure::Owned(crate::ids::Epoch(number(value)?))),
    }
}

/// The inner `None`: unsettled.
pub(super) fn activated(value: Value, ids: &[WorkerId]) -> Option<Option<Vec<Found>>> {
    if value == Value::Int(0) {
        return Some(None);
    }
    let mut parts = Parts::of(value).filter(|parts| parts.left() == ids.len())?;
    let found = |id: &WorkerId| match parts.value() {
        None | Some(Value::Nil) => Found::Elsewhere,
        Some(Value::Array(both)) => {
            let mut both = both.into_iter();
            let (entry, data) = (both.next().and_then(text), both.next().and_then(text));
            let entry = entry.and_then(|text| entry::decode(id.clone(), &text));
            entry.map_or(Found::Unreadable, |entry| Found::Entry(with_data(entry, data)))
        }
        Some(value) => {
            text(value).and_then(|text| entry::decode(id.clone(), &text)).map_or(Found::Unreadable, Found::Entry)
        }
    };
    Some(Some(ids.iter().map(found).collect()))
}

/// The inner `None`: the owner is not registered.
pub(super) fn restored(value: Value, count: usize) -> Option<Option<Vec<bool>>> {
    match value {
        Value::Int(0) => Some(None),
        value => flags(value, count).map(Some),
    }
}

pub(super) fn location(value: Value) -> Option<Location> {
    if value == Value::Int(0) {
        return Some(Location::Unsettled);
    }
    let mut parts = Parts::of(value)?;
    if parts.left() == 0 {
        return Some(Location::None);
    }
    let class = parts.class()?;
    if parts.left() == 1 {
        return Some(Location::Pending { class, cluster: parts.cluster()? });
    }
    let owner = parts.incarnation()?;
    match owner.as_str() {
        "suspected" => return Some(Location::Suspected { class, deaths: parts.deaths()? }),
        "quarantined" => return Some(Location::Quarantined { class, deaths: parts.deaths()? }),
        "asleep" => return Some(Location::Asleep { class, cluster: parts.cluster()? }),
        _ => {}
    }
    let (epoch, state) = (parts.epoch()?, parts.state()?);
    Some(Location::Owned { class, owner: parts.owner(owner)?, epoch, state })
}

/// Claimed too, and not to be read: of what other programs wrote.
pub(super) type Unreadable = Vec<WorkerId>;

pub(super) fn claim(value: Value) -> Option<(Claim, Unreadable)> {
    let mut parts = Parts::of(value)?;
    let first = parts.text()?;
    match first.as_str() {
        "stranger" => return Some((Claim::NotMember, Unreadable::new())),
        "unsettled" => return Some((Claim::Unsettled, Unreadable::new())),
        _ => {}
    }
    let (remaining, expired) = (first.parse().ok()?, parts.number()?);
    let (mut entries, mut unreadable) = (Vec::with_capacity(parts.left()), Unreadable::new());
    while parts.left() > 0 {
        let mut fields = parts.parts()?;
        let id = fields.worker()?;
        match fields.text().and_then(|text| entry::decode(id.clone(), &text)) {
            Some(entry) => entries.push(with_data(entry, fields.text())),
            None => unreadable.push(id),
        }
    }
    Some((Claim::Claimed { entries, remaining, expired }, unreadable))
}

pub(super) fn eviction(value: Value) -> Option<Eviction> {
    let mut parts = Parts::of(value)?;
    Some(match parts.text()?.as_str() {
        "alive" => Eviction::Alive { lease_expires: parts.time()? },
        "evicted" => {
            let (recovered, deleted, remaining) = (parts.number()?, parts.number()?, parts.number()?);
            let mut quarantined = Vec::new();
            while parts.left() > 0 {
                quarantined.push((parts.worker()?, parts.deaths()?));
            }
            Eviction::Evicted { recovered, deleted, remaining, quarantined }
        }
        "stranger" => Eviction::NotMember,
        "unsettled" => Eviction::Unsettled,
        "outage" => Eviction::Outage { until: parts.time()? },
        "off" => Eviction::ClockOff { now: parts.time()? },
        _ => return None,
    })
}

pub(super) fn owned(value: Value) -> Option<Vec<Owned>> {
    // The script lets no id and no head pass that cannot be read.
    all(Parts::of(value)?, |parts| entry::decode_head(parts.worker()?, &parts.text()?))
}

/// The schema version in `meta`: the outer `None` is a foreign answer.
pub(super) fn version(value: Value) -> Option<Option<String>> {
    match value {
        Value::Nil => Some(None),
        value => text(value).map(Some),
    }
}

/// Names and records of dworker 0.9's table of brokers.
pub(super) fn table(value: Value) -> Option<Vec<(String, String)>> {
    let mut parts = Parts::of(value)?;
    let mut rows = Vec::with_capacity(parts.left() / 2);
    while parts.left() > 0 {
        rows.push((lossy(parts.value()?)?, lossy(parts.value()?)?));
    }
    Some(rows)
}

fn lossy(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        value => number(value).map(|number| number.to_string()),
    }
}
