//! Renews the lease from the lease's own thread: suspends this incarnation in time, resumes it, or ends it.

use crate::broker::incarnation::Life;
use crate::broker::js::event::Event;
use crate::broker::lease::stall::{News, Stall, LOOK};
use crate::broker::membership::restore::Standing;
use crate::clock::boot_millis;
use crate::config::StallAction;
use crate::coordination::{CoordinationResult, Renewal};
use crate::level::Level;
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

impl Life {
    /// Keeps the lease as long as the life goes on; tells when it holds no longer, when it holds again, when it is lost.
    pub async fn keep_lease(self: Arc<Self>) {
        let mut keeper =
            Keeper { failing: false, logged: 0, looked: boot_millis(), overslept: None, stall: Stall::default() };
        let mut answers = JoinSet::new();
        let (mut due, mut looks) = (interval(self.lease.renew_interval()), interval(LOOK));
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                Some(answer) = answers.join_next() => match self.take_answer(&mut keeper, answer) {
                    Next::GoOn => {}
                    Next::Retry => due.reset_after(RETRY.min(self.lease.renew_interval())),
                    Next::End => return,
                },
                _ = looks.tick() => self.look_at_lease(&mut keeper),
                _ = due.tick() => if answers.len() < MAX_UNDER_WAY {
                    answers.spawn(self.clone().renew());
                },
                () = sleep(self.lease.left(boot_millis())), if !self.lease.is_suspended() => {}
            }
            if !self.lease.holds() && self.lease.set_suspended(true) {
                self.context.log(Level::Warn, "The lease runs out: workers get nothing until it is renewed.");
                self.context.inbox.push(Event::Suspended);
                self.abort_calls_of_handlers();
            }
        }
    }

    async fn renew(self: Arc<Self>) -> Answer {
        let sent = boot_millis();
        (sent, self.context.registry.lease.renew(&self.context.incarnation, self.context.config.lease.ttl()).await)
    }

    fn look_at_lease(&self, keeper: &mut Keeper) {
        let now = boot_millis();
        if now - keeper.looked > OVERSLEPT {
            keeper.overslept = Some(now);
        }
        keeper.looked = now;
        if keeper.failing && keeper.overslept.is_none() {
            self.lease.carry_on(now);
        }
        let (news, ask) = keeper.stall.look(now, self.context.inbox.visits(), self.context.config.stall.after);
        if ask {
            self.context.inbox.nudge();
        }
        if let Some(news) = news {
            self.tell_stall(&news);
        }
    }

    fn tell_stall(&self, news: &News) {
        match news {
            News::Stalled => self.publish_stalled(true),
            News::Overdue(still) => {
                let text = format!("The event loop has stood still for {still} ms");
                if self.context.config.stall.action == StallAction::Abort {
                    eprintln!(
                        "dworker: broker \"{}\": {text}: the process is aborted (stall.action).",
                        self.context.broker
                    );
                    std::process::abort();
                }
                self.context.log(Level::Error, format!("{text}: this broker gets no new workers."));
            }
            News::Moves(stood) => {
                self.context
                    .log(Level::Warn, format!("The event loop moves again; it stood still for about {stood} ms."));
                self.publish_stalled(false);
            }
        }
    }

    fn publish_stalled(&self, stalled: bool) {
        self.context.set_stalled(stalled);
        self.publish.notify_one();
        self.claim_everything();
    }

    fn take_answer(self: &Arc<Self>, keeper: &mut Keeper, answer: Result<Answer, JoinError>) -> Next {
        let problem = match answer {
            Ok((sent, Ok(renewal))) => match self.renewed(sent, &renewal) {
                Standing::Renewed => {
                    self.lease.extend(sent);
                    keeper.failing = false;
                    // An answer to what was asked before the stop proves nothing.
                    keeper.overslept = keeper.overslept.filter(|woke| sent < *woke);
                    self.open_gate();
                    return Next::GoOn;
                }
                // The lease of the database before goes on as long as it was given.
                Standing::Unknown => return Next::GoOn,
                // One's own leaving took the lease away.
                Standing::Evicted if self.context.is_leaving() => return Next::End,
                Standing::Evicted => {
                    self.lease.lose();
                    self.context
                        .log(Level::Error, "This broker was taken for dead: its workers end, and it joins again.");
                    self.fenced.notify_one();
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
            self.context.log(level, format!("The lease could not be renewed: {problem}"));
        }
        keeper.failing = true;
        Next::Retry
    }

    /// After each renewal: what was held back while the gate was closed goes on.
    fn open_gate(self: &Arc<Self>) {
        if !self.lease.holds() {
            return;
        }
        self.release_answers();
        if self.lease.set_suspended(false) {
            self.context.log(Level::Info, "The lease was renewed: workers go on.");
            self.context.inbox.push(Event::Resumed);
        }
        self.context.inbox.nudge_if_waiting();
    }
}
