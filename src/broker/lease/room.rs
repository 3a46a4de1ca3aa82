//! The lease of this incarnation: whether it holds, and whether the clock that it is measured by can be trusted.

use crate::broker::context::shared::Context;
use crate::broker::lease::expiry::Upcoming;
use crate::broker::lease::gate::Gate;
use crate::broker::lease::server_clock::ServerClock;
use crate::clock::boot_millis;
use crate::coordination::{CoordinationResult, Sighting};
use crate::error::{Code, Failure};
use crate::ids::{Incarnation, ServerTime, WorkerId};
use crate::level::Level;
use crate::lock::lock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{watch, Notify};

/// The lease of one incarnation. [`Lease::keep`] renews it.
pub struct Lease {
    pub(super) context: Arc<Context>,
    pub(super) gate: Gate,
    /// The coordinator's clock.
    pub(super) clock: Mutex<ServerClock>,
    /// The last answer that renewed the lease, on the local clock.
    pub(super) renewed_at: AtomicU64,
    /// Since when this broker can tell whether others renew, on the local clock.
    pub(super) well_since: AtomicU64,
    /// The next lease of another broker to run out, as the last renewal told.
    pub(super) next_expiry: watch::Sender<Option<Upcoming>>,
    /// The lease is lost: the incarnation is over.
    lost: Notify,
}

impl Lease {
    /// A lease that was not granted yet.
    pub fn new(context: &Arc<Context>) -> Arc<Self> {
        let config = &context.config;
        Arc::new(Self {
            context: context.clone(),
            gate: Gate::new(&config.lease, config.on_redis_loss),
            clock: Mutex::new(ServerClock::new(config.lease.ttl)),
            renewed_at: AtomicU64::new(0),
            well_since: AtomicU64::new(u64::MAX),
            next_expiry: watch::Sender::new(None),
            lost: Notify::new(),
        })
    }

    /// Whether handlers may start and answers may leave.
    pub fn holds(&self) -> bool {
        self.gate.holds()
    }

    /// Whether the last renewal, in the database that this broker has put itself into, is not older than three intervals.
    pub fn was_renewed_recently(&self) -> bool {
        let age = boot_millis().saturating_sub(self.renewed_at.load(Ordering::Acquire));
        age <= 3 * self.context.config.lease.renew
    }

    /// Whether the gate was found closed and has not opened since.
    pub fn is_suspended(&self) -> bool {
        self.gate.is_suspended()
    }

    /// The registration, sent at `sent` on the local clock, granted the lease for the first time.
    pub fn granted(&self, sent: u64) {
        self.gate.extend(sent);
        self.renewed_at.store(sent, Ordering::Release);
        self.well_since.store(sent, Ordering::Release);
    }

    /// A request that was sent at `sent` on the local clock extended the lease.
    pub fn extend(&self, sent: u64) {
        self.gate.extend(sent);
    }

    /// The incarnation is over: the gate never opens again. `why` is logged.
    #[track_caller]
    pub fn lose(&self, why: impl Into<String>) {
        self.gate.lose();
        self.context.log(Level::Error, why);
        self.lost.notify_one();
    }

    /// Waits until the lease is lost.
    pub async fn lost(&self) {
        self.lost.notified().await;
    }

    /// For how long this broker has been able to tell whether others renew, in ms.
    pub fn well_for(&self) -> u64 {
        boot_millis().saturating_sub(self.well_since.load(Ordering::Acquire))
    }

    /// From now on this broker can tell whether others renew.
    pub fn is_well(&self) {
        self.well_since.store(boot_millis(), Ordering::Release);
    }

    /// The next lease of another broker to run out, whenever a renewal tells it.
    pub fn expiries(&self) -> watch::Receiver<Option<Upcoming>> {
        self.next_expiry.subscribe()
    }

    /// What the coordinator's clock shows now, and how often it was seen to jump.
    pub fn server_clock(&self) -> (ServerTime, u64) {
        let clock = lock(&self.clock);
        (clock.at(boot_millis()), clock.jumps())
    }

    /// One incarnation in the registry, once what that says of the clock was looked at.
    pub async fn find_member(&self, incarnation: &Incarnation) -> CoordinationResult<Sighting> {
        let sent = boot_millis();
        let sighting = self.context.coordinator.find_member(incarnation).await?;
        self.hear_time(sent, sighting.now);
        if let Some(member) = &sighting.member {
            if lock(&self.clock).was_given_elsewhere(member.lease_expires, sighting.now) {
                self.clock_jumped("a lease went back");
            }
        }
        Ok(sighting)
    }

    /// An answer to what was sent at `sent` on the local clock told the coordinator's time.
    pub fn hear_time(&self, sent: u64, now: ServerTime) {
        let jump = lock(&self.clock).read(sent, boot_millis(), now);
        if let Some(by) = jump {
            self.clock_jumped(&format!("by {by} ms"));
        }
    }

    /// The coordinator's clock jumped, so it cannot be told for now whose lease has run out.
    pub(super) fn clock_jumped(&self, how: &str) {
        self.is_well();
        self.context.log(
            Level::Warn,
            format!("The clock of the Redis server jumped ({how}). No broker is evicted until all brokers have had time to renew their leases."),
        );
    }
}

/// The worker's broker cannot prove at the moment that it lives.
pub(crate) fn suspended(worker: &WorkerId) -> Failure {
    Failure::new(Code::Suspended, format!("The broker of worker \"{worker}\" has no valid lease at the moment."))
}
