//! From a worker's id to a route: asks the registry where it is, connects, and lets go what waits.

use crate::backoff::{spread, Backoff};
use crate::broker::directory::lane::{Outgoing, Route};
use crate::broker::directory::lanes::Lanes;
use crate::broker::directory::lookup::Found;
use crate::broker::directory::routes::Routes;
use crate::clock::boot_millis;
use crate::error::{Code, Failure};
use crate::ids::WorkerId;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// While workers are recovered, each that is waited for is looked up so often that all together ask the registry ten
/// thousand times a second at most: more leaves too little for who recovers them.
const LOOK_UP: Duration = Duration::from_micros(200);
/// Searches that a hint wakes at most. Where more wait, each looks at its own time, as the limit above says.
const MAX_WOKEN: usize = 64;
/// Between two such looks at least.
const SOON: Duration = Duration::from_millis(20);

/// One more while it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Routes {
    /// Workers that waited have an owner now: those that search look again.
    pub fn wake_searches(&self) {
        if self.resolving.load(Ordering::Relaxed) <= MAX_WOKEN {
            self.members.changes.moved();
        }
    }

    /// Starts a search for a route, unless one is under way or nothing waits.
    pub fn look_for_route(self: &Arc<Self>, worker: &WorkerId) {
        self.look_for_route_in(&mut self.lanes(), worker);
    }

    /// The same, for who holds the lanes already.
    pub fn look_for_route_in(self: &Arc<Self>, lanes: &mut Lanes, worker: &WorkerId) {
        let Some(lane) = lanes.get_mut(worker.as_str()) else { return };
        if lane.resolving || lane.queue.is_empty() || matches!(lane.route, Route::Fence { .. }) {
            return;
        }
        lane.resolving = true;
        self.context.spawn("resolve", self.clone().resolve(worker.clone()));
    }

    /// Looks for a route until one is found, the worker is known to be gone, or nobody waits any more.
    pub async fn resolve(self: Arc<Self>, worker: WorkerId) {
        let mut backoff = self.context.backoff();
        let _counted = Counted::new(&self.resolving);
        let mut refused_since = None;
        let mut was_closed = false;
        loop {
            // Before the look: nothing that happens after it is missed.
            let mut moved = pin!(self.members.changes.next_move());
            moved.as_mut().enable();
            let found = self.give_up_if_refused(self.find_in_time(&worker).await, &mut refused_since);
            let (soon, again) = (matches!(found, Found::Soon(_)), matches!(found, Found::Again(_)));
            let failure = match found {
                Found::Route(route) => {
                    if self.attach(&worker, route) {
                        return;
                    }
                    if !std::mem::replace(&mut was_closed, true) {
                        // The broker left between the look and the first message: the worker may be elsewhere already.
                        continue;
                    }
                    let text = format!("The connection to the broker of worker \"{worker}\" was closed.");
                    Failure::new(Code::Unreachable, text)
                }
                Found::Gone(failure) => {
                    let waiting = {
                        let mut lanes = self.lanes();
                        let waiting = lanes.take(worker.as_str());
                        if let Some(lane) = lanes.get_mut(worker.as_str()) {
                            lane.resolving = false;
                        }
                        waiting
                    };
                    waiting.into_iter().for_each(|parked| self.fail_parked(&worker, parked, &failure));
                    return;
                }
                Found::Wait(failure) | Found::Soon(failure) | Found::Again(failure) => failure,
            };
            if !self.goes_on_waiting(&worker, failure) {
                return;
            }
            if again {
                continue;
            }
            let _ = tokio::time::timeout(self.next_try(&worker, &mut backoff, soon), moved).await;
        }
    }

    /// What does not wait any longer for the worker is told why; whether anything is left.
    fn goes_on_waiting(&self, worker: &WorkerId, failure: Failure) -> bool {
        let now = boot_millis();
        let failure = Arc::new(failure);
        let (expired, left) = {
            let mut lanes = self.lanes();
            let expired = lanes.take_if(worker.as_str(), |parked| {
                // An onDestroy does not wait for others that are being handed over: they may wait for it.
                parked.deadline <= now || parked.envelope.chain.has_ending()
            });
            let lane = lanes.lane(worker.as_str(), now);
            lane.resolving = !lane.queue.is_empty();
            self.calls.blame(lane.queue.iter().map(Outgoing::call), &failure);
            (expired, lane.resolving)
        };
        expired.into_iter().for_each(|parked| self.fail_parked(worker, parked, &failure));
        left
    }

    /// A broker that refuses this one may be about to learn a new secret or certificate, so the search goes on. One that
    /// refuses it for as long as undelivered messages are tried again will not change its mind soon.
    fn give_up_if_refused(&self, found: Found, refused_since: &mut Option<u64>) -> Found {
        match found {
            Found::Wait(failure) if failure.code == Code::Unauthorized => {
                let now = boot_millis();
                let since = *refused_since.get_or_insert(now);
                if now - since < self.context.config.retries.duration {
                    Found::Wait(failure)
                } else {
                    Found::Gone(failure)
                }
            }
            found => {
                *refused_since = None;
                found
            }
        }
    }

    /// Looks once. That may take as long as the registry or a peer may be silent: tells whose time ends meanwhile fail then.
    /// (Asks end by themselves.)
    async fn find_in_time(self: &Arc<Self>, worker: &WorkerId) -> Found {
        let mut search = pin!(self.find_route(worker));
        loop {
            // No tell that comes meanwhile has less time than that.
            let longest = Duration::from_millis(self.context.config.retries.duration).max(SOON);
            let wait = self.until_next(worker, |parked| !parked.is_ask).map_or(longest, |wait| wait.min(longest));
            tokio::select! {
                found = &mut search => return found,
                () = tokio::time::sleep(wait) => {}
            }
            self.fail_late_tells(worker);
        }
    }

    /// Not beyond the next deadline of what waits.
    fn next_try(&self, worker: &WorkerId, backoff: &mut Backoff, soon: bool) -> Duration {
        let wait = if soon {
            // Spread over all of that time: who is made first answers first.
            spread(LOOK_UP * self.resolving.load(Ordering::Relaxed) as u32).max(SOON)
        } else {
            backoff.next_wait()
        };
        self.until_next(worker, |_| true).map_or(wait, |next| wait.min(next))
    }
}
