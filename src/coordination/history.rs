//! What the past of a worker says about its next activation: deaths of its owners, and ends by itself, shortly after it was
//! activated. Pure; `lua/history.lua` and `lua/trial.lua` decide the same.
//!
//! A worker that ends its process mostly does so shortly after its activation, sometimes only after `onCreate`. So each
//! death of an owner counts against those of its workers that were activated less than [`YOUNG`] before. Most of them
//! merely shared the process: they are recovered at once, and lose their count by living for [`SETTLED`]. From
//! [`SUSPECT`] deaths on a worker is tried: a broker takes one suspect at a time, so that the next death accuses one
//! worker alone. The death of a broker accuses the suspect that is on trial there, and else the only one that was tried
//! there. Accused alone, a worker with [`QUARANTINE`] deaths is quarantined. A death during a trial counts against no
//! other worker: it is explained, and the others are recovered as if nothing had happened.

use crate::ids::{ServerTime, WorkerId};

/// A death counts against workers that were activated less than this before, ms.
pub const YOUNG: u64 = 10_000;
/// A worker that lived so long has no history any more, ms.
pub const SETTLED: u64 = 60_000;
/// From so many deaths on a worker is tried alone.
pub const SUSPECT: u32 = 2;
/// And from so many on it is quarantined when a death accuses it alone.
pub const QUARANTINE: u32 = 3;
/// A worker that came back by itself, without having handled a message, more often than this in a row waits before it is
/// activated again.
pub const FREE_RETURNS: u32 = 3;
/// The longest of these waits, ms: they are 1, 2, 4 … s.
const LONGEST_WAIT: u64 = 60_000;

/// How often a worker's owner died, and how often it came back by itself, shortly after it was activated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct History {
    pub deaths: u32,
    pub returns: u32,
}

/// Why a worker is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// Its broker leaves, or takes back a placement.
    Departure,
    /// It ended by itself to be activated again.
    Return,
    /// Its process died.
    Death,
}

impl History {
    pub fn is_suspect(&self) -> bool {
        self.deaths >= SUSPECT
    }

    /// The history of a worker that ends now.
    pub(super) fn after(self, end: End, activated: ServerTime, now: ServerTime) -> Self {
        let age = now.0.saturating_sub(activated.0);
        if age >= SETTLED {
            return Self::default();
        }
        let young = |counts: bool| u32::from(counts && age < YOUNG);
        Self {
            deaths: self.deaths.saturating_add(young(end == End::Death)),
            returns: self.returns.saturating_add(young(end == End::Return)),
        }
    }

    /// How long it waits before it may be activated again, ms.
    pub fn wait(&self) -> u64 {
        wait_after(self.deaths, SUSPECT).max(wait_after(self.returns, FREE_RETURNS))
    }

    /// Whether the death of its owner, which accuses this worker alone, is one too many.
    pub(super) fn is_convicted(&self, activated: ServerTime, now: ServerTime) -> bool {
        now.0.saturating_sub(activated.0) < YOUNG && self.deaths >= QUARANTINE
    }
}

fn wait_after(count: u32, free: u32) -> u64 {
    match count.checked_sub(free) {
        None | Some(0) => 0,
        Some(beyond) => 1_000u64.checked_shl(beyond - 1).unwrap_or(LONGEST_WAIT).clamp(1_000, LONGEST_WAIT),
    }
}

/// The suspect that an incarnation activated last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Trial {
    id: WorkerId,
    passed: bool,
    /// No other suspect was tried there.
    only: bool,
}

impl Trial {
    pub(super) fn begin(id: WorkerId, before: Option<Trial>) -> Self {
        Self { id, passed: false, only: before.is_none() }
    }

    pub(super) fn end(&mut self) {
        self.passed = true;
    }

    /// Whether the incarnation's death counts against this worker: during a trial only against the suspect.
    pub(super) fn blames(&self, id: &WorkerId) -> bool {
        self.passed || self.id == *id
    }

    /// Whether the incarnation's death accuses this worker alone.
    pub(super) fn accuses(&self, id: &WorkerId) -> bool {
        self.id == *id && (!self.passed || self.only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: ServerTime = ServerTime(1_000_000);

    fn ago(millis: u64) -> ServerTime {
        ServerTime(NOW.0 - millis)
    }

    #[test]
    fn only_a_death_shortly_after_the_activation_counts() {
        let once = History { deaths: 1, returns: 0 };
        assert_eq!(once.after(End::Death, ago(YOUNG - 1), NOW).deaths, 2);
        assert_eq!(once.after(End::Death, ago(YOUNG), NOW).deaths, 1);
        assert_eq!(once.after(End::Death, ago(SETTLED), NOW).deaths, 0);
        assert_eq!(once.after(End::Departure, ago(0), NOW).deaths, 1);
        assert_eq!(once.after(End::Death, ServerTime(NOW.0 + 5), NOW).deaths, 2, "the clock stepped back");
    }

    #[test]
    fn a_wait_doubles_up_to_a_minute() {
        let waits = |deaths| History { deaths, returns: 0 }.wait();
        assert_eq!(
            [0, 2, 3, 4, 5, 8, 9, 200, u32::MAX].map(waits),
            [0, 0, 1_000, 2_000, 4_000, 32_000, 60_000, 60_000, 60_000]
        );
        assert_eq!(History { deaths: 0, returns: FREE_RETURNS }.wait(), 0);
        assert_eq!(History { deaths: 0, returns: FREE_RETURNS + 2 }.wait(), 2_000);
    }

    #[test]
    fn one_of_several_that_passed_is_not_accused_alone() {
        let mut first = Trial::begin("a".into(), None);
        first.end();
        assert!(first.accuses(&"a".into()) && !first.accuses(&"b".into()));
        assert!(first.blames(&"b".into()));
        let mut second = Trial::begin("b".into(), Some(first));
        assert!(second.accuses(&"b".into()) && !second.accuses(&"a".into()));
        assert!(second.blames(&"b".into()) && !second.blames(&"a".into()));
        second.end();
        assert!(!second.accuses(&"b".into()));
    }
}
