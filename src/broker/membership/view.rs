//! The other brokers: follows who comes and goes, by looks and by hints; publishes what this one hosts.

use crate::backoff::spread;
use crate::broker::context::shared::Context;
use crate::broker::js::event::Event;
use crate::broker::lease::expiry::Reading;
use crate::broker::lease::room::Lease;
use crate::broker::membership::eviction::Deaths;
use crate::broker::membership::members::Members;
use crate::clock::boot_millis;
use crate::coordination::{Departure, Look};
use crate::error::{Code, Delivered, Failure};
use crate::ids::Incarnation;
use crate::level::Level;
use crate::lock::lock;
use std::sync::Arc;
use std::time::Duration;

/// How often the members are looked at when health checks are off: hosted classes and `restartAll` still need it.
const PERIOD_WITHOUT_CHECKS: Duration = Duration::from_secs(5);
/// Between two looks at least: all hints that come meanwhile are answered by one look.
const SPACING: Duration = Duration::from_millis(100);
/// How long one that left by itself may still be heard.
const DEPARTURE_GRACE: Duration = Duration::from_secs(1);
/// What one look at the members is compared with.
#[derive(Default)]
struct Seen {
    restart_number: u64,
    /// What was left behind at the last look.
    left: Vec<Incarnation>,
}

/// What the looks at the members tell the rooms above.
pub trait Observer: Send + Sync {
    /// A look is about to be taken.
    fn looking(&self);
    /// A look found the database whole. `load`: what the registry counts here.
    fn looked(&self, load: u64);
}

/// Looks at the members, and publishes this broker's record.
pub struct View {
    context: Arc<Context>,
    lease: Arc<Lease>,
    members: Arc<Members>,
    deaths: Arc<Deaths>,
}

impl View {
    pub(super) fn new(
        context: &Arc<Context>,
        lease: &Arc<Lease>,
        members: &Arc<Members>,
        deaths: &Arc<Deaths>,
    ) -> Arc<Self> {
        Arc::new(Self {
            context: context.clone(),
            lease: lease.clone(),
            members: members.clone(),
            deaths: deaths.clone(),
        })
    }

    /// The first look, before the broker takes up anything: after a wipe it waits for every broker that it knows of, so it
    /// must know them as soon as it is active. Where the look fails the next one follows at once.
    pub async fn meet(&self) {
        let (known, stamp) = lock(&self.members.remembered).begin_look();
        match self.context.coordinator.look(&self.context.incarnation, known.as_ref()).await {
            Ok(look) => {
                lock(&self.members.remembered).take_in(&look, stamp);
                self.members.changes.watch_anew();
            }
            Err(error) => {
                self.context.log(Level::Debug, format!("The list of brokers could not be read: {error}. Retrying."))
            }
        }
    }

