//! Renews the lease from the lease's own thread: suspends this incarnation in time, resumes it, or ends it.

use crate::broker::js::event::Event;
use crate::broker::lease::expiry::{Reading, Upcoming};
use crate::broker::lease::room::Lease;
use crate::broker::lease::stall::{News, Stall, LOOK};
use crate::clock::boot_millis;
use crate::config::StallAction;
use crate::coordination::{CoordinationResult, Renewal};
use crate::ids::ServerId;
use crate::level::Level;
use crate::lock::lock;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{interval, sleep, MissedTickBehavior};

/// Renewals that are under way at most: the next is sent in its time although the last has no answer yet, so that one
/// lost packet costs nothing.
const MAX_UNDER_WAY: usize = 3;
/// After one that failed, e.g. while the connection is dialed again.
const RETRY: Duration = Duration::from_millis(50);
/// Between two looks: more means that the process or the machine was stopped meanwhile.
const OVERSLEPT: u64 = 1500;

/// Between two log lines about renewals that go on to fail.
const LOG_INTERVAL: u64 = 1000;

/// A renewal, sent at this time on the local clock.
type Answer = (u64, CoordinationResult<Renewal>);

/// What the thread remembers from look to look.
struct Keeper {
    /// The last renewal failed.
    failing: bool,
    /// When a failure was logged last.
    logged: u64,
    looked: u64,
    /// When the thread woke from a stop since which no renewal was sent and answered: others may have taken this broker
    /// for dead.
    overslept: Option<u64>,
    stall: Stall,
}

enum Next {
    GoOn,
    Retry,
    End,
}

/// What an answer to a renewal means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    /// The lease is longer now.
    Renewed,
    /// A database into which this broker restores its workers: nobody takes them over for at least so long.
    Awaited(Duration),
    /// Another database than the one that this broker has put itself into: it must do so first.
    Unknown,
    /// The incarnation is over.
    Evicted,
}

/// What the lease needs of the rooms above it.
pub trait Holder: Send + Sync {
    /// Whether this incarnation has put itself into this database.
    fn is_home(&self, generation: &str, server: &ServerId) -> bool;
    /// Whether this incarnation restores its workers into this database.
    fn is_restored_into(&self, generation: &str, server: &ServerId) -> bool;
    /// Another database answered: this incarnation must put itself into it first.
    fn found_another_database(&self);
    /// The gate is closed: this incarnation cannot prove that it lives.
    fn suspended(&self);
    /// The gate is open, after a renewal.
    fn opened(&self);
    /// The event loop stands still, or moves again.
    fn stalled(&self);
}

