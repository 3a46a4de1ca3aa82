//! The gate that answers pass: those of workers are held back while this incarnation cannot prove that it lives.
//!
//! They are sent when the lease was renewed, and dropped with the incarnation where it was lost; the closed connections
//! tell the callers then. There are as many as asks are being handled and workers being made, which are bounded elsewhere.

use crate::broker::context::shared::Context;
use crate::broker::lease::room::Lease;
use crate::broker::output::answer::Answer;
use crate::error::Code;
use crate::level::Level;
use crate::lock::lock;
use crate::transport::{Connection, SendError};
use crate::wire::message::Message;
use bytes::Bytes;
use std::sync::{Arc, Mutex};

/// Writes to peers, and holds back what must not leave yet.
pub struct Output {
    context: Arc<Context>,
    lease: Arc<Lease>,
    /// Connections with something to write at the end of JavaScript's turn.
    dirty: Mutex<Vec<Arc<Connection>>>,
    /// Answers that wait for the gate to open.
    held: Mutex<Vec<Answer>>,
}

impl Output {
    /// Nothing was written yet.
    pub fn new(context: &Arc<Context>, lease: &Arc<Lease>) -> Arc<Self> {
        Arc::new(Self {
            context: context.clone(),
            lease: lease.clone(),
            dirty: Mutex::default(),
            held: Mutex::default(),
        })
    }

    /// Whether the gate is closed, and the answer therefore kept.
    pub fn holds_back(&self, answer: impl FnOnce() -> Answer) -> bool {
        if self.lease.holds() {
            return false;
        }
        // Again under the lock: who opens the gate takes it afterwards, so that nothing is left behind.
        let mut held = lock(&self.held);
        let closed = !self.lease.holds();
        if closed {
            held.push(answer());
        }
        closed
    }

    /// The gate is open again: the answers that were held back, for the caller to give again before it flushes. `None`:
    /// there is nothing to write.
    pub fn take_held(&self) -> Option<Vec<Answer>> {
        let held = std::mem::take(&mut *lock(&self.held));
        let waits = !held.is_empty() || lock(&self.dirty).iter().any(is_answering);
        waits.then_some(held)
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

    /// The outbox of this connection has something to write at the end of the turn.
    pub fn mark_dirty(&self, connection: &Arc<Connection>) {
        let mut dirty = lock(&self.dirty);
        if !dirty.iter().any(|known| Arc::ptr_eq(known, connection)) {
            dirty.push(connection.clone());
        }
    }

    /// Writes a message now. A full outbox means a peer that does not read its answers: its calls end at their deadlines.
    pub fn reply_to(&self, to: &Arc<Connection>, message: &Message) {
        if to.send(message).is_err() {
            self.context.log(Level::Debug, "An answer could not be sent, because the other broker has disconnected or does not read. It is dropped.");
        }
        self.flush_to(to);
    }

    /// Tells the caller now that its call is not handled.
    pub fn refuse_call(&self, to: &Arc<Connection>, call: u64, code: Code, text: &str) {
        let message = Bytes::copy_from_slice(text.as_bytes());
        self.reply_to(to, &Message::Failure { call, code, message, body: Bytes::new() });
    }

    /// Puts the failure of a call into the outbox.
    pub fn write_failure(&self, to: &Arc<Connection>, call: u64, code: Code, message: Bytes, body: Bytes) {
        let failure = Message::Failure { call, code, message: message.clone(), body };
        if let Err(SendError::TooLarge { .. }) = to.answer(&failure) {
            let message = Bytes::from_static(b"The handler failed, and its error is too large to be sent.");
            let _ = to.answer(&Message::Failure { call, code, message, body: Bytes::new() });
        }
    }
}

/// A peer asks over the connections that it opened: only those carry answers.
fn is_answering(connection: &Arc<Connection>) -> bool {
    !connection.outgoing()
}
