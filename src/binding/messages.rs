//! Messages as JavaScript sends, handles and answers them.

use crate::binding::broker::NativeBroker;
use crate::binding::strings::Text;
use crate::broker::js::delivery::Handle;
use crate::broker::js::delivery::Origin;
use crate::clock::boot_millis;
use crate::error::Delivered;
use napi_derive::napi;

/// What is known of a message that is being handled.
#[napi(object)]
pub struct CallContext {
    /// ms until nobody waits for its answer any more.
    pub left: f64,
    /// Nobody waits any more.
    pub cancelled: bool,
    /// The id of the broker that it came from.
    pub caller: String,
}

#[napi]
impl NativeBroker {
    /// The caller's signal aborted an ask: `delivered` of its error, `null` when its outcome is on its way.
    #[napi(catch_unwind)]
    pub fn abort(&self, slot: f64) -> Option<&'static str> {
        self.core.life().ok()?.activation.workers.abort(slot as u64).map(Delivered::as_str)
    }

    /// What is known of a message that is being handled, where its answer has not left yet.
    #[napi(catch_unwind)]
    pub fn call_context(&self, inbound: f64) -> Option<CallContext> {
        let life = self.core.life().ok()?;
        let (deadline, origin, cancelled) = life.activation.workers.watch(inbound as u64)?;
        let left = match deadline {
            u64::MAX => f64::INFINITY,
            deadline => deadline as f64 - boot_millis() as f64,
        };
        let caller = match origin {
            Origin::Local { .. } => life.context.broker.to_string(),
            Origin::Remote { connection, .. } => connection.peer().broker.to_string(),
        };
        Some(CallContext { left, cancelled, caller })
    }

    /// The broker at the other end of a connection; this one's where it is 0, `null` where it has ended.
    #[napi(catch_unwind)]
    pub fn caller(&self, connection: f64) -> Option<String> {
        let life = self.core.life().ok()?;
        match connection as u64 {
            0 => Some(life.context.broker.to_string()),
            connection => life.membership.members.peers.caller(connection).map(|broker| broker.to_string()),
        }
    }

    /// `onCreate` or `onDestroy` of this worker makes a call: the number that its calls name. [`NativeBroker::done`] gives it back.
    #[napi(catch_unwind)]
    pub fn open_step(&self, handle: Handle) -> f64 {
        self.core.life().map_or(0.0, |life| life.activation.workers.open_step(handle) as f64)
    }

    /// The handler of a tell ended, of a worker that takes one message at a time.
    #[napi(catch_unwind)]
    pub fn done(&self, inbound: f64) {
        if let Ok(life) = self.core.life() {
            life.activation.workers.handled(inbound as u64);
        }
    }

    /// The handler of an ask ended, of a worker that takes one message at a time, and its answer waits: the next message begins.
    #[napi(catch_unwind)]
    pub fn end_turn(&self, inbound: f64) {
        if let Ok(life) = self.core.life() {
            life.activation.workers.end_turn(inbound as u64);
        }
    }

    #[napi(catch_unwind)]
    pub fn fail(&self, inbound: f64, message: String, body: String) {
        if let Ok(life) = self.core.life() {
            life.messages.fail(inbound as u64, &message, &body);
            self.station.left_to_send(&life);
        }
    }

    /// Whether JavaScript may give messages of this broker to this worker of its own without the core: the event that
    /// says so comes after all that it has been sent so far.
    #[napi(catch_unwind)]
    pub fn open_direct(&self, worker: Text, handle: Handle) -> bool {
        self.core.life().is_ok_and(|life| life.activation.workers.open_direct(&worker, handle))
    }

    /// Whether this broker can prove that it holds this worker, so that a handler may start or its answer count.
    #[napi(catch_unwind)]
    pub fn proves(&self, handle: Handle) -> bool {
        self.core.life().is_ok_and(|life| life.activation.workers.proves(handle))
    }

    /// A message of the current batch came for a worker that takes none: it goes back, or waits.
    #[napi(catch_unwind)]
    pub fn refuse(&self, index: u32) {
        self.station.refuse(index);
    }

    /// The event of the current batch at this place, and all after it, come again.
    #[napi(catch_unwind)]
    pub fn hold(&self, index: u32) {
        self.station.hold(index);
    }

    /// Whether anybody waits for this ask of the current batch, and still will in so many ms; if not, it is dropped.
    #[napi(catch_unwind)]
    pub fn wants(&self, index: u32, answer: u32) -> bool {
        self.station.wants(index, answer)
    }
}
