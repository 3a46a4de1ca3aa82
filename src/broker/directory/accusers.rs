//! Which brokers could not connect to this one lately. Pure: takes `now`.

use crate::ids::Incarnation;
use std::collections::HashMap;

/// How long a complaint counts, ms. A broker complains about another one once a minute at most.
pub(crate) const MEMORY: u64 = 90_000;
/// Complaining brokers that are remembered at most.
const MOST: usize = 4096;

/// The brokers that complained of this one, and when each did so last.
#[derive(Default)]
pub(crate) struct Accusers(HashMap<Incarnation, u64>);

impl Accusers {
    /// This broker complained.
    pub(crate) fn note(&mut self, by: Incarnation, now: u64) {
        self.0.retain(|_, heard| now < heard.saturating_add(MEMORY));
        if self.0.len() < MOST || self.0.contains_key(&by) {
            self.0.insert(by, now);
        }
    }

    /// The brokers whose complaints still count.
    pub(crate) fn current(&self, now: u64) -> Vec<Incarnation> {
        let recent = self.0.iter().filter(|(_, heard)| now < heard.saturating_add(MEMORY));
        recent.map(|(accuser, _)| accuser.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_counts_for_a_while_and_a_broker_counts_once() {
        let mut accusers = Accusers::default();
        accusers.note("a".into(), 1);
        accusers.note("a".into(), 2);
        assert_eq!(accusers.current(MEMORY + 1).len(), 1);
        assert!(accusers.current(MEMORY + 2).is_empty());
    }

    #[test]
    fn the_number_of_complaining_brokers_is_bounded() {
        let mut accusers = Accusers::default();
        (0..MOST + 10).for_each(|number| accusers.note(Incarnation::new(number.to_string()), 1));
        assert_eq!(accusers.current(1).len(), MOST);
    }
}
