//! Calls that wait for an answer: who waits, until when, on which connection. Pure: takes `now`.

use crate::error::{Code, Delivered, Failure};
use crate::wire::message::Payload;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Deadlines are kept in steps of this many milliseconds; an answer is late by at most one step and the timer's own.
const STEP: u64 = 8;
/// Expired entries of finished calls are swept when they outnumber the waiting ones by this.
const SWEEP: usize = 65_536;

/// How a call ended.
#[derive(Debug)]
pub enum Settled {
    Reply(Payload),
    Failure { failure: Failure, body: Bytes },
}

/// Who waits.
#[derive(Debug)]
pub enum Waiter {
    /// The promise under this number.
    JavaScript,
    /// A task of the core.
    Internal(oneshot::Sender<Settled>),
}

/// Where a call is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Not written, or known to have come back.
    Nowhere,
    /// Written to this connection.
    There { connection: u64 },
    /// With a worker of this broker, under this number.
    Here { inbound: u64 },
}

#[derive(Debug)]
pub struct Call {
    pub deadline: u64,
    pub place: Place,
    /// The number of the lane over which it was written; 0: over none.
    pub lane: u64,
    /// Why no route to the worker has been found yet.
    pub problem: Option<Arc<Failure>>,
    pub waiter: Waiter,
}

impl Call {
    /// What its caller is told when its deadline has passed.
    pub fn too_late(&self) -> Failure {
        match (self.place, &self.problem) {
            (Place::Nowhere, Some(problem)) => Failure::clone(problem).with_delivered(Delivered::No),
            (Place::Nowhere, None) => {
                Failure::new(Code::Timeout, "No broker that runs the worker was found before the deadline.")
                    .with_delivered(Delivered::No)
            }
            _ => Failure::new(Code::Timeout, "No answer arrived before the deadline."),
        }
    }

    /// Whether it may have run, as far as the transport knows.
    pub fn delivered(&self) -> Delivered {
        if self.place == Place::Nowhere {
            Delivered::No
        } else {
            Delivered::Unknown
        }
    }
}

/// The calls that wait for an answer, by number and by deadline. Pure.
#[derive(Default)]
pub struct Calls {
    waiting: FxHashMap<u64, Call>,
    deadlines: BTreeMap<u64, Vec<u64>>,
    listed: usize,
}

impl Calls {
    /// `true` when the timer must be set anew: this deadline comes before all others.
    pub fn insert(&mut self, call: u64, deadline: u64, waiter: Waiter) -> bool {
        self.waiting.insert(call, Call { deadline, place: Place::Nowhere, lane: 0, problem: None, waiter });
        let step = deadline / STEP + 1;
        let first = self.deadlines.first_key_value().is_none_or(|(first, _)| step < *first);
        self.deadlines.entry(step).or_default().push(call);
        self.listed += 1;
        if self.listed > 4 * self.waiting.len() + SWEEP {
            self.sweep();
        }
        first
    }

    fn sweep(&mut self) {
        let waiting = &self.waiting;
        self.deadlines.retain(|_, calls| {
            calls.retain(|call| waiting.contains_key(call));
            !calls.is_empty()
        });
        self.listed = self.deadlines.values().map(Vec::len).sum();
    }

    /// It is about to be there.
    pub fn route(&mut self, call: u64, place: Place) {
        if let Some(waiting) = self.waiting.get_mut(&call) {
            waiting.place = place;
        }
    }

    /// It is about to be written to this connection, over this lane.
    pub fn route_over(&mut self, call: u64, connection: u64, lane: u64) {
        if let Some(waiting) = self.waiting.get_mut(&call) {
            waiting.place = Place::There { connection };
            waiting.lane = lane;
        }
    }

    /// No route to its worker was found, this time for this reason.
    pub fn blame(&mut self, call: u64, problem: &Arc<Failure>) {
        if let Some(waiting) = self.waiting.get_mut(&call) {
            waiting.problem = Some(problem.clone());
        }
    }

    pub fn is_waiting(&self, call: u64) -> bool {
        self.waiting.contains_key(&call)
    }

    pub fn deadline(&self, call: u64) -> Option<u64> {
        self.waiting.get(&call).map(|waiting| waiting.deadline)
    }

    /// The deadline of a call that was written to this connection.
    pub fn deadline_there(&self, call: u64, connection: u64) -> Option<u64> {
        let waiting = self.waiting.get(&call).filter(|waiting| waiting.place == Place::There { connection });
        waiting.map(|waiting| waiting.deadline)
    }

