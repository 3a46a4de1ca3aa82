//! Which broker acts first where any of them could, so that the others need not. Pure.

use crate::coordination::BrokerRecord;
use crate::ids::{ClassName, ClusterName, Incarnation, WorkerId};
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;

/// The members by incarnation.
pub(crate) type Members = BTreeMap<Incarnation, BrokerRecord>;

/// Between the turns of two brokers.
const TURN: Duration = Duration::from_millis(20);
/// The longest that any broker waits for its turn.
const LAST_TURN: Duration = Duration::from_millis(300);

/// How long a broker of this rank leaves an eviction to those before it.
pub(crate) fn turn(rank: usize) -> Duration {
    TURN.saturating_mul(u32::try_from(rank).unwrap_or(u32::MAX)).min(LAST_TURN)
}

/// How many brokers come before `own` in evicting `dead`: those between the two, going down the order of incarnations from
/// the dead one and around the end. So the first are those that watch it. Who is suspected itself or is draining does not
/// count.
pub(crate) fn eviction_rank(
    members: &Members,
    own: &Incarnation,
    dead: &Incarnation,
    suspected: &HashSet<Incarnation>,
) -> usize {
    let before = members.range::<Incarnation, _>(..dead).rev();
    let after = members.range::<Incarnation, _>((Excluded(dead), Unbounded)).rev();
    let able = |record: &BrokerRecord| !record.draining && !suspected.contains(&record.incarnation);
    let ahead = before.chain(after).take_while(|(incarnation, _)| *incarnation != own);
    ahead.filter(|(_, record)| able(record)).count()
}

/// How many brokers come before `own` in claiming this worker. Each worker has an order of its own, so that no broker is the
/// first for all.
pub(crate) fn claim_rank(
    members: &Members,
    own: &Incarnation,
    place: (&ClusterName, &ClassName),
    worker: &WorkerId,
    suspected: &HashSet<Incarnation>,
) -> usize {
    let (cluster, class) = place;
    let own = (order(own, worker), own);
    let ahead = members.values().filter(|record| {
        let able = !record.draining && !suspected.contains(&record.incarnation);
        let hosts = record.cluster == *cluster && record.classes.contains(class);
        able && hosts && (order(&record.incarnation, worker), &record.incarnation) < own
    });
    ahead.count()
}

fn order(incarnation: &Incarnation, worker: &WorkerId) -> u64 {
    let mut hasher = DefaultHasher::new();
    (incarnation.as_str(), worker.as_str()).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Endpoint;

    fn members(names: &[&str]) -> Members {
        let record = |name: &&str| BrokerRecord {
            incarnation: (*name).into(),
            broker: (*name).into(),
            cluster: "main".into(),
            address: Endpoint { host: "h".into(), port: 1 },
            classes: [ClassName::new("Room")].into(),
            protocol: (1, 1),
            lease_ttl: Duration::from_secs(5),
            strict: false,
            draining: false,
            process: Default::default(),
        };
        names.iter().map(|name| ((*name).into(), record(name))).collect()
    }

    fn ranks(members: &Members, dead: &str, suspected: &[&str]) -> Vec<usize> {
        let suspected = suspected.iter().map(Incarnation::new).collect();
        let others = members.keys().filter(|name| name.as_str() != dead);
        others.map(|own| eviction_rank(members, own, &dead.into(), &suspected)).collect()
    }

    #[test]
    fn every_broker_has_a_rank_of_its_own_and_those_that_watch_the_dead_one_come_first() {
        let members = members(&["a", "b", "c", "d", "e"]);
        assert_eq!(ranks(&members, "c", &[]), [1, 0, 3, 2]);
        assert_eq!(ranks(&members, "a", &[]), [3, 2, 1, 0]);
        assert_eq!(ranks(&members, "gone", &[]), [4, 3, 2, 1, 0]);
    }

    #[test]
    fn who_is_suspected_or_draining_is_passed_over() {
        let mut members = members(&["a", "b", "c", "d", "e"]);
        assert_eq!(ranks(&members, "c", &["b", "c"]), [0, 0, 2, 1]);
        members.get_mut(&Incarnation::new("a")).unwrap().draining = true;
        assert_eq!(ranks(&members, "c", &["b", "c"]), [0, 0, 1, 0]);
    }

    #[test]
    fn turns_end() {
        assert_eq!((turn(0), turn(2)), (Duration::ZERO, Duration::from_millis(40)));
        assert_eq!(turn(usize::MAX), LAST_TURN);
    }

    #[test]
    fn every_worker_has_an_order_of_brokers_of_its_own() {
        let members = members(&["a", "b", "c", "d", "e", "f", "g", "h"]);
        let (cluster, class) = ("main".into(), "Room".into());
        let mut first = HashSet::new();
        for number in 0..100 {
            let worker = WorkerId::new(format!("w{number}"));
            let rank = |own| claim_rank(&members, own, (&cluster, &class), &worker, &HashSet::new());
            let mut ranks: Vec<_> = members.keys().map(rank).collect();
            first.insert(ranks.iter().position(|rank| *rank == 0));
            ranks.sort();
            assert_eq!(ranks, [0, 1, 2, 3, 4, 5, 6, 7]);
        }
        assert_eq!(first.len(), members.len());
        let rank = claim_rank(&members, &"a".into(), (&"side".into(), &class), &"w".into(), &HashSet::new());
        assert_eq!(rank, 0, "nobody else hosts it there");
    }
}
