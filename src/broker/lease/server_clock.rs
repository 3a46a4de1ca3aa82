//! The coordinator's clock as this broker knows it: whether it goes on evenly.
//!
//! Leases are times on that clock. One that was renewed before a jump looks run out after it, although its holder
//! lives. So whoever sees a jump takes no lease for run out until as much time has passed as a lease is long: by then
//! everybody who lives has renewed again. Every answer that carries the time is looked at, and so are the leases
//! themselves: one that went back was renewed while the clock was somewhere else.

use crate::coordination::CLOCK_TOLERANCE;
use crate::ids::ServerTime;

const TOLERANCE: i64 = CLOCK_TOLERANCE.as_millis() as i64;

/// Between which two values (the coordinator's clock − the local one) lies, in ms.
#[derive(Clone, Copy)]
struct Bounds {
    low: i64,
    high: i64,
    /// When they were found, on the local clock.
    since: u64,
}

/// What is known of the coordinator's clock, and how often it jumped. Pure.
pub(crate) struct ServerClock {
    /// What later answers are compared with; found anew after this time, so that a clock that is a little slow or fast
    /// does not count as one that jumped.
    max_age: u64,
    bounds: Option<Bounds>,
    offset: i64,
    jumps: u64,
    next_expiry: Option<ServerTime>,
}

impl ServerClock {
    /// `ttl`: of this broker's lease.
    pub(crate) fn new(ttl: u64) -> Self {
        Self { max_age: ttl, bounds: None, offset: 0, jumps: 0, next_expiry: None }
    }

    /// The coordinator's clock showed `now` at some time between these two of the local clock; how far it jumped, if it
    /// did.
    pub(crate) fn read(&mut self, sent: u64, received: u64, now: ServerTime) -> Option<i64> {
        let (low, high) = (now.0 as i64 - received as i64, now.0 as i64 - sent as i64);
        self.offset = low;
        let found = Bounds { low, high, since: received };
        let Some(known) = &mut self.bounds else {
            self.bounds = Some(found);
            return None;
        };
        let off = if low > known.high { low - known.high } else { (high - known.low).min(0) };
        if off.abs() > TOLERANCE {
            *known = found;
            self.jumps += 1;
            return Some(off);
        }
        if received.saturating_sub(known.since) >= self.max_age {
            *known = found;
        } else if low.max(known.low) <= high.min(known.high) {
            (known.low, known.high) = (low.max(known.low), high.min(known.high));
        }
        None
    }

    /// The next lease of another to run out, as a renewal told. `true`: it has run out, and lies before the one told
    /// last, so it was given while the clock was somewhere else.
    pub(crate) fn next_runs_out(&mut self, next: Option<ServerTime>, now: ServerTime) -> bool {
        let before = std::mem::replace(&mut self.next_expiry, next);
        let back = next.zip(before).is_some_and(|(next, before)| next <= now && is_back(next, before));
        self.jumps += u64::from(back);
        back
    }

    /// Whether this lease of another has run out and lies before the next one to run out, as a renewal told last: then it
    /// was given while the clock was somewhere else.
    pub(crate) fn was_given_elsewhere(&mut self, lease: ServerTime, now: ServerTime) -> bool {
        let back = lease <= now && self.next_expiry.is_some_and(|next| is_back(lease, next));
        self.jumps += u64::from(back);
        back
    }

    /// What it shows at this time of the local clock.
    pub(crate) fn at(&self, local: u64) -> ServerTime {
        ServerTime((local as i64 + self.offset).max(0) as u64)
    }

    /// How often it was seen to jump.
    pub(crate) fn jumps(&self) -> u64 {
        self.jumps
    }
}

fn is_back(lease: ServerTime, before: ServerTime) -> bool {
    lease.0 + (TOLERANCE as u64) < before.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> ServerClock {
        let mut clock = ServerClock::new(5000);
        assert_eq!(clock.read(1000, 1010, ServerTime(101_005)), None);
        clock
    }

    #[test]
    fn a_jump_shows_in_the_first_answer_after_it_and_once() {
        let mut clock = clock();
        assert_eq!(clock.read(1500, 1510, ServerTime(101_505)), None);
        let by = clock.read(2000, 2001, ServerTime(99_000)).expect("it jumped");
        assert!((-3010..=-2990).contains(&by), "{by}");
        assert_eq!(clock.read(2500, 2501, ServerTime(99_500)), None);
        assert!(clock.read(2600, 2601, ServerTime(3_702_600)).is_some());
        assert_eq!(clock.jumps(), 2);
    }

    #[test]
    fn a_slow_answer_is_no_jump() {
        let mut clock = clock();
        assert_eq!(clock.read(1500, 6500, ServerTime(101_501)), None);
        assert_eq!(clock.read(1500, 6500, ServerTime(106_499)), None);
        assert!(clock.read(6500, 6501, ServerTime(105_000)).is_some(), "they took nothing from what was known");
    }

    #[test]
    fn a_clock_that_is_a_little_fast_never_jumps_but_steps_add_up_within_a_lease() {
        let mut clock = clock();
        for second in 2..1000 {
            // 5 %, a hundred times more than a clock may be off.
            assert_eq!(clock.read(second * 1000, second * 1000 + 1, ServerTime(100_000 + second * 1050)), None);
        }
        let mut clock = self::clock();
        assert_eq!(clock.read(1500, 1501, ServerTime(101_900)), None);
        assert!(clock.read(2000, 2001, ServerTime(102_800)).is_some());
    }

    #[test]
    fn a_lease_that_ran_out_and_lies_before_the_last_one_was_given_at_another_time() {
        let mut clock = clock();
        let now = ServerTime(200_000);
        assert!(!clock.next_runs_out(Some(ServerTime(204_000)), now));
        // Shorter, but it goes on.
        assert!(!clock.next_runs_out(Some(ServerTime(201_000)), now));
        assert!(!clock.next_runs_out(None, now));
        assert!(!clock.next_runs_out(Some(ServerTime(200_000)), now), "it simply ran out");
        assert!(clock.next_runs_out(Some(ServerTime(199_000)), now));
    }
}