    /// Ends it; `None` when it has ended already.
    pub fn settle(&mut self, call: u64) -> Option<Call> {
        self.waiting.remove(&call)
    }

    /// Ends it where it was written to this connection: nobody else can answer it.
    pub fn settle_there(&mut self, call: u64, connection: u64) -> Option<Call> {
        let there = self.waiting.get(&call).is_some_and(|waiting| waiting.place == Place::There { connection });
        there.then(|| self.waiting.remove(&call)).flatten()
    }

    /// Ends everything that is past its deadline.
    pub fn expire(&mut self, now: u64) -> Vec<(u64, Call)> {
        let mut expired = Vec::new();
        while let Some(entry) = self.deadlines.first_entry() {
            if entry.key() * STEP > now {
                break;
            }
            let calls = entry.remove();
            self.listed -= calls.len();
            for call in calls {
                if let Some(waiting) = self.waiting.remove(&call) {
                    expired.push((call, waiting));
                }
            }
        }
        expired
    }

    /// When [`Calls::expire`] has something to do next, on the local clock.
    pub fn next_deadline(&self) -> Option<u64> {
        self.deadlines.first_key_value().map(|(step, _)| step * STEP)
    }

    /// Whether an answer is awaited on this connection. Looks at every call: for rare questions.
    pub fn has_in_flight(&self, connection: u64) -> bool {
        self.waiting.values().any(|call| call.place == Place::There { connection })
    }

    /// Ends everything that was in flight on a connection.
    pub fn lost(&mut self, connection: u64) -> Vec<(u64, Call)> {
        self.waiting.extract_if(|_, call| call.place == Place::There { connection }).collect()
    }

