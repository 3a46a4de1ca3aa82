//! How long to wait before Redis is dialed again.

use std::time::Duration;

/// The first pause after the attempt that is made at once: a restarted server is back within tens of milliseconds.
const FIRST: Duration = Duration::from_millis(20);
/// The longest: everybody is back within a quarter of a second after an outage.
const LONGEST: Duration = Duration::from_millis(250);

/// No pause, then pauses that double, each shortened by a random part of up to a half, so that brokers do not come in step.
pub(super) struct Retry {
    next: Duration,
}

impl Retry {
    pub(super) fn new() -> Self {
        Self { next: Duration::ZERO }
    }

    pub(super) fn pause(&mut self) -> Duration {
        let full = self.next;
        self.next = (full * 2).clamp(FIRST, LONGEST);
        let mut byte = [0u8; 1];
        // Without randomness the pause is only less well spread.
        let _ = getrandom::fill(&mut byte);
        full - full / 512 * u32::from(byte[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_attempt_is_made_at_once_and_pauses_grow_to_the_longest_and_keep_at_least_a_half() {
        let mut retry = Retry::new();
        let pauses: Vec<_> = (0..20).map(|_| retry.pause()).collect();
        assert_eq!(pauses[0], Duration::ZERO);
        assert!(pauses[1] >= FIRST / 2 && pauses[1] <= FIRST);
        assert!(pauses[19] >= LONGEST / 2 && pauses[19] <= LONGEST);
    }
}
