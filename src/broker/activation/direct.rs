//! When JavaScript may give messages of its broker to a worker of the same broker without the core.
//!
//! It may as long as nothing else is on its way from this broker to that worker: then the order is JavaScript's own.
//! Only for workers that handle messages side by side: turns are kept here. JavaScript ends it by itself, before it
//! reports that the worker goes, and when this broker cannot prove that it lives.

use crate::broker::activation::catalog::State;
use crate::broker::directory::lane::Route;
use crate::broker::incarnation::Life;
use crate::broker::js::delivery::Handle;
use crate::broker::js::event::Event;
use crate::clock::boot_millis;
use crate::lock::lock;

impl Life {
    /// `true`: an event comes behind all that this broker has sent to the worker. From the JavaScript thread.
    pub fn open_direct(&self, worker: &str, handle: Handle) -> bool {
        let mut lanes = self.directory.routes.lanes();
        let lane = lanes.lane(worker, boot_millis());
        let Route::Local { epoch } = lane.route else { return false };
        if !lane.queue.is_empty() || self.lease.is_suspended() {
            return false;
        }
        let is_open = lock(&self.residents).by_id_mut(worker).is_some_and(|(here, resident)| {
            here == handle && resident.epoch == epoch && resident.state == State::Active && resident.turns.is_none()
        });
        if is_open {
            self.context.inbox.push_quietly(Event::Direct { handle });
        }
        is_open
    }

    /// Whether this incarnation holds the worker, and can prove that it lives.
    pub fn proves(&self, handle: Handle) -> bool {
        self.lease.holds() && lock(&self.residents).get_mut(handle).is_some()
    }
}
