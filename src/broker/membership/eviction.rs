//! Removing the dead from the registry: whose lease ran out, and who does it.
//!
//! A renewal names the next lease to run out. When it has, the brokers take turns (see [`ranking`](super::ranking)): the
//! first one evicts, and the hint of that spares the others all but one look at the dead one alone. Without the hint each
//! tries in its turn; evicting again is harmless.

use crate::broker::incarnation::Life;
use crate::broker::js::event::Event;
use crate::broker::membership::ranking;
use crate::clock::boot_millis;
use crate::coordination::{Death, Eviction, CHUNK};
use crate::ids::{BrokerId, Incarnation, ServerTime};
use crate::level::Level;
use crate::lock::lock;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// The server's clock showed `server` when the local one showed `local`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    pub server: ServerTime,
    pub local: u64,
}

impl Reading {
    /// What the server's clock shows now, unless it jumped since. What later answers say of it does not count: a lease was
    /// seen to have run out on this clock.
    fn expected(&self) -> ServerTime {
        ServerTime(self.server.0 + boot_millis().saturating_sub(self.local))
    }
}

/// Whose lease is the next to run out, of all other brokers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upcoming {
    pub incarnation: Incarnation,
    /// When, on the local clock.
    pub due: u64,
    /// From the answer that told it.
    pub reading: Reading,
}

impl Life {
    /// Evicts brokers whose leases run out, as renewals tell, as long as the life goes on.
    pub async fn keep_evicting(self: Arc<Self>) {
        let mut expiries = self.next_expiry.subscribe();
        loop {
            let next = expiries.borrow_and_update().clone();
            let Some(Upcoming { incarnation, due, reading }) = next else {
                if expiries.changed().await.is_err() {
                    return;
                }
                continue;
            };
            tokio::select! {
                changed = expiries.changed() => if changed.is_err() { return },
                () = sleep(Duration::from_millis(due.saturating_sub(boot_millis()))) => {
                    self.evict_in_turn(incarnation, reading);
                    // Only a later renewal brings it up again.
                    if expiries.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Evicts one whose lease has run out on the clock of this reading, unless another broker did so when it is this one's
    /// turn.
    pub fn evict_in_turn(self: &Arc<Self>, dead: Incarnation, reading: Reading) {
        if dead == self.context.incarnation || !lock(&self.watch.evicting).insert(dead.clone()) {
            return;
        }
        let life = self.clone();
        self.context.spawn("eviction", async move {
            let mut wait = Duration::ZERO;
            loop {
                sleep(wait + life.turn(&dead)).await;
                match life.evict_overdue(&dead, &reading).await {
                    Some(Eviction::Outage { until }) => {
                        wait = Duration::from_millis(until.0.saturating_sub(reading.expected().0));
                    }
                    _ => break,
                }
            }
            lock(&life.watch.evicting).remove(&dead);
        });
    }

    /// How long this broker leaves it to others to evict this one.
    pub fn turn(&self, dead: &Incarnation) -> Duration {
        ranking::turn(self.eviction_rank(dead))
    }

    fn eviction_rank(&self, dead: &Incarnation) -> usize {
        let suspected = self.suspected();
        ranking::eviction_rank(&lock(&self.remembered).members, &self.context.incarnation, dead, &suspected)
    }

    /// Brokers that may be dead, as far as this one can tell.
    pub fn suspected(&self) -> HashSet<Incarnation> {
        let mut suspected = lock(&self.watch.unreachable).clone();
        suspected.extend(lock(&self.watch.suspects).iter().cloned());
        suspected.extend(lock(&self.watch.evicting).iter().cloned());
        suspected
    }

    /// Only who was well for as long as the lease of the other is, on the same database and an even clock, can tell that it
    /// was not renewed. `None`: nothing was tried, or nothing came of it.
    async fn evict_overdue(self: &Arc<Self>, dead: &Incarnation, reading: &Reading) -> Option<Eviction> {
        let record = lock(&self.remembered).members.get(dead).cloned()?;
        let long_enough = self.context.config.lease.ttl.max(record.lease_ttl.as_millis() as u64);
        let well = boot_millis().saturating_sub(self.well_since.load(Ordering::Acquire));
        if !self.lease.holds() || well < long_enough {
            return None;
        }
        let eviction = self.evict(dead, &record.broker, &Death::Expired { expected: reading.expected() }).await;
        if matches!(eviction, Some(Eviction::Evicted { .. })) {
            // Others may have fallen silent with it.
            self.look.notify_one();
        }
        eviction
    }

    /// Goes on where a broker began to evict another, or to leave, and came to an end. The first one does so at once, the
    /// others with what was left at their last look already.
    pub async fn salvage_what_is_left(
        self: &Arc<Self>,
        left: &[Incarnation],
        reading: &Reading,
        before: &[Incarnation],
    ) {
        let others = left.iter().filter(|gone| before.contains(gone) || self.eviction_rank(gone) == 0);
        for gone in others {
            let mut recovered_any = false;
            let death = Death::Expired { expected: reading.expected() };
            while let Ok(Eviction::Evicted { recovered, remaining, quarantined, .. }) =
                self.context.coordinator.evict(&self.context.incarnation, gone, &death, CHUNK).await
            {
                self.tell_of_quarantine(quarantined);
                recovered_any |= recovered > 0;
                if remaining == 0 {
                    break;
                }
            }
            if recovered_any {
                self.claim_everything();
            }
        }
    }

    /// Removes a dead incarnation and salvages its workers, in chunks; the last answer.
    pub async fn evict(self: &Arc<Self>, dead: &Incarnation, broker: &BrokerId, death: &Death) -> Option<Eviction> {
        let mut recovered_any = false;
        let last = loop {
            match self.context.coordinator.evict(&self.context.incarnation, dead, death, CHUNK).await {
                Ok(Eviction::Evicted { recovered, deleted, remaining, quarantined }) => {
                    recovered_any |= recovered > 0;
                    self.tell_of_quarantine(quarantined);
                    if remaining == 0 {
                        break Eviction::Evicted { recovered, deleted, remaining, quarantined: Vec::new() };
                    }
                }
                Ok(Eviction::ClockOff { now }) => {
                    let text = format!("The server's clock shows {} where another time was expected", now.0);
                    self.context.log(Level::Info, format!("{text}: \"{broker}\" is not evicted yet."));
                    return Some(Eviction::ClockOff { now });
                }
                Ok(other) => return Some(other),
                Err(error) => {
                    self.context.log(Level::Warn, format!("The broker \"{broker}\" could not be evicted yet: {error}"));
                    return None;
                }
            }
        };
        self.context.log(Level::Warn, format!("The broker \"{broker}\" is dead: its workers are recovered."));
        self.bury(dead);
        if recovered_any {
            self.claim_everything();
        }
        Some(last)
    }

    /// This incarnation is dead: JavaScript is told, once, and what was in flight to it fails.
    pub fn bury(&self, dead: &Incarnation) {
        let known = lock(&self.remembered).bury(dead);
        self.mourn(dead, known.map(|record| record.broker));
    }

    /// The same, of one that is forgotten already; `broker`: its id, where this broker knew it.
    pub fn mourn(&self, dead: &Incarnation, broker: Option<BrokerId>) {
        if let Some(broker) = broker {
            self.context.inbox.push(Event::BrokerDead { broker: broker.to_string() });
        }
        self.part_from(dead, "the broker is dead");
        self.watch_anew.notify_one();
        self.moved.notify_waiters();
    }
}
