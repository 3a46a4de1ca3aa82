//! What the longer scripts are asked, in the order of their headers.

use super::script::Arguments;
use super::{entry, record};
use crate::coordination::keys::escape;
use crate::coordination::{Announcement, Commit, Fate, Held, PlaceRequest, Purpose, CHUNK, SCHEMA_VERSION};
use crate::ids::{Incarnation, WorkerId};
use std::time::Duration;

/// Workers that one call puts back: about 11 µs each, and Redis serves nobody meanwhile.
const RESTORED_AT_ONCE: usize = 200;
/// And bytes of attributes in one script: to copy a megabyte takes about as long.
pub(super) const SCRIPT_BYTES: usize = 1 << 20;

/// Milliseconds as scripts take them.
pub(super) fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

pub(super) fn flag(set: bool) -> String {
    u8::from(set).to_string()
}

/// What becomes of an entry, as `salvage.lua` reads it.
pub(super) fn fate(fate: Fate) -> String {
    match fate {
        Fate::Delete => "0",
        Fate::Recover => "1",
        Fate::Return => "2",
        Fate::Crash => "3",
        Fate::End => "4",
        Fate::Fail => "5",
    }
    .into()
}

pub(super) fn place(request: &PlaceRequest) -> [String; 9] {
    [
        request.by.to_string(),
        flag(request.id.is_some()),
        request.id.as_ref().map_or_else(|| request.class.to_string(), WorkerId::to_string),
        escape(request.class.as_str()),
        escape(request.cluster.as_str()),
        match request.purpose {
            Purpose::Create => flag(request.recoverable),
            Purpose::Keep => (2 + u8::from(request.recoverable)).to_string(),
            Purpose::Wake => String::new(),
        },
        millis(request.ttl),
        request.attributes.clone(),
        request.exclude.iter().map(Incarnation::as_str).collect::<Vec<_>>().join(","),
    ]
}

pub(super) fn announce(announcement: &Announcement) -> Arguments {
    let mut arguments = Arguments::of([
        announcement.record.incarnation.to_string(),
        record::encode(&announcement.record),
        millis(announcement.ttl),
        SCHEMA_VERSION.to_string(),
        crate::ids::random_hex::<16>(),
        announcement.generation.clone(),
        announcement.secret.clone(),
        announcement.epoch.to_string(),
        announcement.restart_number.to_string(),
        millis(announcement.patience),
        announcement.counters.len().to_string(),
    ]);
    for (class, n) in &announcement.counters {
        arguments.values.extend([escape(class.as_str()), n.to_string()]);
    }
    arguments.values.extend(announcement.remembered.iter().map(Incarnation::to_string));
    arguments
}

/// How many of these workers one call puts back, at least one.
pub(super) fn restorable(held: &[Held]) -> usize {
    let mut bytes = 0;
    let fits = held.iter().take(RESTORED_AT_ONCE).take_while(|held| {
        bytes += held.entry.attributes.len();
        bytes <= SCRIPT_BYTES
    });
    fits.count().max(1)
}

/// How many of these writes one call makes, at least one.
pub(super) fn storable(commits: &[Commit]) -> usize {
    let mut bytes = 0;
    let fits = commits.iter().take(CHUNK).take_while(|commit| {
        bytes += commit.data.text.len() + commit.data.timers.text.len();
        bytes <= SCRIPT_BYTES
    });
    fits.count().max(1)
}

pub(super) fn restore(owner: &Incarnation, held: &Held) -> [String; 3] {
    [held.entry.id.to_string(), held.entry.epoch.to_string(), entry::encode(owner, held)]
}
