//! What becomes of the asks that a worker still handles when it is given up in the registry: none outlives it there.
//!
//! From the release on the worker may live elsewhere, so an answer of this instance must not count: its callers are told
//! before. One that ended itself for good (`worker.destroy()`) may answer first, as its handler may have called that.

use crate::broker::calls::table::Place;
use crate::broker::incarnation::Life;
use crate::broker::js::delivery::Origin;
use crate::broker::js::delivery::{Delivery, Handle};
use crate::broker::js::event::Event;
use crate::broker::js::report::Ended;
use crate::clock::boot_millis;
use crate::coordination::Release;
use crate::error::{Code, Failure};
use crate::lock::lock;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

fn asks(events: &[Event]) -> impl Iterator<Item = &Delivery> {
    events.iter().filter_map(|event| match event {
        Event::Message(delivery) if delivery.origin.is_ask() => Some(delivery),
        _ => None,
    })
}

impl Life {
    /// JavaScript is given these events.
    pub fn hand_out(&self, events: &[Event]) {
        let mut inbound = lock(&self.inbound);
        asks(events).for_each(|delivery| inbound.give_to(delivery.inbound, delivery.handle));
    }

    /// No handler was started for these.
    pub fn take_back_from_handlers(&self, events: &[Event]) {
        let mut inbound = lock(&self.inbound);
        asks(events).for_each(|delivery| inbound.give_to(delivery.inbound, 0));
    }

    /// Gives a worker up once the asks that it handles have ended: at once, or when they have had their time.
    pub fn part_with(self: &Arc<Self>, handle: Handle, release: Release, ended: Ended) {
        let (asks, deadline) = lock(&self.inbound).handled_by(handle);
        if ended == Ended::Moved || asks.is_empty() || self.context.is_leaving() {
            self.cut_asks(handle, &asks);
            return self.registrar.release(Some(handle), release);
        }
        let all = lock(&self.inbound).await_end(handle, asks.len());
        let left = deadline.saturating_sub(boot_millis()).min(self.context.config.destroy_timeout);
        let life = self.clone();
        self.context.spawn("parting", async move {
            if !life.context.is_leaving() {
                // At the end of the time what is left is cut.
                let _ = tokio::time::timeout(Duration::from_millis(left), all.notified()).await;
            }
            lock(&life.inbound).forget_end(handle);
            let (asks, _) = lock(&life.inbound).handled_by(handle);
            life.cut_asks(handle, &asks);
            life.registrar.release(Some(handle), release);
        });
    }

    /// The callers of these are told that no answer comes; one that comes nevertheless meets nobody.
    pub fn cut_asks(self: &Arc<Self>, handle: Handle, asks: &[u64]) {
        if asks.is_empty() {
            return;
        }
        let worker = lock(&self.residents).get_mut(handle).map(|resident| resident.id.to_string()).unwrap_or_default();
        let text = format!("The worker \"{worker}\" ended, or moved, while it handled the call.");
        for inbound in asks {
            let unwanted = lock(&self.inbound).is_cancelled(*inbound);
            // What the handler asked ends with it, and its context tells.
            self.withdraw([(0, Place::Here { inbound: *inbound })]);
            let closed = lock(&self.inbound).close(*inbound);
            match closed.map(|closed| closed.origin) {
                None => {}
                Some(Origin::Local { slot }) if !unwanted => self.calls.fail(slot, Failure::new(Code::PeerLost, &text)),
                Some(Origin::Local { .. }) => {}
                Some(Origin::Remote { connection, call }) => {
                    if !unwanted {
                        let message = Bytes::copy_from_slice(text.as_bytes());
                        self.output.write_failure(&connection, call, Code::PeerLost, message, Bytes::new());
                    }
                    self.output.answered(&connection);
                    self.output.flush_to(&connection);
                }
            }
        }
    }
}
