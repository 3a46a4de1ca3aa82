//! The lease of this incarnation: renewed in time, and how long it surely holds on the local clock.

use crate::broker::event::{Event, Level};
use crate::broker::inbox::lock;
use crate::broker::life::Life;
use crate::clock::boot_millis;
use crate::config::LeaseConfig;
use crate::coordination::{Announcement, Renewal};
use crate::ids::{Epoch, ServerTime};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// No handler starts this long before the lease runs out: a handler's first steps and a reply fit in it.
const GATE_MARGIN: u64 = 1000;

/// See the module.
pub struct Lease {
    ttl: u64,
    renew: u64,
    /// On the local clock; counted from before the request was sent.
    deadline: AtomicU64,
    suspended: AtomicBool,
    /// The coordinator's clock minus the local one, in ms.
    offset: AtomicI64,
}

impl Lease {
    pub fn new(config: &LeaseConfig) -> Self {
        Self {
            ttl: config.ttl,
            renew: config.renew,
            deadline: AtomicU64::new(0),
            suspended: AtomicBool::new(false),
            offset: AtomicI64::new(0),
        }
    }

    /// The lease was granted by a request that was sent at `sent` on the local clock.
    pub fn extend(&self, sent: u64, now: ServerTime) {
        self.deadline.fetch_max(sent + self.ttl, Ordering::AcqRel);
        self.offset.store(now.0 as i64 - boot_millis() as i64, Ordering::Relaxed);
    }

    /// Whether handlers may start.
    pub fn holds(&self) -> bool {
        boot_millis() + GATE_MARGIN < self.deadline.load(Ordering::Acquire)
    }

    /// The coordinator's clock as far as known, in ms.
    pub fn server_time(&self) -> u64 {
        (boot_millis() as i64 + self.offset.load(Ordering::Relaxed)).max(0) as u64
    }
}

impl Life {
    /// The registry's server was restarted with its data, or another took over: agrees with the others on the new one.
    /// Whether that was done.
    async fn announce(&self, generation: String) -> bool {
        let ttl = self.config.lease.ttl();
        let announcement = Announcement {
            record: self.record(),
            ttl,
            generation,
            // Where a lease stands there is a secret.
            secret: String::new(),
            epoch: Epoch::default(),
            counters: Vec::new(),
            restart_number: 0,
            remembered: lock(&self.members).iter().map(|member| member.record.incarnation.clone()).collect(),
            patience: ttl,
        };
        let settled = match self.coordinator.announce(&announcement).await {
            Ok(joined) => self.coordinator.settle(&self.incarnation, &joined).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &settled {
            self.log(Level::Warn, format!("This broker could not announce itself yet: {error}"));
        }
        settled.is_ok()
    }

    /// Renews the lease as long as the life goes on; tells when it holds no longer, and when it holds again.
    pub async fn keep_lease(self: Arc<Self>) {
        let mut interval = tokio::time::interval(Duration::from_millis(self.lease.renew));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Whoever is awaited there holds up everybody, so it announces itself also where others have agreed before.
        let mut known = self.coordinator.server();
        loop {
            interval.tick().await;
            let sent = boot_millis();
            match self.coordinator.renew(&self.incarnation, self.config.lease.ttl()).await {
                Ok(Renewal::Renewed { now, next_expiry, generation, server, server_agreed, .. }) => {
                    self.lease.extend(sent, now);
                    if (!server_agreed || known.as_ref() != Some(&server)) && self.announce(generation).await {
                        known = Some(server);
                    }
                    if self.lease.suspended.swap(false, Ordering::AcqRel) {
                        self.log(Level::Info, "The lease was renewed: workers go on.");
                        self.inbox.push(Event::Resumed);
                        self.inbox.nudge();
                    }
                    if self.config.health_check_interval > 0 && next_expiry.is_some_and(|expiry| expiry < now) {
                        self.look.notify_one();
                    }
                }
                // One's own leaving took the lease away.
                Ok(Renewal::Evicted { .. }) if self.is_leaving() => return,
                Ok(Renewal::Evicted { .. }) => {
                    self.log(Level::Error, "This broker was taken for dead: its workers end, and it joins again.");
                    self.fenced.notify_one();
                    return;
                }
                Err(error) => self.log(Level::Warn, format!("The lease could not be renewed: {error}")),
            }
            if !self.lease.holds() && !self.lease.suspended.swap(true, Ordering::AcqRel) {
                self.log(Level::Warn, "The lease runs out: workers get nothing until it is renewed.");
                self.inbox.push(Event::Suspended);
                self.abort_calls_of_handlers();
            }
        }
    }
}
