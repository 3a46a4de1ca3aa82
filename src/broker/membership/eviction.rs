//! Removing the dead from the registry: whose lease ran out, and who does it.
//!
//! A renewal names the next lease to run out. When it has, the brokers take turns (see [`ranking`](super::ranking)): the
//! first one evicts, and the hint of that spares the others all but one look at the dead one alone. Without the hint each
//! tries in its turn; evicting again is harmless.

use crate::broker::context::shared::Context;
use crate::broker::js::event::Event;
use crate::broker::lease::expiry::{Reading, Upcoming};
use crate::broker::lease::room::Lease;
use crate::broker::membership::members::Members;
use crate::broker::membership::{quarantine, ranking};
use crate::clock::boot_millis;
use crate::coordination::{Death, Eviction, CHUNK};
use crate::ids::{BrokerId, Incarnation};
use crate::level::Level;
use crate::lock::lock;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Finds out who is dead, and removes the dead from the registry.
pub struct Deaths {
    pub(super) context: Arc<Context>,
    pub(super) lease: Arc<Lease>,
    pub(super) members: Arc<Members>,
}

impl Deaths {
    pub(super) fn new(context: &Arc<Context>, lease: &Arc<Lease>, members: &Arc<Members>) -> Arc<Self> {
        Arc::new(Self { context: context.clone(), lease: lease.clone(), members: members.clone() })
    }

    /// Evicts brokers whose leases run out, as renewals tell, as long as the life goes on.
    pub async fn keep_evicting(self: Arc<Self>) {
        let mut expiries = self.lease.expiries();
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
        if dead == self.context.incarnation || !self.members.peers.begin_eviction(&dead) {
            return;
        }
        let deaths = self.clone();
        self.context.spawn("eviction", async move {
            let mut wait = Duration::ZERO;
            loop {
                sleep(wait + deaths.turn(&dead)).await;
                match deaths.evict_overdue(&dead, &reading).await {
                    Some(Eviction::Outage { until }) => {
                        wait = Duration::from_millis(until.0.saturating_sub(reading.expected().0));
                    }
                    _ => break,
                }
            }
            deaths.members.peers.end_eviction(&dead);
        });
    }

    /// How long this broker leaves it to others to evict this one.
    pub fn turn(&self, dead: &Incarnation) -> Duration {
        ranking::turn(self.eviction_rank(dead))
    }

    fn eviction_rank(&self, dead: &Incarnation) -> usize {
        let doubted = self.members.doubted();
        ranking::eviction_rank(&lock(&self.members.remembered).members, &self.context.incarnation, dead, &doubted)
    }

    /// Only who was well for as long as the lease of the other is, on the same database and an even clock, can tell that it
    /// was not renewed. `None`: nothing was tried, or nothing came of it.
    async fn evict_overdue(self: &Arc<Self>, dead: &Incarnation, reading: &Reading) -> Option<Eviction> {
        let record = lock(&self.members.remembered).members.get(dead).cloned()?;
        let long_enough = self.context.config.lease.ttl.max(record.lease_ttl.as_millis() as u64);
        if !self.lease.holds() || self.lease.well_for() < long_enough {
            return None;
        }
        let eviction = self.evict(dead, &record.broker, &Death::Expired { expected: reading.expected() }).await;
        if matches!(eviction, Some(Eviction::Evicted { .. })) {
            // Others may have fallen silent with it.
            self.members.changes.look_now();
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
                quarantine::report(&self.context, quarantined);
                recovered_any |= recovered > 0;
                if remaining == 0 {
                    break;
                }
            }
            if recovered_any {
                self.members.claim_everything();
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
                    quarantine::report(&self.context, quarantined);
                    if remaining == 0 {
                        break Eviction::Evicted { recovered, deleted, remaining, quarantined: Vec::new() };
                    }
                }
                Ok(Eviction::ClockOff { now }) => {
                    let text = format!("The clock of Redis shows an unexpected time ({}).", now.0);
                    self.context.log(Level::Info, format!("{text} Evicting broker \"{broker}\" later."));
                    return Some(Eviction::ClockOff { now });
                }
                Ok(other) => return Some(other),
                Err(error) => {
                    self.context
                        .log(Level::Warn, format!("Broker \"{broker}\" could not be evicted: {error}. Retrying."));
                    return None;
                }
            }
        };
        self.context
            .log(Level::Warn, format!("Broker \"{broker}\" is dead. Its recoverable workers are being recovered."));
        self.bury(dead);
        if recovered_any {
            self.members.claim_everything();
        }
        Some(last)
    }

    /// This incarnation is dead: JavaScript is told, once, and what was in flight to it fails.
    pub fn bury(&self, dead: &Incarnation) {
        let known = lock(&self.members.remembered).bury(dead);
        self.mourn(dead, known.map(|record| record.broker));
    }

    /// The same, of one that is forgotten already; `broker`: its id, where this broker knew it.
    pub fn mourn(&self, dead: &Incarnation, broker: Option<BrokerId>) {
        if let Some(broker) = broker {
            self.context.inbox.push(Event::BrokerDead { broker: broker.to_string() });
        }
        self.members.part_from(dead, "the broker is dead");
        self.members.changes.watch_anew();
        self.members.changes.moved();
    }
}