    /// Looks at the members regularly and when told to, as long as the life goes on.
    pub async fn keep(self: Arc<Self>, observer: Arc<dyn Observer>) {
        let mut seen = Seen { restart_number: lock(&self.members.remembered).restart_number, ..Seen::default() };
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
                () = self.members.changes.look_wanted() => {}
            }
            // Half as long again at most: many brokers that started at once do not look at once for ever.
            wait = period + spread(period / 2);
            observer.looking();
            let sent = boot_millis();
            let (known, stamp) = lock(&self.members.remembered).begin_look();
            match self.context.coordinator.look(&self.context.incarnation, known.as_ref()).await {
                Ok(look) => {
                    self.lease.hear_time(sent, look.now);
                    self.take_in(&*observer, &look, stamp, &mut seen, checks).await;
                }
                Err(error) => {
                    self.context.log(Level::Debug, format!("The list of brokers could not be read: {error}. Retrying."))
                }
            }
            tokio::time::sleep(SPACING).await;
        }
    }

    async fn take_in(&self, observer: &dyn Observer, look: &Look, stamp: u64, seen: &mut Seen, checks: bool) {
        let reading = Reading { server: look.now, local: boot_millis() };
        let gone = lock(&self.members.remembered).take_in(look, stamp);
        if look.changes.complete || !look.changes.records.is_empty() || !look.changes.departed.is_empty() {
            self.members.changes.watch_anew();
        }
        if look.restart_number > seen.restart_number {
            seen.restart_number = look.restart_number;
            self.context.log(Level::Info, "A broker called restartAll(). Restarting.");
            self.context.inbox.push(Event::Restart);
        }
        // Where something is missing the next renewal finds out why.
        let Some(gone) = gone else { return };
        for (record, departure) in gone {
            match departure {
                Departure::Dead => self.deaths.mourn(&record.incarnation, Some(record.broker)),
                Departure::Left => self.let_go(record.incarnation),
            }
        }
        self.members.changes.looked();
        if look.claimable > 0 {
            self.members.claim_everything();
        }
        self.repair_record(look);
        observer.looked(look.load);
        let left = self.left_behind(look);
        if checks {
            for expiry in &look.overdue {
                self.deaths.evict_in_turn(expiry.incarnation.clone(), reading);
            }
            self.deaths.salvage_what_is_left(&left, &reading, &seen.left).await;
        }
        seen.left = left;
    }

    /// Gone while workers are left, or without a record that can be read and with a lease that ran out.
    fn left_behind(&self, look: &Look) -> Vec<Incarnation> {
        let overdue = look.overdue.iter().map(|expiry| &expiry.incarnation);
        let unknown = overdue.filter(|incarnation| !self.members.knows(incarnation));
        look.unsalvaged.iter().chain(unknown).cloned().collect()
    }

    /// Publishes this broker's record again where another one stands in its place, or none that can be read.
    fn repair_record(&self, look: &Look) {
        if look.record.as_ref().is_none_or(|record| *record != self.members.record()) {
            self.members.changes.publish();
        }
    }

    /// It left by itself: the last answers of its workers may be on their way.
    fn let_go(&self, incarnation: Incarnation) {
        let members = self.members.clone();
        self.context.spawn("farewell", async move {
            tokio::time::sleep(DEPARTURE_GRACE).await;
            members.part_from(&incarnation, "the broker is gone");
        });
    }

    /// Whoever can publish can say so: the registry knows. One look at the dead one alone is enough: it is the only change
    /// between the two versions.
    pub async fn hear_of_death(&self, incarnation: &Incarnation, before: u64, version: u64) {
        if *incarnation == self.context.incarnation || !self.members.knows(incarnation) {
            return;
        }
        let Ok(sighting) = self.lease.find_member(incarnation).await else { return self.members.changes.look_now() };
        let certain = sighting.settled && sighting.generation == lock(&self.members.remembered).generation();
        if !certain || sighting.member.is_some() {
            return self.members.changes.look_now();
        }
        self.deaths.bury(incarnation);
        lock(&self.members.remembered).advance(before, version);
    }

    /// Asks every broker of the namespace to restart; answers under `slot`.
    pub fn restart_all(&self, slot: u64) {
        let context = self.context.clone();
        self.context.operate("restart all", slot, async move {
            match context.coordinator.request_restart().await {
                Ok(_) => Event::done(slot),
                Err(error) => Event::failed(slot, Failure::new(Code::Redis, error.to_string())),
            }
        });
    }

    /// Keeps new workers away from this broker, or lets them come again; answers under `slot` when the registry knows.
    pub fn cordon(self: &Arc<Self>, slot: u64, cordoned: bool) {
        self.context.set_cordoned(cordoned);
        self.context.inbox.push(Event::Readiness);
        // An older record may be on its way: this one follows it.
        self.members.changes.publish();
        let view = self.clone();
        self.context.operate("cordon", slot, async move {
            let give_up = boot_millis() + view.context.config.retries.duration;
            let mut backoff = view.context.backoff();
            loop {
                match view.context.coordinator.update(&view.members.record()).await {
                    Ok(_) => break,
                    Err(error) if boot_millis() >= give_up => {
                        let failure = Failure::new(Code::Redis, error.to_string());
                        return Event::failed(slot, failure.with_delivered(Delivered::Unknown));
                    }
                    Err(_) => tokio::time::sleep(backoff.next_wait()).await,
                }
            }
            if !cordoned {
                view.members.claim_everything();
            }
            Event::done(slot)
        });
    }

    /// Publishes this broker's record when it changed, as long as the life goes on.
    pub async fn keep_record(self: Arc<Self>) {
        let mut backoff = self.context.backoff();
        loop {
            self.members.changes.record_changed().await;
            if let Err(error) = self.context.coordinator.update(&self.members.record()).await {
                self.context.log(
                    Level::Warn,
                    format!("This broker's record could not be written to Redis: {error}. Retrying."),
                );
                tokio::time::sleep(backoff.next_wait()).await;
                self.members.changes.publish();
            }
        }
    }
}
