//! What waits in a lane is written to the route that was found.

use crate::broker::calls::table::{time_left, Place};
use crate::broker::directory::lane::{Parked, Route};
use crate::broker::directory::lanes::Lanes;
use crate::broker::directory::routes::Routes;
use crate::broker::js::event::Event;
use crate::broker::output::failure::send_failure;
use crate::clock::boot_millis;
use crate::error::Failure;
use crate::ids::WorkerId;
use crate::wire::message::{Envelope, Message};
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
            if parked.call > 0 && !self.calls.is_waiting(parked.call) {
                continue;
            }
            match self.pass_on(worker, number, &route, &parked, now) {
                Ok(()) => {
                    lanes.lane(worker.as_str(), now).wrote(parked.sequence);
                    handed.push(parked.tell_slot);
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
    fn pass_on(
        &self,
        worker: &WorkerId,
        lane: u64,
        route: &Route,
        parked: &Parked,
        now: u64,
    ) -> Result<(), Option<Failure>> {
        let (connection, epoch) = match route {
            Route::Remote { connection, epoch } => (connection, *epoch),
            Route::Local { epoch } => {
                let local = self.local().ok_or(None)?;
                return local.deliver(worker, *epoch, parked);
            }
            Route::None | Route::Doubted { .. } | Route::Fence { .. } => return Err(None),
        };
        let envelope = Envelope {
            worker: worker.clone(),
            epoch,
            sequence: parked.sequence,
            method: parked.method.clone(),
            chain: parked.chain.clone(),
            payload: parked.payload.clone(),
        };
        let message = if parked.call > 0 {
            self.calls.route_over(parked.call, connection.id(), lane);
            Message::Ask { call: parked.call, time_left: time_left(parked.deadline, now), envelope }
        } else {
            Message::Tell { envelope }
        };
        connection.send(&message).map_err(|error| {
            self.calls.route(parked.call, Place::Nowhere);
            match error {
                crate::transport::SendError::Closed => None,
                error => Some(send_failure(error)),
            }
        })
    }
}
