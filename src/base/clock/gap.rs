//! A clock for systems whose monotonic clock may stand still while the machine sleeps.

/// What the wall clock may gain between two readings without a gap: steps of time synchronisation.
const GAP: u64 = 250;

/// What the wall clock gains on the monotonic one between two readings counts as time that passed. A wall clock that is set
/// ahead makes leases look expired until they are renewed, which is safe; one that is set back changes nothing.
#[derive(Default)]
pub(super) struct GapClock {
    /// The last readings: monotonic, wall.
    last: Option<(u64, u64)>,
    /// What was slept through so far.
    slept: u64,
}

impl GapClock {
    /// Milliseconds that have passed, when the clocks show these.
    pub(super) fn read(&mut self, monotonic: u64, wall: u64) -> u64 {
        if let Some((before, wall_before)) = self.last {
            let gained = wall.saturating_sub(wall_before).saturating_sub(monotonic.saturating_sub(before));
            if gained > GAP {
                self.slept += gained;
            }
        }
        self.last = Some((monotonic, wall));
        monotonic + self.slept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_the_monotonic_clock_counts_and_steps_of_the_wall_clock_open_nothing() {
        let mut clock = GapClock::default();
        assert_eq!(clock.read(1000, 9_500_000), 1000);
        assert_eq!(clock.read(1100, 9_500_100), 1100);
        assert_eq!(clock.read(1200, 9_508_200), 9200, "slept for 8 s");
        assert_eq!(clock.read(1300, 9_508_300 - 3_600_000), 9300, "an hour back");
        assert_eq!(clock.read(1400, 9_508_400 - 3_600_000), 9400);
        assert_eq!(clock.read(1500, 9_508_700 - 3_600_000), 9500, "a small correction");
    }
}
