//! The other brokers: looks at them regularly and when hinted, follows who comes and goes, publishes what this one hosts.

use crate::backoff::spread;
use crate::broker::event::{Event, Level};
use crate::broker::inbox::lock;
use crate::broker::life::Life;
use crate::clock::boot_millis;
use crate::coordination::{Membership, Signal, MAX_LOAD};
use crate::error::{Code, Failure};
use crate::ids::Incarnation;
use crate::transport::Connection;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// How often the members are looked at when health checks are off: hosted classes and `restartAll` still need it.
const UNHURRIED: Duration = Duration::from_secs(5);
/// How long one that went before its lease ran out may still be heard.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Looks in a row at which the registry counts another load here than this broker before the two are compared: reports
/// are under way for a moment.
const ODD_LOOKS: u32 = 3;

/// What one look at the members is compared with.
#[derive(Default)]
struct View {
    restart_number: u64,
    odd_looks: u32,
}

impl Life {
    /// Looks at the members regularly and when told to, as long as the life goes on.
    pub async fn keep_membership(self: Arc<Self>) {
        let mut view = View { restart_number: lock(&self.remembered).restart_number, ..View::default() };
        let checks = self.config.health_check_interval > 0;
        let period = if checks { Duration::from_millis(self.config.health_check_interval) } else { UNHURRIED };
        let mut wait = Duration::ZERO;
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.look.notified() => {}
                () = self.next_lease_runs_out(), if checks => {}
            }
            // Half as long again at most: many brokers that started at once do not look at once for ever.
            wait = period + spread(period / 2);
            lock(&self.lanes).trim(boot_millis());
            match self.scan().await {
                Ok(membership) => self.look_at(&membership, &mut view, checks).await,
                Err(error) => self.log(Level::Debug, format!("The members could not be read: {error}")),
            }
        }
    }

    async fn look_at(self: &Arc<Self>, membership: &Membership, view: &mut View, checks: bool) {
        let looked = boot_millis();
        let gone = {
            let mut remembered = lock(&self.remembered);
            remembered.restart_number = remembered.restart_number.max(membership.restart_number);
            let whole = membership.settled && membership.generation == remembered.generation();
            if whole {
                Some(remembered.look(&membership.members))
            } else {
                remembered.met(&membership.members);
                None
            }
        };
        self.watch_anew.notify_one();
        if membership.restart_number > view.restart_number {
            view.restart_number = membership.restart_number;
            self.log(Level::Info, "A restart of all brokers was requested.");
            self.inbox.push(Event::Restart);
        }
        // Where something is missing the next renewal finds out why.
        let Some(gone) = gone else { return };
        for member in gone {
            if member.lease_expires > membership.now {
                self.let_go(member.record.incarnation);
            } else {
                self.part_from(&member.record.incarnation, "the broker is gone");
            }
        }
        if self.unverified.swap(false, Ordering::AcqRel) {
            self.verify.notify_one();
        }
        if membership.claimable > 0 {
            self.claim.notify_one();
        }
        self.repair_record(membership);
        self.compare_loads(membership, view);
        if checks {
            self.evict_overdue(membership, looked).await;
            self.salvage_what_is_left(membership, looked).await;
        }
    }

    /// Publishes this broker's record again where another one stands in its place, or none that can be read.
    fn repair_record(&self, membership: &Membership) {
        let own = membership.members.iter().find(|member| member.record.incarnation == self.incarnation);
        if own.is_none_or(|own| own.record != self.record()) {
            self.publish.notify_one();
        }
    }

    /// What the registry counts here and what lives here: a difference that stays is something that got lost.
    fn compare_loads(&self, membership: &Membership, view: &mut View) {
        let own = membership.members.iter().find(|member| member.record.incarnation == self.incarnation);
        let lives: u64 = lock(&self.residents).iter().map(|(_, resident)| resident.load.min(MAX_LOAD)).sum();
        view.odd_looks = if own.is_some_and(|own| own.load != lives) { view.odd_looks + 1 } else { 0 };
        if view.odd_looks >= ODD_LOOKS {
            view.odd_looks = 0;
            self.audit.notify_one();
        }
    }

    /// It left by itself, or died: its last words may be on their way, what its workers still handled among them.
    fn let_go(self: &Arc<Self>, incarnation: Incarnation) {
        let life = self.clone();
        self.spawn("farewell", async move {
            tokio::time::sleep(LAST_WORDS).await;
            life.part_from(&incarnation, "the broker is gone");
        });
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
                Ok(Signal::Pending) => self.claim.notify_one(),
                Ok(Signal::Dead(incarnation)) => self.hear_of_death(&incarnation).await,
                Ok(Signal::Settled) => {
                    self.moved.notify_waiters();
                    self.look.notify_one();
                }
                Ok(Signal::Overruled(incarnation)) if incarnation == self.incarnation => self.verify.notify_one(),
                Ok(Signal::Overruled(_)) => {}
                Ok(Signal::Foreign(key)) => self.log(
                    Level::Warn,
                    format!("Another program wrote a value of a foreign type to {key:?} in Redis. It was removed."),
                ),
                Ok(Signal::Unreadable(key)) => self.log(
                    Level::Warn,
                    format!("The entry {key:?} in Redis cannot be read: another program wrote it. It was deleted."),
                ),
                Ok(Signal::Resync) | Err(RecvError::Lagged(_)) => {
                    self.check_server();
                    self.look.notify_one();
                    self.claim.notify_one();
                    self.audit.notify_one();
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Whoever can publish can say so: the registry knows.
    async fn hear_of_death(self: &Arc<Self>, incarnation: &Incarnation) {
        let Ok(membership) = self.scan().await else { return self.look.notify_one() };
        let stands = membership.members.iter().any(|member| member.record.incarnation == *incarnation);
        if !stands && *incarnation != self.incarnation {
            self.bury(incarnation);
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
