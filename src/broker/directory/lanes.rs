//! The sender's side of the order: one lane a worker, with its route and what waits for one.
//!
//! While a message has no confirmed route, later ones to the same worker wait behind it. A message that comes back
//! closes the lane with a fence (a `Sync` that returns after every other answer; in this broker, a mark that goes
//! through the inbox), so that all that was written to the old route is back in its place before anything is written
//! to a new one. Gaps may happen, inversions never. Pure: takes `now`, sends nothing.

use crate::broker::directory::lane::{before, Lane, Outgoing, Route};
use crate::ids::WorkerId;
use crate::limits::{WAITING_BYTES, WAITING_MESSAGES};
use crate::transport::Connection;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Messages that wait for a route in one lane at most.
pub const MAX_PARKED: usize = WAITING_MESSAGES;
/// Bytes of payload that wait for routes in all lanes at most: as much as one peer's outbox.
pub const MAX_PARKED_BYTES: usize = WAITING_BYTES;
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

/// The lanes of this broker, one for each worker that it sends to. Pure.
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

    /// Puts a message back that was on its way. Who sent it is not known any more: it makes its worker where any does.
    pub fn park_again(&mut self, worker: &str, mut message: Outgoing) {
        message.makes = self.lanes.get(worker).is_some_and(|lane| lane.recipe.is_some());
        self.park(worker, message);
    }

    /// Takes what waits in front of this message.
    pub fn take_before(&mut self, worker: &str, sequence: u32) -> Vec<Outgoing> {
        self.take_if(worker, |parked| before(parked.envelope.sequence, sequence))
    }

    /// Puts a message where its sequence belongs.
    pub fn park(&mut self, worker: &str, message: Outgoing) {
        self.parked_bytes += message.envelope.payload.bytes.len();
        if let Some(lane) = self.lanes.get_mut(worker) {
            let place =
                lane.queue.iter().rposition(|parked| before(parked.envelope.sequence, message.envelope.sequence));
            lane.queue.insert(place.map_or(0, |index| index + 1), message);
        }
    }

    /// Takes all that waits in a lane, in order.
    pub fn take(&mut self, worker: &str) -> VecDeque<Outgoing> {
        let queue = self.lanes.get_mut(worker).map(|lane| std::mem::take(&mut lane.queue)).unwrap_or_default();
        self.parked_bytes -= queue.iter().map(|parked| parked.envelope.payload.bytes.len()).sum::<usize>();
        queue
    }

    /// Takes what waits in a lane and need not wait any longer.
    pub fn take_if(&mut self, worker: &str, gone: impl Fn(&Outgoing) -> bool) -> Vec<Outgoing> {
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
        self.parked_bytes -= taken.iter().map(|parked| parked.envelope.payload.bytes.len()).sum::<usize>();
        taken
    }

    /// A message came back over this connection.
    pub fn returned(&mut self, worker: &str, connection: &Arc<Connection>, sync: u64, message: Outgoing) -> Returned {
        let has_room = self.has_room(worker, message.envelope.payload.bytes.len());
        let Some(lane) = self.lanes.get_mut(worker) else { return Returned::TooLate };
        let fence = match &lane.route {
            // A peer may send back what was never sent, as often as it likes.
            _ if !has_room || !lane.has_sent(message.envelope.sequence) => return Returned::TooLate,
            _ if lane.is_overtaken(message.envelope.sequence) => return Returned::TooLate,
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
        self.park_again(worker, message);
        Returned::Parked { fence }
    }

    /// A message came back from this broker's own inbox or mailbox.
    pub fn returned_here(&mut self, worker: &str, sync: u64, message: Outgoing) -> Returned {
        let Some(lane) = self.lanes.get_mut(worker) else { return Returned::TooLate };
        let fence = match &lane.route {
            _ if lane.is_overtaken(message.envelope.sequence) => return Returned::TooLate,
            Route::Local { .. } => true,
            Route::None | Route::Fence { connection: None, .. } => false,
            _ => return Returned::TooLate,
        };
        if fence {
            self.fence_here(worker, sync);
        }
        self.park_again(worker, message);
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
    pub fn drain(&mut self) -> Vec<Outgoing> {
        self.parked_bytes = 0;
        self.fences.clear();
        self.lanes.drain().flat_map(|(_, lane)| lane.queue).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Epoch;
    use crate::wire::message::{EnvelopeRef, PayloadRef};

    fn message(sequence: u32, bytes: usize) -> Outgoing {
        let text = vec![b' '; bytes];
        let envelope = EnvelopeRef { sequence, ..EnvelopeRef::new("w", "m", PayloadRef::json(&text)) };
        Outgoing { envelope: envelope.copied(), slot: u64::from(sequence), is_ask: true, deadline: 0, makes: false }
    }

    fn sequences<'a>(parked: impl IntoIterator<Item = &'a Outgoing>) -> Vec<u32> {
        parked.into_iter().map(|parked| parked.envelope.sequence).collect()
    }

    fn lanes() -> Lanes {
        let mut lanes = Lanes::new(2, 30_000);
        lanes.lane("w", 0);
        lanes
    }

    #[test]
    fn messages_wait_in_the_order_in_which_they_were_sent_whenever_they_come_back() {
        let mut lanes = lanes();
        for sequence in [3, 1, u32::MAX, 2, 0] {
            lanes.park("w", message(sequence, 1));
        }
        assert_eq!(sequences(&lanes.take("w")), [u32::MAX, 0, 1, 2, 3]);
        assert!(lanes.take("w").is_empty());
    }

    #[test]
    fn the_bytes_of_all_lanes_and_the_messages_of_one_are_limited() {
        let mut lanes = lanes();
        lanes.lane("v", 0);
        assert!(lanes.has_room("w", MAX_PARKED_BYTES) && !lanes.has_room("w", MAX_PARKED_BYTES + 1));
        lanes.park("w", message(1, 1000));
        assert!(lanes.has_room("v", MAX_PARKED_BYTES - 1000) && !lanes.has_room("v", MAX_PARKED_BYTES - 999));
        lanes.take("w");
        assert!(lanes.has_room("v", MAX_PARKED_BYTES));
        (0..MAX_PARKED as u32 - 1).for_each(|sequence| lanes.park("w", message(sequence, 0)));
        assert!(lanes.has_room("w", 0));
        lanes.park("w", message(MAX_PARKED as u32, 0));
        assert!(!lanes.has_room("w", 0) && lanes.has_room("v", 0) && lanes.has_room("unknown", 0));
    }

    #[test]
    fn what_need_not_wait_is_taken_out_and_the_rest_keeps_its_order_and_its_bytes() {
        let mut lanes = lanes();
        (1..=5).for_each(|sequence| lanes.park("w", message(sequence, 100)));
        assert_eq!(sequences(&lanes.take_if("w", |parked| parked.call() % 2 == 0)), [2, 4]);
        assert!(lanes.has_room("w", MAX_PARKED_BYTES - 300) && !lanes.has_room("w", MAX_PARKED_BYTES - 299));
        assert!(lanes.take_if("w", |_| false).is_empty() && lanes.take_if("unknown", |_| true).is_empty());
        assert_eq!(sequences(&lanes.take("w")), [1, 3, 5]);
    }

    #[test]
    fn draining_takes_what_waits_everywhere_and_forgets_routes_and_fences() {
        let mut lanes = lanes();
        lanes.lane("v", 0);
        lanes.park("w", message(1, 100));
        lanes.park("v", message(2, 100));
        lanes.fence_here("w", 9);
        let mut drained = sequences(&lanes.drain());
        drained.sort_unstable();
        assert_eq!(drained, [1, 2]);
        assert!(lanes.get_mut("w").is_none() && lanes.passed(9).is_none());
        assert!(lanes.has_room("w", MAX_PARKED_BYTES));
    }

    #[test]
    fn lanes_go_when_they_are_idle_for_the_age_and_the_longest_unused_ones_beyond_the_size() {
        let mut lanes = Lanes::new(2, 30_000);
        for (n, worker) in ["a", "b", "c", "d"].into_iter().enumerate() {
            lanes.lane(worker, 100_000 + 1000 * n as u64);
        }
        let left = |lanes: &mut Lanes, now| {
            lanes.trim(now);
            ["a", "b", "c", "d"].into_iter().filter(|worker| lanes.get_mut(worker).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(left(&mut lanes, 104_999), ["a", "b", "c", "d"], "too young");
        assert_eq!(left(&mut lanes, 105_500), ["b", "c", "d"]);
        assert_eq!(left(&mut lanes, 120_000), ["c", "d"], "as many as there is room for");
        assert_eq!(left(&mut lanes, 131_999), ["c", "d"]);
        assert_eq!(left(&mut lanes, 132_000), ["d"]);
    }

    #[test]
    fn a_lane_with_a_message_a_search_or_a_fence_is_kept() {
        let mut lanes = Lanes::new(2, 1_000);
        for worker in ["waits", "resolves", "fenced", "idle"] {
            lanes.lane(worker, 0);
        }
        lanes.park("waits", message(1, 1));
        lanes.lane("resolves", 0).resolving = true;
        lanes.fence_here("fenced", 7);
        lanes.trim(1_000_000);
        assert!(["waits", "resolves", "fenced"].iter().all(|worker| lanes.get_mut(worker).is_some()));
        assert!(lanes.get_mut("idle").is_none());
        assert_eq!(lanes.passed(7), Some(WorkerId::new("fenced")));
        lanes.trim(1_000_000);
        assert!(lanes.get_mut("fenced").is_none());
    }

    #[test]
    fn what_comes_back_from_this_broker_closes_the_lane_once() {
        let mut lanes = lanes();
        lanes.lane("w", 0).route = Route::Local { epoch: Epoch(1) };
        assert_eq!(lanes.returned_here("w", 5, message(1, 1)), Returned::Parked { fence: true });
        assert_eq!(lanes.returned_here("w", 6, message(2, 1)), Returned::Parked { fence: false });
        assert_eq!(lanes.returned_here("unknown", 7, message(3, 1)), Returned::TooLate);
        assert_eq!(lanes.passed(6), None);
        assert_eq!(lanes.passed(5), Some(WorkerId::new("w")));
        assert!(matches!(lanes.lane("w", 0).route, Route::None));
        assert_eq!(sequences(&lanes.take("w")), [1, 2]);
    }
}
