//! What waits in a lane is written to the route that was found.

use crate::broker::calls::table::{time_left, Place};
use crate::broker::directory::lane::{Outgoing, Route};
use crate::broker::directory::lanes::Lanes;
use crate::broker::directory::routes::Routes;
use crate::broker::js::event::Event;
use crate::broker::output::failure::send_failure;
use crate::clock::boot_millis;
use crate::error::Failure;
use crate::ids::WorkerId;
use crate::transport::{Connection, SendError};
use crate::wire::codec;
use crate::wire::message::{Envelope, EnvelopeRef, Message};
use std::sync::Arc;

impl Routes {
    /// Writes what waits to the route, in order; `false` when that could not be done, so that a route is looked for again.
    pub fn attach(self: &Arc<Self>, worker: &WorkerId, route: Route) -> bool {
        let now = boot_millis();
        let mut failed = Vec::new();
        let mut handed = Vec::new();
        let mut lanes = self.lanes();
        if let Some(done) = self.waits_for_the_old_route(&mut lanes, worker, &route) {
            return done;
        }
        let mut queue = lanes.take(worker.as_str());
        let number = lanes.lane(worker.as_str(), now).attach();
        let mut broken = false;
        while let Some(parked) = queue.pop_front() {
            if parked.is_ask && !self.calls.is_waiting(parked.slot) {
                continue;
            }
            match self.pass_on(number, &route, &parked, now) {
                Ok(()) => {
                    lanes.lane(worker.as_str(), now).wrote(parked.envelope.sequence);
                    handed.push(parked.tell_slot());
                }
                Err(Some(failure)) => failed.push((parked, failure)),
                Err(None) => {
                    queue.push_front(parked);
                    broken = true;
                    break;
                }
            }
        }
        for parked in queue {
            lanes.park(worker.as_str(), parked);
        }
        let lane = lanes.lane(worker.as_str(), now);
        lane.resolving = broken;
        if !broken {
            lane.route = route.clone();
        }
        drop(lanes);
        if let Route::Remote { connection, .. } = &route {
            connection.flush();
        } else {
            self.context.inbox.nudge();
        }
        for slot in handed.into_iter().filter(|slot| *slot > 0) {
            self.context.inbox.push(Event::done(slot));
        }
        failed.into_iter().for_each(|(parked, failure)| self.fail_parked(worker, parked, &failure));
        !broken
    }

    /// A lane whose messages are still on their way back, or may be under way to somewhere else than the new route, is
    /// written to when all of them were answered. `Some(false)`: that could not be asked for.
    fn waits_for_the_old_route(self: &Arc<Self>, lanes: &mut Lanes, worker: &WorkerId, new: &Route) -> Option<bool> {
        let lane = lanes.get_mut(worker.as_str())?;
        let old = match (&lane.route, new) {
            (Route::Fence { .. }, _) => {
                lane.resolving = false;
                self.watch_fence(lanes, worker.as_str());
                return Some(true);
            }
            (Route::Doubted { connection: old, epoch: was }, Route::Remote { connection, epoch })
                if old.id() == connection.id() && was == epoch =>
            {
                return None
            }
            (Route::Doubted { connection, .. }, _) if connection.is_open() => connection.clone(),
            _ => return None,
        };
        let sync = self.context.next_call();
        if old.send(&Message::Sync { call: sync, worker: worker.clone() }).is_err() {
            return Some(false);
        }
        lane.resolving = false;
        lanes.fence_there(worker.as_str(), &old, sync);
        self.watch_fence(lanes, worker.as_str());
        old.flush();
        Some(true)
    }

    /// `Err(None)`: the route is broken; `Err(Some)`: this message cannot be sent.
    fn pass_on(&self, lane: u64, route: &Route, parked: &Outgoing, now: u64) -> Result<(), Option<Failure>> {
        match route {
            Route::Remote { connection, epoch } => {
                self.write(connection, lane, &parked.to(*epoch), now).map_err(|error| match error {
                    SendError::Closed => None,
                    error => Some(send_failure(error)),
                })
            }
            Route::Local { epoch } => {
                let local = self.local().ok_or(None)?;
                let envelope = Envelope { epoch: *epoch, ..parked.envelope.clone() };
                local.deliver(parked.call(), parked.deadline, envelope)
            }
            Route::None | Route::Doubted { .. } | Route::Fence { .. } => Err(None),
        }
    }

    /// Writes a message into the outbox of its worker's broker, which is flushed by the caller. `lane`: the lane's number.
    pub fn write(
        &self,
        to: &Arc<Connection>,
        lane: u64,
        outgoing: &Outgoing<EnvelopeRef<'_>>,
        now: u64,
    ) -> Result<(), SendError> {
        let (max, envelope) = (to.max_message_bytes(), outgoing.envelope);
        if !outgoing.is_ask {
            return to.send_with(|out| codec::encode_tell(out, max, envelope));
        }
        let (call, time_left) = (outgoing.slot, time_left(outgoing.deadline, now));
        // Before it is written: the answer may be faster than this thread.
        self.calls.route_over(call, to.id(), lane);
        let written = to.send_with(|out| codec::encode_ask(out, max, call, time_left, envelope));
        if written.is_err() {
            self.calls.route(call, Place::Nowhere);
        }
        written
    }
}
