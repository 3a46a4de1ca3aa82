//! How many bytes Redis sends for an answer of a script, and for a hint to one subscriber.

use dworker::coordination::{
    Activation, BrokerRecord, Claim, Entry, Eviction, Location, Look, Owner, Placement, Renewal, Sighting, Signal,
};

/// Milliseconds, microseconds or versions, ids of incarnations and generations, ids of server lives: their digits.
const MILLIS: usize = 13;
const MICROS: usize = 16;
const INCARNATION: usize = 32;
const GENERATION: usize = 32;
const SERVER: usize = 40;
/// `{namespace}:hints:0`.
const CHANNEL: usize = 17;
/// `:`, host, port and numbers of a record, beside its names; a host like 127.0.0.1.
const RECORD: usize = 34;

fn digits(number: usize) -> usize {
    number.to_string().len()
}

fn bulk(bytes: usize) -> usize {
    1 + digits(bytes) + 2 + bytes + 2
}

fn array(items: usize) -> usize {
    1 + digits(items) + 2
}

/// An integer of one digit.
const INTEGER: usize = 4;
const NIL: usize = 5;

fn record(record: &BrokerRecord) -> usize {
    let classes: usize = record.classes.iter().map(|class| class.as_str().len() + 1).sum();
    record.cluster.as_str().len() + record.broker.as_str().len() + classes + RECORD
}

pub fn renewal(answer: &Renewal) -> usize {
    let start = array(7) + bulk(MILLIS) + bulk(SERVER) + bulk(1) + bulk(GENERATION);
    match answer {
        Renewal::Renewed { next_expiry: Some(_), .. } => start + 2 * bulk(MILLIS) + bulk(INCARNATION),
        Renewal::Renewed { .. } => start + bulk(MILLIS),
        Renewal::Evicted { .. } => start,
    }
}

pub fn look(answer: &Look) -> usize {
    let numbers = [answer.restart_number, answer.claimable, answer.load].map(|number| bulk(digits(number as usize)));
    let records: usize = answer.changes.records.iter().map(|each| bulk(INCARNATION) + bulk(record(each))).sum();
    array(14)
        + bulk(MILLIS)
        + numbers.iter().sum::<usize>()
        + bulk(GENERATION)
        + bulk(SERVER)
        + bulk(MICROS)
        + 2 * bulk(1)
        + bulk(answer.record.as_ref().map_or(0, record))
        + array(answer.unsalvaged.len())
        + answer.unsalvaged.len() * bulk(INCARNATION)
        + array(2 * answer.overdue.len())
        + answer.overdue.len() * (bulk(INCARNATION) + bulk(MILLIS))
        + array(2 * answer.changes.records.len())
        + records
        + array(answer.changes.departed.len())
        + answer.changes.departed.len() * bulk(INCARNATION + 5)
}

pub fn sighting(answer: &Sighting) -> usize {
    let member = answer.member.as_ref();
    let member = member.map(|member| bulk(record(&member.record)) + bulk(MILLIS) + bulk(digits(member.load as usize)));
    array(6) + bulk(MILLIS) + bulk(GENERATION) + bulk(1) + member.unwrap_or(0)
}

fn owner(owner: &Owner) -> usize {
    bulk(INCARNATION) + owner.address.as_ref().map_or(2 * NIL, |address| bulk(address.host.len()) + bulk(5))
}

pub fn placement(answer: &Placement) -> usize {
    match answer {
        Placement::Reserved { id, class, owner: at, .. } => {
            array(7) + bulk(8) + bulk(id.as_str().len()) + bulk(class.as_str().len()) + bulk(MICROS) + owner(at)
        }
        Placement::Existing { id, class, owner: at, .. } => {
            let names = bulk(id.as_str().len()) + bulk(class.as_str().len());
            array(8) + bulk(8) + names + bulk(MICROS) + bulk(6) + owner(at)
        }
        _ => array(1) + bulk(10),
    }
}

fn entry(entry: &Entry) -> usize {
    let names = bulk(entry.class.as_str().len()) + bulk(entry.cluster.as_str().len());
    names + 3 * bulk(1) + bulk(MICROS) + bulk(MILLIS) + bulk(entry.attributes.len()) + 2 * NIL
}

pub fn activation(answer: &Activation) -> usize {
    match answer {
        Activation::Answers(entries) => {
            let entries = entries.iter().map(|found| found.as_ref().map_or(NIL, |found| array(10) + entry(found)));
            array(1) + entries.sum::<usize>()
        }
        Activation::Unsettled => INTEGER,
    }
}

pub fn claim(answer: &Claim) -> usize {
    match answer {
        Claim::Claimed { entries, remaining, .. } => {
            let each = |found: &Entry| array(11) + bulk(found.id.as_str().len()) + entry(found);
            array(entries.len() + 2)
                + bulk(digits(*remaining as usize))
                + bulk(1)
                + entries.iter().map(each).sum::<usize>()
        }
        _ => array(1) + bulk(9),
    }
}

pub fn eviction(answer: &Eviction) -> usize {
    match answer {
        Eviction::Evicted { recovered, remaining, .. } => {
            let numbers = bulk(digits(*recovered as usize)) + bulk(1) + bulk(digits(*remaining as usize));
            array(4) + bulk(7) + numbers
        }
        _ => array(2) + bulk(7) + bulk(MILLIS),
    }
}

pub fn location(answer: &Location) -> usize {
    match answer {
        Location::Owned { class, owner: at, .. } => {
            array(7) + bulk(class.as_str().len()) + bulk(MICROS) + bulk(6) + owner(at)
        }
        _ => array(2) + bulk(10),
    }
}

pub fn flags(items: usize) -> usize {
    array(items) + items * INTEGER
}

/// PUBSUB NUMSUB of two channels.
pub fn subscribers() -> usize {
    array(4) + 2 * bulk(CHANNEL + INCARNATION) + 2 * INTEGER
}

/// The answer of a registration.
pub fn joined() -> usize {
    array(7) + bulk(6) + 2 * bulk(MILLIS) + bulk(1) + bulk(GENERATION) + bulk(2 * GENERATION) + bulk(SERVER)
}

pub fn number() -> usize {
    INTEGER
}

pub fn hint(signal: &Signal) -> usize {
    let text = match signal {
        Signal::Members | Signal::Claimed | Signal::Settled | Signal::Restart => 7,
        Signal::Dead { .. } => 5 + INCARNATION + 2 * (1 + MICROS),
        Signal::Pending { cluster, class, waiting, worker } => {
            let names = cluster.as_str().len() + class.as_str().len() + worker.as_str().len();
            11 + names + digits(*waiting as usize)
        }
        _ => 2 * INCARNATION,
    };
    array(3) + bulk(7) + bulk(CHANNEL) + bulk(text)
}
