//! The other brokers: follows who comes and goes, by looks and by hints; publishes what this one hosts.

use crate::backoff::spread;
use crate::broker::incarnation::Life;
use crate::broker::js::event::Event;
use crate::broker::membership::eviction::Reading;
use crate::clock::boot_millis;
use crate::coordination::{Departure, Look, Signal, MAX_LOAD};
use crate::error::{Code, Failure};
use crate::ids::Incarnation;
use crate::level::Level;
use crate::lock::lock;
use crate::transport::Connection;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// How often the members are looked at when health checks are off: hosted classes and `restartAll` still need it.
const PERIOD_WITHOUT_CHECKS: Duration = Duration::from_secs(5);
/// Between two looks at least: all hints that come meanwhile are answered by one look.
const SPACING: Duration = Duration::from_millis(100);
/// How long one that left by itself may still be heard.
const DEPARTURE_GRACE: Duration = Duration::from_secs(1);
/// Looks in a row at which the registry counts another load here than this broker before the two are compared: reports
/// are under way for a moment.
const ODD_LOOKS: u32 = 3;

/// What one look at the members is compared with.
#[derive(Default)]
struct View {
    restart_number: u64,
    odd_looks: u32,
    /// What was left behind at the last look.
    left: Vec<Incarnation>,
}

impl Life {
    /// The first look, before the broker takes up anything: after a wipe it waits for every broker that it knows of, so it
    /// must know them as soon as it is active. Where the look fails the next one follows at once.
    pub async fn meet(&self) {
        let (known, stamp) = lock(&self.remembered).begin_look();
        match self.context.coordinator.look(&self.context.incarnation, known.as_ref()).await {
            Ok(look) => {
                lock(&self.remembered).take_in(&look, stamp);
                self.watch_anew.notify_one();
            }
            Err(error) => self.context.log(Level::Debug, format!("The members could not be read: {error}")),
        }
    }

