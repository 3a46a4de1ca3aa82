//! Brokers that could not be reached or did not take a worker up: placement avoids them for a while. Pure: takes `now`.

use crate::ids::Incarnation;
use std::collections::HashMap;

/// The first pause, ms; each further failure doubles it.
const FIRST_PAUSE: u64 = 1000;
const LONGEST_PAUSE: u64 = 30_000;
/// Brokers that are avoided at once at most: each one makes every placement's script longer.
const MAX_AVOIDED: usize = 32;

struct Avoidance {
    until: u64,
    pause: u64,
}

/// The brokers that placement avoids, and until when. Pure.
#[derive(Default)]
pub(crate) struct Avoided(HashMap<Incarnation, Avoidance>);

impl Avoided {
    /// It failed now. `true`: it was not avoided at this moment.
    pub(crate) fn failed(&mut self, broker: &Incarnation, now: u64) -> bool {
        self.0.retain(|_, avoidance| now < avoidance.until + LONGEST_PAUSE);
        if self.0.len() >= MAX_AVOIDED && !self.0.contains_key(broker) {
            return false;
        }
        let avoidance = self.0.entry(broker.clone()).or_insert(Avoidance { until: 0, pause: FIRST_PAUSE });
        // Failures of calls that began before the pause tell nothing new.
        let is_new = now >= avoidance.until;
        if is_new {
            avoidance.until = now + avoidance.pause;
            avoidance.pause = (2 * avoidance.pause).min(LONGEST_PAUSE);
        }
        is_new
    }

    pub(crate) fn worked(&mut self, broker: &Incarnation) {
        self.0.remove(broker);
    }

    pub(crate) fn current(&self, now: u64) -> Vec<Incarnation> {
        self.0.iter().filter(|(_, avoidance)| now < avoidance.until).map(|(broker, _)| broker.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_avoided_for_longer_and_longer_until_it_works() {
        let (mut avoided, broker) = (Avoided::default(), Incarnation::new("b"));
        assert!(avoided.failed(&broker, 0) && !avoided.failed(&broker, 10));
        assert_eq!(avoided.current(FIRST_PAUSE - 1), std::slice::from_ref(&broker));
        assert!(avoided.current(FIRST_PAUSE).is_empty());
        assert!(avoided.failed(&broker, FIRST_PAUSE));
        assert_eq!(avoided.current(3 * FIRST_PAUSE - 1), std::slice::from_ref(&broker));
        assert!(avoided.current(3 * FIRST_PAUSE).is_empty());
        avoided.worked(&broker);
        assert!(avoided.failed(&broker, 4 * FIRST_PAUSE) && avoided.current(5 * FIRST_PAUSE).is_empty());
    }

    #[test]
    fn the_number_of_avoided_brokers_is_bounded() {
        let mut avoided = Avoided::default();
        let failed = (0..100).filter(|n| avoided.failed(&Incarnation::new(n.to_string()), 1)).count();
        assert_eq!(failed, MAX_AVOIDED);
        assert_eq!(avoided.current(2).len(), MAX_AVOIDED);
    }
}