    /// Ends everything.
    pub fn drain(&mut self) -> Vec<(u64, Call)> {
        self.deadlines.clear();
        self.listed = 0;
        self.waiting.drain().collect()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// What is left until a deadline, as it travels.
pub fn time_left(deadline: u64, now: u64) -> u32 {
    u32::try_from(deadline.saturating_sub(now)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_expires_within_one_step_of_its_deadline_and_never_before_it() {
        let mut calls = Calls::default();
        assert!(calls.insert(1, 1000, Waiter::JavaScript));
        assert!(!calls.insert(2, 2000, Waiter::JavaScript));
        assert!(calls.insert(3, 500, Waiter::JavaScript));
        assert!(calls.expire(500).is_empty());
        assert_eq!(calls.expire(500 + STEP).iter().map(|(call, _)| *call).collect::<Vec<_>>(), [3]);
        assert!(calls.expire(1000).is_empty());
        assert_eq!(calls.expire(2000 + STEP).len(), 2);
        assert!(calls.is_empty());
        assert_eq!(calls.next_deadline(), None);
    }

    #[test]
    fn the_timer_is_set_to_the_end_of_the_first_step_and_an_expired_call_is_ended_once() {
        let mut calls = Calls::default();
        calls.insert(1, 10 * STEP, Waiter::JavaScript);
        calls.insert(2, 10 * STEP + 1, Waiter::JavaScript);
        assert!(!calls.insert(3, 10 * STEP, Waiter::JavaScript), "the timer is set to this already");
        let end = calls.next_deadline().expect("three calls wait");
        assert_eq!(end, 11 * STEP);
        assert!(calls.expire(end - 1).is_empty());
        assert!(calls.settle(2).is_some());
        let mut expired: Vec<_> = calls.expire(end).into_iter().map(|(call, _)| call).collect();
        expired.sort_unstable();
        assert_eq!(expired, [1, 3]);
        assert!(calls.expire(u64::MAX).is_empty() && calls.settle(1).is_none());
    }

    #[test]
    fn a_call_is_in_flight_on_the_connection_that_it_was_written_to_until_it_ends() {
        let mut calls = Calls::default();
        calls.insert(1, 1000, Waiter::JavaScript);
        assert!(!calls.has_in_flight(7), "it is written nowhere");
        calls.route_over(1, 7, 3);
        assert!(calls.has_in_flight(7) && !calls.has_in_flight(8));
        assert_eq!((calls.deadline_there(1, 7), calls.deadline_there(1, 8)), (Some(1000), None));
        assert!(calls.settle_there(1, 8).is_none() && calls.is_waiting(1));
        assert_eq!(calls.settle_there(1, 7).map(|call| call.lane), Some(3));
        assert!(!calls.has_in_flight(7));
        calls.insert(2, 1000, Waiter::JavaScript);
        calls.route(2, Place::Here { inbound: 7 });
        assert!(!calls.has_in_flight(7), "a handler of this broker has it");
    }

    #[test]
    fn draining_gives_every_call_that_waits_and_leaves_none() {
        let mut calls = Calls::default();
        for call in 1..=3 {
            calls.insert(call, call * 1000, Waiter::JavaScript);
        }
        calls.settle(2);
        let mut drained: Vec<_> = calls.drain().into_iter().map(|(call, _)| call).collect();
        drained.sort_unstable();
        assert_eq!(drained, [1, 3]);
        assert!(calls.is_empty() && calls.next_deadline().is_none() && calls.expire(u64::MAX).is_empty());
        assert!(calls.insert(4, 9000, Waiter::JavaScript), "it begins anew");
    }

    #[test]
    fn a_call_that_is_too_late_says_whether_it_may_have_run() {
        let mut calls = Calls::default();
        calls.insert(1, 1000, Waiter::JavaScript);
        calls.insert(2, 1000, Waiter::JavaScript);
        calls.insert(3, 1000, Waiter::JavaScript);
        calls.route(2, Place::There { connection: 7 });
        calls.blame(3, &Arc::new(Failure::new(Code::Unreachable, "a wall")));
        let mut end = |call| calls.settle(call).map(|call| (call.delivered(), call.too_late())).expect("it waits");
        let (first, second, third) = (end(1), end(2), end(3));
        assert_eq!((first.0, first.1.code, first.1.delivered), (Delivered::No, Code::Timeout, Delivered::No));
        assert_eq!((second.0, second.1.code), (Delivered::Unknown, Code::Timeout));
        assert_ne!(second.1.delivered, Delivered::No);
        assert_eq!((third.1.code, &*third.1.message), (Code::Unreachable, "a wall"));
    }

    #[test]
    fn a_lost_connection_ends_what_was_written_to_it_alone() {
        let mut calls = Calls::default();
        for call in 1..=3 {
            calls.insert(call, 1000, Waiter::JavaScript);
        }
        calls.route(1, Place::There { connection: 7 });
        calls.route(2, Place::There { connection: 8 });
        let lost: Vec<_> = calls.lost(7).into_iter().map(|(call, _)| call).collect();
        assert_eq!(lost, [1]);
        assert!(calls.is_waiting(2) && calls.is_waiting(3));
    }

    #[test]
    fn deadlines_of_finished_calls_do_not_pile_up() {
        let mut calls = Calls::default();
        for call in 0..10 * SWEEP as u64 {
            calls.insert(call, 1_000_000 + call, Waiter::JavaScript);
            assert!(calls.settle(call).is_some());
        }
        assert!(calls.listed <= SWEEP + 4, "{} listed", calls.listed);
    }

    #[test]
    fn a_call_waits_with_its_deadline_until_it_ends() {
        let mut calls = Calls::default();
        calls.insert(1, 1234, Waiter::JavaScript);
        assert!(calls.is_waiting(1) && !calls.is_waiting(2));
        assert_eq!((calls.deadline(1), calls.deadline(2)), (Some(1234), None));
        calls.settle(1);
        assert!(!calls.is_waiting(1) && calls.deadline(1).is_none());
    }

    #[test]
    fn deadlines_are_swept_when_finished_calls_outnumber_the_waiting_ones_and_those_that_wait_keep_theirs() {
        let mut calls = Calls::default();
        (1..=10).for_each(|call| assert_eq!(calls.insert(call, 500, Waiter::JavaScript), call == 1));
        let finish = |calls: &mut Calls, number: u64| {
            calls.insert(100 + number, 1_000_000, Waiter::JavaScript);
            calls.settle(100 + number);
        };
        // The call that is inserted waits too: four deadlines for each of eleven calls, and SWEEP more.
        let most = 4 * 11 + SWEEP;
        (0..most as u64 - 10).for_each(|number| finish(&mut calls, number));
        assert_eq!(calls.listed, most);
        finish(&mut calls, most as u64);
        assert_eq!(calls.listed, 11);
        assert_eq!(calls.expire(600).len(), 10);
    }
}