impl Lease {
    /// Keeps the lease as long as the life goes on; tells when it holds no longer, when it holds again, when it is lost.
    pub async fn keep(self: Arc<Self>, holder: Arc<dyn Holder>) {
        let mut keeper =
            Keeper { failing: false, logged: 0, looked: boot_millis(), overslept: None, stall: Stall::default() };
        let mut answers = JoinSet::new();
        let (mut due, mut looks) = (interval(self.gate.renew_interval()), interval(LOOK));
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                Some(answer) = answers.join_next() => match self.take_answer(&*holder, &mut keeper, answer) {
                    Next::GoOn => {}
                    Next::Retry => due.reset_after(RETRY.min(self.gate.renew_interval())),
                    Next::End => return,
                },
                _ = looks.tick() => self.look_at_lease(&*holder, &mut keeper),
                _ = due.tick() => if answers.len() < MAX_UNDER_WAY {
                    answers.spawn(self.clone().renew());
                },
                () = sleep(self.gate.left(boot_millis())), if !self.gate.is_suspended() => {}
            }
            if !self.gate.holds() && self.gate.set_suspended(true) {
                self.context
                    .log(Level::Warn, "The lease is about to expire. Suspending the workers until it is renewed.");
                self.context.inbox.push(Event::Suspended);
                holder.suspended();
            }
        }
    }

    async fn renew(self: Arc<Self>) -> Answer {
        let sent = boot_millis();
        (sent, self.context.registry.lease.renew(&self.context.incarnation, self.context.config.lease.ttl()).await)
    }

    /// Reads an answer to a renewal, sent at `sent` on the local clock; before the lease is extended by it.
    fn renewed(&self, holder: &dyn Holder, sent: u64, renewal: &Renewal) -> Standing {
        let (now, generation, server, agreed) = match renewal {
            Renewal::Renewed { now, generation, server, server_agreed, .. } => {
                (*now, Some(generation), server, *server_agreed)
            }
            Renewal::Evicted { now, generation, server, server_agreed } => {
                (*now, generation.as_ref(), server, *server_agreed)
            }
        };
        self.hear_time(sent, now);
        let home = agreed && generation.is_some_and(|generation| holder.is_home(generation, server));
        if !home {
            if let Some(left) = self.awaited(holder, renewal) {
                return Standing::Awaited(left);
            }
            holder.found_another_database();
            return Standing::Unknown;
        }
        match renewal {
            Renewal::Evicted { .. } => Standing::Evicted,
            Renewal::Renewed { next_expiry, .. } => {
                let local = boot_millis();
                let last = self.renewed_at.swap(local, Ordering::AcqRel);
                if 2 * local.saturating_sub(last) > self.context.config.lease.ttl {
                    self.well_since.store(local, Ordering::Release);
                }
                let next = next_expiry.as_ref().map(|expiry| expiry.at);
                if lock(&self.clock).next_runs_out(next, now) {
                    self.clock_jumped("a lease went back");
                }
                let next = next_expiry.clone().map(|expiry| {
                    let due = local + expiry.at.0.saturating_sub(now.0);
                    Upcoming { incarnation: expiry.incarnation, due, reading: Reading { server: now, local } }
                });
                self.next_expiry.send_replace(next);
                Standing::Renewed
            }
        }
    }

    /// For how long the database that renewed surely waits for what this broker restores into it; `None`: it does not, or
    /// the gate closed before.
    fn awaited(&self, holder: &dyn Holder, renewal: &Renewal) -> Option<Duration> {
        match renewal {
            Renewal::Renewed { now, awaited_until: Some(until), generation, server, server_agreed: true, .. }
                if self.gate.holds() && holder.is_restored_into(generation, server) =>
            {
                Some(Duration::from_millis(until.0.saturating_sub(now.0)))
            }
            _ => None,
        }
    }

    fn look_at_lease(&self, holder: &dyn Holder, keeper: &mut Keeper) {
        let now = boot_millis();
        if now - keeper.looked > OVERSLEPT {
            keeper.overslept = Some(now);
        }
        keeper.looked = now;
        if keeper.failing && keeper.overslept.is_none() {
            self.gate.carry_on(now);
        }
        let (news, ask) = keeper.stall.look(now, self.context.inbox.visits(), self.context.config.stall.after);
        if ask {
            self.context.inbox.nudge();
        }
        if let Some(news) = news {
            self.tell_stall(holder, &news);
        }
    }

    fn tell_stall(&self, holder: &dyn Holder, news: &News) {
        match news {
            News::Stalled => self.set_stalled(holder, true),
            News::Overdue(still) => {
                let text = format!("The event loop has been blocked for {still} ms");
                if self.context.config.stall.action == StallAction::Abort {
                    eprintln!(
                        "dworker: broker \"{}\": {text}. Aborting the process, as option.stall.action demands.",
                        self.context.broker
                    );
                    std::process::abort();
                }
                self.context.log(
                    Level::Error,
                    format!("{text}. No new workers are placed on this broker until it runs again."),
                );
            }
            News::Moves(stood) => {
                self.context
                    .log(Level::Warn, format!("The event loop is running again. It was blocked for about {stood} ms."));
                self.set_stalled(holder, false);
            }
        }
    }

    fn set_stalled(&self, holder: &dyn Holder, stalled: bool) {
        self.context.set_stalled(stalled);
        holder.stalled();
    }

    fn take_answer(&self, holder: &dyn Holder, keeper: &mut Keeper, answer: Result<Answer, JoinError>) -> Next {
        let problem = match answer {
            Ok((sent, Ok(renewal))) => match self.renewed(holder, sent, &renewal) {
                Standing::Renewed => {
                    self.gate.extend(sent);
                    keeper.failing = false;
                    // An answer to what was asked before the stop proves nothing.
                    keeper.overslept = keeper.overslept.filter(|woke| sent < *woke);
                    self.open_gate(holder);
                    return Next::GoOn;
                }
                Standing::Awaited(left) => {
                    self.gate.extend_while_awaited(sent, left);
                    keeper.failing = false;
                    return Next::GoOn;
                }
                // The lease of the database before goes on as long as it was given.
                Standing::Unknown => return Next::GoOn,
                // One's own leaving took the lease away.
                Standing::Evicted if self.context.is_leaving() => return Next::End,
                Standing::Evicted => {
                    self.lose("Another broker evicted this broker, because its lease had expired or its process looked dead. Ending its workers and joining again.");
                    return Next::End;
                }
            },
            Ok((_, Err(error))) => error.to_string(),
            Err(error) => error.to_string(),
        };
        let level = if keeper.failing { Level::Debug } else { Level::Warn };
        let now = boot_millis();
        if !keeper.failing || now - keeper.logged >= LOG_INTERVAL {
            keeper.logged = now;
            self.context.log(level, format!("The lease could not be renewed: {problem}. Retrying."));
        }
        keeper.failing = true;
        Next::Retry
    }

    /// After each renewal: what was held back while the gate was closed goes on.
    fn open_gate(&self, holder: &dyn Holder) {
        if !self.gate.holds() {
            return;
        }
        holder.opened();
        if self.gate.set_suspended(false) {
            self.context.log(Level::Info, "The lease was renewed. Resuming the workers.");
            self.context.inbox.push(Event::Resumed);
        }
        self.context.inbox.nudge_if_waiting();
    }
}
