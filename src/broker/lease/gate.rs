//! How long this incarnation surely lives, on the local clock: the gate that handlers and answers pass. Pure but for
//! the clock.

use crate::clock::boot_millis;
use crate::config::{LeaseConfig, OnRedisLoss};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// No handler starts this long before the lease runs out: a handler's first steps and a reply fit in it.
const GATE_MARGIN: u64 = 1000;
/// With `onRedisLoss: 'serve'` each look of the lease's thread keeps the gate open this long: three looks.
const SERVE_STEP: u64 = 1500;

/// Until when this incarnation may start handlers and answer. Pure but for the local clock.
pub struct Gate {
    ttl: u64,
    renew: u64,
    serve: bool,
    /// On the local clock; counted from before the request was sent. 0: lost for good.
    deadline: AtomicU64,
    suspended: AtomicBool,
}

impl Gate {
    pub fn new(config: &LeaseConfig, on_redis_loss: OnRedisLoss) -> Self {
        Self {
            ttl: config.ttl,
            renew: config.renew,
            serve: on_redis_loss == OnRedisLoss::Serve,
            deadline: AtomicU64::new(0),
            suspended: AtomicBool::new(false),
        }
    }

    /// The lease was granted by a request that was sent at `sent` on the local clock.
    pub fn extend(&self, sent: u64) {
        self.deadline.fetch_max(sent + self.ttl, Ordering::AcqRel);
    }

    /// The same, where nobody takes over what this incarnation holds for at least `left` from then on.
    pub fn extend_while_awaited(&self, sent: u64, left: Duration) {
        self.deadline.fetch_max(sent + self.ttl.min(left.as_millis() as u64), Ordering::AcqRel);
    }

    /// The coordinator is silent, and this process was awake all the time: goes on where that was chosen.
    pub fn carry_on(&self, now: u64) {
        if self.serve {
            self.deadline.fetch_max(now + SERVE_STEP + GATE_MARGIN, Ordering::AcqRel);
        }
    }

    /// The incarnation is over: the gate never opens again.
    pub fn lose(&self) {
        self.deadline.store(0, Ordering::Release);
    }

    /// Whether handlers may start and answers may leave.
    pub fn holds(&self) -> bool {
        self.holds_at(boot_millis())
    }

    pub fn holds_at(&self, now: u64) -> bool {
        now + GATE_MARGIN < self.deadline.load(Ordering::Acquire)
    }

    /// Until the gate closes by itself.
    pub fn left(&self, now: u64) -> Duration {
        Duration::from_millis(self.deadline.load(Ordering::Acquire).saturating_sub(now + GATE_MARGIN))
    }

    pub fn renew_interval(&self) -> Duration {
        Duration::from_millis(self.renew)
    }

    pub fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::Acquire)
    }

    /// `true` where that is news.
    pub fn set_suspended(&self, suspended: bool) -> bool {
        self.suspended.swap(suspended, Ordering::AcqRel) != suspended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(on_redis_loss: OnRedisLoss) -> Gate {
        let lease = Gate::new(&LeaseConfig { ttl: 5000, renew: 500, strict: false }, on_redis_loss);
        lease.extend(10_000);
        lease
    }

    #[test]
    fn the_gate_closes_a_second_before_the_lease_ends_counted_from_the_request() {
        let lease = lease(OnRedisLoss::Suspend);
        assert!(lease.holds_at(13_999));
        assert!(!lease.holds_at(14_000));
        assert_eq!(lease.left(13_000), Duration::from_millis(1000));
        assert_eq!(lease.left(20_000), Duration::ZERO);
    }

    #[test]
    fn the_gate_looks_at_the_local_clock_and_at_nothing_else() {
        let config = LeaseConfig { ttl: 5000, renew: 500, strict: false };
        let lease = Gate::new(&config, OnRedisLoss::Suspend);
        assert!(!lease.holds(), "nothing was granted yet");
        lease.extend(boot_millis());
        assert!(lease.holds());
        // As after a sleep: granted so long ago that the margin has begun.
        let lease = Gate::new(&config, OnRedisLoss::Suspend);
        lease.extend(boot_millis().saturating_sub(config.ttl - GATE_MARGIN));
        assert!(!lease.holds());
    }

    #[test]
    fn a_suspension_is_news_once() {
        let lease = lease(OnRedisLoss::Suspend);
        assert!(!lease.is_suspended() && !lease.set_suspended(false));
        assert!(lease.set_suspended(true) && lease.is_suspended() && !lease.set_suspended(true));
        assert!(lease.set_suspended(false) && !lease.is_suspended());
        assert_eq!(lease.renew_interval(), Duration::from_millis(500));
    }

    #[test]
    fn an_answer_to_an_older_request_takes_nothing_away() {
        let lease = lease(OnRedisLoss::Suspend);
        lease.extend(9_000);
        assert!(lease.holds_at(13_999));
    }

    #[test]
    fn a_lease_on_tables_that_wait_for_this_broker_is_no_longer_than_they_surely_wait() {
        let lease = lease(OnRedisLoss::Suspend);
        lease.extend_while_awaited(12_000, Duration::from_secs(3));
        assert!(lease.holds_at(13_999) && !lease.holds_at(14_000));
        lease.extend_while_awaited(12_000, Duration::from_secs(4));
        assert!(lease.holds_at(14_999) && !lease.holds_at(15_000));
        lease.extend_while_awaited(12_000, Duration::from_secs(60));
        assert!(lease.holds_at(15_999) && !lease.holds_at(16_000), "never longer than a lease");
    }

    #[test]
    fn a_lost_lease_never_holds_again() {
        let lease = lease(OnRedisLoss::Suspend);
        lease.lose();
        assert!(!lease.holds_at(0));
    }

    #[test]
    fn only_who_chose_to_serve_goes_on_while_the_coordinator_is_silent() {
        let (suspend, serve) = (lease(OnRedisLoss::Suspend), lease(OnRedisLoss::Serve));
        suspend.carry_on(14_000);
        serve.carry_on(14_000);
        assert!(!suspend.holds_at(14_001));
        assert!(serve.holds_at(14_000 + SERVE_STEP - 1));
        assert!(!serve.holds_at(14_000 + SERVE_STEP));
    }
}
