//! Removing the dead from the registry: whose lease ran out, and when that may be believed.

use crate::broker::event::{Event, Level};
use crate::broker::inbox::lock;
use crate::broker::life::Life;
use crate::clock::boot_millis;
use crate::coordination::{Death, Eviction, Member, Membership, CHUNK};
use crate::ids::{BrokerId, Incarnation, ServerTime};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// From so many members on it is suspicious when more than half of them fall silent together.
const MANY: usize = 3;

/// Who fell silent within half a lease of each other fell silent together: up to so much lies between two renewals, so
/// that those whom one event silenced do not all run out at once.
fn silent(member: &Member, now: ServerTime) -> bool {
    member.lease_expires.0 <= now.0 + member.record.lease_ttl.as_millis() as u64 / 2
}

/// The members whose lease ran out and who may be evicted. Where most of them fell silent together, rather the server
/// or the network was away: they have one more lease's time to come back.
fn overdue(membership: &Membership, own: &Incarnation) -> Vec<Member> {
    let (members, now) = (&membership.members, membership.now);
    let others = || members.iter().filter(|member| member.record.incarnation != *own);
    let together = members.len() >= MANY && 2 * others().filter(|member| silent(member, now)).count() > members.len();
    let over = |member: &&Member| {
        let more = if together { member.record.lease_ttl.as_millis() as u64 } else { 0 };
        member.lease_expires.0 + more <= now.0
    };
    others().filter(over).cloned().collect()
}

/// What the server's clock shows now unless it jumped since the members were looked at, `looked` on the local clock.
/// What it is known to show by other answers does not count: a lease was seen to have run out on this one.
fn expected(membership: &Membership, looked: u64) -> ServerTime {
    ServerTime(membership.now.0 + boot_millis().saturating_sub(looked))
}

impl Life {
    /// Until the next lease of another broker runs out, as the last renewal told.
    pub async fn next_lease_runs_out(&self) {
        let mut expiries = self.next_expiry.subscribe();
        loop {
            let next = *expiries.borrow_and_update();
            let wait = Duration::from_millis(next.saturating_sub(boot_millis()));
            tokio::select! {
                _ = expiries.changed() => {}
                () = tokio::time::sleep(wait), if next != u64::MAX => {
                    // Only a later renewal brings it up again.
                    self.next_expiry.send_if_modified(|current| *current == next && { *current = u64::MAX; true });
                    return;
                }
            }
        }
    }

    /// Evicts those whose leases ran out. Only who was well for as long as their lease is, on the same database and an
    /// even clock, can tell that they did not renew.
    pub async fn evict_overdue(self: &Arc<Self>, membership: &Membership, looked: u64) {
        for member in overdue(membership, &self.incarnation) {
            let long_enough = self.config.lease.ttl.max(member.record.lease_ttl.as_millis() as u64);
            let well = boot_millis().saturating_sub(self.well_since.load(Ordering::Acquire));
            if self.lease.holds() && well >= long_enough {
                let death = Death::Expired { expected: expected(membership, looked) };
                self.evict(&member.record.incarnation, &member.record.broker, &death).await;
            }
        }
    }

    /// Goes on where somebody began to evict another, or to leave, and came to an end.
    pub async fn salvage_what_is_left(self: &Arc<Self>, membership: &Membership, looked: u64) {
        for gone in &membership.unsalvaged {
            let death = Death::Expired { expected: expected(membership, looked) };
            while let Ok(Eviction::Evicted { remaining: 1.., .. }) =
                self.coordinator.evict(&self.incarnation, gone, &death, CHUNK).await
            {}
            self.claim.notify_one();
        }
    }

    /// Removes a dead incarnation and salvages its workers, in chunks.
    pub async fn evict(self: &Arc<Self>, dead: &Incarnation, broker: &BrokerId, death: &Death) {
        loop {
            match self.coordinator.evict(&self.incarnation, dead, death, CHUNK).await {
                Ok(Eviction::Evicted { remaining: 0, .. }) => break,
                Ok(Eviction::Evicted { .. }) => {}
                Ok(Eviction::Alive { .. } | Eviction::NotMember | Eviction::Unsettled) => return,
                Ok(Eviction::ClockOff { now }) => {
                    let text = format!("The server's clock shows {} where another time was expected", now.0);
                    return self.log(Level::Info, format!("{text}: \"{broker}\" is not evicted yet."));
                }
                Err(error) => {
                    self.log(Level::Warn, format!("The broker \"{broker}\" could not be evicted yet: {error}"));
                    return;
                }
            }
        }
        self.log(Level::Warn, format!("The broker \"{broker}\" is dead: its workers are recovered."));
        self.bury(dead);
    }

    /// This incarnation is dead: JavaScript is told, once, and what was in flight to it fails.
    pub fn bury(&self, dead: &Incarnation) {
        let known = lock(&self.remembered).forget(dead);
        if let Some(member) = known {
            self.inbox.push(Event::BrokerDead { broker: member.record.broker.to_string() });
        }
        self.part_from(dead, "the broker is dead");
        self.claim.notify_one();
        self.moved.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordination::BrokerRecord;
    use crate::ids::Endpoint;

    const NOW: u64 = 1_000_000;

    /// Members whose leases of 5 s ran out so long ago; the first is the one that looks.
    fn membership(ago: &[i64]) -> Membership {
        let member = |(number, ago): (usize, &i64)| Member {
            record: BrokerRecord {
                incarnation: Incarnation::new(number.to_string()),
                broker: "b".into(),
                cluster: "main".into(),
                address: Endpoint { host: "h".into(), port: 1 },
                classes: Default::default(),
                protocol: (1, 1),
                lease_ttl: Duration::from_secs(5),
                strict: false,
                draining: false,
            },
            lease_expires: ServerTime((NOW as i64 - ago) as u64),
            load: 0,
        };
        Membership {
            now: ServerTime(NOW),
            members: ago.iter().enumerate().map(member).collect(),
            claimable: 0,
            restart_number: 0,
            generation: String::new(),
            settled: true,
            unsalvaged: Vec::new(),
        }
    }

    fn evicted(ago: &[i64]) -> Vec<String> {
        overdue(&membership(ago), &"0".into()).iter().map(|member| member.record.incarnation.to_string()).collect()
    }

    #[test]
    fn a_lease_has_run_out_at_its_end_and_not_before() {
        assert_eq!(evicted(&[-5000, 0, -1, -5000]), ["1"]);
    }

    #[test]
    fn nobody_evicts_itself() {
        assert!(evicted(&[1]).is_empty());
    }

    #[test]
    fn most_of_three_or_more_have_one_more_lease_to_come_back() {
        assert!(evicted(&[-4000, 1, 4999]).is_empty());
        assert_eq!(evicted(&[-4000, 1, 5000]), ["2"]);
        assert_eq!(evicted(&[-4000, 5000, 5000]), ["1", "2"]);
        // The other one of two.
        assert_eq!(evicted(&[-4000, 1]), ["1"]);
        // Half of four.
        assert_eq!(evicted(&[-4000, 1, 1, -2501]), ["1", "2"]);
    }

    #[test]
    fn who_will_run_out_within_half_a_lease_fell_silent_together_with_who_has() {
        assert!(evicted(&[-4000, 1, -2500]).is_empty());
        assert_eq!(evicted(&[-4000, 1, -2501]), ["1"]);
        assert!(evicted(&[-4000, 0, -400, -2400]).is_empty());
    }
}
