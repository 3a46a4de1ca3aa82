//! Waiting times between tries: doubling, bounded, with jitter so that many do not try at once.

use std::time::Duration;

/// An endless sequence of waiting times.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    pub fn new(initial: Duration, max: Duration) -> Self {
        Self { next: initial.max(Duration::from_millis(1)), max: max.max(Duration::from_millis(1)) }
    }

    /// The next waiting time: between 75 % and 100 % of the doubled interval.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.next.min(self.max);
        self.next = (wait * 2).min(self.max);
        let mut byte = [0u8; 1];
        // Without a random source there is no jitter, which only costs simultaneity.
        let _ = getrandom::fill(&mut byte);
        wait - wait * u32::from(byte[0]) / 1024
    }
}

/// Any time up to this one, each as likely, so that many who wait do not come together.
pub fn spread(time: Duration) -> Duration {
    let mut bytes = [0u8; 2];
    // Without a random source all wait for half of it.
    let part = getrandom::fill(&mut bytes).map_or(u16::MAX / 2, |()| u16::from_le_bytes(bytes));
    time * u32::from(part) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spread_from_none_to_the_whole() {
        let whole = Duration::from_secs(1);
        let times: Vec<_> = (0..1000).map(|_| spread(whole)).collect();
        assert!(times.iter().all(|time| *time <= whole));
        assert!(times.iter().any(|time| *time < whole / 10) && times.iter().any(|time| *time > whole * 9 / 10));
    }

    #[test]
    fn waits_double_up_to_the_maximum() {
        let mut backoff = Backoff::new(Duration::from_millis(40), Duration::from_millis(800));
        let waits: Vec<_> = (0..7).map(|_| backoff.next_wait().as_millis()).collect();
        for (wait, full) in waits.iter().zip([40, 80, 160, 320, 640, 800, 800]) {
            assert!(*wait <= full && *wait * 4 >= full * 3 - 4, "{wait} is not within 75 % to 100 % of {full}");
        }
    }
}
