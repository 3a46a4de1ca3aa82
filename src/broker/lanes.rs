//! The sender's side of the order: one lane a worker, with its route and what waits for one.
//!
//! While a message has no confirmed route, later ones to the same worker wait behind it. A message that comes back
//! closes the lane with a fence (a `Sync` that returns after every other answer; in this broker, a mark that goes
//! through the inbox), so that all that was written to the old route is back in its place before anything is written
//! to a new one. Gaps may happen, inversions never. Pure: takes `now`, sends nothing.

use crate::broker::lane::{before, Lane, Parked, Route};
use crate::ids::WorkerId;
use crate::transport::Connection;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Messages that wait for a route in one lane at most.
pub const MAX_PARKED: usize = 10_000;
/// Bytes of payload that wait for routes in all lanes at most: as much as one peer's outbox.
pub const MAX_PARKED_BYTES: usize = 64 * 1024 * 1024;
/// A lane that was used this recently is kept also beyond the cache's size: its last messages may still be under way.
const QUIET: u64 = 5_000;

/// What became of a message that came back.
#[derive(PartialEq, Eq, Debug)]
pub enum Returned {
    /// Back in its place. `fence`: the first one from this route; the caller sends a `Sync` with this number.
    Parked { fence: bool },
    /// Later ones were written to another route meanwhile: it is not sent again.
    TooLate,
}

/// See the module.
pub struct Lanes {
    lanes: HashMap<WorkerId, Lane>,
    fences: HashMap<u64, WorkerId>,
    parked_bytes: usize,
    /// Lanes so far.
    made: u64,
    max: usize,
    max_age: u64,
}

impl Lanes {
    pub fn new(max: usize, max_age: u64) -> Self {
        Self { lanes: HashMap::new(), fences: HashMap::new(), parked_bytes: 0, made: 0, max, max_age }
    }

    /// The lane of a worker, made if there is none.
    pub fn lane(&mut self, worker: &str, now: u64) -> &mut Lane {
        if !self.lanes.contains_key(worker) {
            self.made += 1;
            let lane = Lane::new(self.made, now);
            self.lanes.insert(WorkerId::new(worker), lane);
        }
        let lane = self.lanes.get_mut(worker).expect("it was inserted above");
        lane.used = now;
        lane
    }

    pub fn get_mut(&mut self, worker: &str) -> Option<&mut Lane> {
        self.lanes.get_mut(worker)
    }

    /// Whether one more message of this size may wait in this lane.
    pub fn has_room(&self, worker: &str, bytes: usize) -> bool {
        self.parked_bytes + bytes <= MAX_PARKED_BYTES
            && self.lanes.get(worker).is_none_or(|lane| lane.queue.len() < MAX_PARKED)
    }

    /// Puts a message where its sequence belongs.
    pub fn park(&mut self, worker: &str, message: Parked) {
        self.parked_bytes += message.payload.bytes.len();
        if let Some(lane) = self.lanes.get_mut(worker) {
            let place = lane.queue.iter().rposition(|parked| before(parked.sequence, message.sequence));
            lane.queue.insert(place.map_or(0, |index| index + 1), message);
        }
    }

    /// Takes all that waits in a lane, in order.
    pub fn take(&mut self, worker: &str) -> VecDeque<Parked> {
        let queue = self.lanes.get_mut(worker).map(|lane| std::mem::take(&mut lane.queue)).unwrap_or_default();
        self.parked_bytes -= queue.iter().map(|parked| parked.payload.bytes.len()).sum::<usize>();
        queue
    }

    /// Takes what waits in a lane and need not wait any longer.
    pub fn take_if(&mut self, worker: &str, gone: impl Fn(&Parked) -> bool) -> Vec<Parked> {
        let Some(lane) = self.lanes.get_mut(worker) else { return Vec::new() };
        let (taken, kept): (Vec<_>, VecDeque<_>) =
            std::mem::take(&mut lane.queue).into_iter().fold((Vec::new(), VecDeque::new()), |mut split, parked| {
                if gone(&parked) {
                    split.0.push(parked);
                } else {
                    split.1.push_back(parked);
                }
                split
            });
        lane.queue = kept;
        self.parked_bytes -= taken.iter().map(|parked| parked.payload.bytes.len()).sum::<usize>();
        taken
    }

