//! The other brokers: looks at them regularly and when hinted, evicts the dead, publishes what this one hosts.

use crate::broker::event::{Event, Level};
use crate::broker::inbox::lock;
use crate::broker::life::Life;
use crate::clock::boot_millis;
use crate::coordination::{Death, Eviction, Membership, Signal, CHUNK};
use crate::error::{Code, Failure};
use crate::ids::{BrokerId, Incarnation};
use crate::transport::Connection;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// How often the members are looked at when health checks are off: hosted classes and `restartAll` still need it.
const UNHURRIED: Duration = Duration::from_secs(5);

/// What one look at the members is compared with.
pub struct View {
    pub restart_number: u64,
    pub brokers: HashMap<Incarnation, BrokerId>,
}

impl Life {
    /// Looks at the members regularly and when told to, as long as the life goes on.
    pub async fn keep_membership(self: Arc<Self>, mut view: View) {
        let checks = self.config.health_check_interval > 0;
        let period = if checks { Duration::from_millis(self.config.health_check_interval) } else { UNHURRIED };
        let mut interval = tokio::time::interval(period);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = self.look.notified() => {}
            }
            lock(&self.lanes).trim(boot_millis());
            match self.coordinator.scan(&self.incarnation).await {
                Ok(membership) => self.look_at(&membership, &mut view, checks).await,
                Err(error) => self.log(Level::Debug, format!("The members could not be read: {error}")),
            }
        }
    }

    async fn look_at(self: &Arc<Self>, membership: &Membership, view: &mut View, checks: bool) {
        if membership.restart_number > view.restart_number {
            view.restart_number = membership.restart_number;
            self.log(Level::Info, "A restart of all brokers was requested.");
            self.inbox.push(Event::Restart);
        }
        if membership.claimable > 0 {
            self.claim.notify_one();
        }
        *lock(&self.members) = membership.members.clone();
        self.watch_anew.notify_one();
        view.brokers = membership
            .members
            .iter()
            .map(|member| (member.record.incarnation.clone(), member.record.broker.clone()))
            .collect();
        for member in &membership.members {
            let dead = member.lease_expires < membership.now && member.record.incarnation != self.incarnation;
            if dead && checks && self.lease.holds() {
                self.evict(
                    &member.record.incarnation,
                    &member.record.broker,
                    &Death::Expired { expected: membership.now },
                )
                .await;
            }
        }
    }

    /// Removes a dead incarnation and salvages its workers, in chunks.
    pub async fn evict(self: &Arc<Self>, dead: &Incarnation, broker: &BrokerId, death: &Death) {
        loop {
            match self.coordinator.evict(&self.incarnation, dead, death, CHUNK).await {
                Ok(Eviction::Evicted { remaining: 0, .. }) => break,
                Ok(Eviction::Evicted { .. }) => {}
                Ok(Eviction::Alive { .. } | Eviction::NotMember | Eviction::Unsettled | Eviction::ClockOff { .. }) => {
                    return
                }
                Err(error) => {
                    self.log(Level::Warn, format!("The broker \"{broker}\" could not be evicted yet: {error}"));
                    return;
                }
            }
        }
        self.log(Level::Warn, format!("The broker \"{broker}\" is dead: its workers are recovered."));
        self.tell_dead(dead);
        self.part_from(dead, "the broker is dead");
        self.claim.notify_one();
    }

    /// Tells JavaScript of a death, once: a member that is known to be dead is forgotten.
    fn tell_dead(&self, dead: &Incarnation) {
        let mut members = lock(&self.members);
        if let Some(place) = members.iter().position(|member| member.record.incarnation == *dead) {
            let broker = members.swap_remove(place).record.broker.to_string();
            self.inbox.push(Event::BrokerDead { broker });
        }
    }

    /// What was in flight to this incarnation is failed at once, and its routes are dropped.
    pub fn part_from(&self, incarnation: &Incarnation, why: &str) {
        lock(&self.peers).remove(incarnation);
        let leads_there = |connection: &Connection| connection.peer().incarnation == *incarnation;
        for transport in self.transport.get().into_iter().chain(self.watch.transport()) {
            transport.cut_off(leads_there, why);
        }
    }

    /// Follows hints, as long as the life goes on.
    pub async fn keep_signals(self: Arc<Self>) {
        let mut signals = self.coordinator.signals();
        loop {
            match signals.recv().await {
                Ok(Signal::Members | Signal::Restart) => self.look.notify_one(),
                Ok(Signal::Overruled(_)) => {}
                Ok(Signal::Pending | Signal::Settled) => self.claim.notify_one(),
                Ok(Signal::Dead(incarnation)) => {
                    self.tell_dead(&incarnation);
                    self.part_from(&incarnation, "the broker is dead");
                    self.claim.notify_one();
                }
                Ok(Signal::Resync) | Err(RecvError::Lagged(_)) => {
                    self.look.notify_one();
                    self.claim.notify_one();
                    self.audit.notify_one();
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Asks every broker of the namespace to restart; answers under `slot`.
    pub fn restart_all(self: &Arc<Self>, slot: u64) {
        let life = self.clone();
        self.operate("restart all", slot, async move {
            match life.coordinator.request_restart().await {
                Ok(_) => Event::done(slot),
                Err(error) => Event::failed(slot, Failure::new(Code::Redis, error.to_string())),
            }
        });
    }

    /// Publishes this broker's record when it changed, as long as the life goes on.
    pub async fn keep_record(self: Arc<Self>) {
        let mut backoff = self.backoff();
        loop {
            self.publish.notified().await;
            if let Err(error) = self.coordinator.update(&self.record()).await {
                self.log(Level::Warn, format!("This broker's record could not be published yet: {error}"));
                tokio::time::sleep(backoff.next_wait()).await;
                self.publish.notify_one();
            }
        }
    }
}
