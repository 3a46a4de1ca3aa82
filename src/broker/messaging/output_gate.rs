//! Answers of workers that are held back while this incarnation cannot prove that it lives.
//!
//! Sent when the lease was renewed; gone with the life where it was lost, whose closed connections tell the callers.
//! As many as asks are being handled and workers being made, which are bounded elsewhere.

use crate::broker::activation::lifecycle::Creation;
use crate::broker::incarnation::Life;
use crate::broker::js::delivery::Handle;
use crate::lock::lock;
use crate::transport::Connection;
use crate::wire::message::Payload;
use std::sync::Arc;

/// What JavaScript reported past the gate.
pub enum Answer {
    Reply { inbound: u64, payload: Payload },
    Failure { inbound: u64, message: String, body: String },
    Created { handle: Handle, creation: Creation, message: String, max_queue: Option<usize> },
}

impl Life {
    /// Whether the gate is closed, and the answer therefore kept.
    pub fn holds_back(&self, answer: impl FnOnce() -> Answer) -> bool {
        if self.lease.holds() {
            return false;
        }
        // Again under the lock: who opens the gate takes it afterwards, so that nothing is left behind.
        let mut held = lock(&self.held_answers);
        let closed = !self.lease.holds();
        if closed {
            held.push(answer());
        }
        closed
    }

    /// The gate is open again.
    pub fn release_answers(&self) {
        let held = std::mem::take(&mut *lock(&self.held_answers));
        if held.is_empty() && !lock(&self.dirty).iter().any(is_answering) {
            return;
        }
        for answer in held {
            match answer {
                Answer::Reply { inbound, payload } => self.reply(inbound, (&payload).into()),
                Answer::Failure { inbound, message, body } => self.fail(inbound, &message, &body),
                Answer::Created { handle, creation, message, max_queue } => {
                    self.created(handle, creation, &message, max_queue);
                }
            }
        }
        self.flush();
        self.context.inbox.nudge();
    }

    /// Writes what this turn of JavaScript left in outboxes; of answers, what was written before the gate closed stays
    /// until it opens.
    pub fn flush(&self) {
        let mut dirty = std::mem::take(&mut *lock(&self.dirty));
        if !dirty.is_empty() && !self.lease.holds() {
            let kept;
            (kept, dirty) = dirty.into_iter().partition(is_answering);
            lock(&self.dirty).extend(kept);
        }
        dirty.iter().for_each(|connection| connection.flush());
    }

    /// Writes an outbox now, unless an answer in it is kept.
    pub fn flush_to(&self, connection: &Arc<Connection>) {
        let kept = |dirty: &Arc<Connection>| Arc::ptr_eq(dirty, connection) && is_answering(dirty);
        if self.lease.holds() || !lock(&self.dirty).iter().any(kept) {
            connection.flush();
        }
    }
}

/// A peer asks over the connections that it opened: only those carry answers.
fn is_answering(connection: &Arc<Connection>) -> bool {
    !connection.outgoing()
}