    /// A message came back over this connection.
    pub fn returned(&mut self, worker: &str, connection: &Arc<Connection>, sync: u64, message: Parked) -> Returned {
        let Some(lane) = self.lanes.get_mut(worker) else { return Returned::TooLate };
        let fence = match &lane.route {
            _ if lane.is_overtaken(message.sequence) => return Returned::TooLate,
            Route::Remote { connection: current, .. } | Route::Doubted { connection: current, .. }
                if current.id() == connection.id() =>
            {
                true
            }
            Route::Fence { connection: Some(current), .. } if current.id() == connection.id() => false,
            Route::None => false,
            _ => return Returned::TooLate,
        };
        if fence {
            lane.bounced = Some(connection.id());
            self.fence_there(worker, connection, sync);
        }
        self.park(worker, message);
        Returned::Parked { fence }
    }

    /// A message came back from this broker's own inbox or mailbox.
    pub fn returned_here(&mut self, worker: &str, sync: u64, message: Parked) -> Returned {
        let Some(lane) = self.lanes.get_mut(worker) else { return Returned::TooLate };
        let fence = match &lane.route {
            _ if lane.is_overtaken(message.sequence) => return Returned::TooLate,
            Route::Local { .. } => true,
            Route::None | Route::Fence { connection: None, .. } => false,
            _ => return Returned::TooLate,
        };
        if fence {
            self.fence_here(worker, sync);
        }
        self.park(worker, message);
        Returned::Parked { fence }
    }

    /// Closes a lane until all that was written to this connection was answered.
    pub fn fence_there(&mut self, worker: &str, connection: &Arc<Connection>, sync: u64) {
        if let Some(lane) = self.lanes.get_mut(worker) {
            lane.route = Route::Fence { connection: Some(connection.clone()), sync };
            self.fences.insert(sync, WorkerId::new(worker));
        }
    }

    /// Calls got no answer in time over these lanes (by number) and connections. Looks at every lane: for rare events.
    pub fn doubt(&mut self, unanswered: &HashSet<(u64, u64)>) {
        for lane in self.lanes.values_mut() {
            if let Route::Remote { connection, epoch } = &lane.route {
                if unanswered.contains(&(lane.number, connection.id())) {
                    lane.route = Route::Doubted { connection: connection.clone(), epoch: *epoch };
                }
            }
        }
    }

    /// Closes a lane that led to this broker, until the inbox has given back what it holds.
    pub fn fence_here(&mut self, worker: &str, sync: u64) {
        if let Some(lane) = self.lanes.get_mut(worker) {
            lane.route = Route::Fence { connection: None, sync };
            self.fences.insert(sync, WorkerId::new(worker));
        }
    }

    /// The fence is passed: the lane may look for a new route.
    pub fn passed(&mut self, sync: u64) -> Option<WorkerId> {
        let worker = self.fences.remove(&sync)?;
        if let Some(lane) = self.lanes.get_mut(&worker) {
            if matches!(&lane.route, Route::Fence { sync: current, .. } if *current == sync) {
                lane.route = Route::None;
            }
        }
        Some(worker)
    }

    /// Forgets a connection; returns the workers whose messages wait for a new route.
    pub fn disconnected(&mut self, connection: u64) -> Vec<WorkerId> {
        let mut waiting = Vec::new();
        for (worker, lane) in &mut self.lanes {
            if lane.route.uses(connection) {
                if let Route::Fence { sync, .. } = lane.route {
                    self.fences.remove(&sync);
                }
                lane.route = Route::None;
                if !lane.queue.is_empty() {
                    waiting.push(worker.clone());
                }
            }
        }
        waiting
    }

    /// Forgets lanes that were not used for the cache's age, and the longest unused beyond its size.
    pub fn trim(&mut self, now: u64) {
        let idle = |lane: &Lane| lane.queue.is_empty() && !lane.resolving && !matches!(lane.route, Route::Fence { .. });
        let (max_age, max) = (self.max_age, self.max);
        self.lanes.retain(|_, lane| !idle(lane) || now < lane.used + max_age.max(QUIET));
        if self.lanes.len() > max {
            let mut ages: Vec<u64> = self.lanes.values().map(|lane| lane.used).collect();
            let surplus = self.lanes.len() - max;
            ages.sort_unstable();
            let limit = ages[surplus - 1].min(now.saturating_sub(QUIET));
            self.lanes.retain(|_, lane| !idle(lane) || lane.used > limit);
        }
    }

    /// Every message that waits, taken out; nothing has a route any more.
    pub fn drain(&mut self) -> Vec<Parked> {
        self.parked_bytes = 0;
        self.fences.clear();
        self.lanes.drain().flat_map(|(_, lane)| lane.queue).collect()
    }
}