    /// Looks at the members regularly and when told to, as long as the life goes on.
    pub async fn keep_membership(self: Arc<Self>) {
        let mut view = View { restart_number: lock(&self.remembered).restart_number, ..View::default() };
        let checks = self.context.config.health_check_interval > 0;
        let period = if checks {
            Duration::from_millis(self.context.config.health_check_interval)
        } else {
            PERIOD_WITHOUT_CHECKS
        };
        let mut wait = Duration::ZERO;
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.look.notified() => {}
            }
            // Half as long again at most: many brokers that started at once do not look at once for ever.
            wait = period + spread(period / 2);
            lock(&self.lanes).trim(boot_millis());
            let sent = boot_millis();
            let (known, stamp) = lock(&self.remembered).begin_look();
            match self.context.coordinator.look(&self.context.incarnation, known.as_ref()).await {
                Ok(look) => {
                    self.hear_time(sent, look.now);
                    self.take_in(&look, stamp, &mut view, checks).await;
                }
                Err(error) => self.context.log(Level::Debug, format!("The members could not be read: {error}")),
            }
            tokio::time::sleep(SPACING).await;
        }
    }

    async fn take_in(self: &Arc<Self>, look: &Look, stamp: u64, view: &mut View, checks: bool) {
        let reading = Reading { server: look.now, local: boot_millis() };
        let gone = lock(&self.remembered).take_in(look, stamp);
        if look.changes.complete || !look.changes.records.is_empty() || !look.changes.departed.is_empty() {
            self.watch_anew.notify_one();
        }
        if look.restart_number > view.restart_number {
            view.restart_number = look.restart_number;
            self.context.log(Level::Info, "A restart of all brokers was requested.");
            self.context.inbox.push(Event::Restart);
        }
        // Where something is missing the next renewal finds out why.
        let Some(gone) = gone else { return };
        for (record, departure) in gone {
            match departure {
                Departure::Dead => self.mourn(&record.incarnation, Some(record.broker)),
                Departure::Left => self.let_go(record.incarnation),
            }
        }
        if self.unverified.swap(false, Ordering::AcqRel) {
            self.verify.notify_one();
        }
        if look.claimable > 0 {
            self.claim_everything();
        }
        self.repair_record(look);
        self.compare_loads(look, view);
        let left = self.left_behind(look);
        if checks {
            for expiry in &look.overdue {
                self.evict_in_turn(expiry.incarnation.clone(), reading);
            }
            self.salvage_what_is_left(&left, &reading, &view.left).await;
        }
        view.left = left;
    }

    /// Gone while workers are left, or without a record that can be read and with a lease that ran out.
    fn left_behind(&self, look: &Look) -> Vec<Incarnation> {
        let overdue = look.overdue.iter().map(|expiry| &expiry.incarnation);
        let unknown = overdue.filter(|incarnation| !self.knows(incarnation));
        look.unsalvaged.iter().chain(unknown).cloned().collect()
    }

    /// Publishes this broker's record again where another one stands in its place, or none that can be read.
    fn repair_record(&self, look: &Look) {
        if look.record.as_ref().is_none_or(|record| *record != self.record()) {
            self.publish.notify_one();
        }
    }

    /// What the registry counts here and what lives here: a difference that stays is something that got lost.
    fn compare_loads(&self, look: &Look, view: &mut View) {
        let lives: u64 = lock(&self.residents).iter().map(|(_, resident)| resident.load.min(MAX_LOAD)).sum();
        view.odd_looks = if look.load != lives { view.odd_looks + 1 } else { 0 };
        if view.odd_looks >= ODD_LOOKS {
            view.odd_looks = 0;
            self.audit.notify_one();
        }
    }

    /// It left by itself: the last answers of its workers may be on their way.
    fn let_go(self: &Arc<Self>, incarnation: Incarnation) {
        let life = self.clone();
        self.context.spawn("farewell", async move {
            tokio::time::sleep(DEPARTURE_GRACE).await;
            life.part_from(&incarnation, "the broker is gone");
        });
    }

    /// Whether it is a member, as far as this broker has followed them.
    pub fn knows(&self, incarnation: &Incarnation) -> bool {
        lock(&self.remembered).members.contains_key(incarnation)
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
        let mut signals = self.context.coordinator.signals();
        loop {
            match signals.recv().await {
                Ok(Signal::Members | Signal::Restart) => self.look.notify_one(),
                Ok(Signal::Pending { cluster, class, waiting, worker }) => {
                    self.hear_of_waiting(&cluster, class, waiting, &worker);
                }
                Ok(Signal::Dead { incarnation, before, version }) => {
                    self.hear_of_death(&incarnation, before, version).await;
                }
                Ok(Signal::Settled) => {
                    self.moved.notify_waiters();
                    self.look.notify_one();
                }
                Ok(Signal::Claimed) => self.wake_searches(),
                Ok(Signal::Unusable { about, by, complaint }) if about == self.context.incarnation => {
                    self.hear_complaint(&by, complaint);
                }
                Ok(Signal::Unusable { .. }) => {}
                Ok(Signal::Overruled(incarnation)) if incarnation == self.context.incarnation => {
                    self.verify.notify_one()
                }
                Ok(Signal::Overruled(_)) => {}
                Ok(Signal::Foreign(key)) => self.context.log(
                    Level::Warn,
                    format!("Another program wrote a value of a foreign type to {key:?} in Redis. It was removed."),
                ),
                Ok(Signal::Unreadable(key)) => self.context.log(
                    Level::Warn,
                    format!("The entry {key:?} in Redis cannot be read: another program wrote it. It was deleted."),
                ),
                Ok(Signal::Resync) | Err(RecvError::Lagged(_)) => {
                    self.check_server();
                    self.look.notify_one();
                    self.claim_everything();
                    self.audit.notify_one();
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Whoever can publish can say so: the registry knows. One look at the dead one alone is enough: it is the only change
    /// between the two versions.
    async fn hear_of_death(self: &Arc<Self>, incarnation: &Incarnation, before: u64, version: u64) {
        if *incarnation == self.context.incarnation || !self.knows(incarnation) {
            return;
        }
        let Ok(sighting) = self.find_member(incarnation).await else { return self.look.notify_one() };
        let certain = sighting.settled && sighting.generation == lock(&self.remembered).generation();
        if !certain || sighting.member.is_some() {
            return self.look.notify_one();
        }
        self.bury(incarnation);
        lock(&self.remembered).advance(before, version);
    }

    /// Asks every broker of the namespace to restart; answers under `slot`.
    pub fn restart_all(self: &Arc<Self>, slot: u64) {
        let life = self.clone();
        self.context.operate("restart all", slot, async move {
            match life.context.coordinator.request_restart().await {
                Ok(_) => Event::done(slot),
                Err(error) => Event::failed(slot, Failure::new(Code::Redis, error.to_string())),
            }
        });
    }

    /// Publishes this broker's record when it changed, as long as the life goes on.
    pub async fn keep_record(self: Arc<Self>) {
        let mut backoff = self.context.backoff();
        loop {
            self.publish.notified().await;
            if let Err(error) = self.context.coordinator.update(&self.record()).await {
                self.context.log(Level::Warn, format!("This broker's record could not be published yet: {error}"));
                tokio::time::sleep(backoff.next_wait()).await;
                self.publish.notify_one();
            }
        }
    }
}
