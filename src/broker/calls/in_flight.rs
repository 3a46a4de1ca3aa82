//! The calls of one incarnation that wait for an answer, and what their callers are told.

use crate::broker::calls::table::{Call, Calls, Place, Settled, Waiter};
use crate::broker::context::shared::Context;
use crate::broker::js::event::Event;
use crate::clock::boot_millis;
use crate::error::{Code, Failure};
use crate::lock::lock;
use crate::transport::Connection;
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// Calls of JavaScript and of the core that wait for an answer.
pub struct InFlight {
    context: Arc<Context>,
    calls: Mutex<Calls>,
    /// The earliest deadline changed.
    timer: Notify,
}

impl InFlight {
    /// No call waits.
    pub fn new(context: &Arc<Context>) -> Arc<Self> {
        Arc::new(Self { context: context.clone(), calls: Mutex::default(), timer: Notify::new() })
    }

    /// Starts to wait for an answer.
    pub fn open(&self, call: u64, deadline: u64, waiter: Waiter) {
        if lock(&self.calls).insert(call, deadline, waiter) {
            self.timer.notify_one();
        }
    }

    /// Ends a call; nothing happens when it has ended already.
    pub fn settle(&self, call: u64, settled: Settled) {
        let ended = lock(&self.calls).settle(call);
        if let Some(ended) = ended {
            self.answer(call, ended, settled);
        }
    }

    /// Ends a call with what came from a peer; nothing happens when it was not written to that connection.
    pub fn settle_from(&self, from: &Connection, call: u64, settled: Settled) {
        let ended = lock(&self.calls).settle_there(call, from.id());
        if let Some(ended) = ended {
            self.answer(call, ended, settled);
        }
    }

    /// Ends a call whose caller is answered by who calls this. `None`: it has ended already.
    pub fn end(&self, call: u64) -> Option<Call> {
        lock(&self.calls).settle(call)
    }

    /// Ends a call with a failure.
    pub fn fail(&self, call: u64, failure: Failure) {
        self.settle(call, Settled::Failure { body: failure.body.clone(), failure });
    }

    fn answer(&self, call: u64, ended: Call, settled: Settled) {
        match ended.waiter {
            Waiter::JavaScript => self.context.inbox.push(match settled {
                Settled::Reply(value) => Event::Done { slot: call, value },
                Settled::Failure { failure, body } => Event::Failed { slot: call, failure, body },
            }),
            // Where the task that asked has ended, the answer is dropped.
            Waiter::Internal(sender) => drop(sender.send(settled)),
        }
    }

    fn answer_all(&self, ended: Vec<(u64, Call)>, failure: impl Fn(&Call) -> Failure) {
        for (call, ended) in ended {
            let failure = failure(&ended);
            self.answer(call, ended, Settled::Failure { failure, body: Bytes::new() });
        }
    }

    /// Whether a call still waits.
    pub fn is_waiting(&self, call: u64) -> bool {
        lock(&self.calls).is_waiting(call)
    }

    /// The deadline of a call that waits.
    pub fn deadline(&self, call: u64) -> Option<u64> {
        lock(&self.calls).deadline(call)
    }

    /// The deadline of a call that was written to this connection.
    pub fn deadline_there(&self, call: u64, connection: u64) -> Option<u64> {
        lock(&self.calls).deadline_there(call, connection)
    }

    /// A call is about to be there.
    pub fn route(&self, call: u64, place: Place) {
        lock(&self.calls).route(call, place);
    }

    /// A call is about to be written to this connection, over this lane.
    pub fn route_over(&self, call: u64, connection: u64, lane: u64) {
        lock(&self.calls).route_over(call, connection, lane);
    }

    /// No route for these calls was found, for this reason.
    pub fn blame(&self, blamed: impl Iterator<Item = u64>, problem: &Arc<Failure>) {
        let mut calls = lock(&self.calls);
        blamed.for_each(|call| calls.blame(call, problem));
    }

    /// Whether an answer is awaited on this connection.
    pub fn has_in_flight(&self, connection: u64) -> bool {
        lock(&self.calls).has_in_flight(connection)
    }

    /// Fails everything that was in flight on a connection which broke.
    pub fn fail_lost(&self, connection: u64, failure: &Failure) {
        let lost = lock(&self.calls).lost(connection);
        self.answer_all(lost, |_| failure.clone());
    }

    /// Fails these calls; where they were.
    pub fn fail_all(&self, calls: Vec<u64>, failure: impl Fn(&Call) -> Failure) -> Vec<(u64, Place)> {
        let ended: Vec<(u64, Call)> = {
            let mut waiting = lock(&self.calls);
            calls.into_iter().filter_map(|call| waiting.settle(call).map(|ended| (call, ended))).collect()
        };
        let places = ended.iter().map(|(call, ended)| (*call, ended.place)).collect();
        self.answer_all(ended, failure);
        places
    }

    /// The incarnation ended: every call fails.
    pub fn fail_everything(&self) {
        let waiting = lock(&self.calls).drain();
        self.answer_all(waiting, |ended| {
            Failure::new(Code::PeerLost, "The broker was closed.").with_delivered(ended.delivered())
        });
    }

    /// Waits until the earliest deadline has passed.
    pub async fn wait_for_a_deadline(&self) {
        loop {
            let next = lock(&self.calls).next_deadline();
            let wait = next.map(|next| Duration::from_millis(next.saturating_sub(boot_millis())));
            tokio::select! {
                () = self.timer.notified() => continue,
                () = async { match wait { Some(wait) => tokio::time::sleep(wait).await, None => std::future::pending().await } } => {}
            }
            return;
        }
    }

    /// Takes the calls whose deadlines have passed.
    pub fn take_expired(&self) -> Vec<(u64, Call)> {
        lock(&self.calls).expire(boot_millis())
    }

    /// Tells the callers of these calls that their deadlines have passed.
    pub fn fail_expired(&self, expired: Vec<(u64, Call)>) {
        self.answer_all(expired, Call::too_late);
    }
}
